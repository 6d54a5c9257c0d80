#include "replication/herald.h"

#include <stdio.h>

#include "replication/core.h"

enum { CALL_AGAIN_MIN_MS = 500, CALL_AGAIN_MAX_MS = 30000 };

#define EACH_KNOWN(a, c) \
    for (struct acquaintance *a = (c)->herald.known; a < (c)->herald.known + (c)->herald.count; a++)

void herald_free(struct herald *h)
{
    for (size_t i = 0; i < h->count; i++) facts_free(&h->known[i].answer);
}

static struct acquaintance *find_conn(const struct core *c, uint32_t conn)
{
    EACH_KNOWN(a, (struct core *)(uintptr_t)c) if (a->conn == conn) return a;
    return NULL;
}

bool herald_owns(const struct core *c, uint32_t conn) { return conn && find_conn(c, conn); }

size_t herald_list(const struct core *c, struct node_peer to[HERALD_PEERS])
{
    for (size_t i = 0; i < c->herald.count; i++) to[i] = c->herald.known[i].peer;
    return c->herald.count;
}

/* Make room for one more by forgetting who was learnt first and is not being called. */
static struct acquaintance *room(struct herald *h)
{
    if (h->count < HERALD_PEERS) return &h->known[h->count++];
    size_t at = 0;
    while (at < h->count - 1 && h->known[at].conn) at++;
    facts_free(&h->known[at].answer);
    memmove(&h->known[at], &h->known[at + 1], (h->count - at - 1) * sizeof h->known[0]);
    return &h->known[h->count - 1];
}

bool herald_learn(struct core *c, const struct node_peer *p)
{
    static const struct node_id none;
    if (!p->port || !p->host[0] || node_id_eq(&p->id, &c->self.id) || node_id_eq(&p->id, &none)) return false;
    EACH_KNOWN(a, c)
    {
        if (!node_id_eq(&a->peer.id, &p->id)) continue;
        if (a->peer.port == p->port && strcmp(a->peer.host, p->host) == 0) return false;
        a->peer = *p;
        a->call_at_ms = c->now_ms;
        return true;
    }
    struct acquaintance *a = room(&c->herald);
    *a = (struct acquaintance){.peer = *p, .call_at_ms = c->now_ms};
    return true;
}

static void hang_up(struct core *c, struct acquaintance *a, const char *why)
{
    if (a->conn) todo_close(c->todo, a->conn, "%s", why);
    a->conn = 0;
}

static void forget_answers(struct core *c)
{
    EACH_KNOWN(a, c)
    {
        hang_up(c, a, "our epoch has changed");
        facts_free(&a->answer);
        a->told = a->tried = false;
        a->tries = a->refused = 0;
        a->call_at_ms = c->now_ms;
    }
}

void herald_begin(struct core *c)
{
    forget_answers(c);
    c->herald.calling = true;
}

void herald_stop(struct core *c)
{
    forget_answers(c);
    c->herald.calling = false;
}

bool herald_tried_all(const struct core *c)
{
    EACH_KNOWN(a, (struct core *)(uintptr_t)c) if (!a->tried || a->conn) return false;
    return true;
}

/* Not reached, or not answered: again after a pause that grows. */
static void again(struct core *c, struct acquaintance *a)
{
    const int64_t least = (int64_t)CALL_AGAIN_MIN_MS << (a->tries < 6 ? a->tries : 6);
    const int64_t pause = least < CALL_AGAIN_MAX_MS ? least : CALL_AGAIN_MAX_MS;
    a->tries++;
    a->tried = true;
    a->call_at_ms = c->now_ms + pause + (int64_t)core_random(c, (uint64_t)pause);
}

static void announce(struct core *c, struct acquaintance *a)
{
    struct facts_message facts;
    struct node_peer known[HERALD_PEERS];
    struct peers_message peers;
    Relevo__Announce body = RELEVO__ANNOUNCE__INIT;
    Relevo__Message m = core_message(c);
    facts_write(&c->self, &facts);
    peers_write(known, herald_list(c, known), &peers);
    body.facts = &facts.facts;
    body.n_peers = peers.n;
    body.peers = peers.pointers;
    m.body_case = RELEVO__MESSAGE__BODY_ANNOUNCE;
    m.announce = &body;
    (void)todo_send(c->todo, a->conn, &m);
    facts_message_free(&facts);
    peers_message_free(&peers);
}

/* The peer is no primary, but knows of an epoch above ours: ask the one that it takes for primary. */
static void ask_its_primary(struct core *c, const Relevo__Refuse *body)
{
    struct node_peer p;
    if (body->primary && facts_read_peer(body->primary, &p) && herald_learn(c, &p))
        (void)todo_add(c->todo, TODO_PEERS, 0);
}

static void take_refusal(struct core *c, struct acquaintance *a, const Relevo__Refuse *body)
{
    struct facts theirs = {0};
    struct errmsg m;
    const struct node_peer peer = a->peer;
    hang_up(c, a, "refused");
    again(c, a);
    if (a->refused != (unsigned)body->reason)
        todo_say(c->todo, true, "peer %s:%u refuses our announcement: %s", peer.host, peer.port, body->text);
    a->refused = (unsigned)body->reason;
    if (body->reason != RELEVO__REASON__REASON_STALE_EPOCH || facts_read(body->facts, &theirs, &m) != ERR_OK) return;
    if (theirs.role == NODE_PRIMARY) core_met_superior(c, &theirs, peer.host, peer.port);
    else ask_its_primary(c, body);
    facts_free(&theirs);
}

static void take_message(struct core *c, struct acquaintance *a, const Relevo__Message *m)
{
    struct errmsg why;
    if (m->body_case == RELEVO__MESSAGE__BODY_REFUSE) {
        take_refusal(c, a, m->refuse);
        return;
    }
    if (m->body_case == RELEVO__MESSAGE__BODY_WELCOME && facts_read(m->welcome->facts, &a->answer, &why) == ERR_OK) {
        a->told = a->tried = true;
        hang_up(c, a, "told");
        return;
    }
    hang_up(c, a, "it says what does not answer an announcement");
    again(c, a);
}

void herald_event(struct core *c, const struct core_event *ev)
{
    struct acquaintance *a = find_conn(c, ev->conn);
    if (ev->kind == EVENT_OPENED) {
        a->until_ms = c->now_ms + c->set.timeout_ms;
        if (node_id_eq(&ev->peer_id, &a->peer.id)) {
            announce(c, a);
        } else {
            hang_up(c, a, "another node answers there");
            again(c, a);
        }
    } else if (ev->kind == EVENT_MESSAGE) {
        take_message(c, a, ev->message);
    } else if (ev->kind == EVENT_CLOSED) {
        a->conn = 0;
        again(c, a);
    }
}

void herald_tick(struct core *c)
{
    if (!c->herald.calling) return;
    EACH_KNOWN(a, c)
    {
        if (a->conn && c->now_ms >= a->until_ms) {
            hang_up(c, a, "no answer in time");
            again(c, a);
        }
        if (a->conn || a->told || c->now_ms < a->call_at_ms) continue;
        const struct follower *f = primary_find(c, &a->peer.id);
        if (f) { /* it follows us, and is called only if it leaves without having been told */
            a->tried = true;
            a->call_at_ms = c->now_ms + CALL_AGAIN_MIN_MS;
            continue;
        }
        a->conn = ++c->last_conn;
        a->until_ms = c->now_ms + c->set.timeout_ms;
        struct todo_item *i = todo_add(c->todo, TODO_DIAL, a->conn);
        i->port = a->peer.port;
        todo_set_text(c->todo, i, span_str(a->peer.host));
    }
}

int64_t herald_deadline(const struct core *c)
{
    int64_t at = INT64_MAX;
    if (!c->herald.calling) return at;
    EACH_KNOWN(a, (struct core *)(uintptr_t)c)
    {
        if (a->told && !a->conn) continue;
        const int64_t due = a->conn ? a->until_ms : a->call_at_ms;
        at = due < at ? due : at;
    }
    return at;
}
