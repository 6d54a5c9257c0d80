#include "tests/unit/core_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "common/mem.h"

static const char names[RIG_NODES] = {'a', 'b', 'c'};

static const struct core_settings settings = {
    .heartbeat_ms = 1000,
    .timeout_ms = 10000,
    .retry_min_ms = 100,
    .retry_max_ms = 1000,
    .probe_ms = 1000,
    .window_bytes = 1 << 20,
    .backlog_bytes = 4096,
    .queue_bytes = 64 * 1024,
    .seed = 1,
};

static void trace(struct rig *r, const char *format, ...) PRINTF(2, 3);
static void trace(struct rig *r, const char *format, ...)
{
    if (!r->tracing) return;
    char line[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_printf(&r->trace, "%s\n", line);
}

void rig_open(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->last = &r->first;
    r->now_ms = 1000;
}

static void message_free(struct rig_message *m)
{
    buf_free(&m->header);
    buf_free(&m->payload);
    mem_free(m);
}

void rig_close(struct rig *r)
{
    while (r->first) {
        struct rig_message *m = r->first;
        r->first = m->next;
        message_free(m);
    }
    for (unsigned i = 0; i < RIG_NODES; i++) {
        core_free(r->nodes[i].core);
        todo_free(&r->nodes[i].todo);
        buf_free(&r->nodes[i].snapshot);
        buf_free(&r->nodes[i].base_bytes);
        buf_free(&r->nodes[i].data);
        buf_free(&r->nodes[i].heard);
    }
    buf_free(&r->trace);
}

static void log_of(struct facts *f, uint8_t lineage, uint64_t epoch, uint64_t epoch_id, uint64_t end)
{
    memset(f->history.lineage.bytes, lineage, sizeof f->history.lineage.bytes);
    if (lineage) cr_assert_eq(history_add(&f->history, &(struct epoch){.number = epoch, .id = epoch_id}), ERR_OK);
    f->end = end;
    f->end_crc = (uint32_t)end * 7;
}

void rig_add(struct rig *r, unsigned i, uint8_t lineage, uint64_t epoch, uint64_t epoch_id, uint64_t end)
{
    struct rig_node *n = &r->nodes[i];
    struct facts self = {.boot = i + 100, .port = (uint16_t)(7000 + i)};
    memset(n->id.bytes, (int)i + 1, sizeof n->id.bytes);
    self.id = n->id;
    (void)snprintf(self.host, sizeof self.host, "%c", names[i]);
    log_of(&self, lineage, epoch, epoch_id, end);
    n->applies = true;
    n->core = core_new(&settings, &self, NULL, 0);
    facts_free(&self);
}

/* ---- The network ---- */

static struct rig_message *post(struct rig *r, unsigned to, enum event_kind kind, uint32_t conn)
{
    struct rig_message *m = MEM_NEW(struct rig_message);
    m->to = to;
    m->kind = kind;
    m->conn = conn;
    *r->last = m;
    r->last = &m->next;
    return m;
}

static struct rig_wire *wire_of(struct rig *r, unsigned node, uint32_t conn, unsigned *side)
{
    for (unsigned i = 0; i < r->wire_count; i++)
        for (*side = 0; *side < 2; ++*side)
            if (r->wires[i].node[*side] == node && r->wires[i].conn[*side] == conn) return &r->wires[i];
    return NULL;
}

static void dial(struct rig *r, unsigned i, const struct todo_item *item)
{
    const unsigned to = item->port - 7000u;
    trace(r, "%c dials %c", names[i], names[to]);
    if (r->nodes[to].deaf || !r->nodes[to].core) {
        (void)snprintf(post(r, i, EVENT_CLOSED, item->conn)->text, 64, "cannot connect: refused");
        return;
    }
    cr_assert_lt(r->wire_count, sizeof r->wires / sizeof *r->wires);
    struct rig_wire *w = &r->wires[r->wire_count++];
    *w = (struct rig_wire){{i, to}, {item->conn, core_visitor(r->nodes[to].core)}};
    (void)snprintf(post(r, to, EVENT_OPENED, w->conn[1])->text, 64, "%c", names[i]);
    (void)snprintf(post(r, i, EVENT_OPENED, w->conn[0])->text, 64, "%c", names[to]);
}

static const char *body_name(struct span header)
{
    static const char *const words[] = {
        "nothing",      "epoch", "hello",   "welcome",   "refuse", "continue", "snapshot begin", "piece",
        "snapshot end", "log",   "history", "heartbeat", "ack",    "announce", "peers",          "publish"};
    struct frame_arena arena = {0};
    const Relevo__Message *m = frame_unpack(&arena, header);
    const char *word = words[m->body_case];
    frame_arena_free(&arena);
    return word;
}

static void carry(struct rig *r, unsigned i, const struct todo_item *item)
{
    struct rig_node *n = &r->nodes[i];
    unsigned side;
    const struct rig_wire *w = wire_of(r, i, item->conn, &side);
    const struct span header = todo_header(&n->todo, item), payload = todo_payload(&n->todo, item);
    n->queued += header.n + payload.n;
    n->queue_conn = item->conn;
    if (!w || w->node[!side] == RIG_NODES) return;
    const char *what = body_name(header);
    if (strcmp(what, "heartbeat") != 0 && strcmp(what, "ack") != 0)
        trace(r, "%c -> %c: %s%s", names[i], names[w->node[!side]], what, payload.n ? " +" : "");
    struct rig_message *m = post(r, w->node[!side], EVENT_MESSAGE, w->conn[!side]);
    buf_add_span(&m->header, header);
    buf_add_span(&m->payload, payload);
}

static void hang_up(struct rig *r, unsigned i, uint32_t conn)
{
    unsigned side;
    struct rig_wire *w = wire_of(r, i, conn, &side);
    if (!w) return;
    if (w->node[!side] != RIG_NODES)
        (void)snprintf(post(r, w->node[!side], EVENT_CLOSED, w->conn[!side])->text, 64, "closed by the other end");
    w->node[side] = RIG_NODES;
}

void rig_cut(struct rig *r, unsigned i, uint32_t conn)
{
    hang_up(r, i, conn);
    rig_give(r, i, &(struct core_event){.kind = EVENT_CLOSED, .conn = conn, .text = "cut"});
}

void rig_restart_primary(struct rig *r, unsigned i, const struct facts *self, const struct node_peer *peer)
{
    for (unsigned w = 0; w < r->wire_count; w++)
        for (unsigned side = 0; side < 2; side++)
            if (r->wires[w].node[side] == i) hang_up(r, i, r->wires[w].conn[side]);
    core_free(r->nodes[i].core);
    todo_reset(&r->nodes[i].todo);
    r->nodes[i].core = core_new(&settings, self, peer, 1);
    r->nodes[i].confirmed = 0;
    rig_start_primary(r, i);
}

/* ---- Files and the main thread: they answer through the same queue ---- */

static void file(struct rig *r, unsigned i, const struct todo_item *item)
{
    struct rig_node *n = &r->nodes[i];
    switch (item->kind) {
    case TODO_BASE_OPEN: (void)post(r, i, EVENT_BASE_OPENED, item->conn); break;
    case TODO_BASE_READ:
        buf_add(&post(r, i, EVENT_BASE_READ, item->conn)->payload, n->base_bytes.p + item->offset,
                (size_t)item->size);
        break;
    case TODO_BASE_WANT:
        n->wanted_base++;
        n->base_there = true;
        n->base_bytes.len = 0;
        buf_add(&n->base_bytes, "the base", 8);
        n->base = (struct position){facts_epoch(&n->core->self), n->core->self.end, n->core->self.end_crc};
        (void)post(r, i, EVENT_BASE_READY, 0);
        break;
    case TODO_SNAPSHOT_CREATE:
    case TODO_SNAPSHOT_DROP: n->snapshot.len = 0; break;
    case TODO_SNAPSHOT_WRITE: buf_add_span(&n->snapshot, item->payload); break;
    case TODO_SNAPSHOT_FINISH: (void)post(r, i, EVENT_SNAPSHOT_STORED, 0); break;
    case TODO_SNAPSHOT_LOAD:
        n->loaded++;
        n->salvaged += n->core->replica.salvage;
        (void)post(r, i, EVENT_LOADED, 0);
        break;
    case TODO_LOG_OPEN: post(r, i, EVENT_LOG_OPENED, item->conn); break;
    default: break;
    }
}

static void main_thread(struct rig *r, unsigned i, const struct todo_item *item)
{
    struct rig_node *n = &r->nodes[i];
    switch (item->kind) {
    case TODO_CHUNK:
        buf_add_span(&n->data, chunk_span(item->chunk));
        n->applied = chunk_end(item->chunk);
        if (n->applies) (void)post(r, i, EVENT_PROGRESS, 0);
        break;
    case TODO_PUBLISHED:
        cr_assert_leq(item->bulletin->position, n->applied, "published before its place in the log");
        buf_add_span(&n->heard, buf_span(&item->bulletin->bytes));
        break;
    case TODO_CONFIRMED:
        n->confirmed++;
        n->fetched = item->check;
        trace(r, "%c is confirmed%s", names[i], item->check ? ", fetched" : "");
        break;
    case TODO_STEP_DOWN:
        n->stepped_down++;
        trace(r, "%c steps down", names[i]);
        (void)post(r, i, EVENT_STEPPED_DOWN, 0);
        break;
    case TODO_FOLLOWING:
        n->following++;
        trace(r, "%c follows %s", names[i], n->core->replica.target.host);
        break;
    case TODO_FENCED:
        n->fenced++;
        trace(r, "%c is fenced", names[i]);
        break;
    default: break;
    }
}

static void work_off(struct rig *r, unsigned i)
{
    struct rig_node *n = &r->nodes[i];
    for (size_t at = 0; at < n->todo.count; at++) {
        const struct todo_item *item = &n->todo.items[at];
        if (item->kind == TODO_DIAL) dial(r, i, item);
        else if (item->kind == TODO_SEND) carry(r, i, item);
        else if (item->kind == TODO_CLOSE) hang_up(r, i, item->conn);
        else if (item->kind >= TODO_CONFIRMED || item->kind == TODO_CHUNK) main_thread(r, i, item);
        else file(r, i, item);
    }
    todo_reset(&n->todo);
}

static void step(struct rig *r, unsigned i, const struct core_event *ev)
{
    core_step(r->nodes[i].core, r->now_ms, ev, &r->nodes[i].todo);
    work_off(r, i);
}

void rig_give(struct rig *r, unsigned i, const struct core_event *ev)
{
    struct rig_node *n = &r->nodes[i];
    step(r, i, ev);
    step(r, i, &(struct core_event){.kind = EVENT_TICK});
    if (!n->queued || n->holds_queue) return;
    n->queued = 0;
    step(r, i, &(struct core_event){.kind = EVENT_QUEUE, .conn = n->queue_conn, .size = 0});
}

static void deliver(struct rig *r, struct rig_message *m)
{
    struct rig_node *n = &r->nodes[m->to];
    struct frame_arena arena = {0};
    struct facts facts = {0};
    struct core_event ev = {.kind = m->kind, .conn = m->conn, .text = m->text, .payload = buf_span(&m->payload)};
    if (m->kind == EVENT_MESSAGE) ev.message = frame_unpack(&arena, buf_span(&m->header));
    if (m->kind == EVENT_OPENED) ev.peer_id = r->nodes[m->text[0] - 'a'].id;
    if (m->kind == EVENT_PROGRESS) ev.applied = ev.durable = n->applied;
    if (m->kind == EVENT_BASE_OPENED) {
        ev.error = n->base_there ? ERR_OK : ERR_MISSING;
        ev.size = n->base_bytes.len;
        ev.position = n->base;
    }
    if (m->kind == EVENT_LOADED) {
        ev.flag = true;
        ev.facts = &facts;
        history_copy(&facts.history, &n->core->replica.upstream.history);
        facts.end = n->core->replica.base.offset;
        facts.end_crc = n->core->replica.base.crc;
        n->applied = facts.end;
    }
    rig_give(r, m->to, &ev);
    facts_free(&facts);
    frame_arena_free(&arena);
}

void rig_settle(struct rig *r)
{
    for (unsigned turns = 0; r->first; turns++) {
        cr_assert_lt(turns, 10000, "the nodes never come to rest");
        struct rig_message *m = r->first;
        r->first = m->next;
        if (!r->first) r->last = &r->first;
        unsigned side;
        /* What was on its way to an end that is gone is lost. */
        if (m->kind != EVENT_MESSAGE || wire_of(r, m->to, m->conn, &side)) deliver(r, m);
        message_free(m);
    }
}

void rig_pass(struct rig *r, int64_t ms)
{
    const int64_t until = r->now_ms + ms;
    rig_settle(r);
    for (;;) {
        int64_t next = until;
        for (unsigned i = 0; i < RIG_NODES; i++)
            if (r->nodes[i].core && core_deadline(r->nodes[i].core) < next) next = core_deadline(r->nodes[i].core);
        if (next >= until) break;
        r->now_ms = next > r->now_ms ? next : r->now_ms + 1;
        for (unsigned i = 0; i < RIG_NODES; i++)
            if (r->nodes[i].core) rig_give(r, i, &(struct core_event){.kind = EVENT_TICK});
        rig_settle(r);
    }
    r->now_ms = until;
}

/* ---- What tests do ---- */

static void promoted(struct rig *r, unsigned i, bool starting)
{
    struct facts f = {0};
    facts_copy(&f, &r->nodes[i].core->self);
    rig_give(r, i, &(struct core_event){.kind = EVENT_PROMOTED, .facts = &f, .flag = starting});
    facts_free(&f);
}

void rig_start_primary(struct rig *r, unsigned i)
{
    promoted(r, i, true);
    rig_settle(r);
}

void rig_promote(struct rig *r, unsigned i, uint64_t epoch_id)
{
    struct core *c = r->nodes[i].core;
    struct facts f = {0};
    rig_give(r, i, &(struct core_event){.kind = EVENT_UNFOLLOW});
    facts_copy(&f, &c->self);
    const struct epoch e = {.number = core_next_epoch(c), .id = epoch_id, .start = f.end, .crc = f.end_crc};
    cr_assert_eq(history_add(&f.history, &e), ERR_OK);
    rig_give(r, i, &(struct core_event){.kind = EVENT_PROMOTED, .facts = &f});
    facts_free(&f);
    rig_settle(r);
}

void rig_follow(struct rig *r, unsigned i, unsigned whom, bool take_any)
{
    const char host[2] = {names[whom], '\0'};
    rig_give(
        r, i,
        &(struct core_event){.kind = EVENT_FOLLOW, .text = host, .port = (uint16_t)(7000 + whom), .flag = take_any});
    rig_settle(r);
}

void rig_advance(struct rig *r, unsigned i, uint64_t offset, uint32_t crc)
{
    rig_give(r, i, &(struct core_event){.kind = EVENT_ADVANCE, .position = {.offset = offset, .crc = crc}});
}

void rig_publish(struct rig *r, unsigned i, struct span text)
{
    struct buf bytes = {0};
    cr_assert(bulletin_add(&bytes, &(struct message){.channel = SPAN("news"), .text = text}));
    struct bulletin *b = bulletin_take(&bytes, r->nodes[i].core->self.end);
    rig_give(r, i, &(struct core_event){.kind = EVENT_PUBLISH, .bulletin = b});
    rig_settle(r);
    bulletin_unref(b);
}

void rig_write(struct rig *r, unsigned i, const char *payload)
{
    const struct facts *self = &r->nodes[i].core->self;
    struct batch_chain chain = {.offset = self->end, .crc = self->end_crc};
    cr_assert(history_enter(&self->history, &chain));
    char line[BATCH_LINE_MAX];
    struct buf whole = {0};
    buf_add(&whole, line, batch_seal(line, &chain, r->now_ms, span_str(payload)));
    buf_add(&whole, payload, strlen(payload));
    struct chunk *c = chunk_copy(buf_span(&whole));
    c->offset = self->end;
    c->epoch = chain.epoch;
    c->crc = chain.crc;
    buf_free(&whole);
    if (core_is_alone(r->nodes[i].core)) rig_advance(r, i, chunk_end(c), c->crc);
    else rig_give(r, i, &(struct core_event){.kind = EVENT_SUBMIT, .chunk = c});
    chunk_unref(c);
    rig_settle(r);
}
