/* Union, intersection and difference of sorted sets and plain sets (whose members have the score 1).
 *
 * The result is gathered in an array and sorted once. Scores are added up in the order of the inputs' sizes, as Redis
 * does it, so that sums of fractions come out the same. */
#include <math.h>
#include <stdlib.h>

#include "common/commands/zset_handlers.h"
#include "common/mem.h"
#include "common/types/set.h"
#include "common/types/zitem.h"

enum operation { UNION, INTER, DIFF };
enum aggregate { SUM, MIN, MAX };

struct source {
    const struct zset *zset; /* at most one of the two; neither: the key does not exist */
    const struct set *set;
    double weight;
    size_t place; /* among the arguments */
};

struct combine {
    struct call *call;
    enum operation operation;
    bool store, count_only, with_scores;
    enum aggregate aggregate;
    uint64_t limit; /* of ZINTERCARD; 0: none */
    struct source *sources;
    size_t n_sources;
    struct htable seen;   /* of a union: the items by member */
    struct zitem **items; /* the result; owned here */
    size_t n, room;
    uint64_t count; /* with count_only */
    size_t at;      /* the source that is walked */
};

static struct span item_key(const void *item) { return zitem_member(item); }

static const struct htable_kind seen_kind = {.key = item_key};

/* Sources. */

static uint64_t source_size(const struct source *s)
{
    return s->zset ? zset_size(s->zset) : s->set ? set_size(s->set) : 0;
}

static bool source_score(const struct source *s, struct span member, double *score)
{
    if (s->zset) return zset_score(s->zset, member, score);
    *score = 1;
    return s->set && set_has(s->set, member);
}

/* What to do with a member of the source that is walked; false: enough. */
typedef bool visit_member(struct combine *m, struct span member, double score);

struct set_walk {
    struct combine *combine;
    visit_member *visit;
    bool enough;
};

static void visit_set_member(void *context, struct span member)
{
    struct set_walk *w = context;
    if (!w->enough) w->enough = !w->visit(w->combine, member, 1);
}

static void walk(struct combine *m, size_t at, visit_member *visit)
{
    const struct source *s = &m->sources[at];
    m->at = at;
    if (s->set) set_each(s->set, visit_set_member, &(struct set_walk){.combine = m, .visit = visit});
    if (!s->zset) return;
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT];
    zset_iter_begin(&i, s->zset, 0, false);
    while (zset_iter_next(&i, &member, &score, scratch))
        if (!visit(m, member, score)) return;
}

/* Gathering. */

static double or_zero(double v) { return isnan(v) ? 0 : v; }

static double aggregated(enum aggregate how, double a, double b)
{
    if (how == SUM) return or_zero(a + b);
    return (how == MIN ? b < a : b > a) ? b : a;
}

static struct zitem *gather(struct combine *m, struct span member, double score)
{
    if (m->n == m->room) m->items = mem_realloc(m->items, (m->room = 2 * m->room + 16) * sizeof *m->items);
    return m->items[m->n++] = zitem_new(member, score);
}

static bool visit_union(struct combine *m, struct span member, double score)
{
    score = or_zero(m->sources[m->at].weight * score);
    const uint64_t hash = htable_hash(&m->seen, member);
    struct zitem *item = htable_find(&m->seen, hash, member);
    if (item) item->score = aggregated(m->aggregate, item->score, score);
    else htable_insert(&m->seen, hash, gather(m, member, score));
    return true;
}

static bool visit_inter(struct combine *m, struct span member, double score)
{
    score = or_zero(m->sources[0].weight * score);
    for (size_t i = 1; i < m->n_sources; i++) {
        double other;
        if (!source_score(&m->sources[i], member, &other)) return true;
        score = aggregated(m->aggregate, score, m->sources[i].weight * other);
    }
    if (!m->count_only) {
        gather(m, member, score);
        return true;
    }
    m->count++;
    return m->limit == 0 || m->count < m->limit;
}

static bool visit_diff(struct combine *m, struct span member, double score)
{
    for (size_t i = 1; i < m->n_sources; i++) {
        double other;
        if (source_score(&m->sources[i], member, &other)) return true;
    }
    gather(m, member, score);
    return true;
}

/* Smallest first; equal ones keep their order. */
static int compare_sources(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    const uint64_t m = source_size(x), n = source_size(y);
    return m != n ? (m > n) - (m < n) : (x->place > y->place) - (x->place < y->place);
}

static int compare_items(const void *a, const void *b)
{
    const struct zitem *x = *(struct zitem *const *)a, *y = *(struct zitem *const *)b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return span_cmp(zitem_member(x), zitem_member(y));
}

static void compute(struct combine *m)
{
    if (m->operation != DIFF) qsort(m->sources, m->n_sources, sizeof *m->sources, compare_sources);
    if (m->operation == UNION) {
        htable_init(&m->seen, &seen_kind, call_hash_key(m->call));
        for (size_t i = 0; i < m->n_sources; i++) walk(m, i, visit_union);
        htable_free(&m->seen);
    } else {
        walk(m, 0, m->operation == INTER ? visit_inter : visit_diff);
    }
    if (m->n) qsort(m->items, m->n, sizeof *m->items, compare_items);
}

/* Parsing. */

static bool find_source(struct call *c, struct span key, struct source *s)
{
    const struct entry *e = call_find_any(c, key, FOR_READ);
    *s = (struct source){.weight = 1};
    if (!e) return true;
    if (entry_type(e) == TYPE_ZSET) s->zset = entry_object(e);
    else if (entry_type(e) == TYPE_SET) s->set = entry_object(e);
    else {
        reply_wrong_type(c->reply);
        return false;
    }
    return true;
}

/* The number of keys at @at, and the keys behind it. */
static bool parse_sources(struct combine *m, size_t at)
{
    struct call *c = m->call;
    int64_t n;
    if (!call_int(c, c->argv[at], &n)) return false;
    if (n < 1) {
        reply_error(c->reply, "ERR at least 1 input key is needed for '%s' command", c->command->name);
        return false;
    }
    if ((uint64_t)n > c->argc - at - 1) {
        reply_syntax_error(c->reply);
        return false;
    }
    m->n_sources = (size_t)n;
    m->sources = mem_zalloc(m->n_sources, sizeof *m->sources);
    for (size_t i = 0; i < m->n_sources; i++)
        if (!find_source(c, c->argv[at + 1 + i], &m->sources[i])) return false;
        else m->sources[i].place = i;
    return true;
}

static bool parse_weights(struct combine *m, size_t at)
{
    struct call *c = m->call;
    for (size_t i = 0; i < m->n_sources; i++) {
        if (num_parse_double(c->argv[at + i], &m->sources[i].weight)) continue;
        reply_error(c->reply, "ERR weight value is not a float");
        return false;
    }
    return true;
}

static bool parse_aggregate(struct span s, enum aggregate *how)
{
    if (span_is(s, "SUM")) *how = SUM;
    else if (span_is(s, "MIN")) *how = MIN;
    else if (span_is(s, "MAX")) *how = MAX;
    else return false;
    return true;
}

/* One word at @at; returns how many arguments it took, 0 if an error was replied. */
static size_t parse_word(struct combine *m, size_t at)
{
    struct call *c = m->call;
    const struct span word = c->argv[at];
    const size_t left = c->argc - at;
    const bool weighs = m->operation != DIFF && !m->count_only;
    if (weighs && left > m->n_sources && span_is(word, "WEIGHTS"))
        return parse_weights(m, at + 1) ? 1 + m->n_sources : 0;
    if (weighs && left > 1 && span_is(word, "AGGREGATE") && parse_aggregate(c->argv[at + 1], &m->aggregate)) return 2;
    if (!m->store && !m->count_only && span_is(word, "WITHSCORES")) {
        m->with_scores = true;
        return 1;
    }
    if (m->count_only && left > 1 && span_is(word, "LIMIT")) {
        int64_t limit;
        if (!call_int_in(c, c->argv[at + 1], 0, INT64_MAX, &limit, "ERR LIMIT can't be negative")) return 0;
        m->limit = (uint64_t)limit;
        return 2;
    }
    reply_syntax_error(c->reply);
    return 0;
}

static bool parse(struct combine *m)
{
    const size_t count_at = m->store ? 2 : 1;
    if (!parse_sources(m, count_at)) return false;
    for (size_t at = count_at + 1 + m->n_sources; at < m->call->argc;) {
        const size_t taken = parse_word(m, at);
        if (taken == 0) return false;
        at += taken;
    }
    return true;
}

/* Answering. */

static void reply_items(struct combine *m)
{
    struct reply *r = m->call->reply;
    const bool flat = r->resp == 2;
    reply_array(r, m->with_scores && flat ? 2 * m->n : m->n);
    for (size_t i = 0; i < m->n; i++) {
        if (m->with_scores && !flat) reply_array(r, 2);
        reply_bulk(r, zitem_member(m->items[i]));
        if (m->with_scores) reply_double(r, m->items[i]->score);
    }
}

static void store_items(struct combine *m)
{
    static const char *const events[] = {[UNION] = "zunionstore", [INTER] = "zinterstore", [DIFF] = "zdiffstore"};
    struct zset *z = zset_new(call_hash_key(m->call));
    size_t longest = 0;
    for (size_t i = 0; i < m->n; i++)
        if (zitem_member(m->items[i]).n > longest) longest = zitem_member(m->items[i]).n;
    zset_expect(z, m->n, longest, call_limits(m->call));
    for (size_t i = 0; i < m->n; i++)
        zset_set(z, zitem_member(m->items[i]), m->items[i]->score, call_limits(m->call));
    zset_store_result(m->call, m->call->argv[1], z, events[m->operation]);
}

static void combine(struct combine m)
{
    if (parse(&m)) {
        compute(&m);
        if (m.store) store_items(&m);
        else if (m.count_only) reply_int(m.call->reply, (int64_t)m.count);
        else reply_items(&m);
    }
    for (size_t i = 0; i < m.n; i++) mem_free(m.items[i]);
    mem_free(m.items);
    mem_free(m.sources);
}

void zset_combine_union(struct call *c) { combine((struct combine){.call = c, .operation = UNION}); }
void zset_combine_inter(struct call *c) { combine((struct combine){.call = c, .operation = INTER}); }
void zset_combine_diff(struct call *c) { combine((struct combine){.call = c, .operation = DIFF}); }
void zset_combine_unionstore(struct call *c)
{
    combine((struct combine){.call = c, .operation = UNION, .store = true});
}
void zset_combine_interstore(struct call *c)
{
    combine((struct combine){.call = c, .operation = INTER, .store = true});
}
void zset_combine_diffstore(struct call *c)
{
    combine((struct combine){.call = c, .operation = DIFF, .store = true});
}
void zset_combine_intercard(struct call *c)
{
    combine((struct combine){.call = c, .operation = INTER, .count_only = true});
}
