#include "server/info_absent.h"

/* Sources of a release carry no state of a repository; the process forks for nothing, is supervised by nobody that it
 * knows of, and has no modules; memory is not moved to defragment it; reading and writing is the loop's own; there is no
 * cluster, and nothing migrates by connections that are kept. */
static const struct {
    const char *section, *lines;
} absent[] = {
    {"server",
     "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\nmonotonic_clock:POSIX clock_gettime\r\n"
     "atomicvar_api:c11-builtin\r\nprocess_supervised:no\r\nio_threads_active:0\r\n"},
    {"clients", "cluster_connections:0\r\n"},
    {"persistence", "module_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n"},
    {"stats",
     "migrate_cached_sockets:0\r\nslave_expires_tracked_keys:0\r\nactive_defrag_hits:0\r\nactive_defrag_misses:0\r\n"
     "active_defrag_key_hits:0\r\nactive_defrag_key_misses:0\r\ntotal_active_defrag_time:0\r\n"
     "current_active_defrag_time:0\r\nunexpected_error_replies:0\r\nio_threaded_reads_processed:0\r\n"
     "io_threaded_writes_processed:0\r\nreply_buffer_shrinks:0\r\nreply_buffer_expands:0\r\n"},
    {"cluster", "cluster_enabled:0\r\n"},
};

void info_absent(const char *section, struct buf *to)
{
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (span_is(span_str(section), absent[i].section)) buf_add_span(to, span_str(absent[i].lines));
}
