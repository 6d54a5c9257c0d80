#include "tests/sim/sim.h"

#include <assert.h>

#include "common/mem.h"
#include "replication/frame.h"

/* One end of a connection. */
struct end {
    struct sim_node *node; /* NULL: gone */
    uint64_t life;
    uint32_t conn;
    bool opened, paused;
    size_t in_flight;                /* bytes sent and not delivered */
    int64_t last_at_ms;              /* when the last thing sent from here arrives: order is kept */
    struct parcel *held, **held_end; /* arrived while nothing was read */
};

struct wire {
    struct wire *next, **at;
    unsigned holds;
    bool dead; /* nothing arrives any more, and nobody is told */
    struct end ends[2];
};

struct net {
    struct wire *wires;
    unsigned partition; /* nodes on one side */
    struct frame_arena arena;
};

/* Something on its way to ends[to]. */
struct parcel {
    struct parcel *next;
    struct wire *wire;
    unsigned to;
    enum event_kind kind;
    struct buf header, payload;
};

struct net *net_new(void) { return MEM_NEW(struct net); }

static void parcel_free(void *what)
{
    struct parcel *p = what;
    buf_free(&p->header);
    buf_free(&p->payload);
    mem_free(p);
}

static void drop_held(struct end *e)
{
    while (e->held) {
        struct parcel *p = e->held;
        e->held = p->next;
        parcel_free(p);
    }
}

static void wire_release(struct wire *wire)
{
    if (--wire->holds) return;
    drop_held(&wire->ends[0]);
    drop_held(&wire->ends[1]);
    *wire->at = wire->next;
    if (wire->next) wire->next->at = wire->at;
    mem_free(wire);
}

void net_free(struct net *net)
{
    while (net->wires) {
        net->wires->holds = 1;
        wire_release(net->wires);
    }
    frame_arena_free(&net->arena);
    mem_free(net);
}

static bool parted(const struct world *w, const struct sim_node *a, const struct sim_node *b)
{
    return ((w->net->partition >> a->index ^ w->net->partition >> b->index) & 1) != 0;
}

static struct wire *find(struct world *w, const struct sim_node *n, uint32_t conn, unsigned *side)
{
    for (struct wire *wire = w->net->wires; wire; wire = wire->next)
        for (unsigned i = 0; i < 2; i++)
            if (wire->ends[i].node == n && wire->ends[i].conn == conn && wire->ends[i].life == n->life) {
                *side = i;
                return wire;
            }
    return NULL;
}

static bool alive(const struct end *e) { return e->node && e->node->up && e->node->life == e->life; }

static void detach(struct wire *wire, unsigned side)
{
    if (!wire->ends[side].node) return;
    wire->ends[side].node = NULL;
    wire_release(wire);
}

static void arrive(struct world *w, void *what);

static void post(struct world *w, struct wire *wire, unsigned to, enum event_kind kind, struct span header,
                 struct span payload)
{
    struct parcel *p = MEM_NEW(struct parcel);
    struct end *from = &wire->ends[!to];
    p->wire = wire;
    p->to = to;
    p->kind = kind;
    buf_add_span(&p->header, header);
    buf_add_span(&p->payload, payload);
    int64_t at = w->now_ms + 1 + (int64_t)sim_random(w, w->delay_ms);
    if (!w->calm && sim_chance(w, 1)) at += (int64_t)sim_random(w, 3000);
    if (at < from->last_at_ms) at = from->last_at_ms;
    from->last_at_ms = at;
    wire->holds++;
    sim_later(w, at - w->now_ms, arrive, parcel_free, p);
}

/* An end that has just opened learns who the other is. */
static void open_end(struct world *w, struct end *e, const struct sim_node *other)
{
    e->opened = true;
    char host[8] = "n0";
    host[1] = (char)('0' + other->index);
    node_give(w, e->node,
              &(struct core_event){.kind = EVENT_OPENED, .conn = e->conn, .peer_id = other->id, .text = host});
}

static void deliver_message(struct world *w, struct wire *wire, struct parcel *p)
{
    struct end *e = &wire->ends[p->to], *from = &wire->ends[!p->to];
    struct sim_node *node = e->node;
    const Relevo__Message *m = frame_unpack(&w->net->arena, buf_span(&p->header));
    assert(m);
    from->in_flight -= p->header.len + p->payload.len;
    const uint32_t from_conn = from->conn;
    struct sim_node *sender = alive(from) ? from->node : NULL;
    const size_t left = from->in_flight;
    node_give(
        w, node,
        &(struct core_event){.kind = EVENT_MESSAGE, .conn = e->conn, .message = m, .payload = buf_span(&p->payload)});
    if (sender) node_give(w, sender, &(struct core_event){.kind = EVENT_QUEUE, .conn = from_conn, .size = left});
}

/* Hand over a parcel, which is freed. */
static void hand_over(struct world *w, struct parcel *p)
{
    struct wire *wire = p->wire;
    struct end *e = &wire->ends[p->to];
    if (p->kind == EVENT_CLOSED) {
        struct sim_node *node = e->node;
        const uint32_t conn = e->conn;
        detach(wire, p->to);
        node_give(w, node,
                  &(struct core_event){.kind = EVENT_CLOSED, .conn = conn, .text = "closed by the other end"});
    } else if (p->kind == EVENT_OPENED) {
        open_end(w, e, &w->nodes[p->header.p[0] - '0']);
    } else {
        deliver_message(w, wire, p);
    }
    parcel_free(p);
}

static void arrive(struct world *w, void *what)
{
    struct parcel *p = what;
    struct wire *wire = p->wire;
    struct end *e = &wire->ends[p->to];
    if (alive(e) && !wire->dead && wire->ends[!p->to].node && parted(w, e->node, wire->ends[!p->to].node))
        wire->dead = true;
    if (!alive(e) || (wire->dead && p->kind != EVENT_CLOSED)) {
        wire_release(wire);
        parcel_free(p);
        return;
    }
    if (e->paused || e->held) {
        if (!e->held) e->held_end = &e->held;
        *e->held_end = p;
        e->held_end = &p->next;
    } else {
        hand_over(w, p);
    }
    wire_release(wire);
}

/* Reading goes on: what was held comes now. */
static void resume(struct world *w, void *what)
{
    struct wire *wire = what;
    for (unsigned side = 0; side < 2; side++) {
        struct end *e = &wire->ends[side];
        while (e->held && !e->paused && alive(e)) {
            struct parcel *p = e->held;
            e->held = p->next;
            hand_over(w, p);
        }
    }
    wire_release(wire);
}

/* A call arrives at the other node: it accepts, and the caller learns of it. */
static void ring(struct world *w, void *what)
{
    struct parcel *p = what;
    struct wire *wire = p->wire;
    struct end *from = &wire->ends[0];
    struct sim_node *target = &w->nodes[p->header.p[0] - '0'];
    if (alive(from) && parted(w, from->node, target)) {
        /* silence: the caller's own clock ends it */
    } else if (alive(from) && !target->up) {
        post(w, wire, 0, EVENT_CLOSED, span_of(NULL, 0), span_of(NULL, 0));
    } else if (alive(from)) {
        char caller = (char)('0' + from->node->index), called = (char)('0' + target->index);
        wire->ends[1] = (struct end){.node = target, .life = target->life, .conn = core_visitor(target->core)};
        wire->holds++;
        post(w, wire, 0, EVENT_OPENED, span_of(&called, 1), span_of(NULL, 0));
        post(w, wire, 1, EVENT_OPENED, span_of(&caller, 1), span_of(NULL, 0));
    }
    wire_release(wire);
    parcel_free(p);
}

void net_dial(struct world *w, struct sim_node *from, uint32_t conn, const char *host)
{
    struct wire *wire = MEM_NEW(struct wire);
    wire->next = w->net->wires;
    wire->at = &w->net->wires;
    if (wire->next) wire->next->at = &wire->next;
    w->net->wires = wire;
    wire->ends[0] = (struct end){.node = from, .life = from->life, .conn = conn};
    wire->holds = 2; /* this end, and the call */
    struct parcel *p = MEM_NEW(struct parcel);
    p->wire = wire;
    buf_add_char(&p->header, host[1]);
    sim_later(w, 1 + (int64_t)sim_random(w, w->delay_ms), ring, parcel_free, p);
}

void net_send(struct world *w, struct sim_node *from, uint32_t conn, struct span header, struct span payload)
{
    unsigned side;
    struct wire *wire = find(w, from, conn, &side);
    if (!wire || !wire->ends[!side].node) return;
    wire->ends[side].in_flight += header.n + payload.n;
    post(w, wire, !side, EVENT_MESSAGE, header, payload);
}

void net_close(struct world *w, struct sim_node *from, uint32_t conn)
{
    unsigned side;
    struct wire *wire = find(w, from, conn, &side);
    if (!wire) return;
    wire->holds++;
    if (wire->ends[!side].node) post(w, wire, !side, EVENT_CLOSED, span_of(NULL, 0), span_of(NULL, 0));
    detach(wire, side);
    wire_release(wire);
}

void net_pause(struct world *w, struct sim_node *from, uint32_t conn, bool pause)
{
    unsigned side;
    struct wire *wire = find(w, from, conn, &side);
    if (!wire) return;
    wire->ends[side].paused = pause;
    if (pause) return;
    wire->holds++;
    sim_later(w, 0, resume, NULL, wire);
}

void net_crashed(struct world *w, struct sim_node *n)
{
    for (struct wire *wire = w->net->wires, *next; wire; wire = next) {
        next = wire->next;
        wire->holds++;
        for (unsigned side = 0; side < 2; side++) {
            if (wire->ends[side].node != n) continue;
            const bool silent = sim_chance(w, 20);
            if (!silent && wire->ends[!side].node)
                post(w, wire, !side, EVENT_CLOSED, span_of(NULL, 0), span_of(NULL, 0));
            detach(wire, side);
        }
        next = wire->next;
        wire_release(wire);
    }
}

void net_cut_one(struct world *w)
{
    size_t count = 0;
    for (struct wire *wire = w->net->wires; wire; wire = wire->next) count++;
    if (!count) return;
    size_t which = sim_random(w, count);
    struct wire *wire = w->net->wires;
    while (which--) wire = wire->next;
    wire->holds++;
    if (sim_chance(w, 30)) {
        wire->dead = true;
    } else {
        for (unsigned side = 0; side < 2; side++)
            if (wire->ends[side].node) post(w, wire, side, EVENT_CLOSED, span_of(NULL, 0), span_of(NULL, 0));
        wire->dead = true;
    }
    wire_release(wire);
}

void net_set_partition(struct world *w, unsigned side) { w->net->partition = side; }

struct sim_node *net_other_end(struct world *w, struct sim_node *n, uint32_t conn)
{
    unsigned side;
    struct wire *wire = find(w, n, conn, &side);
    return wire ? wire->ends[!side].node : NULL;
}
