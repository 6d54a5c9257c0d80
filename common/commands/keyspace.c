/* Commands on a database as a whole. */
#include "common/call.h"
#include "common/commands/generic.h"

bool keyspace_take_database(struct call *c, struct span s, unsigned *db)
{
    int64_t id;
    if (!call_int(c, s, &id)) return false;
    if (id < INT32_MIN || id > INT32_MAX) {
        reply_error(c->reply, "ERR value is out of range, value must between %d and %d", INT32_MIN, INT32_MAX);
        return false;
    }
    if (id < 0 || id >= (int64_t)engine_databases(c->engine)) {
        reply_error(c->reply, "ERR DB index is out of range");
        return false;
    }
    *db = (unsigned)id;
    return true;
}

void keyspace_select(struct call *c)
{
    if (keyspace_take_database(c, c->argv[1], &c->session->db)) reply_ok(c->reply);
}

void keyspace_dbsize(struct call *c) { reply_int(c->reply, (int64_t)db_size(c->db)); }

static void flush(struct call *c, int db)
{
    bool lazy = call_lazy(c)->user_flush;
    if (c->argc > 1) lazy = span_is(c->argv[1], "ASYNC");
    if (c->argc > 2 || (c->argc == 2 && !lazy && !span_is(c->argv[1], "SYNC"))) {
        reply_syntax_error(c->reply);
        return;
    }
    /* Logged even if nothing was there: what is flushed is empty everywhere. */
    c->changes += call_flush(c, db, lazy) + 1;
    reply_ok(c->reply);
}

void keyspace_flushdb(struct call *c) { flush(c, (int)db_id(c->db)); }
void keyspace_flushall(struct call *c) { flush(c, -1); }

static bool take_index(struct call *c, struct span s, const char *error, int64_t *id)
{
    if (!call_int_in(c, s, INT32_MIN, INT32_MAX, id, error)) return false;
    if (call_db(c, (unsigned)*id)) return true;
    reply_error(c->reply, "ERR DB index is out of range");
    return false;
}

void keyspace_swapdb(struct call *c)
{
    int64_t a, b;
    if (!call_int_in(c, c->argv[1], INT32_MIN, INT32_MAX, &a, "ERR invalid first DB index") ||
        !take_index(c, c->argv[2], "ERR invalid second DB index", &b) ||
        !take_index(c, c->argv[1], "ERR invalid first DB index", &a))
        return;
    if (a != b) call_swap(c, (unsigned)a, (unsigned)b);
    c->changes++;
    reply_ok(c->reply);
}

/* What KEYS and SCAN look for, and what they have found. */
struct search {
    struct call *c;
    struct span pattern; /* p is NULL: everything */
    enum type type;
    bool any_type;
    uint64_t visited, found;
};

static void visit(void *context, void *item, bool marked)
{
    struct search *s = context;
    const struct entry *e = item;
    s->visited++;
    if (marked && call_is_dead(s->c, e)) return;
    if (!s->any_type && entry_type(e) != s->type) return;
    if (s->pattern.p && !glob_match(s->pattern, entry_key(e))) return;
    reply_bulk(s->c->reply, entry_key(e));
    s->found++;
}

void keyspace_keys(struct call *c)
{
    struct search s = {.c = c, .pattern = c->argv[1], .any_type = true};
    if (span_eq(s.pattern, SPAN("*"))) s.pattern.p = NULL;
    const size_t mark = reply_begin(c->reply);
    uint64_t at = 0;
    do at = htable_scan(db_table(c->db), at, false, visit, &s);
    while (at);
    reply_end_array(c->reply, mark, s.found);
}

static bool type_of_name(struct span name, enum type *type)
{
    for (int t = 0; t < TYPE_COUNT; t++) {
        if (!type_name((enum type)t) || !span_is(name, type_name((enum type)t))) continue;
        *type = (enum type)t;
        return true;
    }
    return false;
}

/* A cursor is a position in hash order, so it stays good whatever happens to the table between two calls. */
void keyspace_scan(struct call *c)
{
    struct scan_options o;
    if (!call_scan_options(c, 1, true, &o)) return;
    struct search s = {.c = c, .pattern = o.match, .any_type = !o.type.p};
    const bool possible = s.any_type || type_of_name(o.type, &s.type);
    struct buf keys = {0}, *out = c->reply->out;
    uint64_t at = o.cursor;
    c->reply->out = &keys;
    /* Sparse or deleted regions must not make one call long: the buckets are bounded as well. */
    uint64_t buckets = o.count < UINT64_MAX / 10 ? o.count * 10 : UINT64_MAX;
    if (at >> HTABLE_POSITION_BITS) at = 0;
    else do
            at = htable_scan(db_table(c->db), at, false, visit, &s);
        while (at && s.visited < o.count && --buckets);
    c->reply->out = out;
    reply_array(c->reply, 2);
    char text[NUM_I64_MAX_TEXT];
    reply_bulk(c->reply, span_of(text, num_format_u64(text, at)));
    reply_array(c->reply, possible ? s.found : 0);
    if (possible) buf_add_span(c->reply->out, buf_span(&keys));
    buf_free(&keys);
}

void keyspace_randomkey(struct call *c)
{
    enum { TRIES = 100 }; /* on a replica dead keys stay: with nothing else left, there is none */
    for (int i = 0; i < TRIES; i++) {
        const struct entry *e = htable_random(db_table(c->db), call_random, c);
        if (!e) break;
        if (call_is_dead(c, e)) {
            (void)call_peek(c, db_id(c->db), entry_key(e)); /* a primary deletes it */
            continue;
        }
        reply_bulk(c->reply, entry_key(e));
        return;
    }
    reply_null(c->reply);
}
