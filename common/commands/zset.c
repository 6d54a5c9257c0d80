/* Sorted sets: the rows of all their commands, and the handlers that are about single members. */
#include "common/commands/collection_scan.h"
#include "common/commands/commands.h"
#include "common/commands/zset_handlers.h"
#include "common/mem.h"

/* ZADD and ZINCRBY. */

struct options {
    unsigned rules; /* enum zset_rule */
    bool changed;   /* CH: count moved members too */
    size_t pairs_at;
};

static bool parse_option(struct span word, struct options *o)
{
    if (span_is(word, "NX")) o->rules |= ZSET_IF_NEW;
    else if (span_is(word, "XX")) o->rules |= ZSET_IF_THERE;
    else if (span_is(word, "GT")) o->rules |= ZSET_IF_GREATER;
    else if (span_is(word, "LT")) o->rules |= ZSET_IF_LESS;
    else if (span_is(word, "INCR")) o->rules |= ZSET_INCREMENT;
    else if (span_is(word, "CH")) o->changed = true;
    else return false;
    return true;
}

static bool parse_options(struct call *c, struct options *o)
{
    *o = (struct options){.pairs_at = 2};
    while (o->pairs_at < c->argc && parse_option(c->argv[o->pairs_at], o)) o->pairs_at++;
    const size_t rest = c->argc - o->pairs_at;
    const bool is_new = o->rules & ZSET_IF_NEW, greater = o->rules & ZSET_IF_GREATER, less = o->rules & ZSET_IF_LESS;
    if (rest == 0 || rest % 2) reply_syntax_error(c->reply);
    else if (is_new && o->rules & ZSET_IF_THERE)
        reply_error(c->reply, "ERR XX and NX options at the same time are not compatible");
    else if ((greater && is_new) || (less && is_new) || (greater && less))
        reply_error(c->reply, "ERR GT, LT, and/or NX options at the same time are not compatible");
    else if (o->rules & ZSET_INCREMENT && rest > 2)
        reply_error(c->reply, "ERR INCR option supports a single increment-element pair");
    else return true;
    return false;
}

static bool parse_score(struct call *c, struct span s, double *score)
{
    enum { EXACT_DIGITS = 15 }; /* whole numbers that short are exact, and need no strtod() */
    int64_t whole;
    if (s.n <= EXACT_DIGITS && num_parse_i64(s, &whole)) {
        *score = (double)whole;
        return true;
    }
    return call_double(c, s, score);
}

struct tally {
    uint64_t added, moved;
};

/* One pair. False: the increment gives no number, and the error was replied. */
static bool add_pair(struct call *c, struct zset *z, struct span member, unsigned rules, double *score,
                     enum zset_added *done, struct tally *t)
{
    *done = zset_add(z, member, rules, score, call_limits(c));
    t->added += *done == ZSET_ADDED;
    t->moved += *done == ZSET_MOVED;
    if (*done != ZSET_NAN) return true;
    reply_error(c->reply, "ERR resulting score is not a number (NaN)");
    return false;
}

/* Find the sorted set, or make it unless nothing may be added. */
static bool find_or_make(struct call *c, unsigned rules, struct zset **z)
{
    if (!zset_find(c, c->argv[1], FOR_WRITE, z)) return false;
    if (*z || rules & ZSET_IF_THERE) return true;
    *z = zset_new(call_hash_key(c));
    call_put(c, c->argv[1], &(struct value){.type = TYPE_ZSET, .zset = *z}, NO_EXPIRY);
    return true;
}

/* Add one increment to one member, and log the score that came out: floats need not add up alike elsewhere. */
static void increment(struct call *c, unsigned rules, double score, struct span member)
{
    struct zset *z;
    struct tally t = {0};
    enum zset_added done = ZSET_REFUSED;
    if (!find_or_make(c, rules, &z)) return;
    if (z && !add_pair(c, z, member, rules | ZSET_INCREMENT, &score, &done, &t)) return;
    if (t.added + t.moved) {
        char text[NUM_DOUBLE_MAX_TEXT];
        const struct span effect[] = {SPAN("ZADD"), c->argv[1], {text, num_format_double(text, score)}, member};
        call_changed(c, EVENT_ZSET, "zincr", c->argv[1], 1);
        call_effect(c, effect, sizeof effect / sizeof *effect);
    }
    if (done == ZSET_REFUSED) reply_null(c->reply);
    else reply_double(c->reply, score);
}

static void add_pairs(struct call *c, const struct options *o, const double *scores)
{
    struct zset *z;
    struct tally t = {0};
    if (!find_or_make(c, o->rules, &z)) return;
    for (size_t i = o->pairs_at; z && i < c->argc; i += 2) {
        double score = scores[(i - o->pairs_at) / 2];
        enum zset_added done;
        if (!add_pair(c, z, c->argv[i + 1], o->rules, &score, &done, &t)) return;
    }
    if (t.added + t.moved) call_changed(c, EVENT_ZSET, "zadd", c->argv[1], t.added + t.moved);
    reply_int(c->reply, (int64_t)(o->changed ? t.added + t.moved : t.added));
}

static void zadd(struct call *c)
{
    struct options o;
    double few[16];
    if (!parse_options(c, &o)) return;
    const size_t pairs = (c->argc - o.pairs_at) / 2;
    double *scores = pairs <= sizeof few / sizeof *few ? few : mem_alloc(pairs * sizeof *scores);
    size_t parsed = 0;
    while (parsed < pairs && parse_score(c, c->argv[o.pairs_at + 2 * parsed], &scores[parsed])) parsed++;
    if (parsed == pairs) {
        if (o.rules & ZSET_INCREMENT) increment(c, o.rules, scores[0], c->argv[o.pairs_at + 1]);
        else add_pairs(c, &o, scores);
    }
    if (scores != few) mem_free(scores);
}

static void zincrby(struct call *c)
{
    double by;
    struct options none = {0};
    /* Redis reads it as ZADD, so a word of ZADD's leaves a score without its member. */
    if (parse_option(c->argv[2], &none)) reply_syntax_error(c->reply);
    else if (parse_score(c, c->argv[2], &by)) increment(c, 0, by, c->argv[3]);
}

/* Single members. */

static void zrem(struct call *c)
{
    struct entry *e;
    uint64_t removed = 0;
    if (!call_find(c, c->argv[1], TYPE_ZSET, FOR_WRITE, &e)) return;
    struct zset *z = e ? entry_object(e) : NULL;
    for (size_t i = 2; z && i < c->argc; i++) removed += zset_remove(z, c->argv[i]);
    if (removed) {
        call_changed(c, EVENT_ZSET, "zrem", c->argv[1], removed);
        call_remove_if_empty(c, c->argv[1], e);
    }
    reply_int(c->reply, (int64_t)removed);
}

static void reply_score(struct call *c, const struct zset *z, struct span member)
{
    double score;
    if (z && zset_score(z, member, &score)) reply_double(c->reply, score);
    else reply_null(c->reply);
}

static void zscore(struct call *c)
{
    struct zset *z;
    if (zset_find(c, c->argv[1], FOR_READ, &z)) reply_score(c, z, c->argv[2]);
}

static void zmscore(struct call *c)
{
    struct zset *z;
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_score(c, z, c->argv[i]);
}

static void zcard(struct call *c)
{
    struct zset *z;
    if (zset_find(c, c->argv[1], FOR_READ, &z)) reply_int(c->reply, z ? (int64_t)zset_size(z) : 0);
}

static void reply_rank(struct call *c, bool from_highest)
{
    struct zset *z;
    uint64_t rank;
    const bool with_score = c->argc > 3;
    if (c->argc > 4) {
        reply_error(c->reply, "ERR wrong number of arguments for '%s' command", c->command->name);
        return;
    }
    if (with_score && !span_is(c->argv[3], "WITHSCORE")) {
        reply_syntax_error(c->reply);
        return;
    }
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    if (!z || !zset_rank(z, c->argv[2], &rank)) {
        if (with_score) reply_null_array(c->reply);
        else reply_null(c->reply);
        return;
    }
    if (with_score) reply_array(c->reply, 2);
    reply_int(c->reply, (int64_t)(from_highest ? zset_size(z) - 1 - rank : rank));
    if (with_score) reply_score(c, z, c->argv[2]);
}

static void zrank(struct call *c) { reply_rank(c, false); }
static void zrevrank(struct call *c) { reply_rank(c, true); }

/* ZSCAN. */

struct scan {
    struct scan_walk walk;
    bool small;
};

static void scan_visit(void *context, struct span member, double score)
{
    struct scan *s = context;
    if (!scan_wants(&s->walk, member)) return;
    char text[NUM_DOUBLE_MAX_TEXT];
    /* A listpack's whole numbers are shown as they stand in it, whatever their size. */
    const bool whole = s->small && score > -0x1p62 && score < 0x1p62 && score == (double)(int64_t)score;
    reply_bulk(&s->walk.into, member);
    reply_bulk(&s->walk.into,
               span_of(text, whole ? num_format_i64(text, (int64_t)score) : num_format_double(text, score)));
}

static void zscan(struct call *c)
{
    struct entry *e;
    struct scan s;
    if (!scan_begin(c, TYPE_ZSET, &e, &s.walk)) return;
    const struct zset *z = entry_object(e);
    s.small = zset_listpack(z).p;
    do s.walk.at = zset_scan(z, s.walk.at, scan_visit, &s);
    while (scan_goes_on(&s.walk));
    scan_end(c, &s.walk, 2);
}

#define RANGE_COST  "O(log(N)+M) where N is the size of the set and M the size of the answer"
#define REMOVE_COST "O(log(N)+M) where N is the size of the set and M the number of members removed"
#define UNION_COST  "O(N)+O(M log(M)) where N is the sum of all sizes and M the size of the result"
#define INTER_COST \
    "O(N*K)+O(M*log(M)) at worst, where N is the smallest size, K the number of keys, M the result's size"
#define DIFF_COST \
    "O(L + (N-K)log(N)) at worst, where L is the sum of all sizes, N the first set's size, K the result's size"
#define COMBINE    "[WEIGHTS weight(integer)+] [AGGREGATE {SUM|MIN|MAX}]"
#define READ_KEY   KEYS(KEY_RO | KEY_ACCESS, 1)
#define READ_KEYS  KEYS_COUNTED(KEY_RO | KEY_ACCESS, 1)
#define REMOVE_KEY KEYS(KEY_RW | KEY_DELETE, 1)
#define POP_KEY    KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1)
#define STORE_KEYS KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 1), KEYS_COUNTED(KEY_RO | KEY_ACCESS, 2))
#define STORES     CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS
#define COMBINES   CMD_READONLY | CMD_MOVABLE_KEYS

const struct command zset_commands[] = {
    COMMAND("BZMPOP", "timeout(double) numkeys key+ where={MIN|MAX} [COUNT count]", "ZMPOP that waits for members.",
            "7.0.0",
            "O(K)+O(M*log(N)) where K is the number of keys, N the set's size, M the number of members removed",
            CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS, ACL_SORTEDSET,
            KEYS_COUNTED(KEY_RW | KEY_ACCESS | KEY_DELETE, 2), zset_pop_multi_or_wait),
    COMMAND("BZPOPMAX", "key+ timeout(double)",
            "Remove the highest member of the first set that has any; wait for one that has.", "5.0.0", "O(log(N))",
            CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST, ACL_SORTEDSET,
            KEYS_RANGE(KEY_RW | KEY_ACCESS | KEY_DELETE, 1, -2, 1), zset_pop_max_or_wait,
            .history = "6.0.0 The timeout may have a fraction."),
    COMMAND("BZPOPMIN", "key+ timeout(double)",
            "Remove the lowest member of the first set that has any; wait for one that has.", "5.0.0", "O(log(N))",
            CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST, ACL_SORTEDSET,
            KEYS_RANGE(KEY_RW | KEY_ACCESS | KEY_DELETE, 1, -2, 1), zset_pop_min_or_wait,
            .history = "6.0.0 The timeout may have a fraction."),
    COMMAND("ZADD",
            "key condition=[NX|XX]@3.0.2 comparison=[GT|LT]@6.2.0 [change=CH]@3.0.2 [increment=INCR]@3.0.2 {score "
            "member}+",
            "Add members to a sorted set, or update their scores.", "1.2.0", "O(log(N)) for each member",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_SORTEDSET, KEYS(KEY_RW | KEY_UPDATE, 1), zadd,
            .history = "2.4.0 Takes several members."),
    COMMAND("ZCARD", "key", "How many members a sorted set has.", "1.2.0", "O(1)", CMD_READONLY | CMD_FAST,
            ACL_SORTEDSET, KEYS(KEY_RO, 1), zcard),
    COMMAND("ZCOUNT", "key min(double) max(double)", "How many members have a score in a range.", "2.0.0",
            "O(log(N))", CMD_READONLY | CMD_FAST, ACL_SORTEDSET, READ_KEY, zset_range_count),
    COMMAND("ZDIFF", "numkeys key+ [WITHSCORES]", "Members of the first sorted set that are in none of the others.",
            "6.2.0", DIFF_COST, COMBINES, ACL_SORTEDSET, READ_KEYS, zset_combine_diff),
    COMMAND("ZDIFFSTORE", "destination numkeys key+", "Store what ZDIFF answers.", "6.2.0", DIFF_COST, STORES,
            ACL_SORTEDSET, STORE_KEYS, zset_combine_diffstore),
    COMMAND("ZINCRBY", "key increment(integer) member", "Add to the score of a member.", "1.2.0", "O(log(N))",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_SORTEDSET, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), zincrby),
    COMMAND("ZINTER", "numkeys key+ " COMBINE " [WITHSCORES]",
            "Members that are in every one of several sorted sets.", "6.2.0", INTER_COST, COMBINES, ACL_SORTEDSET,
            READ_KEYS, zset_combine_inter),
    COMMAND("ZINTERCARD", "numkeys key+ [LIMIT limit]",
            "How many members ZINTER would answer, counted up to a limit.", "7.0.0",
            "O(N*K) at worst, where N is the smallest size and K the number of keys", COMBINES, ACL_SORTEDSET,
            READ_KEYS, zset_combine_intercard),
    COMMAND("ZINTERSTORE", "destination numkeys key+ " COMBINE, "Store what ZINTER answers.", "2.0.0", INTER_COST,
            STORES, ACL_SORTEDSET, STORE_KEYS, zset_combine_interstore),
    COMMAND("ZLEXCOUNT", "key min max", "How many members lie in a range of names.", "2.8.9", "O(log(N))",
            CMD_READONLY | CMD_FAST, ACL_SORTEDSET, READ_KEY, zset_range_lexcount),
    COMMAND("ZMPOP", "numkeys key+ where={MIN|MAX} [COUNT count]",
            "Remove the lowest or highest members of the first set that has any.", "7.0.0",
            "O(K)+O(M*log(N)) where K is the number of keys, N the set's size, M the number of members removed",
            CMD_WRITE | CMD_MOVABLE_KEYS, ACL_SORTEDSET, KEYS_COUNTED(KEY_RW | KEY_ACCESS | KEY_DELETE, 1),
            zset_pop_multi),
    COMMAND("ZMSCORE", "key member+", "The scores of several members.", "6.2.0",
            "O(N) where N is the number of members asked for", CMD_READONLY | CMD_FAST, ACL_SORTEDSET, READ_KEY,
            zmscore),
    COMMAND("ZPOPMAX", "key [count]", "Remove the members with the highest scores and answer them.", "5.0.0",
            "O(log(N)*M) where M is the number of members removed", CMD_WRITE | CMD_FAST, ACL_SORTEDSET, POP_KEY,
            zset_pop_max),
    COMMAND("ZPOPMIN", "key [count]", "Remove the members with the lowest scores and answer them.", "5.0.0",
            "O(log(N)*M) where M is the number of members removed", CMD_WRITE | CMD_FAST, ACL_SORTEDSET, POP_KEY,
            zset_pop_min),
    COMMAND_HINTED("ZRANDMEMBER", "key options=[count [WITHSCORES]]", "Members taken by chance.", "6.2.0",
                   "O(N) where N is the size of the answer", CMD_READONLY, ACL_SORTEDSET, READ_KEY, zset_pop_random,
                   "nondeterministic_output"),
    COMMAND("ZRANGE",
            "key start stop sortby=[BYSCORE|BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT offset count]@6.2.0 [WITHSCORES]",
            "Members in a range of ranks, of scores or of names.", "1.2.0", RANGE_COST, CMD_READONLY, ACL_SORTEDSET,
            READ_KEY, zset_range_range),
    COMMAND("ZRANGEBYLEX", "key min max [LIMIT offset count]", "Members in a range of names.", "2.8.9", RANGE_COST,
            CMD_READONLY, ACL_SORTEDSET, READ_KEY, zset_range_bylex, .deprecated = "6.2.0",
            .replaced_by = "`ZRANGE`, given `BYLEX`"),
    COMMAND("ZRANGEBYSCORE", "key min(double) max(double) [WITHSCORES]@2.0.0 [LIMIT offset count]",
            "Members in a range of scores.", "1.0.5", RANGE_COST, CMD_READONLY, ACL_SORTEDSET, READ_KEY,
            zset_range_byscore, .deprecated = "6.2.0", .replaced_by = "`ZRANGE`, given `BYSCORE`"),
    COMMAND("ZRANGESTORE", "dst(key) src(key) min max sortby=[BYSCORE|BYLEX] [REV] [LIMIT offset count]",
            "Store what ZRANGE answers.", "6.2.0",
            "O(log(N)+M) where N is the size of the source and M the number of members stored",
            CMD_WRITE | CMD_DENYOOM, ACL_SORTEDSET,
            KEYS_TWO(KEYS(KEY_OW | KEY_UPDATE, 1), KEYS(KEY_RO | KEY_ACCESS, 2)), zset_range_store),
    COMMAND("ZRANK", "key member [WITHSCORE]@7.2.0", "How many members stand before one.", "2.0.0", "O(log(N))",
            CMD_READONLY | CMD_FAST, ACL_SORTEDSET, READ_KEY, zrank,
            .history = "7.2.0 WITHSCORE gives the score as well."),
    COMMAND("ZREM", "key member+", "Remove members.", "1.2.0", "O(M*log(N)) where M is the number of members removed",
            CMD_WRITE | CMD_FAST, ACL_SORTEDSET, REMOVE_KEY, zrem, .history = "2.4.0 Takes several members."),
    COMMAND("ZREMRANGEBYLEX", "key min max", "Remove the members in a range of names.", "2.8.9", REMOVE_COST,
            CMD_WRITE, ACL_SORTEDSET, REMOVE_KEY, zset_range_remove_by_lex),
    COMMAND("ZREMRANGEBYRANK", "key start(integer) stop(integer)", "Remove the members in a range of ranks.", "2.0.0",
            REMOVE_COST, CMD_WRITE, ACL_SORTEDSET, REMOVE_KEY, zset_range_remove_by_rank),
    COMMAND("ZREMRANGEBYSCORE", "key min(double) max(double)", "Remove the members in a range of scores.", "1.2.0",
            REMOVE_COST, CMD_WRITE, ACL_SORTEDSET, REMOVE_KEY, zset_range_remove_by_score),
    COMMAND("ZREVRANGE", "key start(integer) stop(integer) [WITHSCORES]",
            "Members in a range of ranks, counted from the highest score.", "1.2.0", RANGE_COST, CMD_READONLY,
            ACL_SORTEDSET, READ_KEY, zset_range_revrange, .deprecated = "6.2.0",
            .replaced_by = "`ZRANGE`, given `REV`"),
    COMMAND("ZREVRANGEBYLEX", "key max min [LIMIT offset count]", "Members in a range of names, the last first.",
            "2.8.9", RANGE_COST, CMD_READONLY, ACL_SORTEDSET, READ_KEY, zset_range_revbylex, .deprecated = "6.2.0",
            .replaced_by = "`ZRANGE`, given `REV` and `BYLEX`"),
    COMMAND("ZREVRANGEBYSCORE", "key max(double) min(double) [WITHSCORES] [LIMIT offset count]",
            "Members in a range of scores, the highest first.", "2.2.0", RANGE_COST, CMD_READONLY, ACL_SORTEDSET,
            READ_KEY, zset_range_revbyscore, .deprecated = "6.2.0",
            .replaced_by = "`ZRANGE`, given `REV` and `BYSCORE`", .history = "2.1.6 `(` excludes a bound."),
    COMMAND("ZREVRANK", "key member [WITHSCORE]@7.2.0", "How many members stand behind one.", "2.0.0", "O(log(N))",
            CMD_READONLY | CMD_FAST, ACL_SORTEDSET, READ_KEY, zrevrank,
            .history = "7.2.0 WITHSCORE gives the score as well."),
    COMMAND_HINTED("ZSCAN", "key cursor [MATCH pattern] [COUNT count]",
                   "Walk over the members and their scores in steps.", "2.8.0",
                   "O(1) for a step, O(N) for the whole walk", CMD_READONLY, ACL_SORTEDSET, READ_KEY, zscan,
                   "nondeterministic_output"),
    COMMAND("ZSCORE", "key member", "The score of a member.", "1.2.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_SORTEDSET,
            READ_KEY, zscore),
    COMMAND("ZUNION", "numkeys key+ " COMBINE " [WITHSCORES]", "Members that are in any of several sorted sets.",
            "6.2.0", UNION_COST, COMBINES, ACL_SORTEDSET, READ_KEYS, zset_combine_union),
    COMMAND("ZUNIONSTORE", "destination numkeys key+ " COMBINE, "Store what ZUNION answers.", "2.0.0", UNION_COST,
            STORES, ACL_SORTEDSET, STORE_KEYS, zset_combine_unionstore),
    COMMANDS_END,
};
