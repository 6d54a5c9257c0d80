#include "common/commands/set_algebra.h"

#include <stdlib.h>

#include "common/call.h"
#include "common/mem.h"
#include "common/types/set.h"

/* The sets that a command names, in its order; NULL where a key does not exist. Borrowed from the keyspace. */
struct sources {
    const struct set **sets;
    size_t n, missing;
};

/* Where the members of the result go: to the reply, into a set, or nowhere (they are only counted). */
struct sink {
    struct reply *reply;
    struct set *set;
    const struct encoding_limits *limits;
    uint64_t count, most; /* members so far; further ones are dropped at `most`, 0: never */
};

static bool sink_full(const struct sink *sink) { return sink->most > 0 && sink->count >= sink->most; }

static void sink_add(void *context, struct span member)
{
    struct sink *sink = context;
    if (sink->set && !set_add(sink->set, member, sink->limits)) return;
    if (sink->reply) reply_bulk(sink->reply, member);
    sink->count++;
}

/* False: one of the keys is no set, and that was replied. */
static bool sources_find(struct call *c, size_t first, size_t n, struct sources *from)
{
    *from = (struct sources){.sets = mem_zalloc(n, sizeof(struct set *)), .n = n};
    for (size_t i = 0; i < n; i++) {
        struct entry *e;
        if (!call_find(c, c->argv[first + i], TYPE_SET, FOR_READ, &e)) {
            mem_free(from->sets);
            return false;
        }
        from->sets[i] = e ? entry_object(e) : NULL;
        from->missing += !e;
    }
    return true;
}

static int smaller_first(const void *a, const void *b)
{
    const uint64_t x = set_size(*(const struct set *const *)a), y = set_size(*(const struct set *const *)b);
    return (x > y) - (x < y);
}

/* --- Intersection: the members of the smallest set, each looked up in the others, small ones first. ------------ */

struct walk {
    const struct sources *from;
    struct sink *sink;
};

static void keep_common(void *context, struct span member)
{
    const struct walk *w = context;
    if (sink_full(w->sink)) return;
    const struct set *const *sets = w->from->sets;
    for (size_t i = 1; i < w->from->n; i++)
        if (sets[i] != sets[0] && !set_has(sets[i], member)) return;
    sink_add(w->sink, member);
}

static void intersect(struct sources *from, struct sink *sink)
{
    if (from->missing > 0) return;
    qsort((void *)from->sets, from->n, sizeof *from->sets, smaller_first);
    struct walk w = {from, sink};
    uint64_t at = 0;
    do at = set_scan(from->sets[0], at, keep_common, &w);
    while (at && !sink_full(sink));
}

/* --- Union: all into one set, which drops what comes again. ---------------------------------------------------- */

static void unite(struct sources *from, struct sink *sink)
{
    for (size_t i = 0; i < from->n; i++)
        if (from->sets[i]) set_each(from->sets[i], sink_add, sink);
}

/* --- Difference ------------------------------------------------------------------------------------------------ */

static void keep_unique(void *context, struct span member)
{
    const struct walk *w = context;
    for (size_t i = 1; i < w->from->n; i++)
        if (w->from->sets[i] && set_has(w->from->sets[i], member)) return;
    sink_add(w->sink, member);
}

static void strike_out(void *context, struct span member) { (void)set_remove(context, member); }

/* Either look up each member of the first set in the others, or copy the first set and strike out the members of the
 * others: whichever touches fewer members. Hits end a look-up early, hence half. */
static void subtract(struct sources *from, struct sink *sink)
{
    const struct set *first = from->sets[0];
    if (!first) return;
    uint64_t others = 0, members = set_size(first);
    for (size_t i = 1; i < from->n; i++) {
        if (from->sets[i] == first) return;
        if (!from->sets[i]) continue;
        others++;
        members += set_size(from->sets[i]);
    }
    if (set_size(first) * others / 2 <= members) {
        set_each(first, keep_unique, &(struct walk){from, sink});
        return;
    }
    struct set *rest = set_dup(first);
    for (size_t i = 1; i < from->n && set_size(rest) > 0; i++)
        if (from->sets[i]) set_each(from->sets[i], strike_out, rest);
    set_each(rest, sink_add, sink);
    set_free(rest);
}

/* --- Handlers -------------------------------------------------------------------------------------------------- */

typedef void operation(struct sources *from, struct sink *sink);

static struct sink set_sink(struct call *c)
{
    return (struct sink){.set = set_new(call_hash_key(c)), .limits = call_limits(c)};
}

static void reply_result(struct call *c, operation *combine)
{
    struct sources from;
    if (!sources_find(c, 1, c->argc - 1, &from)) return;
    /* A union of several sets goes through a set, to see what came before. */
    struct sink sink = combine == unite && from.n - from.missing > 1 ? set_sink(c) : (struct sink){0};
    sink.reply = c->reply;
    const size_t mark = reply_begin(c->reply);
    combine(&from, &sink);
    reply_end_set(c->reply, mark, sink.count);
    set_free(sink.set);
    mem_free(from.sets);
}

static void store_result(struct call *c, operation *combine, const char *event)
{
    const struct span to = c->argv[1];
    struct sources from;
    if (!sources_find(c, 2, c->argc - 2, &from)) return;
    struct sink sink = set_sink(c);
    combine(&from, &sink);
    mem_free(from.sets);
    if (sink.count > 0) {
        call_put(c, to, &(struct value){.type = TYPE_SET, .set = sink.set}, NO_EXPIRY);
        call_changed(c, EVENT_SET, event, to, 1);
    } else {
        set_free(sink.set);
        if (call_find_any(c, to, FOR_WRITE) && call_delete(c, to)) call_changed(c, EVENT_GENERIC, "del", to, 1);
    }
    reply_int(c->reply, (int64_t)sink.count);
}

void set_inter(struct call *c) { reply_result(c, intersect); }
void set_union(struct call *c) { reply_result(c, unite); }
void set_diff(struct call *c) { reply_result(c, subtract); }
void set_inter_store(struct call *c) { store_result(c, intersect, "sinterstore"); }
void set_union_store(struct call *c) { store_result(c, unite, "sunionstore"); }
void set_diff_store(struct call *c) { store_result(c, subtract, "sdiffstore"); }

void set_inter_card(struct call *c)
{
    int64_t keys, most = 0;
    if (!call_int_in(c, c->argv[1], 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return;
    if ((uint64_t)keys > c->argc - 2) {
        reply_error(c->reply, "ERR Number of keys can't be greater than number of args");
        return;
    }
    for (size_t i = 2 + (size_t)keys; i < c->argc; i += 2) {
        if (i + 1 == c->argc || !span_is(c->argv[i], "LIMIT")) {
            reply_syntax_error(c->reply);
            return;
        }
        if (!call_int_in(c, c->argv[i + 1], 0, INT64_MAX, &most, "ERR LIMIT can't be negative")) return;
    }
    struct sources from;
    if (!sources_find(c, 2, (size_t)keys, &from)) return;
    struct sink sink = {.most = (uint64_t)most};
    intersect(&from, &sink);
    mem_free(from.sets);
    reply_int(c->reply, (int64_t)sink.count);
}
