/* One row per field, one function per section. To add a field, add its row. */
#include "server/info.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "server/client.h"
#include "server/memory.h"
#include "server/server.h"
#include "server/version.h"

static void put(struct buf *o, const char *name, const char *value) { buf_printf(o, "%s:%s\r\n", name, value); }
static void put_u64(struct buf *o, const char *name, uint64_t v) { buf_printf(o, "%s:%" PRIu64 "\r\n", name, v); }
static void put_i64(struct buf *o, const char *name, int64_t v) { buf_printf(o, "%s:%" PRId64 "\r\n", name, v); }

static void put_real(struct buf *o, const char *name, double v, int digits)
{
    buf_printf(o, "%s:%.*f\r\n", name, digits, v);
}

static void put_human(struct buf *o, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double v = (double)bytes;
    unsigned unit = 0;
    while (v >= 1024 && unit + 2 < sizeof units) {
        v /= 1024;
        unit++;
    }
    if (unit) buf_printf(o, "%s:%.2f%c\r\n", name, v, units[unit]);
    else buf_printf(o, "%s:%" PRIu64 "B\r\n", name, bytes);
}

static void write_server(struct server *s, struct buf *o)
{
    struct utsname system;
    const int64_t now = clock_now(&s->clock), up = (now - s->clock.started_ms) / 1000;
    (void)uname(&system);
    put(o, "redis_version", REDIS_VERSION);
    put(o, "relevo_version", RELEVO_VERSION);
    put(o, "redis_mode", "standalone");
    buf_printf(o, "os:%s %s %s\r\n", system.sysname, system.release, system.machine);
    put_u64(o, "arch_bits", sizeof(void *) * 8);
    put(o, "multiplexing_api", "epoll");
    put(o, "gcc_version", __VERSION__);
    put_i64(o, "process_id", getpid());
    put(o, "run_id", s->run_id);
    put_i64(o, "tcp_port", config_number(s->config, SET_PORT));
    put_i64(o, "server_time_usec", now * 1000);
    put_i64(o, "uptime_in_seconds", up);
    put_i64(o, "uptime_in_days", up / 86400);
    put_i64(o, "hz", config_number(s->config, SET_HZ));
    put_i64(o, "configured_hz", config_number(s->config, SET_HZ));
    put(o, "executable", s->program);
    put(o, "config_file", s->config_path ? s->config_path : "");
}

static void write_clients(struct server *s, struct buf *o)
{
    size_t largest_in = 0, largest_out = 0;
    for (const struct client *c = s->clients.first; c; c = c->next) {
        if (c->in.len > largest_in) largest_in = c->in.len;
        if (client_pending_bytes(c) > largest_out) largest_out = client_pending_bytes(c);
    }
    put_u64(o, "connected_clients", s->clients.count);
    put_i64(o, "maxclients", config_number(s->config, SET_MAXCLIENTS));
    put_u64(o, "client_recent_max_input_buffer", largest_in);
    put_u64(o, "client_recent_max_output_buffer", largest_out);
    put_u64(o, "blocked_clients", clients_blocked(s));
}

static void write_memory(struct server *s, struct buf *o)
{
    struct memory_use m;
    memory_use(&m);
    if (m.used > s->peak_memory) s->peak_memory = m.used;
    put_u64(o, "used_memory", m.used);
    put_human(o, "used_memory_human", m.used);
    put_u64(o, "used_memory_rss", m.resident);
    put_human(o, "used_memory_rss_human", m.resident);
    put_u64(o, "used_memory_peak", s->peak_memory);
    put_human(o, "used_memory_peak_human", s->peak_memory);
    put_u64(o, "total_system_memory", m.system);
    put_human(o, "total_system_memory_human", m.system);
    put_u64(o, "maxmemory", 0);
    put_human(o, "maxmemory_human", 0);
    put(o, "maxmemory_policy", "noeviction");
    if (m.active) put_u64(o, "allocator_active", m.active);
    put_real(o, "mem_fragmentation_ratio", m.used ? (double)m.resident / (double)m.used : 0, 2);
    put(o, "mem_allocator", m.allocator);
}

static void write_stats(struct server *s, struct buf *o)
{
    const struct stats *t = &s->stats;
    const struct engine_stats *e = engine_stats(s->engine);
    put_u64(o, "total_connections_received", t->connections);
    put_u64(o, "total_commands_processed", t->commands);
    put_u64(o, "instantaneous_ops_per_sec", rate_get(&t->command_rate));
    put_u64(o, "total_net_input_bytes", t->bytes_in);
    put_u64(o, "total_net_output_bytes", t->bytes_out);
    put_real(o, "instantaneous_input_kbps", (double)rate_get(&t->in_rate) / 1024, 2);
    put_real(o, "instantaneous_output_kbps", (double)rate_get(&t->out_rate) / 1024, 2);
    put_u64(o, "rejected_connections", t->rejected_connections);
    put_u64(o, "expired_keys", e->expired_keys);
    put_u64(o, "evicted_keys", 0);
    put_u64(o, "keyspace_hits", e->keyspace_hits);
    put_u64(o, "keyspace_misses", e->keyspace_misses);
    put_u64(o, "latest_fork_usec", 0);
    put_u64(o, "total_forks", 0);
    put_u64(o, "total_error_replies", t->errors);
    put_u64(o, "client_query_buffer_limit_disconnections", t->query_limit_closed);
    put_u64(o, "client_output_buffer_limit_disconnections", t->output_limit_closed);
}

static void put_cpu(struct buf *o, const char *suffix, int who)
{
    struct rusage use;
    if (getrusage(who, &use) != 0) return;
    buf_printf(o, "used_cpu_sys%s:%ld.%06ld\r\n", suffix, (long)use.ru_stime.tv_sec, (long)use.ru_stime.tv_usec);
    buf_printf(o, "used_cpu_user%s:%ld.%06ld\r\n", suffix, (long)use.ru_utime.tv_sec, (long)use.ru_utime.tv_usec);
}

static void write_cpu(struct server *s, struct buf *o)
{
    (void)s;
    put_cpu(o, "", RUSAGE_SELF);
    put_cpu(o, "_children", RUSAGE_CHILDREN);
    put_cpu(o, "_main_thread", RUSAGE_THREAD);
}

static void put_command(const struct stats *stats, const struct command_entry *e, struct buf *o)
{
    const struct command_stat *t = &stats->by_command[e->id];
    if (!t->calls && !t->rejected && !t->failed) return;
    buf_printf(o,
               "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
               ",failed_calls=%" PRIu64 "\r\n",
               e->name, t->calls, t->nanoseconds / 1000,
               t->calls ? (double)t->nanoseconds / 1000 / (double)t->calls : 0.0, t->rejected, t->failed);
}

static void write_commandstats(struct server *s, struct buf *o)
{
    for (size_t i = 0; i < command_count(s->commands); i++) {
        const struct command_entry *e = command_at(s->commands, i);
        put_command(&s->stats, e, o);
        for (size_t j = 0; j < e->sub_count; j++) put_command(&s->stats, e->subs[j], o);
    }
}

static void write_errorstats(struct server *s, struct buf *o)
{
    for (size_t i = 0; i < s->stats.error_kinds; i++)
        buf_printf(o, "errorstat_%s:count=%" PRIu64 "\r\n", s->stats.by_error[i].name, s->stats.by_error[i].count);
}

static void write_keyspace(struct server *s, struct buf *o)
{
    for (unsigned db = 0; db < engine_databases(s->engine); db++) {
        const uint64_t keys = engine_keys(s->engine, db);
        if (keys)
            buf_printf(o, "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0\r\n", db, keys,
                       engine_expires(s->engine, db));
    }
}

static const struct info_section {
    const char *name, *title;
    bool usual; /* shown when no section is named */
    void (*write)(struct server *s, struct buf *o);
} sections[] = {
    {"server", "Server", true, write_server},
    {"clients", "Clients", true, write_clients},
    {"memory", "Memory", true, write_memory},
    {"stats", "Stats", true, write_stats},
    {"cpu", "CPU", true, write_cpu},
    {"commandstats", "Commandstats", false, write_commandstats},
    {"errorstats", "Errorstats", true, write_errorstats},
    {"keyspace", "Keyspace", true, write_keyspace},
};

static bool is_wanted(const struct info_section *section, const struct span *names, size_t count)
{
    if (count == 0) return section->usual;
    for (size_t i = 0; i < count; i++) {
        if (span_is(names[i], "all") || span_is(names[i], "everything")) return true;
        if (span_is(names[i], "default") && section->usual) return true;
        if (span_is(names[i], section->name)) return true;
    }
    return false;
}

void info_write(struct server *s, const struct span *names, size_t count, struct buf *to)
{
    bool first = true;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_wanted(&sections[i], names, count)) continue;
        buf_printf(to, "%s# %s\r\n", first ? "" : "\r\n", sections[i].title);
        first = false;
        sections[i].write(s, to);
    }
}
