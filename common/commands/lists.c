/* LPUSH and its family: commands on lists. */
#include "common/call.h"
#include "common/commands/commands.h"
#include "common/commands/list_handlers.h"

/* The list at @key for reading; NULL: there is none, or the error was replied (*failed says which). */
static const struct list *find_for_read(struct call *c, struct span key, bool *failed)
{
    struct entry *e;
    *failed = !call_find(c, key, TYPE_LIST, FOR_READ, &e);
    return *failed || !e ? NULL : entry_object(e);
}

/* Indexes as clients give them, from 0 or from -1 backwards, as [*from, *to) within a list of @size. */
static void clamp_range(uint64_t size, int64_t first, int64_t last, uint64_t *from, uint64_t *to)
{
    const int64_t n = (int64_t)size;
    if (first < 0) first = first < -n ? 0 : first + n;
    if (last < 0) last = last < -n ? -1 : last + n;
    if (last >= n) last = n - 1;
    *from = first > last ? 0 : (uint64_t)first;
    *to = first > last ? 0 : (uint64_t)last + 1;
}

static void push(struct call *c, enum list_end end, bool only_if_there)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (!e && only_if_there) {
        reply_int(c->reply, 0);
        return;
    }
    struct list *l = e ? entry_object(e) : list_put(c, c->argv[1]);
    for (size_t i = 2; i < c->argc; i++) list_push(l, end, c->argv[i], call_limits(c));
    call_changed(c, EVENT_LIST, list_push_event(end), c->argv[1], c->argc - 2);
    reply_int(c->reply, (int64_t)list_size(l));
}

static void lpush(struct call *c) { push(c, LIST_HEAD, false); }
static void rpush(struct call *c) { push(c, LIST_TAIL, false); }
static void lpushx(struct call *c) { push(c, LIST_HEAD, true); }
static void rpushx(struct call *c) { push(c, LIST_TAIL, true); }

static void llen(struct call *c)
{
    bool failed;
    const struct list *l = find_for_read(c, c->argv[1], &failed);
    if (!failed) reply_int(c->reply, l ? (int64_t)list_size(l) : 0);
}

static void lrange(struct call *c)
{
    int64_t first, last;
    bool failed;
    if (!call_int(c, c->argv[2], &first) || !call_int(c, c->argv[3], &last)) return;
    const struct list *l = find_for_read(c, c->argv[1], &failed);
    if (failed) return;
    uint64_t from = 0, to = 0;
    if (l) clamp_range(list_size(l), first, last, &from, &to);
    reply_array(c->reply, to - from);
    if (from == to) return;
    struct list_iter i;
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    list_iter_begin(&i, l, (int64_t)from, false);
    for (; from < to && list_iter_next(&i, &s, scratch); from++) reply_bulk(c->reply, s);
}

static void lindex(struct call *c)
{
    int64_t index;
    bool failed;
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    const struct list *l = find_for_read(c, c->argv[1], &failed);
    if (failed) return;
    if (!l) reply_null(c->reply);
    else if (!call_int(c, c->argv[2], &index)) return;
    else if (list_get(l, index, &s, scratch)) reply_bulk(c->reply, s);
    else reply_null(c->reply);
}

static void lset(struct call *c)
{
    struct entry *e;
    int64_t index;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (!e) {
        reply_error(c->reply, "ERR no such key");
        return;
    }
    if (!call_int(c, c->argv[2], &index)) return;
    if (!list_set(entry_object(e), index, c->argv[3], call_limits(c))) {
        reply_error(c->reply, "ERR index out of range");
        return;
    }
    call_changed(c, EVENT_LIST, "lset", c->argv[1], 1);
    reply_ok(c->reply);
}

static void linsert(struct call *c)
{
    struct entry *e;
    const bool after = span_is(c->argv[2], "AFTER");
    if (!after && !span_is(c->argv[2], "BEFORE")) {
        reply_syntax_error(c->reply);
        return;
    }
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (!e) {
        reply_int(c->reply, 0);
    } else if (!list_insert(entry_object(e), c->argv[3], after, c->argv[4], call_limits(c))) {
        reply_int(c->reply, -1);
    } else {
        call_changed(c, EVENT_LIST, "linsert", c->argv[1], 1);
        reply_int(c->reply, (int64_t)list_size(entry_object(e)));
    }
}

static void lrem(struct call *c)
{
    struct entry *e;
    int64_t count;
    if (!call_int(c, c->argv[2], &count)) return;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    uint64_t removed = 0;
    if (e) {
        const uint64_t most = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
        removed = list_remove_equal(entry_object(e), c->argv[3], count < 0 ? LIST_TAIL : LIST_HEAD, most);
    }
    if (removed > 0) {
        call_changed(c, EVENT_LIST, "lrem", c->argv[1], removed);
        (void)call_remove_if_empty(c, c->argv[1], e);
    }
    reply_int(c->reply, (int64_t)removed);
}

static void ltrim(struct call *c)
{
    struct entry *e;
    int64_t first, last;
    if (!call_int(c, c->argv[2], &first) || !call_int(c, c->argv[3], &last)) return;
    if (!call_find(c, c->argv[1], TYPE_LIST, FOR_WRITE, &e)) return;
    if (e) {
        struct list *l = entry_object(e);
        const uint64_t size = list_size(l);
        uint64_t from, to;
        clamp_range(size, first, last, &from, &to);
        list_remove_range(l, to, size - to);
        list_remove_range(l, 0, from);
        call_changed(c, EVENT_LIST, "ltrim", c->argv[1], size - (to - from));
        (void)call_remove_if_empty(c, c->argv[1], e);
    }
    reply_ok(c->reply);
}

/* What LPOS looks for. */
struct pos_query {
    int64_t rank;    /* which match to begin with, from 1, or from -1 backwards */
    int64_t count;   /* matches to reply; 0: all; -1: one, not as an array */
    int64_t compare; /* elements to look at; 0: all */
};

static bool pos_options(struct call *c, struct pos_query *q)
{
    *q = (struct pos_query){.rank = 1, .count = -1};
    for (size_t i = 3; i < c->argc; i += 2) {
        const struct span option = c->argv[i];
        const bool has_value = i + 1 < c->argc;
        if (has_value && span_is(option, "RANK")) {
            if (!call_int(c, c->argv[i + 1], &q->rank)) return false;
            if (q->rank == 0) {
                reply_error(c->reply,
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second "
                            "... or use negative to start from the end of the list");
                return false;
            }
        } else if (has_value && span_is(option, "COUNT")) {
            if (!call_int_in(c, c->argv[i + 1], 0, INT64_MAX, &q->count, "ERR COUNT can't be negative")) return false;
        } else if (has_value && span_is(option, "MAXLEN")) {
            if (!call_int_in(c, c->argv[i + 1], 0, INT64_MAX, &q->compare, "ERR MAXLEN can't be negative"))
                return false;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    if (q->rank == INT64_MIN) { /* it has no opposite: Redis begins with the last match then, and counts none */
        q->rank = -1;
        if (q->count > 0) q->count = 0;
    }
    return true;
}

/* Reply the indexes of the matches; returns how many. */
static size_t reply_matches(struct call *c, const struct list *l, const struct pos_query *q)
{
    const bool backwards = q->rank < 0;
    const uint64_t pass = (uint64_t)(backwards ? -q->rank : q->rank) - 1;
    const uint64_t wanted = q->count < 0 ? 1 : q->count == 0 ? UINT64_MAX : (uint64_t)q->count;
    const uint64_t size = list_size(l);
    const uint64_t compare = q->compare > 0 && (uint64_t)q->compare < size ? (uint64_t)q->compare : size;
    struct list_iter i;
    struct span s;
    char scratch[NUM_I64_MAX_TEXT];
    uint64_t matches = 0, replied = 0;
    list_iter_begin(&i, l, backwards ? -1 : 0, backwards);
    for (uint64_t at = 0; at < compare && replied < wanted && list_iter_next(&i, &s, scratch); at++) {
        if (!span_eq(s, c->argv[2]) || matches++ < pass) continue;
        reply_int(c->reply, (int64_t)(backwards ? size - 1 - at : at));
        replied++;
    }
    return (size_t)replied;
}

static void lpos(struct call *c)
{
    struct pos_query q;
    bool failed;
    if (!pos_options(c, &q)) return;
    const struct list *l = find_for_read(c, c->argv[1], &failed);
    if (failed) return;
    if (q.count >= 0) {
        const size_t mark = reply_begin(c->reply);
        reply_end_array(c->reply, mark, l ? reply_matches(c, l, &q) : 0);
    } else if (!l || reply_matches(c, l, &q) == 0) {
        reply_null(c->reply);
    }
}

const struct command list_commands[] = {
    COMMAND("BLMOVE", "source destination wherefrom={LEFT|RIGHT} whereto={LEFT|RIGHT} timeout(double)",
            "LMOVE that waits for an element.", "6.2.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING, ACL_LIST,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_RW | KEY_INSERT, 2)), list_blmove),
    COMMAND("BLMPOP", "timeout(double) numkeys key+ where={LEFT|RIGHT} [COUNT count]",
            "LMPOP that waits for elements.", "7.0.0", "O(N+M) where N is the number of keys and M of elements taken",
            CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS, ACL_LIST, KEYS_COUNTED(KEY_RW | KEY_ACCESS | KEY_DELETE, 2),
            list_blmpop),
    COMMAND("BLPOP", "key+ timeout(double)",
            "Take the head of the first of several lists that has any; wait for one that has.", "2.0.0",
            "O(N) where N is the number of keys", CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING, ACL_LIST,
            KEYS_RANGE(KEY_RW | KEY_ACCESS | KEY_DELETE, 1, -2, 1), list_blpop,
            .history = "6.0.0 The timeout may have a fraction."),
    COMMAND("BRPOP", "key+ timeout(double)",
            "Take the tail of the first of several lists that has any; wait for one that has.", "2.0.0",
            "O(N) where N is the number of keys", CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING, ACL_LIST,
            KEYS_RANGE(KEY_RW | KEY_ACCESS | KEY_DELETE, 1, -2, 1), list_brpop,
            .history = "6.0.0 The timeout may have a fraction."),
    COMMAND("BRPOPLPUSH", "source destination timeout(double)", "RPOPLPUSH that waits for an element.", "2.2.0",
            "O(1)", CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING, ACL_LIST,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_RW | KEY_INSERT, 2)), list_brpoplpush,
            .deprecated = "6.2.0", .replaced_by = "`BLMOVE`, given `RIGHT` and `LEFT`",
            .history = "6.0.0 The timeout may have a fraction."),
    COMMAND("LINDEX", "key index", "Read the element at an index, counted from 0, or from -1 backwards.", "1.0.0",
            "O(N) where N is the number of nodes of the list up to the index", CMD_READONLY, ACL_LIST,
            KEYS(KEY_RO | KEY_ACCESS, 1), lindex),
    COMMAND("LINSERT", "key where={BEFORE|AFTER} pivot element",
            "Insert an element beside the first one that equals another.", "2.2.0",
            "O(N) where N is the number of elements up to the pivot", CMD_WRITE | CMD_DENYOOM, ACL_LIST,
            KEYS(KEY_RW | KEY_INSERT, 1), linsert),
    COMMAND("LLEN", "key", "Number of elements of a list.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_LIST,
            KEYS(KEY_RO, 1), llen),
    COMMAND("LMOVE", "source destination wherefrom={LEFT|RIGHT} whereto={LEFT|RIGHT}",
            "Take an element from an end of one list to an end of another, or of the same.", "6.2.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM, ACL_LIST,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_RW | KEY_INSERT, 2)), list_lmove),
    COMMAND("LMPOP", "numkeys key+ where={LEFT|RIGHT} [COUNT count]",
            "Take elements from the first of several lists that has any.", "7.0.0",
            "O(N+M) where N is the number of keys and M of elements taken", CMD_WRITE | CMD_MOVABLE_KEYS, ACL_LIST,
            KEYS_COUNTED(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), list_lmpop),
    COMMAND("LPOP", "key [count]@6.2.0", "Take elements from the head of a list.", "1.0.0",
            "O(N) where N is the number of elements taken", CMD_WRITE | CMD_FAST, ACL_LIST,
            KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), list_lpop),
    COMMAND("LPOS", "key element [RANK rank(integer)] [COUNT num-matches(integer)] [MAXLEN len]",
            "Find the indexes of the elements that equal another.", "6.0.6",
            "O(N) where N is the number of elements looked at", CMD_READONLY, ACL_LIST, KEYS(KEY_RO | KEY_ACCESS, 1),
            lpos),
    COMMAND("LPUSH", "key element+", "Put elements before the head of a list, one after the other.", "1.0.0",
            "O(1) per element", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_LIST, KEYS(KEY_RW | KEY_INSERT, 1), lpush,
            .history = "2.4.0 Takes several elements."),
    COMMAND("LPUSHX", "key element+", "Put elements before the head of a list, if it exists.", "2.2.0",
            "O(1) per element", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_LIST, KEYS(KEY_RW | KEY_INSERT, 1), lpushx,
            .history = "4.0.0 Takes several elements."),
    COMMAND("LRANGE", "key start(integer) stop(integer)", "Read the elements from one index up to and with another.",
            "1.0.0", "O(S+N) where S is the number of nodes up to the start and N of elements read", CMD_READONLY,
            ACL_LIST, KEYS(KEY_RO | KEY_ACCESS, 1), lrange),
    COMMAND("LREM", "key count element", "Remove elements that equal another, seen from the head or the tail.",
            "1.0.0", "O(N) where N is the number of elements looked at", CMD_WRITE, ACL_LIST,
            KEYS(KEY_RW | KEY_DELETE, 1), lrem),
    COMMAND("LSET", "key index element", "Overwrite the element at an index.", "1.0.0",
            "O(N) where N is the number of nodes of the list up to the index", CMD_WRITE | CMD_DENYOOM, ACL_LIST,
            KEYS(KEY_RW | KEY_UPDATE, 1), lset),
    COMMAND("LTRIM", "key start(integer) stop(integer)",
            "Remove all elements but those from one index up to and with another.", "1.0.0",
            "O(N) where N is the number of elements removed", CMD_WRITE, ACL_LIST, KEYS(KEY_RW | KEY_DELETE, 1),
            ltrim),
    COMMAND("RPOP", "key [count]@6.2.0", "Take elements from the tail of a list.", "1.0.0",
            "O(N) where N is the number of elements taken", CMD_WRITE | CMD_FAST, ACL_LIST,
            KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), list_rpop),
    COMMAND("RPOPLPUSH", "source destination", "Take the tail of one list to the head of another, or of the same.",
            "1.2.0", "O(1)", CMD_WRITE | CMD_DENYOOM, ACL_LIST,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_RW | KEY_INSERT, 2)), list_rpoplpush,
            .deprecated = "6.2.0", .replaced_by = "`LMOVE`, given `RIGHT` and `LEFT`"),
    COMMAND("RPUSH", "key element+", "Put elements behind the tail of a list, one after the other.", "1.0.0",
            "O(1) per element", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_LIST, KEYS(KEY_RW | KEY_INSERT, 1), rpush,
            .history = "2.4.0 Takes several elements."),
    COMMAND("RPUSHX", "key element+", "Put elements behind the tail of a list, if it exists.", "2.2.0",
            "O(1) per element", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_LIST, KEYS(KEY_RW | KEY_INSERT, 1), rpushx,
            .history = "4.0.0 Takes several elements."),
    COMMANDS_END,
};
