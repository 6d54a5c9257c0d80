/* One row per field, one function per section. To add a field, add its row. */
#include "server/info.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/key_sizes.h"
#include "common/num.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/info_absent.h"
#include "server/lifecycle.h"
#include "server/memory_report.h"
#include "server/server.h"
#include "server/version.h"
#include "server/words.h"

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

static void put_setting(const struct server *s, struct buf *o, const char *name, enum setting id)
{
    buf_printf(o, "%s:", name);
    config_format(s->config, id, o);
    buf_add(o, "\r\n", 2);
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
    if (lifecycle_stops_in_ms(s) >= 0) put_i64(o, "shutdown_in_milliseconds", lifecycle_stops_in_ms(s));
    put_i64(o, "hz", config_number(s->config, SET_HZ));
    put_i64(o, "configured_hz", config_number(s->config, SET_HZ));
    put_i64(o, "lru_clock", now / 1000 & ENTRY_CLOCK_MASK);
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
    put_u64(o, "tracking_clients", s->tracking.clients);
    put_u64(o, "pubsub_clients", s->pubsub.clients);
    put_u64(o, "clients_in_timeout_table", blocked_timed(s) + wait_timed(s));
}

static void put_share(struct buf *o, const char *name, double percent)
{
    buf_printf(o, "%s:%.2f%%\r\n", name, percent);
}

static void put_allocator(const struct memory_use *m, struct buf *o)
{
    put_u64(o, "allocator_allocated", m->used);
    put_u64(o, "allocator_active", m->active);
    put_u64(o, "allocator_resident", m->held);
    put_real(o, "allocator_frag_ratio", memory_ratio(m->active, m->used), 2);
    put_i64(o, "allocator_frag_bytes", (int64_t)m->active - (int64_t)m->used);
    put_real(o, "allocator_rss_ratio", memory_ratio(m->held, m->active), 2);
    put_i64(o, "allocator_rss_bytes", (int64_t)m->held - (int64_t)m->active);
    put_real(o, "rss_overhead_ratio", memory_ratio(m->resident, m->held), 2);
    put_i64(o, "rss_overhead_bytes", (int64_t)m->resident - (int64_t)m->held);
    put_real(o, "mem_fragmentation_ratio", memory_ratio(m->resident, m->used), 2);
    put_i64(o, "mem_fragmentation_bytes", (int64_t)m->resident - (int64_t)m->used);
}

static void put_scripts(struct server *s, struct buf *o)
{
    struct scripting_memory m;
    scripting_memory(s, &m);
    put_u64(o, "used_memory_lua", m.eval_vm);
    put_u64(o, "used_memory_vm_eval", m.eval_vm);
    put_human(o, "used_memory_lua_human", m.eval_vm);
    put_u64(o, "used_memory_scripts_eval", m.scripts);
    put_u64(o, "number_of_cached_scripts", m.script_count);
    put_u64(o, "number_of_functions", m.function_count);
    put_u64(o, "number_of_libraries", m.library_count);
    put_u64(o, "used_memory_vm_functions", m.function_vm);
    put_u64(o, "used_memory_vm_total", m.eval_vm + m.function_vm);
    put_human(o, "used_memory_vm_total_human", m.eval_vm + m.function_vm);
    put_u64(o, "used_memory_functions", m.functions);
    put_u64(o, "used_memory_scripts", m.scripts + m.functions);
    put_human(o, "used_memory_scripts_human", m.scripts + m.functions);
}

static void write_memory(struct server *s, struct buf *o)
{
    struct memory_report r;
    memory_report(s, &r);
    const struct memory_use *m = &r.use;
    put_u64(o, "used_memory", m->used);
    put_human(o, "used_memory_human", m->used);
    put_u64(o, "used_memory_rss", m->resident);
    put_human(o, "used_memory_rss_human", m->resident);
    put_u64(o, "used_memory_peak", r.peak);
    put_human(o, "used_memory_peak_human", r.peak);
    put_share(o, "used_memory_peak_perc", memory_percent(m->used, r.peak));
    put_u64(o, "used_memory_overhead", r.overhead);
    put_u64(o, "used_memory_startup", r.startup);
    put_u64(o, "used_memory_dataset", r.dataset);
    put_share(o, "used_memory_dataset_perc",
              memory_percent(r.dataset, m->used > r.startup ? m->used - r.startup : 0));
    put_u64(o, "total_system_memory", m->system);
    put_human(o, "total_system_memory_human", m->system);
    put_scripts(s, o);
    put_i64(o, "maxmemory", s->limits.max_bytes);
    put_human(o, "maxmemory_human", (uint64_t)s->limits.max_bytes);
    put_setting(s, o, "maxmemory_policy", SET_MAXMEMORY_POLICY);
    put_allocator(m, o);
    put_u64(o, "mem_not_counted_for_evict", limits_left_out(s));
    put_u64(o, "mem_replication_backlog", r.backlog);
    put_u64(o, "mem_total_replication_buffers", r.backlog);
    put_u64(o, "mem_clients_slaves", 0);
    put_u64(o, "mem_clients_normal", r.clients);
    put_u64(o, "mem_cluster_links", 0);
    put_u64(o, "mem_aof_buffer", r.log);
    put(o, "mem_allocator", m->allocator);
    put_u64(o, "active_defrag_running", 0);
    put_u64(o, "lazyfree_pending_objects", s->reaper.pending);
    put_u64(o, "lazyfreed_objects", s->reaper.freed);
}

static void put_result(struct buf *o, const char *name, const struct saver_result *r)
{
    put(o, name, r->failed ? "err" : "ok");
}

/* As long as it took so far, in proportion. */
static uint64_t loading_eta_s(const struct server *s)
{
    const int64_t took_ms = clock_wall_ms() - s->clock.started_ms;
    if (!s->loading_done || took_ms < 0 || s->loading_total < s->loading_done) return 0;
    return (uint64_t)((double)took_ms / 1000 * (double)(s->loading_total - s->loading_done) /
                      (double)s->loading_done);
}

/* Hashes with fields that expire, which Redis 7.0 cannot load. */
static uint64_t timed_hashes(const struct server *s)
{
    uint64_t n = 0;
    for (unsigned db = 0; db < engine_databases(s->engine); db++) n += engine_timed_hashes(s->engine, db);
    return n;
}

static void write_persistence(struct server *s, struct buf *o)
{
    const struct saver *v = &s->saver;
    const bool file = saver_is_running(v) && v->kind == SAVER_FILE,
               base = saver_is_running(v) && v->kind == SAVER_BASE;
    const int64_t running_s = saver_is_running(v) ? (clock_wall_ms() - v->began_ms) / 1000 : -1;
    struct log_stats log = {0};
    uint64_t given, total;
    if (s->journal.log) log_get_stats(s->journal.log, &log);
    put_u64(o, "loading", s->loading);
    put_u64(o, "async_loading", s->nodes.joining);
    if (s->loading) {
        put_i64(o, "loading_start_time", s->clock.started_ms / 1000);
        put_u64(o, "loading_total_bytes", s->loading_total);
        put_u64(o, "loading_loaded_bytes", s->loading_done);
        put_real(o, "loading_loaded_perc",
                 s->loading_total ? (double)s->loading_done * 100 / (double)s->loading_total : 0, 2);
        put_u64(o, "loading_eta_seconds", loading_eta_s(s));
    }
    saver_progress(s, &given, &total);
    put_u64(o, "current_cow_peak", 0);
    put_u64(o, "current_cow_size", 0);
    put_u64(o, "current_cow_size_age", 0);
    put_real(o, "current_fork_perc", total ? (double)given * 100 / (double)total : 0, 2);
    put_u64(o, "current_save_keys_processed", given);
    put_u64(o, "current_save_keys_total", total);
    put_u64(o, "rdb_changes_since_last_save", saver_changes(s));
    put_u64(o, "rdb_bgsave_in_progress", file);
    put_i64(o, "rdb_last_save_time", v->file.ended_ms / 1000);
    put_result(o, "rdb_last_bgsave_status", &v->file);
    put_i64(o, "rdb_last_bgsave_time_sec", v->file.took_s);
    put_i64(o, "rdb_current_bgsave_time_sec", file ? running_s : -1);
    put_u64(o, "rdb_saves", v->file.count);
    put_u64(o, "rdb_last_cow_size", 0);
    put_u64(o, "rdb_last_load_keys_expired", 0); /* nothing expires while it is loaded */
    put_u64(o, "rdb_last_load_keys_loaded", s->loaded_keys);
    if (v->file.why.text[0]) put(o, "relevo_last_save_error", v->file.why.text);
    put_u64(o, "aof_enabled", log.files);
    put_u64(o, "aof_rewrite_in_progress", base);
    put_u64(o, "aof_rewrite_scheduled", v->wanted[SAVER_BASE]);
    put_i64(o, "aof_last_rewrite_time_sec", v->base.took_s);
    put_i64(o, "aof_current_rewrite_time_sec", base ? running_s : -1);
    put_result(o, "aof_last_bgrewrite_status", &v->base);
    put_u64(o, "aof_rewrites", v->base.count);
    put_u64(o, "aof_rewrites_consecutive_failures", v->base.failures);
    put_u64(o, "aof_last_cow_size", 0);
    if (v->base.why.text[0]) put(o, "relevo_last_rewrite_error", v->base.why.text);
    put_u64(o, "aof_beyond_redis7", timed_hashes(s));
    put(o, "aof_last_write_status", s->journal.failed ? "err" : "ok");
    if (!log.files) return;
    put_u64(o, "aof_current_size", log.base_bytes + log.log_bytes);
    put_u64(o, "aof_base_size", log.base_bytes);
    put_u64(o, "aof_pending_rewrite", 0);
    put_u64(o, "aof_buffer_length", log_backlog(s->journal.log));
    put_u64(o, "aof_pending_bio_fsync", 0);
    put_u64(o, "aof_delayed_fsync", 0);
    put_u64(o, "relevo_log_segments", log.segments);
    put_u64(o, "relevo_log_begin", log.begin);
    put_u64(o, "relevo_checkpoints_kept", log.kept_bases);
    put_u64(o, "relevo_log_written", log_written(s->journal.log));
    put_u64(o, "relevo_log_durable", log_durable(s->journal.log));
    put_i64(o, "relevo_log_unsynced_ms", log_unsynced_ms(s->journal.log, clock_now(&s->clock)));
    put_u64(o, "relevo_log_late", s->journal.late);
    put_u64(o, "relevo_log_choked", s->journal.choked);
    put_u64(o, "relevo_log_syncs", log.syncs);
    put_u64(o, "relevo_log_sync_failures", log.failures);
    put_i64(o, "relevo_log_last_sync_usec", log.last_sync_us);
    put_i64(o, "relevo_log_longest_sync_usec", log.longest_sync_us);
}

static void put_replication_stats(struct server *s, struct buf *o)
{
    struct node_status n;
    if (!s->nodes.node) return;
    node_status(s->nodes.node, &n);
    put_u64(o, "sync_full", n.sync_full);
    put_u64(o, "sync_partial_ok", n.sync_partial_ok);
    put_u64(o, "sync_partial_err", n.sync_partial_err);
    put_u64(o, "total_net_repl_input_bytes", n.bytes_in);
    put_u64(o, "total_net_repl_output_bytes", n.bytes_out);
    put_u64(o, "relevo_refused_handshakes", n.refused_handshakes);
    put_u64(o, "relevo_messages_forwarded", n.forwarded);
    put_u64(o, "relevo_messages_not_forwarded", n.unforwarded + s->pubsub.too_long);
}

static void put_turns(struct stats *t, struct buf *o)
{
    const struct turn_figures *f = &t->turn.figures;
    const struct ticks *ticks = &t->turn.ticks;
    const uint64_t turns = rate_get(&t->turn_rate);
    turn_measure(&t->turn);
    put_u64(o, "eventloop_cycles", f->turns);
    put_u64(o, "eventloop_duration_sum", ticks_us(ticks, f->wall));
    put_u64(o, "eventloop_duration_cmd_sum", ticks_us(ticks, f->commands));
    put_u64(o, "instantaneous_eventloop_cycles_per_sec", turns);
    put_u64(o, "instantaneous_eventloop_duration_usec", turns ? ticks_us(ticks, rate_get(&t->wall_rate) / turns) : 0);
    put_u64(o, "relevo_longest_turn_usec", f->longest_us);
    put_u64(o, "relevo_longest_command_usec", f->command_us);
    put(o, "relevo_longest_command", f->command ? f->command->name : "");
}

static void write_stats(struct server *s, struct buf *o)
{
    struct stats *t = &s->stats;
    const struct engine_stats *e = engine_stats(s->engine);
    put_u64(o, "total_connections_received", t->connections);
    put_u64(o, "total_commands_processed", t->commands);
    put_u64(o, "instantaneous_ops_per_sec", rate_get(&t->command_rate));
    put_u64(o, "total_net_input_bytes", t->bytes_in);
    put_u64(o, "total_net_output_bytes", t->bytes_out);
    put_real(o, "instantaneous_input_kbps", (double)rate_get(&t->in_rate) / 1024, 2);
    put_real(o, "instantaneous_output_kbps", (double)rate_get(&t->out_rate) / 1024, 2);
    put_real(o, "instantaneous_input_repl_kbps", (double)rate_get(&t->link_in_rate) / 1024, 2);
    put_real(o, "instantaneous_output_repl_kbps", (double)rate_get(&t->link_out_rate) / 1024, 2);
    put_u64(o, "rejected_connections", t->rejected_connections);
    put_u64(o, "expired_keys", e->expired_keys);
    put_u64(o, "expired_subkeys", e->expired_fields);
    put_u64(o, "evicted_keys", e->evicted_keys);
    put_u64(o, "keyspace_hits", e->keyspace_hits);
    put_u64(o, "keyspace_misses", e->keyspace_misses);
    put_u64(o, "pubsub_channels", subscriptions_topics(s->pubsub.all, TOPIC_CHANNEL));
    put_u64(o, "pubsub_patterns", subscriptions_topics(s->pubsub.all, TOPIC_PATTERN));
    put_u64(o, "pubsubshard_channels", subscriptions_topics(s->pubsub.all, TOPIC_SHARD));
    put_u64(o, "relevo_cache_loads", e->cache_loads);
    put_u64(o, "relevo_cache_waits", e->cache_waits);
    put_u64(o, "relevo_cache_fills", e->cache_fills);
    put_u64(o, "relevo_cache_refused", e->cache_refused);
    put_u64(o, "latest_fork_usec", 0);
    put_u64(o, "total_forks", 0);
    put_u64(o, "total_error_replies", t->errors);
    put_replication_stats(s, o);
    put_u64(o, "client_query_buffer_limit_disconnections", t->query_limit_closed);
    put_u64(o, "client_output_buffer_limit_disconnections", t->output_limit_closed);
    put_u64(o, "evicted_clients", t->evicted_clients);
    put_u64(o, "total_reads_processed", t->reads);
    put_u64(o, "total_writes_processed", t->writes);
    put_u64(o, "dump_payload_sanitizations", t->by_command[s->restore_command->id].calls);
    put_real(o, "expired_stale_perc", engine_stale_percent(s->engine), 2);
    put_u64(o, "expired_time_cap_reached_count", t->expiry_cut);
    put_u64(o, "expire_cycle_cpu_milliseconds", t->expiry_ns / 1000000);
    put_u64(o, "total_eviction_exceeded_time", t->exceeded_ms);
    put_u64(o, "current_eviction_exceeded_time", t->exceeding_ms);
    put_u64(o, "acl_access_denied_auth", t->denied_auth);
    put_u64(o, "acl_access_denied_cmd", t->denied_command);
    put_u64(o, "acl_access_denied_key", t->denied_key);
    put_u64(o, "acl_access_denied_channel", t->denied_channel);
    put_u64(o, "tracking_total_keys", s->tracking.keys.count);
    put_u64(o, "tracking_total_items", s->tracking.items);
    put_u64(o, "tracking_total_prefixes", s->tracking.prefixes.count);
    put_turns(t, o);
}

static const char *state_name(const struct server *s)
{
    if (s->nodes.waiting) return "asking-peers";
    return s->nodes.role == NODE_PRIMARY ? "primary" : s->nodes.role == NODE_REPLICA ? "replica" : "fenced";
}

static void put_link(const struct server *s, const struct node_status *n, struct buf *o)
{
    put(o, "master_host", s->nodes.host);
    put_u64(o, "master_port", s->nodes.port);
    put(o, "master_link_status", n->link_up ? "up" : "down");
    put_i64(o, "master_last_io_seconds_ago", n->link_up ? (int64_t)(n->last_io_ms / 1000) : -1);
    put_u64(o, "master_sync_in_progress", n->sync_total_bytes > 0 || s->nodes.joining);
    if (n->sync_total_bytes) {
        put_u64(o, "master_sync_total_bytes", n->sync_total_bytes);
        put_u64(o, "master_sync_left_bytes", n->sync_left_bytes);
    }
    if (!n->link_up) put_u64(o, "master_link_down_since_seconds", n->down_ms / 1000);
    put_u64(o, "slave_read_repl_offset", log_end(s->journal.log));
    put_u64(o, "slave_repl_offset", log_end(s->journal.log));
    put_u64(o, "slave_priority", 100);
    put_u64(o, "slave_read_only", 1);
    put_u64(o, "replica_announced", 1);
    put(o, "relevo_link_state", n->link_state ? n->link_state : "idle");
    put(o, "relevo_link_error", n->link_error);
    put_u64(o, "relevo_primary_offset", n->primary_end);
}

static void put_followers(const struct node_status *n, struct buf *o)
{
    put_u64(o, "connected_slaves", n->follower_count);
    for (size_t i = 0; i < n->follower_count; i++) {
        const struct node_follower_status *f = &n->followers[i];
        buf_printf(o, "slave%zu:ip=%s,port=%u,state=%s,offset=%" PRIu64 ",lag=%" PRIu64 "\r\n", i, f->host, f->port,
                   f->state, f->acked, f->last_ack_ms / 1000);
    }
}

static void put_identity(struct server *s, struct buf *o)
{
    char lineage[33], node[33];
    const struct history *h = log_history(s->journal.log);
    const struct epoch *epoch = history_last(h);
    lineage_format(&h->lineage, lineage);
    const struct node_id *id = log_node(s->journal.log);
    for (size_t i = 0; i < sizeof id->bytes; i++) (void)snprintf(node + 2 * i, 3, "%02x", id->bytes[i]);
    /* Redis's id has 40 digits, and stands for a history that can be resumed: so does ours, with 32. */
    buf_printf(o, "master_replid:%s00000000\r\n", lineage);
    buf_printf(o, "master_replid2:%040d\r\n", 0);
    put_u64(o, "master_repl_offset", log_end(s->journal.log));
    put_i64(o, "second_repl_offset", -1);
    put(o, "relevo_node_id", node);
    put(o, "relevo_lineage", lineage);
    put_u64(o, "relevo_epoch", epoch ? epoch->number : 0);
    put_u64(o, "relevo_epoch_start", epoch ? epoch->start : 0);
}

static void write_replication(struct server *s, struct buf *o)
{
    struct node_status n;
    if (!s->nodes.node) return;
    node_status(s->nodes.node, &n);
    put(o, "role", s->read_only ? "slave" : "master");
    put(o, "relevo_state", state_name(s));
    if (s->nodes.fence[0]) put(o, "relevo_fence", s->nodes.fence);
    if (s->nodes.role == NODE_REPLICA) put_link(s, &n, o);
    put_followers(&n, o);
    put(o, "master_failover_state", "no-failover");
    put_identity(s, o);
    put_u64(o, "repl_backlog_active", 1);
    put_i64(o, "repl_backlog_size", config_number(s->config, SET_REPL_BACKLOG_SIZE));
    const uint64_t kept = n.window_end - n.window_begin;
    put_u64(o, "repl_backlog_first_byte_offset", kept ? n.window_begin : n.end);
    put_u64(o, "repl_backlog_histlen", kept);
}

static void put_cpu(struct buf *o, const char *suffix, int who)
{
    struct rusage use;
    if (getrusage(who, &use) != 0) return;
    buf_printf(o, "used_cpu_sys%s:%ld.%06ld\r\n", suffix, (long)use.ru_stime.tv_sec, (long)use.ru_stime.tv_usec);
    buf_printf(o, "used_cpu_user%s:%ld.%06ld\r\n", suffix, (long)use.ru_utime.tv_sec, (long)use.ru_utime.tv_usec);
}

/* There is none: info_absent() says so. */
static void write_cluster(struct server *s, struct buf *o)
{
    (void)s;
    (void)o;
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
    const struct ticks *ticks = &stats->turn.ticks;
    const struct command_stat *t = &stats->by_command[e->id];
    if (!t->calls && !t->rejected && !t->failed) return;
    buf_printf(o,
               "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
               ",failed_calls=%" PRIu64 "\r\n",
               e->name, t->calls, ticks_us(ticks, t->ticks),
               t->calls ? (double)t->ticks * ticks->us / (double)t->calls : 0.0, t->rejected, t->failed);
}

static void write_commandstats(struct server *s, struct buf *o)
{
    for (size_t i = 0; i < command_count(s->commands); i++) {
        const struct command_entry *e = command_at(s->commands, i);
        put_command(&s->stats, e, o);
        for (size_t j = 0; j < e->sub_count; j++) put_command(&s->stats, e->subs[j], o);
    }
}

static void put_percentiles(const struct server *s, const struct command_entry *e, struct buf *o)
{
    const struct histogram *h = s->stats.by_command[e->id].latency;
    struct span rest = span_str(config_text(s->config, SET_LATENCY_PERCENTILES)), word;
    double percent;
    if (!h || h->total == 0) return;
    buf_printf(o, "latency_percentiles_usec_%s:", e->name);
    for (bool first = true; word_next(&rest, ' ', &word) && num_parse_double(word, &percent); first = false)
        buf_printf(o, "%sp%.*s=%.3f", first ? "" : ",", (int)word.n, word.p,
                   (double)histogram_percentile(h, percent) / 1000);
    buf_add(o, "\r\n", 2);
}

static void write_latencystats(struct server *s, struct buf *o)
{
    for (size_t i = 0; i < command_count(s->commands); i++) {
        const struct command_entry *e = command_at(s->commands, i);
        put_percentiles(s, e, o);
        for (size_t j = 0; j < e->sub_count; j++) put_percentiles(s, e->subs[j], o);
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
        const uint64_t keys = engine_keys(s->engine, db), timed = engine_timed_hashes(s->engine, db);
        if (keys == 0) continue;
        buf_printf(o, "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRId64, db, keys,
                   engine_expires(s->engine, db), engine_mean_ttl(s->engine, db));
        /* Redis 7.4's word; older monitors expect three fields, and see four only where there is something to say. */
        if (timed) buf_printf(o, ",subexpiry=%" PRIu64, timed);
        buf_add(o, "\r\n", 2);
    }
}

/* "512", "1K", "2M": 2^(step - 1). */
static void put_step(unsigned step, struct buf *o)
{
    static const char units[] = " KMGTPE";
    const unsigned bits = step ? step - 1 : 0;
    buf_printf(o, "%u", step ? 1u << bits % 10 : 0);
    if (bits >= 10) buf_add_char(o, units[bits / 10]);
}

static void put_distribution(const struct key_sizes *sizes, unsigned db, enum type type, const char *what,
                             struct buf *o)
{
    bool any = false;
    for (unsigned step = 0; step <= KEY_SIZES_STEPS; step++) {
        const uint64_t n = key_sizes_get(sizes, type, step);
        if (n == 0) continue;
        if (any) buf_add_char(o, ',');
        else buf_printf(o, "db%u_distrib_%s:", db, what);
        any = true;
        put_step(step, o);
        buf_printf(o, "=%" PRIu64, n);
    }
    if (any) buf_add(o, "\r\n", 2);
}

/* As in Redis 8, but made when it is asked for; in a large database out of a sample, and says so. */
static void write_keysizes(struct server *s, struct buf *o)
{
    enum { MOST = 8192 }; /* keys to look at: about a millisecond */
    static const char *const names[TYPE_COUNT] = {
        [TYPE_STRING] = "strings_sizes", [TYPE_LIST] = "lists_items",  [TYPE_SET] = "sets_items",
        [TYPE_ZSET] = "zsets_items",     [TYPE_HASH] = "hashes_items", [TYPE_STREAM] = "streams_items",
    };
    unsigned filled = 0;
    for (unsigned db = 0; db < engine_databases(s->engine); db++) filled += engine_keys(s->engine, db) > 0;
    for (unsigned db = 0; db < engine_databases(s->engine); db++) {
        struct key_sizes sizes;
        uint64_t random;
        if (engine_keys(s->engine, db) == 0) continue;
        randombytes_buf(&random, sizeof random);
        key_sizes_look(s->engine, db, MOST / filled + 1, random, &sizes);
        for (unsigned type = 0; type < TYPE_COUNT; type++)
            if (names[type]) put_distribution(&sizes, db, (enum type)type, names[type], o);
        if (sizes.looked_at < sizes.keys)
            buf_printf(o, "db%u_distrib_sampled_keys:%" PRIu64 "\r\n", db, sizes.looked_at);
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
    {"persistence", "Persistence", true, write_persistence},
    {"stats", "Stats", true, write_stats},
    {"replication", "Replication", true, write_replication},
    {"cpu", "CPU", true, write_cpu},
    {"commandstats", "Commandstats", false, write_commandstats},
    {"errorstats", "Errorstats", true, write_errorstats},
    {"latencystats", "Latencystats", false, write_latencystats},
    {"cluster", "Cluster", true, write_cluster},
    {"keyspace", "Keyspace", true, write_keyspace},
    {"keysizes", "Keysizes", false, write_keysizes},
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
        info_absent(sections[i].name, to);
    }
}
