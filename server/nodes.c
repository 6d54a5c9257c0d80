#include "server/nodes.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/batch.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/install.h"
#include "server/lifecycle.h"
#include "server/role_file.h"
#include "server/saver.h"
#include "server/loader.h"
#include "server/server.h"
#include "server/wait.h"

static const char *role_name(enum node_role role)
{
    return role == NODE_PRIMARY ? "primary" : role == NODE_REPLICA ? "replica" : "fenced primary";
}

/* The one place where the role changes, with all that hangs on it. */
static void set_role(struct server *s, enum node_role role)
{
    struct nodes *n = &s->nodes;
    const bool reads_only = role != NODE_PRIMARY;
    scripting_abort(s);
    if (n->role != role) logger_line(s->logger, LOGGER_NOTICE, "This node is a %s now", role_name(role));
    n->role = role;
    if (reads_only && !s->read_only) { /* what was answered stays answered, and nothing else will be */
        journal_sync(s);
        journal_give_up_held(s);
        blocked_role_changed(s);
        wait_role_changed(s);
    }
    s->read_only = reads_only;
    s->journal.appending = role == NODE_PRIMARY;
    engine_set_role(s->engine, reads_only ? ENGINE_REPLICA : ENGINE_PRIMARY);
    logger_set_role(s->logger, reads_only ? 'S' : 'M');
    if (role != NODE_FENCED) n->fence[0] = '\0';
    journal_configure(s);
}

/* Whom we follow (nobody: an empty @host) is what the setting says from now on, so that CONFIG REWRITE keeps it; and
 * unless it came from there, it is noted for the next start. */
static void note_primary(struct server *s, const char *host, uint16_t port)
{
    char text[NODE_HOST_MAX + 16] = "";
    (void)snprintf(s->nodes.host, sizeof s->nodes.host, "%s", host);
    s->nodes.port = port;
    if (host[0]) (void)snprintf(text, sizeof text, "%s %u", host, port);
    const enum err e = config_set(s->config, SET_REPLICAOF, span_str(text), NULL);
    struct errmsg m;
    (void)e; /* a host name that a peer announced and that no setting could hold is kept above all the same */
    if (s->nodes.node && role_file_write(s->dir, s->nodes.configured, text, &m))
        logger_line(s->logger, LOGGER_WARNING, "The role of this node is forgotten at a restart: %s", m.text);
}

/* ---- What comes in ---- */

static void die_of_log(struct server *s, const char *what, const struct errmsg *m)
{
    logger_line(s->logger, LOGGER_WARNING, "%s: %s. This node's data cannot be trusted: it stops", what, m->text);
    (void)fprintf(stderr, "relevo: %s: %s\n", what, m->text);
    _exit(1);
}

/* Execute the commands of one received batch. */
static void replay_batch(struct server *s, struct span payload)
{
    struct errmsg m = {{0}};
    if (loader_replay_batch(s->engine, &s->nodes.replay, payload, &m))
        die_of_log(s, "A received batch does not fit the data", &m);
}

/* Takes @c. */
static void execute_chunk(struct server *s, struct chunk *c)
{
    struct span rest = chunk_span(c);
    while (rest.n) {
        struct batch b;
        struct errmsg m = {{0}};
        if (batch_read_line(rest, BATCH_MAX, &b) || b.line + b.payload.n > rest.n) {
            (void)err_set(&m, ERR_CORRUPT, "a chunk is not a row of batches");
            die_of_log(s, "A received batch cannot be read", &m);
        }
        replay_batch(s, span_of(rest.p + b.line, b.payload.n));
        rest = span_of(rest.p + b.line + b.payload.n, rest.n - b.line - b.payload.n);
    }
    chunk_unref(c);
}

void nodes_catch_up(struct server *s)
{
    struct nodes *n = &s->nodes;
    if (!n->received_count) return;
    for (size_t i = 0; i < n->received_count; i++) execute_chunk(s, n->received[i]);
    mem_free(n->received);
    n->received = NULL;
    n->received_count = n->received_bytes = 0;
    nodes_progress(s);
}

/* Takes @c. A script sees the data as it was when it began; one that reads for too long must give way. */
static void keep_for_later(struct server *s, struct chunk *c)
{
    enum { MOST_BYTES = 64 << 20 };
    struct nodes *n = &s->nodes;
    n->received = mem_realloc(n->received, (n->received_count + 1) * sizeof(struct chunk *));
    n->received[n->received_count++] = c;
    n->received_bytes += chunk_span(c).n;
    if (n->received_bytes > MOST_BYTES) scripting_abort(s);
}

static void on_received(void *ctx, struct chunk *c)
{
    struct server *s = ctx;
    turn_begin(&s->stats.turn);
    journal_append_chunk(s, c);
    if (scripting_is_busy(s)) keep_for_later(s, c);
    else execute_chunk(s, c);
    s->nodes.heard_ms = clock_now(&s->clock);
    nodes_progress(s);
}

static void on_history_changed(void *ctx, const struct history *h)
{
    struct server *s = ctx;
    struct errmsg m = {{0}};
    if (log_adopt_history(s->journal.log, h, &m)) die_of_log(s, "The primary's history does not fit the log", &m);
}

static void on_snapshot(void *ctx, const char *path, const struct position *position, const struct history *h,
                        bool salvage)
{
    struct server *s = ctx;
    scripting_abort(s);
    s->nodes.joining = true;
    install_start(s, path, position, h, salvage);
}

void nodes_installed(struct server *s, bool ok)
{
    s->nodes.joining = false;
    if (s->nodes.node) node_loaded(s->nodes.node, ok);
    nodes_progress(s);
}

/* ---- Roles ---- */

static void on_confirmed(void *ctx, bool fetched)
{
    struct server *s = ctx;
    struct errmsg m = {{0}};
    if (fetched) {
        logger_line(s->logger, LOGGER_NOTICE, "Fetched from a peer what this node's own log had lost");
        /* A restart, not a promotion: the epoch stays in its rank. */
        if (journal_open_epoch(s, 0, &m)) die_of_log(s, "Cannot open an epoch", &m);
        node_promoted(s->nodes.node);
    }
    s->nodes.waiting = false;
    set_role(s, NODE_PRIMARY);
    lifecycle_ready(s);
}

static void on_step_down(void *ctx, const struct node_peer *to, uint64_t epoch)
{
    struct server *s = ctx;
    logger_line(s->logger, LOGGER_WARNING, "%s:%u is primary in the later epoch %llu: this node steps down", to->host,
                to->port, (unsigned long long)epoch);
    journal_close_batch(s);
    if (s->nodes.role == NODE_PRIMARY) set_role(s, NODE_REPLICA);
    if (s->nodes.waiting) {
        s->nodes.waiting = false;
        lifecycle_ready(s);
    }
    node_stepped_down(s->nodes.node);
}

static void on_following(void *ctx, const struct node_peer *to)
{
    struct server *s = ctx;
    logger_line(s->logger, LOGGER_NOTICE, "Following the primary %s:%u", to->host, to->port);
    note_primary(s, to->host, to->port);
    set_role(s, NODE_REPLICA);
}

static void on_fenced(void *ctx, const struct node_peer *by, const char *why)
{
    struct server *s = ctx;
    logger_line(s->logger, LOGGER_WARNING,
                "Fenced by %s:%u: %s. Clients may read. To drop what only this node has, send it REPLICAOF %s %u",
                by->host, by->port, why, by->host, by->port);
    set_role(s, NODE_FENCED);
    (void)snprintf(s->nodes.fence, sizeof s->nodes.fence, "%s", why);
    s->nodes.host[0] = '\0'; /* a start asks the peers again, and comes to the same end */
}

/* ---- Peers, acknowledgements, lines ---- */

static void on_peers_changed(void *ctx, const struct node_peer *peers, size_t n)
{
    struct server *s = ctx;
    struct peer *list = mem_zalloc(n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = (struct peer){.id = peers[i].id, .host = (char *)(uintptr_t)peers[i].host, .port = peers[i].port};
    log_set_peers(s->journal.log, list, n);
    mem_free(list);
}

static void on_acked(void *ctx) { wait_check(ctx); }

static void on_published(void *ctx, const struct bulletin *b) { pubsub_deliver(ctx, b); }

static void on_line(void *ctx, bool warning, const char *line)
{
    struct server *s = ctx;
    logger_line(s->logger, warning ? LOGGER_WARNING : LOGGER_NOTICE, "%s", line);
}

static void on_snapshot_wanted(void *ctx) { saver_start_for_nodes(ctx); }

static const struct node_callbacks callbacks = {
    .received = on_received,
    .history_changed = on_history_changed,
    .snapshot = on_snapshot,
    .snapshot_wanted = on_snapshot_wanted,
    .confirmed = on_confirmed,
    .step_down = on_step_down,
    .following = on_following,
    .fenced = on_fenced,
    .peers_changed = on_peers_changed,
    .acked = on_acked,
    .published = on_published,
    .log = on_line,
};

/* ---- Start and stop ---- */

static enum err start_node(struct server *s, const char *host, uint16_t port, struct errmsg *m)
{
    const struct config *c = s->config;
    const char *secret = config_text(c, SET_CLUSTER_SECRET_FILE), *announce = config_text(c, SET_REPLICA_ANNOUNCE_IP);
    const int64_t announce_port = config_number(c, SET_REPLICA_ANNOUNCE_PORT);
    const struct peer *known = NULL;
    const size_t n = log_peers(s->journal.log, &known);
    struct node_peer *peers = mem_zalloc(n, sizeof *peers);
    for (size_t i = 0; i < n; i++) {
        peers[i].id = known[i].id;
        peers[i].port = known[i].port;
        (void)snprintf(peers[i].host, sizeof peers[i].host, "%s", known[i].host);
    }
    const struct node_options o = {
        .log = s->journal.log,
        .announce_host = announce[0] ? announce : NULL,
        .port = (uint16_t)(announce_port ? announce_port : config_number(c, SET_PORT)),
        .secret_file = secret[0] ? secret : NULL,
        .dir = s->dir,
        .window_bytes = (size_t)config_number(c, SET_REPL_BACKLOG_SIZE),
        .heartbeat_ms = (uint32_t)config_number(c, SET_REPL_PING_PERIOD) * 1000,
        .timeout_ms = (uint32_t)config_number(c, SET_REPL_TIMEOUT) * 1000,
        .forgets = !config_number(c, SET_APPENDONLY),
        .peers = peers,
        .peer_count = n,
        .callbacks = &callbacks,
        .ctx = s,
    };
    const enum err e = node_start(&s->loop, &o, host, port, false, &s->nodes.node, m);
    mem_free(peers);
    return e;
}

enum err nodes_start(struct server *s, bool foreign, struct errmsg *m)
{
    char host[256], follow[ROLE_TEXT_MAX];
    int port = 0;
    (void)snprintf(s->nodes.configured, sizeof s->nodes.configured, "%s", config_text(s->config, SET_REPLICAOF));
    enum err e = role_file_read(s->dir, s->nodes.configured, follow, m);
    if (!e) e = config_set(s->config, SET_REPLICAOF, span_str(follow), m);
    if (e) return e;
    const bool replica = config_replicaof(s->config, host, &port);
    if (strcmp(follow, s->nodes.configured) != 0)
        logger_line(s->logger, LOGGER_NOTICE, "The role that this node was given last goes on: %s%s",
                    replica ? "replica of " : "primary", follow);
    /* Data that a Redis wrote gets a lineage and a base of ours first, whatever comes then. */
    if (!replica || foreign) e = journal_open_epoch(s, 0, m);
    if (!e && foreign) e = saver_run(s, SAVER_BASE, m);
    if (e) return e;
    s->nodes.role = replica ? NODE_REPLICA : NODE_PRIMARY;
    e = start_node(s, replica ? host : NULL, (uint16_t)port, m);
    if (e) return e;
    s->nodes.waiting = !replica;
    if (replica) {
        logger_line(s->logger, LOGGER_NOTICE, "Connecting to MASTER %s:%d", host, port);
        (void)snprintf(s->nodes.host, sizeof s->nodes.host, "%s", host);
        s->nodes.port = (uint16_t)port;
        set_role(s, NODE_REPLICA);
    }
    return ERR_OK;
}

void nodes_stop(struct server *s)
{
    node_stop(s->nodes.node);
    s->nodes.node = NULL;
    for (size_t i = 0; i < s->nodes.received_count; i++) chunk_unref(s->nodes.received[i]);
    mem_free(s->nodes.received);
    s->nodes.received = NULL;
    s->nodes.received_count = 0;
}

void nodes_submit(struct server *s, struct chunk *c)
{
    if (s->nodes.node) node_submit(s->nodes.node, c);
}

bool nodes_are_followed(const struct server *s)
{
    return s->nodes.node && !s->read_only && node_is_followed(s->nodes.node);
}

void nodes_publish(struct server *s, struct buf *bulletin)
{
    struct bulletin *b = bulletin_take(bulletin, log_end(s->journal.log));
    assert(b);
    if (nodes_are_followed(s)) node_publish(s->nodes.node, b);
    bulletin_unref(b);
}

void nodes_progress(struct server *s)
{
    if (!s->nodes.node) return;
    /* With the disk far behind nothing more counts as applied, so that the link thread soon reads no more. */
    if (!s->journal.choked || !s->read_only) s->nodes.applied = log_end(s->journal.log);
    node_progress(s->nodes.node, s->nodes.applied, log_durable(s->journal.log));
}

void nodes_follow(struct server *s, const char *host, uint16_t port)
{
    journal_close_batch(s);
    note_primary(s, host, port);
    set_role(s, NODE_REPLICA);
    logger_line(s->logger, LOGGER_NOTICE, "Connecting to MASTER %s:%u", host, port);
    node_follow(s->nodes.node, host, port, true);
}

enum err nodes_promote(struct server *s, struct errmsg *m)
{
    struct nodes *n = &s->nodes;
    node_unfollow(n->node);
    const enum err e = journal_open_epoch(s, node_next_epoch(n->node), m);
    if (e) {
        if (n->role == NODE_REPLICA) node_follow(n->node, n->host, n->port, false);
        return e;
    }
    note_primary(s, "", 0);
    set_role(s, NODE_PRIMARY);
    node_promoted(n->node);
    const struct epoch *epoch = history_last(log_history(s->journal.log));
    logger_line(s->logger, LOGGER_NOTICE, "MASTER MODE enabled: epoch %llu begins at offset %llu",
                (unsigned long long)epoch->number, (unsigned long long)epoch->start);
    return ERR_OK;
}

void nodes_adopt(struct client *c, struct span read)
{
    struct server *s = c->server;
    uv_os_fd_t fd;
    if (!s->nodes.node || uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0) {
        client_close(c);
        return;
    }
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0) node_adopt(s->nodes.node, own, read);
    client_close(c);
}

void nodes_base_ready(struct server *s)
{
    if (s->nodes.node) node_base_ready(s->nodes.node);
}

void nodes_base_failed(struct server *s, const char *why)
{
    if (s->nodes.node) node_base_failed(s->nodes.node, why);
}

size_t nodes_fsynced(struct server *s, uint64_t position)
{
    return s->nodes.node ? node_fsynced(s->nodes.node, position) : 0;
}

size_t nodes_acked(struct server *s, uint64_t position)
{
    return s->nodes.node ? node_acked(s->nodes.node, position) : 0;
}
