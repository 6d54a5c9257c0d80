#include "replication/core.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"

enum { FETCHES_MAX = 3 };

static const struct fsm_state states[] = {
    [CORE_PROBING] = {"probing", TO(CORE_PRIMARY) | TO(CORE_FETCHING) | TO(CORE_STEPPING) | TO(CORE_REPLICA)},
    [CORE_FETCHING] = {"fetching", TO(CORE_PROBING) | TO(CORE_PRIMARY) | TO(CORE_STEPPING) | TO(CORE_REPLICA)},
    [CORE_PRIMARY] = {"primary", TO(CORE_PRIMARY) | TO(CORE_STEPPING) | TO(CORE_REPLICA)},
    [CORE_STEPPING] = {"stepping", TO(CORE_REPLICA) | TO(CORE_FENCED) | TO(CORE_PRIMARY)},
    [CORE_REPLICA] = {"replica", TO(CORE_REPLICA) | TO(CORE_PRIMARY) | TO(CORE_PROBING)},
    [CORE_FENCED] = {"fenced", TO(CORE_STEPPING) | TO(CORE_REPLICA) | TO(CORE_PRIMARY)},
};

const char *core_state_name(const struct core *c) { return states[c->state].name; }

enum node_role core_role(const struct core *c)
{
    return c->state == CORE_REPLICA                               ? NODE_REPLICA
           : c->state == CORE_FENCED || c->state == CORE_STEPPING ? NODE_FENCED
                                                                  : NODE_PRIMARY;
}

static void move(struct core *c, enum core_state to)
{
    fsm_move(states, &c->state, to);
    c->self.role = core_role(c);
}

struct core *core_new(const struct core_settings *set, const struct facts *self, const struct node_peer *peers,
                      size_t peer_count)
{
    struct core *c = MEM_NEW(struct core);
    c->set = *set;
    c->state = CORE_REPLICA;
    c->random = set->seed;
    facts_copy(&c->self, self);
    c->self.role = NODE_REPLICA;
    c->applied = self->end;
    c->window = window_new(self->end, set->window_bytes, 2 * set->window_bytes);
    for (size_t i = 0; i < peer_count; i++) (void)herald_learn(c, &peers[i]);
    core_heard_epoch(c, NULL);
    return c;
}

void core_free(struct core *c)
{
    if (!c) return;
    replica_free(&c->replica);
    primary_free(&c->primary);
    herald_free(&c->herald);
    facts_free(&c->self);
    facts_free(&c->superior.facts);
    window_free(c->window);
    mem_free(c);
}

/* ---- What the parts share ---- */

Relevo__Message core_message(const struct core *c)
{
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    m.epoch = c->epoch_seen;
    return m;
}

/* splitmix64 (Steele, Lea, Flood 2014): jitter needs no more. */
uint64_t core_random(struct core *c, uint64_t bound)
{
    uint64_t z = c->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % bound;
}

int64_t core_retry_at(struct core *c, unsigned tries)
{
    const uint64_t longer = (uint64_t)c->set.retry_min_ms << (tries < 16 ? tries : 16);
    const uint64_t pause = longer < c->set.retry_max_ms ? longer : c->set.retry_max_ms;
    return c->now_ms + (int64_t)(pause / 2 + core_random(c, pause / 2 + 1));
}

void core_heard_epoch(struct core *c, const Relevo__Message *m)
{
    const uint64_t number = m ? m->epoch : facts_epoch(&c->self);
    if (number > c->epoch_seen) c->epoch_seen = number;
}

uint64_t core_next_epoch(const struct core *c) { return epoch_next_rank(c->epoch_seen); }

void core_set_log(struct core *c, const struct facts *log)
{
    const bool reset = log->end != c->self.end || !lineage_eq(&log->history.lineage, &c->self.history.lineage);
    history_copy(&c->self.history, &log->history);
    c->self.end = log->end;
    c->self.end_crc = log->end_crc;
    core_heard_epoch(c, NULL);
    if (!reset) return;
    primary_close_all(c, "our data set is another now");
    window_reset(c->window, log->end);
    c->applied = log->end;
    if (c->durable > log->end) c->durable = log->end;
}

/* Whom others should ask if not us. */
static const struct node_peer *whom_instead(const struct core *c)
{
    if (c->state == CORE_FENCED || c->state == CORE_STEPPING) return &c->superior.peer;
    return c->state == CORE_REPLICA && c->replica.target.port ? &c->replica.target : NULL;
}

void core_refuse(struct core *c, uint32_t conn, Relevo__Reason reason, const char *text)
{
    struct facts_message facts;
    struct peers_message peers = {0};
    Relevo__Refuse body = RELEVO__REFUSE__INIT;
    Relevo__Message m = core_message(c);
    const struct node_peer *instead = whom_instead(c);
    facts_write(&c->self, &facts);
    if (instead) peers_write(instead, 1, &peers);
    body.reason = reason;
    body.text = (char *)(uintptr_t)text;
    body.facts = &facts.facts;
    body.primary = instead ? peers.peers : NULL;
    m.body_case = RELEVO__MESSAGE__BODY_REFUSE;
    m.refuse = &body;
    (void)todo_send(c->todo, conn, &m);
    todo_close(c->todo, conn, "refused: %s", text);
    facts_message_free(&facts);
    peers_message_free(&peers);
}

bool core_is_rejoin(const struct core *c, const struct facts *other)
{
    const enum history_relation relation = facts_compare(&c->self, other);
    return relation == HISTORY_EQUAL || relation == HISTORY_BEHIND;
}

/* ---- Visitors: connections to us that have not said yet what they want ---- */

static struct visitor *find_visitor(const struct core *c, uint32_t conn)
{
    for (size_t i = 0; i < CORE_VISITORS; i++)
        if (c->visitors[i].conn == conn) return (struct visitor *)(uintptr_t)&c->visitors[i];
    return NULL;
}

uint32_t core_visitor(struct core *c) { return ++c->last_conn; }

static void visitor_opened(struct core *c, const struct core_event *ev)
{
    struct visitor *v = find_visitor(c, 0);
    if (!v) {
        core_refuse(c, ev->conn, RELEVO__REASON__REASON_FULL, "too many nodes are at my door");
        return;
    }
    *v = (struct visitor){.conn = ev->conn, .id = ev->peer_id, .since_ms = c->now_ms};
    (void)snprintf(v->host, sizeof v->host, "%s", ev->text ? ev->text : "");
}

static void say_welcome_and_close(struct core *c, uint32_t conn)
{
    struct facts_message facts;
    Relevo__Welcome body = RELEVO__WELCOME__INIT;
    Relevo__Message m = core_message(c);
    facts_write(&c->self, &facts);
    body.facts = &facts.facts;
    m.body_case = RELEVO__MESSAGE__BODY_WELCOME;
    m.welcome = &body;
    (void)todo_send(c->todo, conn, &m);
    todo_close(c->todo, conn, "answered");
    facts_message_free(&facts);
}

/* ---- Roles ---- */

void core_met_superior(struct core *c, const struct facts *facts, const char *host, uint16_t port)
{
    const bool higher = epoch_rank(facts_epoch(facts)) > epoch_rank(facts_epoch(&c->self));
    if (!higher || facts->role != NODE_PRIMARY || !lineage_eq(&facts->history.lineage, &c->self.history.lineage) ||
        c->state == CORE_REPLICA || c->state == CORE_STEPPING || c->standing)
        return;
    if (c->state == CORE_FENCED && facts_epoch(facts) <= facts_epoch(&c->superior.facts)) return; /* known */
    if (c->state == CORE_FETCHING) replica_unfollow(c);
    facts_copy(&c->superior.facts, facts);
    c->superior.peer = (struct node_peer){.id = facts->id, .port = port};
    (void)snprintf(c->superior.peer.host, sizeof c->superior.peer.host, "%s", host);
    move(c, CORE_STEPPING);
    herald_stop(c);
    if (herald_learn(c, &c->superior.peer)) (void)todo_add(c->todo, TODO_PEERS, 0);
    primary_close_all(c, "a primary of a higher epoch was met");
    todo_say(c->todo, true, "%s:%u is primary in epoch %" PRIu64 ", ours is %" PRIu64 ": no longer accepting writes",
             host, port, facts_epoch(facts), facts_epoch(&c->self));
    (void)todo_add(c->todo, TODO_STEP_DOWN, 0);
}

/* The main thread accepts no writes any more, and our log is at rest. */
static void stepped_down(struct core *c)
{
    if (c->state != CORE_STEPPING || c->standing) return;
    const struct superior *s = &c->superior;
    if (core_is_rejoin(c, &s->facts)) {
        move(c, CORE_REPLICA);
        replica_follow(c, s->peer.host, s->peer.port, false);
        (void)todo_add(c->todo, TODO_FOLLOWING, 0);
        return;
    }
    move(c, CORE_FENCED);
    struct todo_item *i = todo_add(c->todo, TODO_FENCED, 0);
    todo_set_text(c->todo, i, SPAN("our log holds writes that the new primary does not have"));
}

/* What to do about a node that says that it is primary. */
struct verdict {
    Relevo__Reason reason; /* with a text: refused */
    const char *text;
    bool superior, follow;
};

static struct verdict judge(const struct core *c, const struct facts *f)
{
    const uint64_t ours = facts_epoch(&c->self), theirs = facts_epoch(f);
    const struct epoch *last = history_last(&c->self.history), *said = history_last(&f->history);
    const bool same = last && said && last->number == said->number && last->id == said->id;
    if (node_id_eq(&f->id, &c->self.id))
        return (struct verdict){RELEVO__REASON__REASON_SAME_NODE, "your node id is mine: a copied directory?", 0, 0};
    if (!last || !lineage_eq(&f->history.lineage, &c->self.history.lineage))
        return (struct verdict){RELEVO__REASON__REASON_LINEAGE, "I hold another data set (lineage), or none", 0, 0};
    if (epoch_rank(theirs) < epoch_rank(ours) || (epoch_rank(theirs) == epoch_rank(ours) && theirs < ours))
        return (struct verdict){RELEVO__REASON__REASON_STALE_EPOCH, "your epoch is over: I know of a higher one", 0,
                                0};
    if (c->standing) return (struct verdict){RELEVO__REASON__REASON_NOT_READY, "I am being promoted", 0, 0};
    if (c->state != CORE_REPLICA) {
        if (epoch_rank(theirs) > epoch_rank(ours)) return (struct verdict){.superior = true};
        return (struct verdict){RELEVO__REASON__REASON_CONFLICT, "I am primary too, in an epoch of the same rank", 0,
                                0};
    }
    const bool known = node_id_eq(&c->replica.target.id, &f->id);
    if (epoch_rank(theirs) > epoch_rank(ours)) {
        if (core_is_rejoin(c, f)) return (struct verdict){.follow = !known || !c->replica.conn};
        return (struct verdict){RELEVO__REASON__REASON_DIVERGED, "my log holds what yours does not", 0, 0};
    }
    if (!same && !known)
        return (struct verdict){RELEVO__REASON__REASON_CONFLICT, "I follow another primary of the same rank", 0, 0};
    return (struct verdict){.follow = false};
}

static void follow_announced(struct core *c, const struct facts *f, const char *host, uint16_t port)
{
    todo_say(c->todo, false, "%s:%u is primary now, in epoch %" PRIu64 ": following it", host, port, facts_epoch(f));
    replica_follow(c, host, port, false);
    c->replica.target.id = f->id;
    (void)todo_add(c->todo, TODO_FOLLOWING, 0);
}

static void learn_announced(struct core *c, const Relevo__Announce *body, const struct node_peer *speaker)
{
    bool news = herald_learn(c, speaker);
    for (size_t i = 0; i < body->n_peers; i++) {
        struct node_peer p;
        if (facts_read_peer(body->peers[i], &p)) news |= herald_learn(c, &p);
    }
    if (news) (void)todo_add(c->todo, TODO_PEERS, 0);
}

static void take_announce(struct core *c, const struct visitor *v, const Relevo__Announce *body)
{
    struct facts theirs = {0};
    struct errmsg m;
    if (facts_read(body->facts, &theirs, &m) != ERR_OK || !node_id_eq(&theirs.id, &v->id) || !theirs.port) {
        core_refuse(c, v->conn, RELEVO__REASON__REASON_PROTOCOL, "what you say of yourself cannot be");
        facts_free(&theirs);
        return;
    }
    struct node_peer speaker = {.id = theirs.id, .port = theirs.port};
    (void)snprintf(speaker.host, sizeof speaker.host, "%s", theirs.host[0] ? theirs.host : v->host);
    const struct verdict verdict = judge(c, &theirs);
    if (verdict.text) {
        core_refuse(c, v->conn, verdict.reason, verdict.text);
    } else {
        say_welcome_and_close(c, v->conn);
        learn_announced(c, body, &speaker);
        if (verdict.superior) core_met_superior(c, &theirs, speaker.host, speaker.port);
        if (verdict.follow) follow_announced(c, &theirs, speaker.host, speaker.port);
    }
    facts_free(&theirs);
}

static void visitor_message(struct core *c, struct visitor *v, const struct core_event *ev)
{
    const struct visitor copy = *v;
    *v = (struct visitor){0};
    if (ev->message->body_case == RELEVO__MESSAGE__BODY_HELLO) primary_hello(c, copy.conn, &copy.id, copy.host, ev);
    else if (ev->message->body_case == RELEVO__MESSAGE__BODY_ANNOUNCE) take_announce(c, &copy, ev->message->announce);
    else core_refuse(c, copy.conn, RELEVO__REASON__REASON_PROTOCOL, "this is not how a connection begins");
}

/* ---- A primary that starts ---- */

static void confirm(struct core *c)
{
    if (c->needs_epoch) { /* the main thread opens another one */
        replica_unfollow(c);
        herald_stop(c);
    }
    move(c, CORE_PRIMARY);
    todo_add(c->todo, TODO_CONFIRMED, 0)->check = c->needs_epoch;
}

/* A fetch came to nothing, perhaps because its source has learnt of a promotion: ask everybody again. */
static void ask_again(struct core *c)
{
    replica_unfollow(c);
    move(c, CORE_PROBING);
    c->probe_until_ms = (uint64_t)c->now_ms + c->set.probe_ms;
    herald_begin(c);
}

static void fetch(struct core *c, const struct acquaintance *from)
{
    const uint64_t until = from->answer.end;
    todo_say(c->todo, true, "%s:%u holds %" PRIu64 " bytes of log that we lost: fetching them", from->peer.host,
             from->peer.port, until - c->self.end);
    move(c, CORE_FETCHING);
    c->fetches++;
    c->needs_epoch = true;
    replica_follow(c, from->peer.host, from->peer.port, false);
    c->replica.fetch_until = until;
    c->probe_until_ms = (uint64_t)c->now_ms + c->set.timeout_ms;
}

/* Of the peers that answered, the one whose log continues ours the furthest. */
static const struct acquaintance *who_has_more(const struct core *c)
{
    const struct acquaintance *best = NULL;
    for (size_t i = 0; i < c->herald.count; i++) {
        const struct acquaintance *a = &c->herald.known[i];
        if (a->told && facts_compare(&c->self, &a->answer) == HISTORY_BEHIND &&
            (!best || a->answer.end > best->answer.end))
            best = a;
    }
    return best;
}

static void probe(struct core *c)
{
    if (c->standing) return; /* an operator has decided */
    const bool over = (uint64_t)c->now_ms >= c->probe_until_ms;
    if (c->state == CORE_FETCHING && c->self.end >= c->replica.fetch_until) {
        confirm(c);
    } else if (c->state == CORE_FETCHING && (c->replica.tries > 0 || over)) {
        ask_again(c);
    } else if (c->state == CORE_PROBING && (herald_tried_all(c) || over)) {
        const struct acquaintance *best = c->fetches < FETCHES_MAX ? who_has_more(c) : NULL;
        if (best) fetch(c, best);
        else confirm(c);
    }
}

static void promoted(struct core *c, const struct facts *log, bool starting)
{
    const uint64_t rank = epoch_rank(facts_epoch(log));
    c->standing = false;
    if ((c->state == CORE_STEPPING || c->state == CORE_FENCED) &&
        rank <= epoch_rank(facts_epoch(&c->superior.facts))) {
        core_set_log(c, log); /* the epoch of a fetch, opened while a superior was met: it does not count */
        return;
    }
    replica_unfollow(c);
    core_set_log(c, log);
    c->needs_epoch = false;
    c->fetches = 0;
    move(c, starting && c->herald.count ? CORE_PROBING : CORE_PRIMARY);
    c->probe_until_ms = (uint64_t)c->now_ms + c->set.probe_ms;
    herald_begin(c);
    primary_tell_history(c);
    if (starting && c->state == CORE_PRIMARY) todo_add(c->todo, TODO_CONFIRMED, 0)->check = false;
}

/* ---- Events ---- */

static void follow(struct core *c, const struct core_event *ev)
{
    c->standing = false;
    herald_stop(c);
    move(c, CORE_REPLICA);
    replica_follow(c, ev->text, ev->port, ev->flag);
}

static void submit(struct core *c, struct chunk *chunk)
{
    assert(chunk->offset == c->self.end);
    c->self.end = chunk_end(chunk);
    c->self.end_crc = chunk->crc;
    c->applied = c->self.end;
    window_append(c->window, chunk_ref(chunk));
}

/* Followers that were met in the meantime find what they lack on disk, or take a snapshot. */
static void advance(struct core *c, const struct position *p)
{
    assert(p->offset >= c->self.end);
    c->self.end = c->applied = p->offset;
    c->self.end_crc = p->crc;
    window_reset(c->window, p->offset);
}

bool core_is_alone(const struct core *c)
{
    return c->state == CORE_PRIMARY && !c->primary.met && c->herald.count == 0;
}

/* A report that was under way while a snapshot took the place of what it is about says nothing any more. */
static void progress(struct core *c, const struct core_event *ev)
{
    if (ev->applied > c->applied && ev->applied <= c->self.end) {
        c->applied = ev->applied;
        c->replica.ack_due = true;
    }
    if (ev->durable > c->durable && ev->durable <= c->self.end) {
        c->durable = ev->durable;
        c->replica.ack_due = true;
    }
}

static void main_event(struct core *c, const struct core_event *ev)
{
    switch (ev->kind) {
    case EVENT_FOLLOW: follow(c, ev); break;
    case EVENT_UNFOLLOW:
        if (c->state == CORE_REPLICA || c->state == CORE_FETCHING) replica_unfollow(c);
        c->standing = true;
        break;
    case EVENT_PROMOTED: promoted(c, ev->facts, ev->flag); break;
    case EVENT_SUBMIT: submit(c, ev->chunk); break;
    case EVENT_PUBLISH:
        if (c->state == CORE_PRIMARY) primary_publish(c, ev->bulletin);
        break;
    case EVENT_ADVANCE: advance(c, &ev->position); break;
    case EVENT_PROGRESS: progress(c, ev); break;
    case EVENT_LOADED:
        if (ev->flag) core_set_log(c, ev->facts);
        replica_event(c, ev);
        break;
    case EVENT_BASE_READY: primary_base_ready(c); break;
    case EVENT_BASE_FAILED: primary_base_failed(c, ev->text); break;
    case EVENT_STEPPED_DOWN: stepped_down(c); break;
    case EVENT_SNAPSHOT_STORED: replica_event(c, ev); break;
    default: break;
    }
}

static void tick(struct core *c)
{
    for (size_t i = 0; i < CORE_VISITORS; i++) {
        struct visitor *v = &c->visitors[i];
        if (!v->conn || c->now_ms - v->since_ms < (int64_t)c->set.timeout_ms) continue;
        todo_close(c->todo, v->conn, "it never said what it wants");
        v->conn = 0;
    }
    herald_tick(c);
    probe(c);
    replica_tick(c);
    primary_tick(c);
}

void core_step(struct core *c, int64_t now_ms, const struct core_event *ev, struct todo *todo)
{
    c->now_ms = now_ms;
    c->todo = todo;
    if (ev->kind == EVENT_MESSAGE) core_heard_epoch(c, ev->message);
    struct visitor *v = ev->conn ? find_visitor(c, ev->conn) : NULL;
    if (ev->kind == EVENT_TICK) tick(c);
    else if (!ev->conn) main_event(c, ev);
    else if (replica_owns(c, ev->conn)) replica_event(c, ev);
    else if (primary_owns(c, ev->conn)) primary_event(c, ev);
    else if (herald_owns(c, ev->conn)) herald_event(c, ev);
    else if (v && ev->kind == EVENT_MESSAGE) visitor_message(c, v, ev);
    else if (v && ev->kind == EVENT_CLOSED) v->conn = 0;
    else if (!v && ev->kind == EVENT_OPENED) visitor_opened(c, ev);
    c->todo = NULL;
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t core_deadline(const struct core *c)
{
    int64_t at = earlier(replica_deadline(c), earlier(primary_deadline(c), herald_deadline(c)));
    if (c->state == CORE_PROBING || c->state == CORE_FETCHING) at = earlier(at, (int64_t)c->probe_until_ms);
    for (size_t i = 0; i < CORE_VISITORS; i++)
        if (c->visitors[i].conn) at = earlier(at, c->visitors[i].since_ms + c->set.timeout_ms);
    return at;
}
