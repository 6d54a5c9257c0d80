/* SORT and SORT_RO: elements of a list, set or sorted set in another order, or what other keys hold for them.
 *
 * All elements are copied first, as the keys that patterns lead to may expire on the way. Where elements compare equal,
 * those of a list keep their order, and those of a set are ordered by their bytes: tables have an order of their own on
 * each machine, and what is stored must be the same on all. */
#include "common/commands/commands.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/call.h"
#include "common/mem.h"
#include "common/sort.h"
#include "common/types/hash_expiry.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/zset.h"

struct item {
    size_t at, n;               /* the element, in the names */
    size_t weight_at, weight_n; /* what it is sorted by, in the names, if that is a text of another key */
    double score;               /* or a number */
    bool has_weight;
};

struct sorting {
    struct call *c;
    struct entry *source; /* NULL: there is none */
    enum type type;
    bool descending, alpha, keep_order;
    struct span by; /* p is NULL: the elements themselves */
    bool store;
    struct span store_key;
    int64_t offset, limit; /* limit below 0: none */
    size_t gets;           /* GET options; each may stand anywhere */
    bool has_nan;          /* something was no number */
    struct buf names, items;
    size_t n;
    size_t first, end; /* the positions that are given */
};

static struct item *item_at(const struct sorting *s, size_t i) { return (struct item *)(void *)s->items.p + i; }
static struct span element_of(const struct sorting *s, const struct item *i)
{
    return span_of(s->names.p + i->at, i->n);
}
static struct span weight_of(const struct sorting *s, const struct item *i)
{
    return span_of(s->names.p + i->weight_at, i->weight_n);
}

/* --- Arguments --------------------------------------------------------------------------------------------------- */

/* Arguments are C strings for Redis where it looks for something in them. */
static const char *find_star(struct span s)
{
    const size_t n = strnlen(s.p, s.n);
    return n ? memchr(s.p, '*', n) : NULL;
}

/* BY and GET lead to keys that the rights of a user do not know of. */
static bool may_look(struct call *c, const char *option)
{
    if (!c->session->reads_all_keys || c->session->reads_all_keys(c)) return true;
    reply_error(c->reply, "ERR %s option of SORT denied due to insufficient ACL permissions.", option);
    return false;
}

/* An option at argv[*i], which is left at its last argument. *known is false if it is none. */
static bool take_option(struct sorting *s, size_t *i, bool may_store, bool *known)
{
    struct call *c = s->c;
    const struct span word = c->argv[*i];
    const size_t left = c->argc - *i - 1;
    *known = true;
    if (span_is(word, "ASC")) s->descending = false;
    else if (span_is(word, "DESC")) s->descending = true;
    else if (span_is(word, "ALPHA")) s->alpha = true;
    else if (left >= 2 && span_is(word, "LIMIT")) {
        *i += 2;
        return call_int(c, c->argv[*i - 1], &s->offset) && call_int(c, c->argv[*i], &s->limit);
    } else if (left >= 1 && may_store && span_is(word, "STORE")) {
        s->store = true;
        s->store_key = c->argv[++*i];
    } else if (left >= 1 && span_is(word, "BY")) {
        s->by = c->argv[++*i];
        if (!find_star(s->by)) s->keep_order = true;
        else return may_look(c, "BY");
    } else if (left >= 1 && span_is(word, "GET")) {
        ++*i;
        s->gets++;
        return may_look(c, "GET");
    } else {
        return *known = false;
    }
    return true;
}

static bool take_options(struct sorting *s, bool may_store)
{
    for (size_t i = 2; i < s->c->argc; i++) {
        bool known;
        if (take_option(s, &i, may_store, &known)) continue;
        if (!known) reply_syntax_error(s->c->reply);
        return false;
    }
    return true;
}

/* The patterns of GET, in order: the argument behind the one at *at; false at the end. */
static bool next_get(const struct sorting *s, size_t *at, struct span *pattern)
{
    const struct call *c = s->c;
    for (size_t i = *at; i < c->argc; i++) {
        if (span_is(c->argv[i], "LIMIT")) {
            i += 2;
        } else if (span_is(c->argv[i], "BY") || span_is(c->argv[i], "STORE")) {
            i++;
        } else if (span_is(c->argv[i], "GET")) {
            *pattern = c->argv[i + 1];
            *at = i + 2;
            return true;
        }
    }
    return false;
}

/* --- Elements ---------------------------------------------------------------------------------------------------- */

static void add_element(void *context, struct span element)
{
    struct sorting *s = context;
    const struct item item = {.at = s->names.len, .n = element.n};
    buf_add_span(&s->names, element);
    buf_add(&s->items, &item, sizeof item);
    s->n++;
}

static bool backwards(const struct sorting *s) { return s->keep_order && s->descending; }

/* The elements from position @from on, @n of them. */
static void add_list(struct sorting *s, const struct list *list, size_t from, size_t n)
{
    struct list_iter i;
    struct span element;
    char scratch[NUM_I64_MAX_TEXT];
    const int64_t at = (int64_t)from;
    list_iter_begin(&i, list, backwards(s) ? -1 - at : at, backwards(s));
    for (; n > 0 && list_iter_next(&i, &element, scratch); n--) add_element(s, element);
}

static void add_zset(struct sorting *s, const struct zset *zset, size_t from, size_t n)
{
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT];
    if (n == 0) return;
    zset_iter_begin(&i, zset, backwards(s) ? zset_size(zset) - 1 - from : from, backwards(s));
    for (; n > 0 && zset_iter_next(&i, &member, &score, scratch); n--) add_element(s, member);
}

/* The positions that LIMIT leaves of @n. */
static void cut(struct sorting *s, size_t n)
{
    const uint64_t skip = s->offset < 0 ? 0 : (uint64_t)s->offset;
    s->first = skip < n ? (size_t)skip : n;
    const size_t left = n - s->first;
    s->end = s->first + (s->limit < 0 || (uint64_t)s->limit > left ? left : (size_t)s->limit);
}

/* All elements, or, where their order stays and may be entered anywhere, those that LIMIT leaves. */
static void add_elements(struct sorting *s)
{
    const size_t size = s->source ? (size_t)object_size(s->type, entry_object(s->source)) : 0;
    const bool page = s->keep_order && s->type != TYPE_SET;
    cut(s, size);
    const size_t from = page ? s->first : 0, n = page ? s->end - s->first : size;
    if (size == 0) return;
    if (s->type == TYPE_LIST) add_list(s, entry_object(s->source), from, n);
    else if (s->type == TYPE_SET) set_each(entry_object(s->source), add_element, s);
    else add_zset(s, entry_object(s->source), from, n);
    if (!page) return;
    s->first = 0;
    s->end = n;
}

/* --- Patterns ---------------------------------------------------------------------------------------------------- */

/* Where "->field" begins in a pattern, behind its star; NULL: it names no field. */
static const char *find_arrow(struct span pattern, const char *star)
{
    const size_t n = (size_t)(pattern.p + strnlen(pattern.p, pattern.n) - (star + 1));
    const char *arrow = memmem(star + 1, n, "->", 2);
    return arrow && arrow + 2 < star + 1 + n ? arrow : NULL;
}

/* What @pattern leads to for @element: the star is replaced by it, and the string at that key is taken, or one field of
 * the hash there; "#" is the element itself. Borrowed, or formatted into @scratch. */
static bool look_up(struct sorting *s, struct span pattern, struct span element, char *scratch, struct span *value)
{
    if (pattern.n > 0 && pattern.p[0] == '#' && strnlen(pattern.p, pattern.n) == 1) {
        *value = element;
        return true;
    }
    const char *star = find_star(pattern);
    if (!star) return false;
    const char *end = pattern.p + pattern.n, *arrow = find_arrow(pattern, star);
    struct buf key = {0};
    buf_add(&key, pattern.p, (size_t)(star - pattern.p));
    buf_add_span(&key, element);
    buf_add(&key, star + 1, (size_t)((arrow ? arrow : end) - (star + 1)));
    const struct entry *e = call_find_any(s->c, buf_span(&key), FOR_READ);
    buf_free(&key);
    if (!e || entry_type(e) != (arrow ? TYPE_HASH : TYPE_STRING)) return false;
    if (arrow)
        return hash_get_live(entry_object(e), span_of(arrow + 2, (size_t)(end - arrow - 2)), call_fields_now(s->c),
                             value, scratch);
    *value = entry_string(e, scratch);
    return true;
}

/* A number as strtod() reads it, up to a zero byte: spaces in front, and nothing at all, are fine. */
static bool read_score(struct span text, double *score)
{
    char few[64], *copy = text.n < sizeof few ? few : mem_alloc(text.n + 1), *end;
    if (text.n) memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    errno = 0;
    *score = strtod(copy, &end);
    const bool ok = *end == '\0' && errno != ERANGE && !isnan(*score);
    if (copy != few) mem_free(copy);
    return ok;
}

static void weigh(struct sorting *s, size_t i)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct item *item = item_at(s, i);
    struct span weight = element_of(s, item);
    if (s->by.p && !look_up(s, s->by, weight, scratch, &weight)) return;
    item->has_weight = true;
    if (!s->alpha) {
        s->has_nan |= !read_score(weight, &item->score);
    } else if (s->by.p) {
        item->weight_at = s->names.len;
        item->weight_n = weight.n;
        buf_add_span(&s->names, weight);
    } else {
        item->weight_at = item->at;
        item->weight_n = item->n;
    }
}

/* --- Order ------------------------------------------------------------------------------------------------------- */

/* Texts, in the order of their bytes. What goes to a client is compared up to a zero byte, as Redis does. */
static int compare_texts(const struct sorting *s, struct span a, struct span b)
{
    if (s->store) return span_cmp(a, b);
    return span_cmp(span_of(a.p, strnlen(a.p, a.n)), span_of(b.p, strnlen(b.p, b.n)));
}

static int compare_weights(const struct sorting *s, const struct item *x, const struct item *y)
{
    if (s->alpha) {
        if (!x->has_weight || !y->has_weight) return x->has_weight - y->has_weight;
        return compare_texts(s, weight_of(s, x), weight_of(s, y));
    }
    const int order = (x->score > y->score) - (x->score < y->score);
    return order ? order : span_cmp(element_of(s, x), element_of(s, y));
}

static int compare(const void *a, const void *b, void *context)
{
    const struct sorting *s = context;
    int order = compare_weights(s, a, b);
    if (order == 0 && s->type != TYPE_LIST) order = span_cmp(element_of(s, a), element_of(s, b));
    return s->descending ? -order : order;
}

/* The elements in order, as far as they are given. The caller frees the array. */
static struct item **arrange(struct sorting *s)
{
    if (!s->keep_order)
        for (size_t i = 0; i < s->n; i++) weigh(s, i);
    void **list = mem_alloc(s->n * sizeof *list);
    for (size_t i = 0; i < s->n; i++) list[i] = item_at(s, i);
    const bool whole = s->first == 0 && s->end == s->n;
    if (s->keep_order || s->has_nan) return (struct item **)list;
    if (s->by.p && !whole) sort_range(list, s->n, s->first, s->end, compare, s);
    else sort_stable(list, s->n, compare, s);
    return (struct item **)list;
}

/* --- Results ----------------------------------------------------------------------------------------------------- */

typedef void give(void *context, const struct span *value);

/* Give the elements, or what GET asks for in their place; NULL where there is nothing. */
static void give_all(struct sorting *s, struct item **list, give *to, void *context)
{
    for (size_t i = s->first; i < s->end; i++) {
        struct span value = element_of(s, list[i]), pattern;
        if (s->gets == 0) to(context, &value);
        for (size_t at = 2; s->gets && next_get(s, &at, &pattern);) {
            char scratch[NUM_I64_MAX_TEXT];
            to(context, look_up(s, pattern, element_of(s, list[i]), scratch, &value) ? &value : NULL);
        }
    }
}

static void give_reply(void *context, const struct span *value)
{
    if (value) reply_bulk(context, *value);
    else reply_null(context);
}

struct result {
    struct list *list;
    const struct encoding_limits *limits;
};

static void give_list(void *context, const struct span *value)
{
    const struct result *r = context;
    list_push(r->list, LIST_TAIL, value ? *value : SPAN(""), r->limits);
}

/* Log what came out: Redis, reading the log, might trip over the numbers that other commands read before. */
static void log_list(struct call *c, struct span key, const struct list *list)
{
    enum { AT_ONCE = 256 };
    struct span argv[2 + AT_ONCE] = {SPAN("RPUSH"), key};
    char scratch[AT_ONCE][NUM_I64_MAX_TEXT];
    struct list_iter i;
    size_t argc = 2;
    CALL_EFFECT(c, SPAN("DEL"), key);
    list_iter_begin(&i, list, 0, false);
    while (list_iter_next(&i, &argv[argc], scratch[argc - 2])) {
        if (++argc < 2 + AT_ONCE) continue;
        call_effect(c, argv, argc);
        argc = 2;
    }
    if (argc > 2) call_effect(c, argv, argc);
}

static void store_list(struct sorting *s, struct item **list)
{
    struct call *c = s->c;
    const struct span key = s->store_key;
    struct result r = {list_new(), call_limits(c)};
    give_all(s, list, give_list, &r);
    const uint64_t n = list_size(r.list);
    const bool existed = call_find_any(c, key, FOR_WRITE);
    if (n) {
        call_put(c, key, &(struct value){.type = TYPE_LIST, .list = r.list}, NO_EXPIRY);
        log_list(c, key, r.list);
        call_changed(c, EVENT_LIST, "sortstore", key, n);
    } else {
        list_free(r.list);
        if (existed && call_delete(c, key)) {
            CALL_EFFECT(c, SPAN("DEL"), key);
            call_changed(c, EVENT_GENERIC, "del", key, 1);
        }
    }
    reply_int(c->reply, (int64_t)n);
}

static void finish(struct sorting *s)
{
    struct item **list = arrange(s);
    if (s->has_nan) {
        reply_error(s->c->reply, "ERR One or more scores can't be converted into double");
    } else if (s->store) {
        store_list(s, list);
    } else {
        reply_array(s->c->reply, (s->end - s->first) * (s->gets ? s->gets : 1));
        give_all(s, list, give_reply, s->c->reply);
    }
    mem_free(list);
}

static void run(struct call *c, bool may_store)
{
    struct sorting s = {.c = c, .limit = -1, .type = TYPE_LIST};
    if (!take_options(&s, may_store)) return;
    s.source = call_find_any(c, c->argv[1], FOR_READ);
    if (s.source) s.type = entry_type(s.source);
    if (s.type != TYPE_LIST && s.type != TYPE_SET && s.type != TYPE_ZSET) {
        reply_wrong_type(c->reply);
        return;
    }
    /* A set has no order of its own that could be stored. */
    if (s.keep_order && s.type == TYPE_SET && s.store) {
        s.keep_order = false;
        s.alpha = true;
        s.by = span_of(NULL, 0);
    }
    (void)buf_room(&s.names, 1); /* even if all elements are empty, they are somewhere */
    add_elements(&s);
    finish(&s);
    buf_free(&s.names);
    buf_free(&s.items);
}

static void sort(struct call *c) { run(c, true); }
static void sort_ro(struct call *c) { run(c, false); }

#define COST     "O(N+M*log(M)) where N is the number of elements and M that of those that are given"
#define OPTIONS  "[BY pattern(#1)] [LIMIT offset count] [GET pattern(#1)]+ order=[ASC|DESC] [sorting=ALPHA]"
#define GROUPS   (ACL_SET | ACL_SORTEDSET | ACL_LIST | ACL_DANGEROUS | GROUP_GENERIC)
#define SOURCE   KEYS(KEY_RO | KEY_ACCESS, 1)
#define PATTERNS KEYS_UNKNOWN(KEY_RO | KEY_ACCESS)

const struct command sort_commands[] = {
    COMMAND("SORT", "key " OPTIONS " [STORE destination]",
            "Sort a list, set or sorted set by its elements or by other keys, and reply or store the result.",
            "1.0.0", COST, CMD_WRITE | CMD_DENYOOM, GROUPS,
            KEYS_THREE(SOURCE, PATTERNS, KEYS_AFTER(KEY_OW | KEY_UPDATE, "STORE", 0, 0, 0)), sort),
    COMMAND("SORT_RO", "key " OPTIONS, "Sort a list, set or sorted set by its elements or by other keys.", "7.0.0",
            COST, CMD_READONLY, GROUPS, KEYS_TWO(SOURCE, PATTERNS), sort_ro),
    COMMANDS_END,
};
