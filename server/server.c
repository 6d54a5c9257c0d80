/* Putting the parts together, and taking them apart. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/lifecycle.h"
#include "server/loader.h"
#include "server/memory.h"
#include "server/restore.h"
#include "server/version.h"
#include "server/words.h"

enum { OWN_DESCRIPTORS = 64 }; /* log, links, listeners and the like */

static struct encoding_limits encoding_limits(const struct config *c)
{
    return (struct encoding_limits){
        .hash_max_listpack_entries = (size_t)config_number(c, SET_HASH_ENTRIES),
        .hash_max_listpack_value = (size_t)config_number(c, SET_HASH_VALUE),
        .set_max_intset_entries = (size_t)config_number(c, SET_INTSET_ENTRIES),
        .set_max_listpack_entries = (size_t)config_number(c, SET_SET_ENTRIES),
        .set_max_listpack_value = (size_t)config_number(c, SET_SET_VALUE),
        .zset_max_listpack_entries = (size_t)config_number(c, SET_ZSET_ENTRIES),
        .zset_max_listpack_value = (size_t)config_number(c, SET_ZSET_VALUE),
        .list_max_listpack_size = config_number(c, SET_LIST_SIZE),
        .stream_node_max_bytes = (size_t)config_number(c, SET_STREAM_BYTES),
        .stream_node_max_entries = (size_t)config_number(c, SET_STREAM_ENTRIES),
        .hll_sparse_max_bytes = (size_t)config_number(c, SET_HLL_SPARSE),
    };
}

/* As many descriptors as maxclients needs; fewer clients if the system does not allow that. */
static void reserve_descriptors(struct server *s)
{
    struct rlimit limit;
    const rlim_t need = (rlim_t)config_number(s->config, SET_MAXCLIENTS) + OWN_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= need) return;
    char text[32];
    const int n =
        snprintf(text, sizeof text, "%llu",
                 limit.rlim_cur > OWN_DESCRIPTORS ? (unsigned long long)limit.rlim_cur - OWN_DESCRIPTORS : 1ULL);
    logger_line(s->logger, LOGGER_WARNING, "maxclients is %s: the system allows %llu open files", text,
                (unsigned long long)limit.rlim_cur);
    const enum err e = config_set(s->config, SET_MAXCLIENTS, span_of(text, (size_t)n), NULL);
    (void)e;
}

void server_apply(struct server *s, enum setting id)
{
    switch (id) {
    case SET_MAX_BULK:
        engine_set_max_bulk(s->engine, (size_t)config_number(s->config, id));
        clients_configure(s);
        break;
    case SET_OUTPUT_LIMITS:
    case SET_QUERY_BUFFER_LIMIT:
    case SET_MAXMEMORY_CLIENTS: clients_configure(s); break;
    case SET_REQUIREPASS:
    case SET_ACLLOG_MAX_LEN:
    case SET_ACL_PUBSUB_DEFAULT: access_configure(s, id); break;
    case SET_LOGLEVEL: logger_set_level(s->logger, (enum logger_level)config_number(s->config, id)); break;
    case SET_MAXCLIENTS: reserve_descriptors(s); break;
    case SET_APPENDFSYNC:
    case SET_LOG_UNSYNCED_MAX: journal_configure(s); break;
    case SET_LOG_RETAIN_BYTES:
    case SET_LOG_RETAIN_SECONDS:
        log_set_retention(s->journal.log, (uint64_t)config_number(s->config, SET_LOG_RETAIN_BYTES),
                          config_number(s->config, SET_LOG_RETAIN_SECONDS) * 1000);
        break;
    case SET_CHECKPOINT_KEEP: log_set_keep(s->journal.log, (unsigned)config_number(s->config, id)); break;
    case SET_MAXMEMORY:
    case SET_MAXMEMORY_POLICY:
    case SET_MAXMEMORY_SAMPLES:
    case SET_LFU_LOG_FACTOR:
    case SET_LFU_DECAY_TIME:
    case SET_LAZY_EVICTION:
    case SET_LAZY_EXPIRE:
    case SET_LAZY_SERVER_DEL:
    case SET_LAZY_USER_DEL:
    case SET_LAZY_USER_FLUSH:
        limits_configure(s);
        clients_configure(s);
        break;
    case SET_SLOWLOG_SLOWER_THAN:
    case SET_SLOWLOG_MAX_LEN:
    case SET_LATENCY_THRESHOLD:
    case SET_LATENCY_TRACKING: insight_configure(s); break;
    case SET_BUSY_THRESHOLD:
    case SET_SCRIPT_MEMORY: scripting_configure(s); break;
    case SET_HZ: lifecycle_set_rate(s); break;
    case SET_NOTIFY: pubsub_configure(s); break;
    case SET_HASH_ENTRIES:
    case SET_HASH_VALUE:
    case SET_LIST_SIZE:
    case SET_INTSET_ENTRIES:
    case SET_SET_ENTRIES:
    case SET_SET_VALUE:
    case SET_ZSET_ENTRIES:
    case SET_ZSET_VALUE: *engine_limits(s->engine) = encoding_limits(s->config); break;
    default: break; /* looked up where it is used */
    }
}

struct engine *server_make_engine(const struct server *s)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    options.databases = (unsigned)config_number(s->config, SET_DATABASES);
    options.max_bulk = (size_t)config_number(s->config, SET_MAX_BULK);
    options.limits = encoding_limits(s->config);
    options.eviction = limits_eviction(s->config);
    options.now_ms = clock_wall_ms();
    randombytes_buf(options.hash_key, sizeof options.hash_key);
    randombytes_buf(&options.random_seed, sizeof options.random_seed);
    return engine_new(&options);
}

static void make_engine(struct server *s)
{
    s->engine = server_make_engine(s);
    s->commands = command_set_new();
    engine_add_commands(s->commands);
    server_add_commands(s->commands);
    s->restore_command = command_find(s->commands, SPAN("restore"), SPAN(""));
    s->debug_command = command_find(s->commands, SPAN("debug"), SPAN(""));
    stats_init(&s->stats, command_ids(s->commands));
    insight_init(s);
}

/* One line of the log for each setting that has no effect. */
static void say_notes(struct server *s)
{
    struct span rest = buf_span(config_notes(s->config)), line;
    while (word_next(&rest, '\n', &line)) logger_line(s->logger, LOGGER_NOTICE, "%.*s", (int)line.n, line.p);
}

static enum err write_pidfile(struct server *s, struct errmsg *m)
{
    const char *path = config_text(s->config, SET_PIDFILE);
    if (!path[0]) return ERR_OK;
    FILE *f = fopen(path, "we");
    if (!f) return err_errno(m, "cannot write the pid file %s", path);
    (void)fprintf(f, "%d\n", (int)getpid());
    if (fclose(f) != 0) return err_errno(m, "cannot write the pid file %s", path);
    s->pidfile_written = true;
    return ERR_OK;
}

static enum err enter_directory(struct server *s, struct errmsg *m)
{
    const char *dir = config_text(s->config, SET_DIR);
    if (chdir(dir) != 0) return err_errno(m, "cannot use the directory %s", dir);
    if (!getcwd(s->dir, sizeof s->dir)) return err_errno(m, "cannot use the directory %s", dir);
    if (access(".", R_OK | W_OK | X_OK) != 0) return err_errno(m, "cannot write to the directory %s", dir);
    return ERR_OK;
}

static void make_run_id(struct server *s)
{
    uint8_t random[20];
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(s->run_id, sizeof s->run_id, random, sizeof random);
}

static enum err start(struct server *s, struct errmsg *m)
{
    enum err e = logger_open(config_text(s->config, SET_LOGFILE),
                             (enum logger_level)config_number(s->config, SET_LOGLEVEL), &s->logger, m);
    if (!e) e = enter_directory(s, m);
    if (e) return e;
    make_run_id(s);
    s->clock.started_ms = clock_wall_ms();
    reserve_descriptors(s);
    make_engine(s);
    limits_init(s);
    pubsub_init(s);
    clients_init(s);
    scripting_init(s);
    saver_init(s);
    timeouts_init(s);
    blocked_init(s);
    watches_init(&s->watches);
    tracking_init(&s->tracking);
    lifecycle_start(s);
    s->startup_memory = memory_used();
    s->loading = true;
    e = access_start(s, m);
    if (!e) e = listeners_open(s, m);
    if (!e) e = journal_open(s, m);
    if (!e) e = write_pidfile(s, m);
    if (e) return e;
    logger_line(s->logger, LOGGER_NOTICE, "Relevo %s starting, pid=%d, port=%d, configuration: %s", RELEVO_VERSION,
                (int)getpid(), (int)config_number(s->config, SET_PORT), s->config_path ? s->config_path : "none");
    say_notes(s);
    logger_line(s->logger, LOGGER_NOTICE, "Server initialized");
    return ERR_OK;
}

/* Read what is on disk, and find the place among the nodes. */
static enum err load(struct server *s, struct errmsg *m)
{
    struct log_report report;
    struct loaded_place place = {0};
    struct moment until;
    enum err e = s->restore_until ? restore_check(s, &until, m) : ERR_OK;
    if (!e) e = loader_run(s, s->restore_until ? &until : NULL, &report, &place, m);
    if (!e && s->restore_until) e = restore_install(s, &report, m);
    /* Without a log of its own, the place in it that a snapshot stands for is where this node goes on. */
    if (!e && !config_number(s->config, SET_APPENDONLY) && !report.fresh && place.known && place.history.count) {
        e = log_install_base(s->journal.log, NULL, &place.position, &place.history, false, m);
        report.foreign = false;
    }
    history_free(&place.history);
    if (!e) e = nodes_start(s, report.foreign, m);
    s->saver.saved_dirty = engine_stats(s->engine)->dirty;
    for (unsigned db = 0; !e && db < engine_databases(s->engine); db++) s->loaded_keys += engine_keys(s->engine, db);
    if (!e && !s->nodes.waiting) lifecycle_ready(s);
    return e;
}

static void close_handle(uv_handle_t *h, void *context)
{
    (void)context;
    if (!uv_is_closing(h)) uv_close(h, NULL);
}

static void stop(struct server *s, bool served)
{
    if (s->clients.read_buffer) clients_close_all(s);
    listeners_close(s);
    if (s->saver.running) saver_abort(s);
    nodes_stop(s);
    /* Clients and listeners free themselves in their callbacks; the other handles are embedded. */
    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
    uv_walk(&s->loop, close_handle, NULL);
    while (uv_run(&s->loop, UV_RUN_DEFAULT)) {}
    journal_close(s);
    journal_free(s);
    saver_free(s);
    timeouts_free(s);
    scripting_free(s);
    watches_free(&s->watches);
    tracking_free(&s->tracking);
    clients_free(s);
    access_free(s);
    listeners_free(s);
    pubsub_free(s);
    engine_free(s->engine);
    insight_free(s);
    monitors_free(s);
    stats_free(&s->stats);
    command_set_free(s->commands);
    lifecycle_free(s);
    if (s->pidfile_written) (void)unlink(config_text(s->config, SET_PIDFILE));
    if (s->logger && served) logger_line(s->logger, LOGGER_WARNING, "Relevo is now ready to exit, bye bye...");
    logger_close(s->logger);
}

int server_main(struct config *config, const char *config_path, const char *program, const char *restore_until)
{
    struct server *s = MEM_NEW(struct server);
    struct errmsg m = {{0}};
    s->config = config;
    s->config_path = config_path;
    s->program = program;
    s->restore_until = restore_until;
    (void)signal(SIGPIPE, SIG_IGN);
    int code = 0;
    if (uv_loop_init(&s->loop) != 0) {
        (void)fprintf(stderr, "relevo: cannot make an event loop\n");
        code = 1;
    } else {
        enum err e = start(s, &m);
        if (!e) e = load(s, &m);
        if (!e) (void)uv_run(&s->loop, UV_RUN_DEFAULT);
        if (e && !lifecycle_is_stopping(s)) {
            (void)fprintf(stderr, "relevo: %s\n", m.text);
            if (s->logger && config_text(s->config, SET_LOGFILE)[0])
                logger_line(s->logger, LOGGER_WARNING, "%s", m.text);
            code = 1;
        }
        stop(s, code == 0);
        (void)uv_loop_close(&s->loop);
    }
    config_free(config);
    mem_free(s);
    return code;
}
