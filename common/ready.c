#include "common/ready.h"

#include <assert.h>

#include "common/engine_impl.h"
#include "common/mem.h"

/* A key that somebody waits for; its name in the table is the number of the database and the key. */
struct awaited {
    struct awaited *before, *behind; /* in the list of ready keys */
    uint64_t waiting;
    void *owned;
    bool ready;
    bool holds; /* since it is ready, it has held something to wait for */
    size_t n;   /* bytes of the name */
    char name[];
};

struct ready_table {
    struct htable table;
    struct awaited *first, *last; /* ready keys in their order */
    struct buf name;              /* scratch */
};

enum { DB_BYTES = sizeof(unsigned) };

static struct span awaited_name(const void *item)
{
    const struct awaited *a = item;
    return span_of(a->name, a->n);
}

unsigned awaited_db(const struct awaited *a)
{
    unsigned db;
    memcpy(&db, a->name, sizeof db);
    return db;
}

struct span awaited_key(const struct awaited *a) { return span_of(a->name + DB_BYTES, a->n - DB_BYTES); }
void **awaited_owned(struct awaited *a) { return &a->owned; }
void awaited_once_more(struct awaited *a) { a->waiting++; }

static struct ready_table *table_of(struct engine *e)
{
    static const struct htable_kind kind = {.key = awaited_name, .free = mem_free};
    if (e->ready) return e->ready;
    e->ready = MEM_NEW(struct ready_table);
    htable_init(&e->ready->table, &kind, e->options.hash_key);
    return e->ready;
}

void ready_free(struct ready_table *r)
{
    if (!r) return;
    htable_free(&r->table);
    buf_free(&r->name);
    mem_free(r);
}

static struct span name_of(struct ready_table *r, unsigned db, struct span key)
{
    r->name.len = 0;
    buf_add(&r->name, &db, sizeof db);
    buf_add_span(&r->name, key);
    return buf_span(&r->name);
}

static void enlist(struct ready_table *r, struct awaited *a)
{
    if (a->ready) return;
    a->ready = true;
    a->holds = false;
    a->before = r->last;
    a->behind = NULL;
    *(r->last ? &r->last->behind : &r->first) = a;
    r->last = a;
}

static void strike(struct ready_table *r, struct awaited *a)
{
    if (!a->ready) return;
    a->ready = false;
    *(a->before ? &a->before->behind : &r->first) = a->behind;
    *(a->behind ? &a->behind->before : &r->last) = a->before;
}

struct awaited *engine_wait_for(struct engine *e, unsigned db, struct span key)
{
    struct ready_table *r = table_of(e);
    const struct span name = name_of(r, db, key);
    const uint64_t hash = htable_hash(&r->table, name);
    struct awaited *a = htable_find(&r->table, hash, name);
    if (!a) {
        a = mem_alloc(sizeof *a + name.n);
        *a = (struct awaited){.n = name.n};
        memcpy(a->name, name.p, name.n);
        htable_insert(&r->table, hash, a);
    }
    a->waiting++;
    return a;
}

void engine_wait_over(struct engine *e, struct awaited *a)
{
    struct ready_table *r = e->ready;
    const struct span name = awaited_name(a);
    assert(a->waiting > 0);
    if (--a->waiting > 0) return;
    assert(!a->owned);
    strike(r, a);
    (void)htable_remove(&r->table, htable_hash(&r->table, name), name);
    mem_free(a);
}

struct awaited *engine_next_ready(struct engine *e)
{
    if (!e->ready || !e->ready->first) return NULL;
    struct awaited *a = e->ready->first;
    strike(e->ready, a);
    return a;
}

static bool holds_something(const struct engine *e, unsigned db, struct span key)
{
    const int type = engine_key_type(e, db, key, e->now_ms);
    return type == TYPE_LIST || type == TYPE_ZSET || type == TYPE_STREAM;
}

void ready_touched(const struct engine *e, unsigned db, struct span key)
{
    struct ready_table *r = e->ready;
    if (r->table.count == 0) return;
    const struct span name = name_of(r, db, key);
    struct awaited *a = htable_find(&r->table, htable_hash(&r->table, name), name);
    if (!a) return;
    enlist(r, a);
    if (a->holds || !holds_something(e, db, key)) return;
    strike(r, a); /* now it takes its place in the row */
    enlist(r, a);
    a->holds = true;
}

struct flush {
    struct ready_table *table;
    int db;
};

static void enlist_of_db(void *context, void *item, bool marked)
{
    const struct flush *f = context;
    (void)marked;
    if (f->db < 0 || awaited_db(item) == (unsigned)f->db) enlist(f->table, item);
}

void ready_flushed(struct ready_table *r, int db)
{
    uint64_t at = 0;
    do at = htable_scan(&r->table, at, false, enlist_of_db, &(struct flush){r, db});
    while (at);
}
