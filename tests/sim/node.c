#include <assert.h>
#include <stdio.h>

#include "common/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/sim.h"

/* Something that a node's threads will have done after a while, if the node still lives. */
struct errand {
    struct sim_node *node;
    uint64_t life;
    void (*run)(struct world *w, struct sim_node *n, const struct errand *e);
    uint32_t conn;
    uint64_t offset, size;
    uint32_t crc, seed;
    bool check;
    struct sim_base base;
};

static void errand_drop(void *what)
{
    struct errand *e = what;
    history_free(&e->base.history);
    mem_free(e);
}

static void errand_run(struct world *w, void *what)
{
    struct errand *e = what;
    if (e->node->up && e->node->life == e->life) e->run(w, e->node, e);
    errand_drop(e);
}

static struct errand *send_errand(struct world *w, struct sim_node *n, int64_t delay_ms,
                                  void (*run)(struct world *, struct sim_node *, const struct errand *))
{
    struct errand *e = MEM_NEW(struct errand);
    e->node = n;
    e->life = n->life;
    e->run = run;
    sim_later(w, delay_ms, errand_run, errand_drop, e);
    return e;
}

/* ---- The log thread ---- */

static void synced(struct world *w, struct sim_node *n, const struct errand *e)
{
    const uint64_t end = disk_end(&n->disk);
    const uint64_t durable = e->offset < end ? e->offset : end;
    if (durable > n->disk.durable) n->disk.durable = durable;
    node_give(w, n, &(struct core_event){.kind = EVENT_PROGRESS, .applied = e->size, .durable = n->disk.durable});
}

static void will_sync(struct world *w, struct sim_node *n)
{
    struct errand *e = send_errand(w, n, 10 + (int64_t)sim_random(w, 300), synced);
    e->offset = disk_end(&n->disk);
    e->size = disk_end(&n->disk);
}

static void log_opened(struct world *w, struct sim_node *n, const struct errand *e)
{
    enum err err = e->offset < n->disk.begin ? ERR_STALE : e->offset > disk_end(&n->disk) ? ERR_RANGE : ERR_OK;
    if (err == ERR_OK && e->check) err = disk_verify(&n->disk, e->offset, e->crc, e->seed);
    if (err == ERR_OK) disk_pin(&n->disk, e->conn, e->offset);
    node_give(w, n, &(struct core_event){.kind = EVENT_LOG_OPENED, .conn = e->conn, .error = err});
}

static void log_was_read(struct world *w, struct sim_node *n, const struct errand *e)
{
    struct buf copy = {0};
    buf_add_span(&copy, disk_read(&n->disk, e->offset, (size_t)e->size));
    node_give(w, n, &(struct core_event){.kind = EVENT_LOG_READ, .conn = e->conn, .payload = buf_span(&copy)});
    buf_free(&copy);
}

/* ---- Bases ---- */

static void base_opened(struct world *w, struct sim_node *n, const struct errand *e)
{
    const struct sim_base *b = &n->disk.base;
    if (b->there) disk_pin(&n->disk, e->conn, b->position.offset);
    node_give(w, n,
              &(struct core_event){.kind = EVENT_BASE_OPENED,
                                   .conn = e->conn,
                                   .error = b->there ? ERR_OK : ERR_MISSING,
                                   .size = b->size,
                                   .position = b->position});
}

/* The file's first bytes are the data set's digest, the rest stands for the data. */
static void base_was_read(struct world *w, struct sim_node *n, const struct errand *e)
{
    char *file = mem_zalloc(1, (size_t)e->base.size);
    memcpy(file, &e->base.digest, sizeof e->base.digest);
    node_give(w, n,
              &(struct core_event){
                  .kind = EVENT_BASE_READ, .conn = e->conn, .payload = span_of(file + e->offset, (size_t)e->size)});
    mem_free(file);
}

static void base_made(struct world *w, struct sim_node *n, const struct errand *e)
{
    (void)e;
    n->base_coming = false;
    if (!w->calm && sim_chance(w, 10)) {
        node_give(w, n, &(struct core_event){.kind = EVENT_BASE_FAILED, .text = "no space"});
        return;
    }
    disk_make_base(w, &n->disk);
    node_give(w, n, &(struct core_event){.kind = EVENT_BASE_READY});
}

static void snapshot_stored(struct world *w, struct sim_node *n, const struct errand *e)
{
    (void)e;
    const bool fails = !w->calm && sim_chance(w, 5);
    node_give(w, n, &(struct core_event){.kind = EVENT_SNAPSHOT_STORED, .error = fails ? ERR_NO_SPACE : ERR_OK});
}

static void snapshot_loaded(struct world *w, struct sim_node *n, const struct errand *e)
{
    if (!w->calm && sim_chance(w, 5)) {
        node_give(w, n, &(struct core_event){.kind = EVENT_LOADED});
        return;
    }
    check_kept(w, n, &e->base);
    disk_install(&n->disk, &e->base);
    const struct epoch *epoch =
        e->base.position.offset ? history_at(&n->disk.history, e->base.position.offset - 1) : NULL;
    if (epoch) check_prefix(w, n, epoch->id, e->base.position.offset, e->base.digest);
    n->snapshots_taken++;
    struct facts f = {0};
    disk_facts(&n->disk, &f);
    node_give(w, n, &(struct core_event){.kind = EVENT_LOADED, .flag = true, .facts = &f});
    facts_free(&f);
}

/* ---- The main thread ---- */

static void stepped_down(struct world *w, struct sim_node *n, const struct errand *e)
{
    (void)e;
    n->accepts = false;
    node_give(w, n, &(struct core_event){.kind = EVENT_STEPPED_DOWN});
}

static void open_epoch(struct world *w, struct sim_node *n, uint64_t at_least, bool starting)
{
    struct facts f = {0};
    disk_open_epoch(w, n, at_least);
    disk_facts(&n->disk, &f);
    node_give(w, n, &(struct core_event){.kind = EVENT_PROMOTED, .facts = &f, .flag = starting});
    facts_free(&f);
}

static void confirmed(struct world *w, struct sim_node *n, const struct errand *e)
{
    if (core_role(n->core) == NODE_REPLICA || n->promoting) return; /* an operator was faster */
    if (e->check) open_epoch(w, n, 0, false);
    n->accepts = n->core->state == CORE_PRIMARY;
}

static void load(struct world *w, struct sim_node *n)
{
    const struct replica *r = &n->core->replica;
    struct errand *e = send_errand(w, n, 20 + (int64_t)sim_random(w, 2000), snapshot_loaded);
    e->base.there = true;
    e->base.position = r->base;
    e->base.size = n->receiving.len;
    history_copy(&e->base.history, &r->upstream.history);
    assert(n->receiving.len >= sizeof e->base.digest);
    memcpy(&e->base.digest, n->receiving.p, sizeof e->base.digest);
    n->salvaged += r->salvage;
}

static void take_chunk(struct world *w, struct sim_node *n, const struct chunk *c)
{
    if (n->promoting) check_fail(w, "n%u receives log while it is being promoted", n->index);
    disk_append(w, n, c);
    will_sync(w, n);
}

static void main_todo(struct world *w, struct sim_node *n, const struct todo_item *i)
{
    switch (i->kind) {
    case TODO_CHUNK: take_chunk(w, n, i->chunk); break;
    case TODO_HISTORY: disk_adopt(&n->disk, &n->core->self.history); break;
    case TODO_SNAPSHOT_LOAD: load(w, n); break;
    case TODO_CONFIRMED: send_errand(w, n, 0, confirmed)->check = i->check; break;
    case TODO_STEP_DOWN: (void)send_errand(w, n, (int64_t)sim_random(w, 30), stepped_down); break;
    case TODO_FOLLOWING:
        n->accepts = false;
        if (n->keeps_following) memcpy(n->follow, n->core->replica.target.host, sizeof n->follow);
        break;
    case TODO_FENCED: n->accepts = false; break;
    case TODO_PEERS: n->disk.peer_count = herald_list(n->core, n->disk.peers); break;
    case TODO_BASE_WANT:
        if (!n->base_coming) (void)send_errand(w, n, 10 + (int64_t)sim_random(w, 500), base_made);
        n->base_coming = true;
        break;
    case TODO_SAY:
        if (w->verbose) printf("# %8.3f n%u: %s\n", (double)w->now_ms / 1000, n->index, todo_string(&n->todo, i));
        break;
    case TODO_PUBLISHED: check_published(w, n, i->bulletin); break;
    case TODO_ACKED: break;
    default: assert(false && "not for the main thread"); break;
    }
}

static void file_todo(struct world *w, struct sim_node *n, const struct todo_item *i)
{
    struct errand *e = NULL;
    const int64_t soon = (int64_t)sim_random(w, 5);
    switch (i->kind) {
    case TODO_LOG_OPEN: e = send_errand(w, n, soon, log_opened); break;
    case TODO_LOG_READ:
        e = send_errand(w, n, soon, log_was_read);
        disk_pin(&n->disk, i->conn, i->offset);
        break;
    case TODO_LOG_CLOSE: disk_unpin(&n->disk, i->conn); return;
    case TODO_BASE_OPEN: e = send_errand(w, n, soon, base_opened); break;
    case TODO_BASE_READ: {
        struct sim_node *receiver = net_other_end(w, n, i->conn);
        if (receiver && receiver->up && i->offset == 0) {
            /* A source that was behind the asker when an operator pointed it there may have caught up since. */
            const bool by_force = receiver->core->replica.take_any && core_role(n->core) != NODE_PRIMARY;
            check_snapshot_needed(w, n, receiver, receiver->core->replica.need_base || by_force);
        }
        e = send_errand(w, n, soon, base_was_read);
        e->base.digest = n->disk.base.digest;
        e->base.size = n->disk.base.size;
        for (size_t f = 0; f < PRIMARY_FOLLOWERS; f++) { /* the file stays open though a newer base replaces it */
            const struct follower *who = &n->core->primary.followers[f];
            if (who->state == FOLLOWER_SENDING && who->conn == i->conn &&
                who->base.offset != n->disk.base.position.offset)
                e->base.digest = check_digest_at(w, n, who->base.offset), e->base.size = who->base_size;
        }
        break;
    }
    case TODO_BASE_CLOSE: return;
    case TODO_SNAPSHOT_FINISH: e = send_errand(w, n, soon, snapshot_stored); break;
    default: assert(false && "not for files"); return;
    }
    e->conn = i->conn;
    e->offset = i->offset;
    e->size = i->size;
    e->crc = i->crc;
    e->seed = i->seed;
    e->check = i->check;
}

static void work_off(struct world *w, struct sim_node *n)
{
    for (size_t at = 0; at < n->todo.count; at++) {
        const struct todo_item *i = &n->todo.items[at];
        switch (i->kind) {
        case TODO_DIAL: net_dial(w, n, i->conn, todo_string(&n->todo, i)); break;
        case TODO_SEND: net_send(w, n, i->conn, todo_header(&n->todo, i), todo_payload(&n->todo, i)); break;
        case TODO_CLOSE:
            disk_unpin(&n->disk, i->conn);
            net_close(w, n, i->conn);
            break;
        case TODO_PAUSE:
        case TODO_RESUME: net_pause(w, n, i->conn, i->kind == TODO_PAUSE); break;
        case TODO_SNAPSHOT_CREATE:
        case TODO_SNAPSHOT_DROP: n->receiving.len = 0; break;
        case TODO_SNAPSHOT_WRITE: buf_add_span(&n->receiving, i->payload); break;
        case TODO_LOG_OPEN:
        case TODO_LOG_READ:
        case TODO_LOG_CLOSE:
        case TODO_BASE_OPEN:
        case TODO_BASE_READ:
        case TODO_BASE_CLOSE:
        case TODO_SNAPSHOT_FINISH: file_todo(w, n, i); break;
        default: main_todo(w, n, i); break;
        }
    }
    todo_reset(&n->todo);
}

static void step(struct world *w, struct sim_node *n, const struct core_event *ev)
{
    w->steps++;
    core_step(n->core, w->now_ms, ev, &n->todo);
    work_off(w, n);
}

static void tick(struct world *w, struct sim_node *n, const struct errand *e)
{
    if (n->tick_at_ms != (int64_t)e->offset) return; /* an earlier one was set meanwhile */
    n->tick_at_ms = SIM_FAR;
    node_give(w, n, &(struct core_event){.kind = EVENT_TICK});
}

void node_give(struct world *w, struct sim_node *n, const struct core_event *ev)
{
    if (!n->up) return;
    if (ev->kind == EVENT_CLOSED) disk_unpin(&n->disk, ev->conn);
    step(w, n, ev);
    if (ev->kind == EVENT_MESSAGE && ev->message->body_case == RELEVO__MESSAGE__BODY_ANNOUNCE)
        check_fenced(w, n, ev->message->announce);
    if (ev->kind != EVENT_TICK) step(w, n, &(struct core_event){.kind = EVENT_TICK});
    if (n->core->replica.state == REPLICA_STREAMING) n->operator_spoke = false;
    int64_t due = core_deadline(n->core);
    if (due <= w->now_ms) due = w->now_ms + 1;
    if (due >= n->tick_at_ms) return;
    n->tick_at_ms = due;
    send_errand(w, n, due - w->now_ms, tick)->offset = (uint64_t)due;
}

/* ---- Life ---- */

struct sim_node *node_by_host(struct world *w, const char *host) { return &w->nodes[host[1] - '0']; }

static const struct core_settings settings = {
    .heartbeat_ms = 1000,
    .timeout_ms = 5000,
    .retry_min_ms = 100,
    .retry_max_ms = 3000,
    .probe_ms = 1000,
    .window_bytes = 8 * 1024,
    .backlog_bytes = 16 * 1024,
    .queue_bytes = 100 * 1024,
};

void node_boot(struct world *w, struct sim_node *n)
{
    struct facts self = {.id = n->id};
    struct core_settings set = settings;
    assert(!n->up);
    n->up = true;
    n->life++;
    n->tick_at_ms = SIM_FAR;
    n->base_coming = false;
    n->promoting = false;
    n->operator_spoke = false;
    n->receiving.len = 0;
    n->disk.durable = disk_end(&n->disk);
    set.seed = sim_random(w, UINT64_MAX);
    self.boot = sim_random(w, UINT64_MAX);
    (void)snprintf(self.host, sizeof self.host, "n%u", n->index);
    self.port = (uint16_t)(7000 + n->index);
    if (n->follow[0]) {
        disk_facts(&n->disk, &self);
        n->core = core_new(&set, &self, n->disk.peers, n->disk.peer_count);
        node_give(w, n,
                  &(struct core_event){
                      .kind = EVENT_FOLLOW, .text = n->follow, .port = (uint16_t)(7000 + (n->follow[1] - 48))});
    } else {
        disk_open_epoch(w, n, 0);
        disk_facts(&n->disk, &self);
        n->core = core_new(&set, &self, n->disk.peers, n->disk.peer_count);
        node_give(w, n, &(struct core_event){.kind = EVENT_PROMOTED, .facts = &self, .flag = true});
    }
    facts_free(&self);
}

void node_crash(struct world *w, struct sim_node *n, bool power_cut)
{
    assert(n->up);
    if (w->verbose)
        printf("# %8.3f n%u: %s\n", (double)w->now_ms / 1000, n->index, power_cut ? "power cut" : "killed");
    net_crashed(w, n);
    n->up = false;
    n->accepts = false;
    core_free(n->core);
    todo_free(&n->todo);
    n->core = NULL;
    disk_lose_tail(w, &n->disk, power_cut);
}

/* Publish something behind the batch @c that tells where that was. */
static void publish(struct world *w, struct sim_node *n, const struct chunk *c)
{
    const uint64_t epoch_id = history_last(&n->disk.history)->id, position = chunk_end(c);
    struct buf bytes = {0};
    const bool fits = bulletin_add(&bytes, &(struct message){.channel = span_of(&epoch_id, sizeof epoch_id),
                                                             .text = span_of(&position, sizeof position)});
    assert(fits);
    struct bulletin *b = bulletin_take(&bytes, position);
    node_give(w, n, &(struct core_event){.kind = EVENT_PUBLISH, .bulletin = b});
    bulletin_unref(b);
}

void node_write(struct world *w, struct sim_node *n)
{
    if (!n->up || !n->accepts) return;
    char payload[40000];
    const size_t size = 8 + sim_random(w, sim_chance(w, 2) ? sizeof payload - 8 : 300);
    memset(payload, 'x', size);
    const uint64_t unique = sim_random(w, UINT64_MAX);
    memcpy(payload, &unique, sizeof unique);
    struct chunk *c = disk_write(w, n, span_of(payload, size));
    w->writes++;
    struct core_event ev = {.kind = EVENT_SUBMIT, .chunk = c};
    if (core_is_alone(n->core)) { /* as node_submit() does */
        ev.kind = EVENT_ADVANCE;
        ev.position = (struct position){.epoch = c->epoch, .offset = chunk_end(c), .crc = c->crc};
    }
    node_give(w, n, &ev);
    if (sim_chance(w, 30)) publish(w, n, c);
    chunk_unref(c);
    will_sync(w, n);
}

static void promote_now(struct world *w, struct sim_node *n, const struct errand *e)
{
    if (!n->promoting) return; /* an operator said otherwise meanwhile */
    n->promoting = false;
    open_epoch(w, n, e->offset, false);
    if (core_role(n->core) != NODE_PRIMARY) check_fail(w, "n%u was promoted and is no primary", n->index);
    n->accepts = true;
}

void node_operator_promote(struct world *w, struct sim_node *n)
{
    if (!n->up || n->promoting || n->core->replica.loading || !lineage_is_set(&n->disk.history.lineage)) return;
    if (w->verbose) printf("# %8.3f n%u: operator promotes it\n", (double)w->now_ms / 1000, n->index);
    node_give(w, n, &(struct core_event){.kind = EVENT_UNFOLLOW});
    n->follow[0] = '\0';
    n->promoting = true;
    n->accepts = false;
    send_errand(w, n, (int64_t)sim_random(w, 60), promote_now)->offset = core_next_epoch(n->core);
}

void node_operator_follow(struct world *w, struct sim_node *n, const struct sim_node *whom)
{
    if (!n->up || n == whom) return;
    if (w->verbose)
        printf("# %8.3f n%u: operator points it at n%u\n", (double)w->now_ms / 1000, n->index, whom->index);
    n->accepts = false;
    n->promoting = false;
    n->operator_spoke = true;
    (void)snprintf(n->follow, sizeof n->follow, "n%u", whom->index);
    node_give(w, n,
              &(struct core_event){
                  .kind = EVENT_FOLLOW, .text = n->follow, .port = (uint16_t)(7000 + whom->index), .flag = true});
}
