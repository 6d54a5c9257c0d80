#include "common/ready.h"

#include <assert.h>

#include "common/engine_impl.h"
#include "common/mem.h"

/* A key that somebody waits for; its name in the table is the number of the database and the key. */
struct awaited {
    struct awaited *before, *behind; /* in the list of ready keys */
    uint64_t waiting;
    bool ready;
    size_t n; /* bytes of the name */
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

static unsigned awaited_db(const struct awaited *a)
{
    unsigned db;
    memcpy(&db, a->name, sizeof db);
    return db;
}

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

void engine_wait_for(struct engine *e, unsigned db, struct span key)
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
}

void engine_wait_over(struct engine *e, unsigned db, struct span key)
{
    struct ready_table *r = table_of(e);
    const struct span name = name_of(r, db, key);
    const uint64_t hash = htable_hash(&r->table, name);
    struct awaited *a = htable_find(&r->table, hash, name);
    assert(a && a->waiting > 0);
    if (--a->waiting > 0) return;
    strike(r, a);
    (void)htable_remove(&r->table, hash, name);
    mem_free(a);
}

bool engine_next_ready(struct engine *e, unsigned *db, struct span *key)
{
    if (!e->ready || !e->ready->first) return false;
    struct awaited *a = e->ready->first;
    strike(e->ready, a);
    *db = awaited_db(a);
    *key = span_of(a->name + DB_BYTES, a->n - DB_BYTES);
    return true;
}

void ready_touched(struct ready_table *r, unsigned db, struct span key)
{
    if (r->table.count == 0) return;
    const struct span name = name_of(r, db, key);
    struct awaited *a = htable_find(&r->table, htable_hash(&r->table, name), name);
    if (a) enlist(r, a);
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
