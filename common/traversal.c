#include "common/traversal.h"

#include <assert.h>

#include "common/mem.h"
#include "common/rdb.h"

/* One database as it was at the moment of begin. */
struct part {
    unsigned id;               /* the number under which it goes out */
    int live;                  /* the engine's number of the database that holds the data now; -1: it is in `taken` */
    struct db *taken;          /* NULL, or the data of a flushed database */
    uint64_t keys, expires;    /* at the moment of begin: hints for the reader */
    uint64_t position;         /* keys at positions below it were given */
    bool done;                 /* all were */
    bool announced;            /* the hints are out */
    struct htable passed_over; /* names of keys at or behind the position that the walk must not give */
    uint64_t name_bytes;       /* what the names take */
    struct buf kept;           /* records that were made ahead of the walk */
};

struct traversal {
    struct engine *engine;
    struct part *parts;
    unsigned count;
    unsigned walking; /* index of the part under way; `count` at the end */
    int selected;     /* the database in which the stream stands; -1: none yet */
    uint64_t given, total;
};

/* A name in passed_over. */
struct name {
    size_t n;
    char bytes[];
};

static struct span name_key(const void *item)
{
    const struct name *n = item;
    return span_of(n->bytes, n->n);
}

static const struct htable_kind name_kind = {.key = name_key, .free = mem_free};

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
    t->selected = -1;
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        *p = (struct part){.id = i, .live = (int)i, .keys = engine_keys(e, i), .expires = engine_expires(e, i)};
        p->done = p->keys == 0;
        t->total += p->keys;
        if (!p->done) htable_init(&p->passed_over, &name_kind, engine_hash_key(e));
    }
    engine_set_traversal(e, t);
    return t;
}

/* Give back what a part needed; its records that are not out yet stay. A whole database is not freed within a step. */
static void end_part(struct traversal *t, struct part *p)
{
    p->done = true;
    if (p->taken) engine_bury(t->engine, p->taken);
    p->taken = NULL;
    p->live = -1;
    htable_free(&p->passed_over);
    p->name_bytes = 0;
}

void traversal_free(struct traversal *t)
{
    if (!t) return;
    engine_set_traversal(t->engine, NULL);
    for (unsigned i = 0; i < t->count; i++) {
        if (!t->parts[i].done) end_part(t, t->parts + i);
        buf_free(&t->parts[i].kept);
    }
    mem_free(t->parts);
    mem_free(t);
}

/* Let the stream stand in the database of @p. */
static void select_part(struct traversal *t, struct part *p, struct buf *out)
{
    if (t->selected == (int)p->id) return;
    if (p->announced) rdb_put_select(out, p->id);
    else rdb_put_db(out, p->id, p->keys, p->expires);
    p->announced = true;
    t->selected = (int)p->id;
}

/* Where one step's visits go. */
struct step {
    struct traversal *traversal;
    struct part *part;
    struct buf *out;
};

static void give_entry(void *context, void *item, bool marked)
{
    (void)marked;
    struct step *s = context;
    struct htable *over = &s->part->passed_over;
    const struct entry *e = item;
    const struct span key = entry_key(e);
    if (over->count > 0 && htable_find(over, htable_hash(over, key), key)) return;
    select_part(s->traversal, s->part, s->out);
    rdb_put_entry(s->out, e);
    s->traversal->given++;
}

static void give_kept(struct traversal *t, struct buf *out)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        if (p->kept.len == 0) continue;
        select_part(t, p, out);
        buf_add_span(out, buf_span(&p->kept));
        buf_free(&p->kept);
    }
}

/* Names that the walk has passed are not needed any more. They are few by bucket: collect, then remove. */
struct passed {
    struct part *part;
    struct buf names; /* of struct name * */
};

static void collect_passed(void *context, void *item, bool marked)
{
    (void)marked;
    struct passed *p = context;
    const struct htable *over = &p->part->passed_over;
    if (htable_position(htable_hash(over, name_key(item))) < p->part->position)
        buf_add(&p->names, &item, sizeof item);
}

static void forget_passed(struct part *p, uint64_t from)
{
    struct passed passed = {.part = p};
    while (p->passed_over.count > 0) {
        from = htable_scan(&p->passed_over, from, false, collect_passed, &passed);
        if (from == 0 || from >= p->position) break;
    }
    for (size_t i = 0; i < passed.names.len; i += sizeof(struct name *)) {
        struct name *name;
        memcpy(&name, passed.names.p + i, sizeof name);
        p->name_bytes -= mem_size(name);
        (void)htable_remove(&p->passed_over, htable_hash(&p->passed_over, name_key(name)), name_key(name));
        mem_free(name);
    }
    buf_free(&passed.names);
}

/* How far one step goes: until the output has grown to so many bytes, or so many buckets were passed. */
struct limit {
    size_t full;
    uint64_t buckets;
};

static bool goes_on(const struct limit *limit, const struct buf *out)
{
    return out->len < limit->full && limit->buckets > 0;
}

static void walk_part(struct traversal *t, struct part *p, struct buf *out, struct limit *limit)
{
    const struct htable *table = db_table(part_db(t, p));
    struct step step = {.traversal = t, .part = p, .out = out};
    const uint64_t from = p->position;
    bool end = false;
    for (; !end && goes_on(limit, out); limit->buckets--) {
        p->position = htable_scan(table, p->position, false, give_entry, &step);
        end = p->position == 0;
    }
    if (end) end_part(t, p);
    else forget_passed(p, from);
}

bool traversal_step(struct traversal *t, struct buf *out, size_t budget_bytes)
{
    enum { BYTES_PER_BUCKET = 64 }; /* what passing an empty bucket costs, as bytes */
    struct limit limit = {out->len + budget_bytes, 1 + budget_bytes / BYTES_PER_BUCKET};
    give_kept(t, out);
    /* Writers that keep ahead of the walk must not hold it up: half of the budget is its own. */
    if (limit.full < out->len + budget_bytes / 2 + 1) limit.full = out->len + budget_bytes / 2 + 1;
    while (t->walking < t->count && goes_on(&limit, out)) {
        struct part *p = t->parts + t->walking;
        if (!p->done) walk_part(t, p, out, &limit);
        if (p->done) t->walking++;
    }
    return t->walking < t->count;
}

size_t traversal_bytes(const struct traversal *t)
{
    size_t bytes = mem_size(t) + mem_size(t->parts);
    for (unsigned i = 0; i < t->count; i++) {
        const struct part *p = t->parts + i;
        bytes += p->name_bytes + p->kept.cap + (p->done ? 0 : htable_bytes(&p->passed_over));
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

void traversal_before_change(struct traversal *t, unsigned db, struct span key)
{
    struct part *p = part_in(t, db);
    if (!p) return;
    struct htable *over = &p->passed_over;
    const uint64_t hash = htable_hash(over, key);
    if (htable_position(hash) < p->position || htable_find(over, hash, key)) return;
    const struct entry *e = db_find_at(part_db(t, p), hash, key);
    if (e) {
        rdb_put_entry(&p->kept, e);
        t->given++;
    }
    struct name *name = mem_alloc(sizeof *name + key.n);
    name->n = key.n;
    if (key.n) memcpy(name->bytes, key.p, key.n);
    p->name_bytes += mem_size(name);
    htable_insert(over, hash, name);
}

void traversal_before_flush(struct traversal *t, int db)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct part *p = t->parts + i;
        if (p->done || p->live < 0 || (db >= 0 && p->live != db)) continue;
        struct db *emptied = engine_db(t->engine, (unsigned)p->live);
        p->taken = db_new((unsigned)p->live, engine_hash_key(t->engine));
        db_swap(p->taken, emptied);
        p->live = -1;
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
