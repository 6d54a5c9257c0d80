#include "server/config_moot.h"

#include <stdio.h>

/* Which values may stand in a file. */
enum strictness {
    ANY,   /* any: nothing that a user counts on hangs on it */
    USUAL, /* the usual one only */
};

struct moot {
    const char *name, *usual;
    enum strictness strictness;
    const char *why;
};

static const char no_fork[] = "snapshots are written without fork()", no_cluster[] = "there is no cluster mode",
                  no_defrag[] = "values are not moved in memory",
                  one_process[] = "the process runs in the foreground",
                  log_links[] = "replicas are fed from the log, at their own pace",
                  no_threads[] = "I/O runs on the threads that there are", no_socket[] = "it listens on TCP only",
                  no_modules[] = "there are no modules", no_syslog[] = "log lines go to standard output or logfile",
                  pages[] = "log and snapshots are flushed by threads of their own",
                  no_acks[] = "how many replicas have a write is asked for with WAIT",
                  outgoing_tls[] = "links between nodes are sealed by the cluster secret";

static const struct moot moots[] = {
    {"active-defrag-cycle-max", "25", ANY, no_defrag},
    {"active-defrag-cycle-min", "1", ANY, no_defrag},
    {"active-defrag-ignore-bytes", "100mb", ANY, no_defrag},
    {"active-defrag-max-scan-fields", "1000", ANY, no_defrag},
    {"active-defrag-threshold-lower", "10", ANY, no_defrag},
    {"active-defrag-threshold-upper", "100", ANY, no_defrag},
    {"active-expire-effort", "1", ANY, "expired keys are found by an index, whatever the effort"},
    {"activedefrag", "no", ANY, no_defrag},
    {"activerehashing", "yes", ANY, "tables are resized in small steps, always"},
    {"always-show-logo", "no", ANY, "there is no logo"},
    {"aof-rewrite-incremental-fsync", "yes", ANY, pages},
    {"aof-timestamp-enabled", "no", ANY, "every batch of the log has its time"},
    {"aof-use-rdb-preamble", "yes", USUAL, "the log's base is a snapshot, always"},
    {"aof_rewrite_cpulist", "", ANY, no_fork},
    {"bgsave_cpulist", "", ANY, no_fork},
    {"bind-source-addr", "", USUAL, "nodes connect from the address that the system chooses"},
    {"bio_cpulist", "", ANY, "threads run where the system puts them"},
    {"cluster-enabled", "no", USUAL, no_cluster},
    {"crash-log-enabled", "yes", ANY, "a failed assertion ends the process and says where"},
    {"crash-memcheck-enabled", "yes", ANY, "a failed assertion ends the process and says where"},
    {"daemonize", "no", USUAL, one_process},
    {"disable-thp", "yes", ANY, "nothing is copied on write, so large pages do no harm"},
    {"dynamic-hz", "yes", ANY, "periodic work costs little, however many clients there are"},
    {"enable-module-command", "no", USUAL, no_modules},
    {"enable-protected-configs", "no", ANY, "settings that are fixed at the start stay so"},
    {"gopher-enabled", "no", USUAL, "Gopher is not spoken"},
    {"io-threads", "1", ANY, no_threads},
    {"io-threads-do-reads", "no", ANY, no_threads},
    {"jemalloc-bg-thread", "yes", ANY, "what is large is freed by a thread anyway"},
    {"list-compress-depth", "0", ANY, "lists are not compressed in memory"},
    {"ignore-warnings", "", ANY, "warnings stop nothing"},
    {"loadmodule", NULL, USUAL, no_modules},
    {"masteruser", "", USUAL, "nodes prove themselves by the cluster secret"},
    {"maxmemory-eviction-tenacity", "10", ANY, "eviction takes half a millisecond at a time"},
    {"min-replicas-max-lag", "10", ANY, no_acks},
    {"min-replicas-to-write", "0", USUAL, no_acks},
    {"min-slaves-max-lag", "10", ANY, no_acks},
    {"min-slaves-to-write", "0", USUAL, no_acks},
    {"no-appendfsync-on-rewrite", "no", ANY, no_fork},
    {"oom-score-adj", "no", ANY, "there are no child processes"},
    {"oom-score-adj-values", "0 200 800", ANY, "there are no child processes"},
    {"proc-title-template", "{title} {listen-addr} {server-mode}", ANY,
     "the process keeps the title that it was called by"},
    {"rdb-del-sync-files", "no", ANY, "a received snapshot becomes the base of the log"},
    {"rdb-save-incremental-fsync", "yes", ANY, pages},
    {"rdbchecksum", "yes", USUAL, "snapshots carry a checksum, always"},
    {"repl-backlog-ttl", "3600", ANY, log_links},
    {"repl-disable-tcp-nodelay", "no", ANY, log_links},
    {"repl-diskless-load", "disabled", ANY, "a replica answers from its old data until the new is complete"},
    {"repl-diskless-sync", "yes", ANY, log_links},
    {"repl-diskless-sync-delay", "5", ANY, log_links},
    {"repl-diskless-sync-max-replicas", "0", ANY, log_links},
    {"replica-announced", "yes", ANY, "there is no Sentinel to hide from"},
    {"replica-lazy-flush", "no", ANY, "the old data set is freed by a thread"},
    {"replica-priority", "100", ANY, "replicas are promoted by hand"},
    {"sanitize-dump-payload", "no", ANY, "every payload is checked in full"},
    {"server_cpulist", "", ANY, "threads run where the system puts them"},
    {"set-proc-title", "yes", ANY, "the process keeps the title that it was called by"},
    {"shutdown-on-sigint", "default", USUAL, "a signal means SHUTDOWN, as the rules of save say"},
    {"shutdown-on-sigterm", "default", USUAL, "a signal means SHUTDOWN, as the rules of save say"},
    {"slave-lazy-flush", "no", ANY, "the old data set is freed by a thread"},
    {"slave-priority", "100", ANY, "replicas are promoted by hand"},
    {"socket-mark-id", "0", USUAL, "sockets are not marked"},
    {"supervised", "no", ANY, one_process},
    {"syslog-enabled", "no", USUAL, no_syslog},
    {"syslog-facility", "local0", ANY, no_syslog},
    {"syslog-ident", "redis", ANY, no_syslog},
    {"tls-client-cert-file", "", ANY, outgoing_tls},
    {"tls-client-key-file", "", ANY, outgoing_tls},
    {"tls-client-key-file-pass", "", ANY, outgoing_tls},
    {"unixsocket", NULL, USUAL, no_socket},
    {"unixsocketperm", "0", ANY, no_socket},
};

static const struct moot cluster = {"a cluster's setting", NULL, ANY, no_cluster};

static const struct moot *find(struct span name)
{
    static const char front[] = "cluster-";
    for (size_t i = 0; i < sizeof moots / sizeof *moots; i++)
        if (span_is(name, moots[i].name)) return &moots[i];
    if (name.n > sizeof front - 1 && span_is(span_of(name.p, sizeof front - 1), front)) return &cluster;
    return NULL;
}

bool config_moot_find(struct span name, const char **why)
{
    const struct moot *moot = find(name);
    if (moot) *why = moot->why;
    return moot;
}

enum err config_moot_take(const struct span *words, size_t n, struct buf *notes, struct errmsg *m)
{
    const struct moot *moot = find(words[0]);
    struct buf value = {0};
    for (size_t i = 1; i < n; i++) {
        if (value.len) buf_add_char(&value, ' ');
        buf_add_span(&value, words[i]);
    }
    const bool usual = moot->usual && span_is(buf_span(&value), moot->usual);
    buf_free(&value);
    if (usual) return ERR_OK;
    if (moot->strictness == USUAL)
        return err_set(m, ERR_INVALID, "%s is not supported (%s)%s%s", moot->name, moot->why,
                       moot->usual && moot->usual[0] ? "; it may only be " : "", moot->usual ? moot->usual : "");
    buf_printf(notes, "%s has no effect: %s\n", moot->name, moot->why);
    return ERR_OK;
}
