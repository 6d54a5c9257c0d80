/* Searching places: GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH and their relatives.
 *
 * What is found is collected first, its members copied: the result may be stored over its own source. A stored result
 * is logged as what was found, as other machines may compute another distance in the last digit. */
#include "common/commands/geo_args.h"
#include "common/commands/zset_handlers.h"
#include "common/mem.h"
#include "common/sort.h"

/* What differs between the commands. */
struct geo_form {
    size_t source;    /* argument with the key */
    size_t options;   /* the first optional argument */
    bool from_place;  /* center and radius are fixed arguments */
    bool from_member; /* center is a member, and fixed as well */
    bool may_store;   /* STORE and STOREDIST are taken, with a key */
    bool stores;      /* into argv[1]; STOREDIST is taken, without a key */
};

enum geo_order { ORDER_NONE, ORDER_NEAR_FIRST, ORDER_FAR_FIRST };

struct geo_query {
    const struct geo_form *form;
    struct zset *zset; /* NULL: there is none */
    struct geo_shape shape;
    bool has_center, has_circle;
    bool from_member, from_place; /* how the center was given */
    bool with_distance, with_hash, with_place;
    bool any;
    bool store, store_distance;
    struct span store_key;
    enum geo_order order;
    int64_t count; /* 0: all */
};

struct found {
    double score, distance;
    struct geo_place place;
    size_t member, member_len; /* in the names */
};

struct findings {
    struct buf points; /* of struct found */
    struct buf names;
    size_t n;
};

/* --- Arguments --------------------------------------------------------------------------------------------------- */

static bool is_search(const struct geo_form *f) { return !f->from_place && !f->from_member; }

static bool take_length(struct call *c, size_t at, const char *what, double *v)
{
    if (num_parse_double(c->argv[at], v)) return true;
    reply_error(c->reply, "ERR need numeric %s", what);
    return false;
}

static bool take_circle(struct call *c, size_t at, struct geo_query *q)
{
    if (!take_length(c, at, "radius", &q->shape.radius)) return false;
    if (q->shape.radius < 0) {
        reply_error(c->reply, "ERR radius cannot be negative");
        return false;
    }
    q->has_circle = true;
    return geo_take_unit(c, c->argv[at + 1], &q->shape.unit);
}

static bool take_box(struct call *c, size_t at, struct geo_query *q)
{
    if (!take_length(c, at, "width", &q->shape.width) || !take_length(c, at + 1, "height", &q->shape.height))
        return false;
    if (q->shape.width < 0 || q->shape.height < 0) {
        reply_error(c->reply, "ERR height or width cannot be negative");
        return false;
    }
    q->shape.is_box = true;
    return geo_take_unit(c, c->argv[at + 2], &q->shape.unit);
}

static bool take_member(struct call *c, struct span member, struct geo_query *q)
{
    double score;
    q->from_member = true;
    if (!q->zset) return true; /* the reply is known, but for mistakes in what follows */
    if (!zset_score(q->zset, member, &score)) {
        reply_error(c->reply, "ERR could not decode requested zset member");
        return false;
    }
    q->shape.center = geo_decode(score);
    return true;
}

/* The arguments that stand at a fixed place. */
static bool take_fixed(struct call *c, struct geo_query *q)
{
    const struct geo_form *f = q->form;
    if (f->from_place) return geo_take_place(c, 2, &q->shape.center) && take_circle(c, 4, q);
    if (!f->from_member || !q->zset) return true;
    return take_member(c, c->argv[2], q) && take_circle(c, 3, q);
}

/* An option that is one word. */
static bool take_word(struct span word, struct geo_query *q)
{
    if (span_is(word, "WITHDIST")) q->with_distance = true;
    else if (span_is(word, "WITHHASH")) q->with_hash = true;
    else if (span_is(word, "WITHCOORD")) q->with_place = true;
    else if (span_is(word, "ANY")) q->any = true;
    else if (span_is(word, "ASC")) q->order = ORDER_NEAR_FIRST;
    else if (span_is(word, "DESC")) q->order = ORDER_FAR_FIRST;
    else if (span_is(word, "STOREDIST") && q->form->stores) q->store_distance = true;
    else return false;
    return true;
}

static bool take_count(struct call *c, struct span s, struct geo_query *q)
{
    if (!call_int(c, s, &q->count)) return false;
    if (q->count > 0) return true;
    reply_error(c->reply, "ERR COUNT must be > 0");
    return false;
}

/* An option with arguments at argv[*i], which is left at its last one. *known is false if it is none. */
static bool take_option(struct call *c, size_t *i, struct geo_query *q, bool *known)
{
    const struct span word = c->argv[*i];
    const size_t at = *i + 1, left = c->argc - at;
    const bool search = is_search(q->form);
    *known = true;
    if (left >= 1 && span_is(word, "COUNT")) {
        *i += 1;
        return take_count(c, c->argv[at], q);
    }
    const bool distance = span_is(word, "STOREDIST");
    if (left >= 1 && q->form->may_store && (distance || span_is(word, "STORE"))) {
        *i += 1;
        q->store = true;
        q->store_distance = distance;
        q->store_key = c->argv[at];
        return true;
    }
    if (left >= 1 && search && !q->from_place && span_is(word, "FROMMEMBER")) {
        *i += 1;
        return take_member(c, c->argv[at], q);
    }
    if (left >= 2 && search && !q->from_member && span_is(word, "FROMLONLAT")) {
        *i += 2;
        q->from_place = true;
        return geo_take_place(c, at, &q->shape.center);
    }
    if (left >= 2 && search && !q->shape.is_box && span_is(word, "BYRADIUS")) {
        *i += 2;
        return take_circle(c, at, q);
    }
    if (left >= 3 && search && !q->has_circle && span_is(word, "BYBOX")) {
        *i += 3;
        return take_box(c, at, q);
    }
    return *known = false;
}

static bool options_fit(struct call *c, const struct geo_query *q)
{
    const struct span name = c->argv[0];
    const int n = (int)(name.n < 128 ? name.n : 128);
    if (q->store && (q->with_distance || q->with_hash || q->with_place))
        reply_error(c->reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                    q->form->stores ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    else if (is_search(q->form) && !q->from_member && !q->from_place)
        reply_error(c->reply, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", n, name.p);
    else if (is_search(q->form) && !q->has_circle && !q->shape.is_box)
        reply_error(c->reply, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s", n, name.p);
    else if (q->any && q->count == 0) reply_error(c->reply, "ERR the ANY argument requires COUNT argument");
    else return true;
    return false;
}

static bool take_query(struct call *c, struct geo_query *q)
{
    if (!take_fixed(c, q)) return false;
    for (size_t i = q->form->options; i < c->argc; i++) {
        bool known;
        if (take_word(c->argv[i], q) || take_option(c, &i, q, &known)) continue;
        if (!known) reply_syntax_error(c->reply);
        return false;
    }
    return options_fit(c, q);
}

/* --- Searching --------------------------------------------------------------------------------------------------- */

static struct found *point(const struct findings *f, size_t i) { return (struct found *)(void *)f->points.p + i; }
static struct span name_of(const struct findings *f, const struct found *p)
{
    return span_of(f->names.p + p->member, p->member_len);
}

static void search_range(const struct geo_query *q, const struct geo_range *r, struct findings *f, uint64_t enough)
{
    const struct zset_score_range scores = {.min = (double)r->min, .max = (double)r->max, .max_open = true};
    uint64_t first, last;
    struct zset_iter i;
    struct span member;
    char scratch[NUM_I64_MAX_TEXT];
    zset_find_scores(q->zset, &scores, &first, &last);
    if (first == last) return;
    zset_iter_begin(&i, q->zset, first, false);
    for (; first < last && f->n < enough; first++) {
        struct found p;
        if (!zset_iter_next(&i, &member, &p.score, scratch)) return;
        p.place = geo_decode(p.score);
        if (!geo_within(&q->shape, p.place, &p.distance)) continue;
        p.member = f->names.len;
        p.member_len = member.n;
        buf_add_span(&f->names, member);
        buf_add(&f->points, &p, sizeof p);
        f->n++;
    }
}

static void search(const struct geo_query *q, struct findings *f)
{
    struct geo_range ranges[GEO_RANGES_MAX];
    const unsigned n = geo_cover(&q->shape, ranges);
    const uint64_t enough = q->any ? (uint64_t)q->count : UINT64_MAX;
    for (unsigned i = 0; i < n && f->n < enough; i++) search_range(q, &ranges[i], f, enough);
}

static int by_distance(const void *a, const void *b, void *context)
{
    const struct found *x = a, *y = b;
    const int order = (x->distance > y->distance) - (x->distance < y->distance);
    return *(const enum geo_order *)context == ORDER_FAR_FIRST ? -order : order;
}

/* The findings in the order in which they are given, the first @wanted of them at least; the caller frees it. */
static struct found **arrange(struct findings *f, enum geo_order order, size_t wanted)
{
    void **list = mem_alloc(f->n * sizeof *list);
    for (size_t i = 0; i < f->n; i++) list[i] = point(f, i);
    if (order != ORDER_NONE && wanted == f->n) sort_stable(list, f->n, by_distance, &order);
    else if (order != ORDER_NONE) sort_range(list, f->n, 0, wanted, by_distance, &order);
    return (struct found **)list;
}

/* --- Replies ----------------------------------------------------------------------------------------------------- */

static void reply_findings(struct call *c, const struct geo_query *q, const struct findings *f, struct found **list,
                           size_t n)
{
    const size_t extras = (size_t)q->with_distance + q->with_hash + q->with_place;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) {
        if (extras) reply_array(c->reply, extras + 1);
        reply_bulk(c->reply, name_of(f, list[i]));
        if (q->with_distance) geo_reply_distance(c, list[i]->distance / q->shape.unit);
        if (q->with_hash) reply_int(c->reply, (int64_t)list[i]->score);
        if (q->with_place) geo_reply_place(c, list[i]->place);
    }
}

static double stored_score(const struct geo_query *q, const struct found *p)
{
    return q->store_distance ? p->distance / q->shape.unit : p->score;
}

/* Log the stored members, in commands of a moderate size. */
static void log_members(struct call *c, const struct geo_query *q, const struct findings *f, struct found **list,
                        size_t n)
{
    enum { AT_ONCE = 256 };
    struct span argv[2 + 2 * AT_ONCE] = {SPAN("ZADD"), q->store_key};
    char texts[AT_ONCE][NUM_DOUBLE_MAX_TEXT];
    CALL_EFFECT(c, SPAN("DEL"), q->store_key);
    for (size_t i = 0; i < n;) {
        size_t argc = 2;
        for (size_t k = 0; k < AT_ONCE && i < n; k++, i++) {
            argv[argc++] = span_of(texts[k], num_format_double(texts[k], stored_score(q, list[i])));
            argv[argc++] = name_of(f, list[i]);
        }
        call_effect(c, argv, argc);
    }
}

static void remove_stored(struct call *c, const struct geo_query *q)
{
    if (call_find_any(c, q->store_key, FOR_WRITE) && call_delete(c, q->store_key)) {
        CALL_EFFECT(c, SPAN("DEL"), q->store_key);
        call_changed(c, EVENT_GENERIC, "del", q->store_key, 1);
    }
    reply_int(c->reply, 0);
}

static void store_findings(struct call *c, const struct geo_query *q, const struct findings *f, struct found **list,
                           size_t n)
{
    if (n == 0) {
        remove_stored(c, q);
        return;
    }
    struct zset *z = zset_new(call_hash_key(c));
    for (size_t i = 0; i < n; i++) zset_set(z, name_of(f, list[i]), stored_score(q, list[i]), call_limits(c));
    (void)call_find_any(c, q->store_key, FOR_WRITE); /* an expired one is removed, and that is logged, before */
    call_put(c, q->store_key, &(struct value){.type = TYPE_ZSET, .zset = z}, NO_EXPIRY);
    log_members(c, q, f, list, n);
    call_changed(c, EVENT_ZSET, q->form->stores ? "geosearchstore" : "georadiusstore", q->store_key, n);
    reply_int(c->reply, (int64_t)n);
}

static void run(struct call *c, const struct geo_form *form)
{
    struct geo_query q = {.form = form, .shape.unit = 1, .store = form->stores, .store_key = c->argv[1]};
    struct findings f = {.n = 0};
    if (!zset_find(c, c->argv[form->source], FOR_READ, &q.zset) || !take_query(c, &q)) return;
    /* The first few need an order to be the first in; any few do not. */
    if (q.count > 0 && q.order == ORDER_NONE && !q.any) q.order = ORDER_NEAR_FIRST;
    if (q.zset) search(&q, &f);
    const size_t n = q.count > 0 && (uint64_t)q.count < f.n ? (size_t)q.count : f.n;
    struct found **list = arrange(&f, q.order, n);
    if (q.store) store_findings(c, &q, &f, list, n);
    else reply_findings(c, &q, &f, list, n);
    mem_free(list);
    buf_free(&f.points);
    buf_free(&f.names);
}

static const struct geo_form by_place = {.source = 1, .options = 6, .from_place = true, .may_store = true};
static const struct geo_form by_place_ro = {.source = 1, .options = 6, .from_place = true};
static const struct geo_form by_member = {.source = 1, .options = 5, .from_member = true, .may_store = true};
static const struct geo_form by_member_ro = {.source = 1, .options = 5, .from_member = true};
static const struct geo_form by_search = {.source = 1, .options = 2};
static const struct geo_form by_search_store = {.source = 2, .options = 3, .stores = true};

void geo_search_radius(struct call *c) { run(c, &by_place); }
void geo_search_radius_ro(struct call *c) { run(c, &by_place_ro); }
void geo_search_radius_by_member(struct call *c) { run(c, &by_member); }
void geo_search_radius_by_member_ro(struct call *c) { run(c, &by_member_ro); }
void geo_search(struct call *c) { run(c, &by_search); }
void geo_search_store(struct call *c) { run(c, &by_search_store); }
