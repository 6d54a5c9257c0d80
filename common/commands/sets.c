/* Commands on one set or two; what combines sets stands in set_algebra.c. */
#include "common/commands/collection_scan.h"
#include "common/commands/commands.h"
#include "common/commands/sampling.h"
#include "common/commands/set_algebra.h"
#include "common/mem.h"
#include "common/types/set.h"

static struct set *new_set(struct call *c, struct span key)
{
    struct set *s = set_new(call_hash_key(c));
    call_put(c, key, &(struct value){.type = TYPE_SET, .set = s}, NO_EXPIRY);
    return s;
}

static void sadd(struct call *c)
{
    const struct span key = c->argv[1];
    struct entry *e;
    if (!call_find(c, key, TYPE_SET, FOR_WRITE, &e)) return;
    struct set *s = e ? entry_object(e) : new_set(c, key);
    uint64_t added = 0;
    for (size_t i = 2; i < c->argc; i++) added += set_add(s, c->argv[i], call_limits(c));
    if (added) call_changed(c, EVENT_SET, "sadd", key, added);
    reply_int(c->reply, (int64_t)added);
}

static void srem(struct call *c)
{
    const struct span key = c->argv[1];
    struct entry *e;
    if (!call_find(c, key, TYPE_SET, FOR_WRITE, &e)) return;
    uint64_t removed = 0;
    for (size_t i = 2; e && i < c->argc; i++) removed += set_remove(entry_object(e), c->argv[i]);
    if (removed) {
        call_changed(c, EVENT_SET, "srem", key, removed);
        (void)call_remove_if_empty(c, key, e);
    }
    reply_int(c->reply, (int64_t)removed);
}

static void smove(struct call *c)
{
    const struct span from = c->argv[1], to = c->argv[2], member = c->argv[3];
    struct entry *source, *target;
    if (!call_find(c, from, TYPE_SET, FOR_WRITE, &source)) return;
    if (!source) {
        reply_int(c->reply, 0);
        return;
    }
    struct set *s = entry_object(source);
    if (!call_find(c, to, TYPE_SET, FOR_WRITE, &target)) return;
    struct set *t = target ? entry_object(target) : NULL;
    const bool there = s == t ? set_has(s, member) : set_remove(s, member);
    if (there && s != t) {
        call_changed(c, EVENT_SET, "srem", from, 1);
        (void)call_remove_if_empty(c, from, call_find_any(c, from, FOR_WRITE));
        if (!t) t = new_set(c, to);
        if (set_add(t, member, call_limits(c))) call_changed(c, EVENT_SET, "sadd", to, 1);
    }
    reply_int(c->reply, there);
}

static void sismember(struct call *c)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    reply_int(c->reply, e && set_has(entry_object(e), c->argv[2]));
}

static void smismember(struct call *c)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_int(c->reply, e && set_has(entry_object(e), c->argv[i]));
}

static void scard(struct call *c)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    reply_int(c->reply, e ? (int64_t)set_size(entry_object(e)) : 0);
}

static void reply_member(void *context, struct span member) { reply_bulk(context, member); }

static void smembers(struct call *c)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    reply_set(c->reply, e ? set_size(entry_object(e)) : 0);
    if (e) set_each(entry_object(e), reply_member, c->reply);
}

/* --- SPOP: chance is resolved here, so that the log only says which members went. ------------------------------ */

/* Pop a member, reply it and append it to @to. */
static void pop_one(struct call *c, struct set *s, struct buf *to)
{
    const size_t from = to->len;
    set_random(s, call_random, c, to);
    const struct span member = span_of(to->p + from, to->len - from);
    const bool removed = set_remove(s, member);
    (void)removed;
    reply_bulk(c->reply, member);
}

/* Pop @n members, fewer if they take the *room bytes that may be logged, and log them in one SREM. Returns how many. */
static size_t pop_logged(struct call *c, struct set *s, size_t n, size_t *room)
{
    enum { ARGUMENT_BYTES = 16 }; /* that an argument takes beside its own */
    struct buf bytes = {0};
    size_t *ends = mem_alloc(n * sizeof *ends);
    struct span *effect = mem_alloc((n + 2) * sizeof *effect);
    for (size_t i = 0; i < n; i++) {
        pop_one(c, s, &bytes);
        ends[i] = bytes.len;
        if (bytes.len + (i + 1) * ARGUMENT_BYTES >= *room) n = i + 1;
    }
    const size_t taken = bytes.len + n * ARGUMENT_BYTES;
    *room = taken < *room ? *room - taken : 0;
    effect[0] = SPAN("SREM");
    effect[1] = c->argv[1];
    for (size_t i = 0, from = 0; i < n; from = ends[i++]) effect[2 + i] = span_of(bytes.p + from, ends[i] - from);
    call_effect(c, effect, n + 2);
    mem_free(effect);
    mem_free(ends);
    buf_free(&bytes);
    return n;
}

static void pop_all(struct call *c, struct entry *e)
{
    const struct span key = c->argv[1];
    const uint64_t size = set_size(entry_object(e));
    reply_set(c->reply, size);
    set_each(entry_object(e), reply_member, c->reply);
    call_changed(c, EVENT_SET, "spop", key, size);
    (void)call_delete(c, key);
    call_changed(c, EVENT_GENERIC, "del", key, 0);
    CALL_EFFECT(c, SPAN("DEL"), key);
}

struct repack {
    struct set *to;
    const struct encoding_limits *limits;
};

static void repack_member(void *context, struct span member)
{
    const struct repack *r = context;
    (void)set_add(r->to, member, r->limits);
}

/* The rest of a set that has lost most of its members moves to the smallest form that holds it: Redis makes a new set of it
 * likewise, and memory returns. */
static void repack_rest(struct call *c, struct entry *e, size_t popped)
{
    enum { POPPED_PER_LEFT = 5 };
    const struct set *s = entry_object(e);
    if (set_size(s) * POPPED_PER_LEFT > popped) return;
    struct repack r = {set_new(call_hash_key(c)), call_limits(c)};
    set_each(s, repack_member, &r);
    (void)call_put(c, c->argv[1], &(struct value){.type = TYPE_SET, .set = r.to}, entry_expiry(e));
}

static void spop_some(struct call *c)
{
    struct entry *e;
    int64_t count;
    if (!call_int_in(c, c->argv[2], 0, INT64_MAX, &count, "ERR value is out of range, must be positive")) return;
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_WRITE, &e)) return;
    if (!e || count == 0) {
        reply_set(c->reply, 0);
        return;
    }
    if ((uint64_t)count >= set_size(entry_object(e))) {
        pop_all(c, e);
        return;
    }
    enum { MEMBERS_PER_EFFECT = 1 << 16 }; /* far below what a request may have */
    size_t popped = 0, room = call_max_effect(c);
    const size_t mark = reply_begin(c->reply);
    while (popped < (size_t)count && room > 0) {
        const size_t left = (size_t)count - popped;
        popped += pop_logged(c, entry_object(e), left < MEMBERS_PER_EFFECT ? left : MEMBERS_PER_EFFECT, &room);
    }
    reply_end_set(c->reply, mark, popped);
    repack_rest(c, e, popped);
    call_changed(c, EVENT_SET, "spop", c->argv[1], popped);
}

static void spop(struct call *c)
{
    const struct span key = c->argv[1];
    struct entry *e;
    if (c->argc > 3) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc == 3) {
        spop_some(c);
        return;
    }
    if (!call_find(c, key, TYPE_SET, FOR_WRITE, &e)) return;
    if (!e) {
        reply_null(c->reply);
        return;
    }
    struct buf member = {0};
    pop_one(c, entry_object(e), &member);
    call_changed(c, EVENT_SET, "spop", key, 1);
    if (call_remove_if_empty(c, key, e)) CALL_EFFECT(c, SPAN("DEL"), key);
    else CALL_EFFECT(c, SPAN("SREM"), key, buf_span(&member));
    buf_free(&member);
}

/* --- SRANDMEMBER ----------------------------------------------------------------------------------------------- */

static void draw_one(struct call *c, const struct set *s, struct buf *scratch)
{
    scratch->len = 0;
    set_random(s, call_random, c, scratch);
}

static void reply_sampled(void *context, struct span member)
{
    struct sampler *sampler = context;
    if (sampler_takes(sampler)) reply_bulk(sampler->call->reply, member);
}

/* Draw @count different members of many, one by one. */
static void draw_different(struct call *c, const struct set *s, uint64_t count, struct buf *scratch)
{
    struct set *seen = set_new(call_hash_key(c));
    while (set_size(seen) < count) {
        draw_one(c, s, scratch);
        if (set_add(seen, buf_span(scratch), call_limits(c))) reply_bulk(c->reply, buf_span(scratch));
    }
    set_free(seen);
}

static void srandmember_some(struct call *c)
{
    struct entry *e;
    int64_t count;
    if (!sampling_count(c, c->argv[2], &count) || !call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    if (e && !sampling_fits(c, count)) return;
    const struct set *s = e ? entry_object(e) : NULL;
    const uint64_t size = s ? set_size(s) : 0;
    struct buf scratch = {0};
    if (size == 0 || count == 0) {
        reply_array(c->reply, 0);
    } else if (count < 0) {
        const size_t mark = c->reply->out->len;
        reply_array(c->reply, (size_t)-count);
        for (int64_t i = count; i < 0 && !sampling_overflows(c, mark); i++) {
            draw_one(c, s, &scratch);
            reply_bulk(c->reply, buf_span(&scratch));
        }
    } else {
        const uint64_t n = (uint64_t)count < size ? (uint64_t)count : size;
        reply_array(c->reply, n);
        if (sampling_walks(n, size)) set_each(s, reply_sampled, &(struct sampler){c, n, size});
        else draw_different(c, s, n, &scratch);
    }
    buf_free(&scratch);
}

static void srandmember(struct call *c)
{
    struct entry *e;
    if (c->argc > 3) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc == 3) {
        srandmember_some(c);
        return;
    }
    if (!call_find(c, c->argv[1], TYPE_SET, FOR_READ, &e)) return;
    if (!e) {
        reply_null(c->reply);
        return;
    }
    struct buf scratch = {0};
    draw_one(c, entry_object(e), &scratch);
    reply_bulk(c->reply, buf_span(&scratch));
    buf_free(&scratch);
}

static void scan_member(void *context, struct span member)
{
    struct scan_walk *w = context;
    if (scan_wants(w, member)) reply_bulk(&w->into, member);
}

static void sscan(struct call *c)
{
    struct scan_walk w;
    struct entry *e;
    if (!scan_begin(c, TYPE_SET, &e, &w)) return;
    do w.at = set_scan(entry_object(e), w.at, scan_member, &w);
    while (scan_goes_on(&w));
    scan_end(c, &w, 1);
}

#define ANY_ORDER       "nondeterministic_output_order"
#define BY_CHANCE       "nondeterministic_output"
#define ALL_KEYS(first) KEYS_RANGE(KEY_RO | KEY_ACCESS, first, -1, 1)

const struct command set_commands[] = {
    COMMAND("SADD", "key member+", "Add members to a set; it is made if need be.", "1.0.0", "O(1) per member",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_SET, KEYS(KEY_RW | KEY_INSERT, 1), sadd,
            .history = "2.4.0 Takes several members."),
    COMMAND("SREM", "key member+", "Remove members from a set; an empty set is deleted.", "1.0.0", "O(1) per member",
            CMD_WRITE | CMD_FAST, ACL_SET, KEYS(KEY_RW | KEY_DELETE, 1), srem,
            .history = "2.4.0 Takes several members."),
    COMMAND("SISMEMBER", "key member", "Tell whether a set has a member.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST,
            ACL_SET, KEYS(KEY_RO, 1), sismember),
    COMMAND("SMISMEMBER", "key member+", "Tell for several members whether a set has them.", "6.2.0",
            "O(1) per member", CMD_READONLY | CMD_FAST, ACL_SET, KEYS(KEY_RO | KEY_ACCESS, 1), smismember),
    COMMAND_HINTED("SMEMBERS", "key", "Get all members of a set.", "1.0.0", "O(N) for N members", CMD_READONLY,
                   ACL_SET, KEYS(KEY_RO | KEY_ACCESS, 1), smembers, ANY_ORDER),
    COMMAND("SCARD", "key", "Get the number of members of a set.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_SET,
            KEYS(KEY_RO, 1), scard),
    COMMAND_HINTED("SPOP", "key [count]@3.2.0", "Remove members chosen by chance and return them.", "1.0.0",
                   "O(1) per member", CMD_WRITE | CMD_FAST, ACL_SET, KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), spop,
                   BY_CHANCE),
    COMMAND_HINTED("SRANDMEMBER", "key [count]@2.6.0", "Get members chosen by chance.", "1.0.0", "O(1) per member",
                   CMD_READONLY, ACL_SET, KEYS(KEY_RO | KEY_ACCESS, 1), srandmember, BY_CHANCE),
    COMMAND("SMOVE", "source destination member", "Move a member from one set to another.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_FAST, ACL_SET,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_RW | KEY_INSERT, 2)), smove),
    COMMAND_HINTED("SINTER", "key+", "Get the members that all of the sets have.", "1.0.0",
                   "O(N*M) for M sets and N members in the smallest", CMD_READONLY, ACL_SET, ALL_KEYS(1), set_inter,
                   ANY_ORDER),
    COMMAND("SINTERCARD", "numkeys key+ [LIMIT limit]", "Count the members that all of the sets have.", "7.0.0",
            "O(N*M) for M sets and N members in the smallest", CMD_READONLY | CMD_MOVABLE_KEYS, ACL_SET,
            KEYS_COUNTED(KEY_RO | KEY_ACCESS, 1), set_inter_card),
    COMMAND("SINTERSTORE", "destination key+", "Store the members that all of the sets have.", "1.0.0",
            "O(N*M) for M sets and N members in the smallest", CMD_WRITE | CMD_DENYOOM, ACL_SET,
            KEYS_TWO(KEYS(KEY_RW | KEY_UPDATE, 1), ALL_KEYS(2)), set_inter_store),
    COMMAND_HINTED("SUNION", "key+", "Get the members that any of the sets has.", "1.0.0",
                   "O(N) for N members in all sets", CMD_READONLY, ACL_SET, ALL_KEYS(1), set_union, ANY_ORDER),
    COMMAND("SUNIONSTORE", "destination key+", "Store the members that any of the sets has.", "1.0.0",
            "O(N) for N members in all sets", CMD_WRITE | CMD_DENYOOM, ACL_SET,
            KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 1), ALL_KEYS(2)), set_union_store),
    COMMAND_HINTED("SDIFF", "key+", "Get the members of the first set that none of the others has.", "1.0.0",
                   "O(N) for N members in all sets", CMD_READONLY, ACL_SET, ALL_KEYS(1), set_diff, ANY_ORDER),
    COMMAND("SDIFFSTORE", "destination key+", "Store the members of the first set that none of the others has.",
            "1.0.0", "O(N) for N members in all sets", CMD_WRITE | CMD_DENYOOM, ACL_SET,
            KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 1), ALL_KEYS(2)), set_diff_store),
    COMMAND_HINTED("SSCAN", "key cursor [MATCH pattern] [COUNT count]", "Walk over the members of a set in steps.",
                   "2.8.0", "O(1) per call", CMD_READONLY, ACL_SET, KEYS(KEY_RO | KEY_ACCESS, 1), sscan, BY_CHANCE),
    COMMANDS_END,
};
