#include "common/traversal.h"

#include <assert.h>

#include "common/granules.h"
#include "common/graveyard.h"
#include "common/mem.h"
#include "common/portrait.h"
#include "common/rdb.h"

/* One database as it was at the moment of begin. */
struct part {
    unsigned id;              /* the number under which it goes out */
    int live;                 /* the engine's number of the database that holds the data now; -1: it is in `taken` */
    struct db *taken;         /* NULL, or the data of a flushed database */
    bool done;                /* all were given */
    struct granules granules; /* whose keys were given, or have a portrait */
};

/* A large collection of which not everything was given, and the next. */
struct sitter {
    struct sitter *next;
    struct portrait *portrait;
    size_t bytes;
};

/* A database that was flushed while a large collection in it was still needed, though its other keys were not. */
struct ruin {
    struct ruin *next;
    struct db *db;
};

struct traversal {
    struct engine *engine;
    struct part *parts;
    unsigned count;
    unsigned walking; /* index of the part under way; `count` at the end */
    uint64_t given, total;
    struct portrait_bounds bounds;

    struct piece_writer pieces; /* into `kept`, during a step into its output */
    struct buf kept;            /* what was made since the last step */

    /* Whole records go to stream 0; while a portrait is in front there, to one of their own. */
    uint64_t records;
    bool waits;   /* something stands in it */
    int selected; /* the database in which it stands; -1: none */

    struct sitter *first, *last;
    bool in_front; /* the first one's portrait is */
    size_t portrait_bytes;
    struct ruin *ruins;
};

static struct db *part_db(const struct traversal *t, const struct part *p)
{
    return p->taken ? p->taken : engine_db(t->engine, (unsigned)p->live);
}

struct traversal *traversal_begin(struct engine *e)
{
    struct traversal *t = MEM_NEW(struct traversal);
    t->engine = e;
    t->count = engine_databases(e);
    t->parts = mem_zalloc(t->count, sizeof *t->parts);
    t->pieces.out = &t->kept;
    t->selected = -1;
    t->bounds = (struct portrait_bounds){.elements = 512, .bytes = 64 * 1024};
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        const uint64_t keys = engine_keys(e, i);
        *p = (struct part){.id = i, .live = (int)i, .done = keys == 0};
        if (p->done) continue;
        t->total += keys;
        granules_init(&p->granules, db_table(engine_db(e, i))->live.buckets);
        rdb_put_db(piece_to(&t->pieces, 0), i, keys, engine_expires(e, i));
        t->selected = (int)i;
    }
    engine_set_traversal(e, t);
    return t;
}

void traversal_set_bounds(struct traversal *t, const struct portrait_bounds *b) { t->bounds = *b; }

/* Give back what a part needed. A whole database is not freed within a step. */
static void end_part(struct traversal *t, struct part *p)
{
    assert(!t->first);
    p->done = true;
    if (p->taken) graveyard_add_db(engine_graveyard(t->engine), p->taken);
    p->taken = NULL;
    p->live = -1;
    granules_free(&p->granules);
}

/* Large collections. */

static void add_portrait(struct traversal *t, const struct part *p, const struct entry *e)
{
    struct buf head = {0};
    struct sitter *s = MEM_NEW(struct sitter);
    rdb_put_select(&head, p->id);
    s->portrait = portrait_new(e, buf_span(&head), &t->pieces);
    s->bytes = mem_size(s) + portrait_bytes(s->portrait);
    t->portrait_bytes += s->bytes;
    *(t->first ? &t->last->next : &t->first) = s;
    t->last = s;
    buf_free(&head);
}

static void bury_ruins(struct traversal *t)
{
    for (struct ruin *r = t->ruins, *next; r; r = next) {
        next = r->next;
        graveyard_add_db(engine_graveyard(t->engine), r->db);
        mem_free(r);
    }
    t->ruins = NULL;
}

static void drop_first(struct traversal *t)
{
    struct sitter *s = t->first;
    void *object;
    t->first = s->next;
    t->portrait_bytes -= s->bytes;
    const enum type type = portrait_free(s->portrait, &object);
    if (object) graveyard_add_object(engine_graveyard(t->engine), type, object);
    mem_free(s);
    if (!t->first) bury_ruins(t);
}

static void walk_portrait(struct traversal *t, struct portion *portion)
{
    if (!t->in_front) {
        portrait_come(t->first->portrait);
        t->in_front = true;
        t->records = piece_stream(&t->pieces);
        t->waits = false;
        t->selected = -1;
    }
    if (portrait_step(t->first->portrait, portion)) return;
    drop_first(t);
    t->given++;
    t->in_front = false;
    if (t->waits) piece_insert(&t->pieces, t->records);
    t->records = 0;
    t->selected = -1;
}

void traversal_free(struct traversal *t)
{
    if (!t) return;
    engine_set_traversal(t->engine, NULL);
    while (t->first) drop_first(t);
    for (unsigned i = 0; i < t->count; i++)
        if (!t->parts[i].done) end_part(t, t->parts + i);
    buf_free(&t->kept);
    mem_free(t->parts);
    mem_free(t);
}

/* A key of @p, whole or by its portrait. */
static void give(struct traversal *t, const struct part *p, const struct entry *e)
{
    if (portrait_is_due(e, &t->bounds)) {
        add_portrait(t, p, e);
        return;
    }
    struct buf *out = piece_to(&t->pieces, t->records);
    if (t->selected != (int)p->id) rdb_put_select(out, p->id);
    t->selected = (int)p->id;
    t->waits = true;
    rdb_put_entry(out, e);
    t->given++;
}

/* Where the visits to a part of the table go. */
struct visit {
    struct traversal *traversal;
    const struct part *part;
};

static void give_entry(void *context, void *item, bool marked)
{
    (void)marked;
    const struct visit *v = context;
    give(v->traversal, v->part, item);
}

static void walk_part(struct traversal *t, struct part *p, struct portion *portion)
{
    struct granules *g = &p->granules;
    struct visit visit = {.traversal = t, .part = p};
    const struct htable *table = db_table(part_db(t, p));
    for (; granules_left(g) && !t->first && portion_left(portion, t->pieces.out); portion->places--) {
        const struct htable_choice c = granules_walk(g, table);
        htable_visit_chosen(table, &c, give_entry, &visit);
        g->next++;
    }
}

/* What is large comes before further keys, so that little is under way at a time. */
static void walk(struct traversal *t, struct portion *portion)
{
    struct part *p = t->parts + t->walking;
    if (t->first) walk_portrait(t, portion);
    else if (!p->done && granules_left(&p->granules)) walk_part(t, p, portion);
    else {
        if (!p->done) end_part(t, p);
        t->walking++;
    }
}

/* Memory goes back and forth, lest each step begin with allocating it. */
void traversal_take(struct traversal *t, struct buf *out)
{
    piece_close(&t->pieces);
    if (out->len == 0) {
        const struct buf empty = *out;
        *out = t->kept;
        t->kept = empty;
    } else {
        buf_add_span(out, buf_span(&t->kept));
        buf_free(&t->kept);
    }
}

bool traversal_step(struct traversal *t, struct buf *out, size_t budget_bytes)
{
    enum { BYTES_PER_PLACE = 64 }; /* what passing an empty bucket costs, as bytes */
    struct portion portion = {out->len + budget_bytes, 1 + budget_bytes / BYTES_PER_PLACE};
    traversal_take(t, out);
    t->pieces.out = out;
    /* Writers that keep ahead of the walk must not hold it up: half of the budget is its own. */
    if (portion.full < out->len + budget_bytes / 2 + 1) portion.full = out->len + budget_bytes / 2 + 1;
    while (t->walking < t->count && portion_left(&portion, out)) walk(t, &portion);
    piece_close(&t->pieces);
    t->pieces.out = &t->kept;
    return t->walking < t->count;
}

size_t traversal_bytes(const struct traversal *t)
{
    size_t bytes = mem_size(t) + mem_size(t->parts) + t->kept.cap + t->portrait_bytes;
    for (unsigned i = 0; i < t->count; i++) {
        const struct part *p = t->parts + i;
        if (!p->done) bytes += granules_bytes(&p->granules);
    }
    return bytes;
}

uint64_t traversal_given(const struct traversal *t) { return t->given; }
uint64_t traversal_total(const struct traversal *t) { return t->total; }

/* The part whose data stands in the engine's database @db, if it still has something to give. */
static struct part *part_in(struct traversal *t, unsigned db)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->parts[i].live == (int)db && !t->parts[i].done) return t->parts + i;
    return NULL;
}

void traversal_before_change(struct traversal *t, unsigned db, uint64_t hash)
{
    struct part *p = part_in(t, db);
    if (!p) return;
    struct visit visit = {.traversal = t, .part = p};
    const struct htable *table = db_table(part_db(t, p));
    struct htable_choice c;
    if (granules_change(&p->granules, table, hash, &c)) htable_visit_chosen(table, &c, give_entry, &visit);
}

/* Take the data of an engine's database. */
static struct db *take(struct traversal *t, unsigned db)
{
    struct db *taken = db_new(db, engine_hash_key(t->engine));
    db_swap(taken, engine_db(t->engine, db));
    return taken;
}

void traversal_before_flush(struct traversal *t, int db)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        if (p->done || p->live < 0 || (db >= 0 && p->live != db)) continue;
        p->taken = take(t, (unsigned)p->live);
        p->live = -1;
    }
    /* A large collection may have been moved to a database of which nothing else is needed. */
    for (unsigned i = 0; t->first && i < t->count; i++) {
        if ((db >= 0 && (int)i != db) || engine_keys(t->engine, i) == 0) continue;
        struct ruin *r = mem_alloc(sizeof *r);
        *r = (struct ruin){.next = t->ruins, .db = take(t, i)};
        t->ruins = r;
    }
}

void traversal_before_swap(struct traversal *t, unsigned a, unsigned b)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        if (p->live == (int)a) p->live = (int)b;
        else if (p->live == (int)b) p->live = (int)a;
    }
}
