#include "server/watches.h"

#include <sodium.h>

#include "common/engine.h"
#include "common/mem.h"
#include "server/client.h"
#include "server/observe.h"
#include "server/server.h"

/* One client's watch of one key. */
struct watch_entry {
    struct client *client;
    struct watched_name *name;
    struct watch_entry *prev, *next; /* of the same name */
    struct watch_entry *next_mine;   /* of the same client */
    unsigned db;
    bool was_dead; /* it had expired already */
};

/* A name of keys, in whatever databases. */
struct watched_name {
    struct watch_entry *first;
    size_t len;
    char bytes[];
};

static struct span name_of(const void *item)
{
    const struct watched_name *n = item;
    return span_of(n->bytes, n->len);
}

static const struct htable_kind by_name = {.key = name_of};

static struct watched_name *find(const struct watches *w, struct span key)
{
    return htable_find(&w->names, htable_hash(&w->names, key), key);
}

static struct watched_name *name_new(struct watches *w, struct span key)
{
    struct watched_name *n = mem_alloc(sizeof *n + key.n);
    *n = (struct watched_name){.len = key.n};
    if (key.n) memcpy(n->bytes, key.p, key.n);
    htable_insert(&w->names, htable_hash(&w->names, key), n);
    return n;
}

static void name_free(struct watches *w, struct watched_name *n)
{
    (void)htable_remove(&w->names, htable_hash(&w->names, name_of(n)), name_of(n));
    mem_free(n);
}

void watches_init(struct watches *w)
{
    randombytes_buf(w->hash_key, sizeof w->hash_key);
    htable_init(&w->names, &by_name, w->hash_key);
}

void watches_add(struct client *c, struct span key)
{
    struct server *s = c->server;
    const unsigned db = c->session.db;
    struct watched_name *n = find(&s->watches, key);
    if (!n) n = name_new(&s->watches, key);
    for (const struct watch_entry *e = c->watched; e; e = e->next_mine)
        if (e->name == n && e->db == db) return;
    struct watch_entry *e = MEM_NEW(struct watch_entry);
    *e = (struct watch_entry){.client = c, .name = n, .next = n->first, .next_mine = c->watched, .db = db};
    e->was_dead = engine_key_state(s->engine, db, key, clock_now(&s->clock)) == KEY_DEAD;
    if (n->first) n->first->prev = e;
    n->first = e;
    c->watched = e;
    observe_configure(s);
}

void watches_forget(struct client *c)
{
    if (!c->watched) return;
    for (struct watch_entry *e = c->watched, *next; e; e = next) {
        next = e->next_mine;
        if (e->prev) e->prev->next = e->next;
        else e->name->first = e->next;
        if (e->next) e->next->prev = e->prev;
        if (!e->name->first) name_free(&c->server->watches, e->name);
        mem_free(e);
    }
    c->watched = NULL;
    observe_configure(c->server);
}

bool watches_changed(struct client *c)
{
    struct server *s = c->server;
    for (const struct watch_entry *e = c->watched; e && !(c->flags & CLIENT_CHANGED_UNDER); e = e->next_mine)
        if (!e->was_dead && engine_key_state(s->engine, e->db, name_of(e->name), clock_now(&s->clock)) == KEY_DEAD)
            c->flags |= CLIENT_CHANGED_UNDER;
    return c->flags & CLIENT_CHANGED_UNDER;
}

void watches_touched(struct server *s, unsigned db, struct span key)
{
    const struct watched_name *n = find(&s->watches, key);
    for (struct watch_entry *e = n ? n->first : NULL; e; e = e->next) {
        if (e->db != db) continue;
        const enum key_state state = engine_key_state(s->engine, db, key, clock_now(&s->clock));
        /* What was dead already is being deleted, or was. */
        if (e->was_dead && state != KEY_ALIVE) e->was_dead = state == KEY_DEAD;
        else e->client->flags |= CLIENT_CHANGED_UNDER;
    }
}

/* All keys of @db go (-1: of every database), those of @other (-1: none) take their place. */
struct flush {
    struct server *server;
    int db, other;
};

static void flush_name(void *context, void *item, bool marked)
{
    const struct flush *f = context;
    const struct watched_name *n = item;
    const struct engine *engine = f->server->engine;
    const int64_t now = clock_now(&f->server->clock);
    (void)marked;
    for (struct watch_entry *e = n->first; e; e = e->next) {
        if (f->db >= 0 && e->db != (unsigned)f->db) continue;
        const enum key_state is = engine_key_state(engine, e->db, name_of(n), now);
        const enum key_state comes =
            f->other < 0 ? KEY_ABSENT : engine_key_state(engine, (unsigned)f->other, name_of(n), now);
        const bool goes = is == KEY_ALIVE || (is == KEY_DEAD && !e->was_dead);
        if (goes || comes == KEY_ALIVE) e->client->flags |= CLIENT_CHANGED_UNDER;
        else e->was_dead = comes == KEY_DEAD;
    }
}

void watches_flushed(struct server *s, int db, int other)
{
    struct flush f = {s, db, other};
    uint64_t at = 0;
    do at = htable_scan(&s->watches.names, at, false, flush_name, &f);
    while (at);
}

void watches_free(struct watches *w) { htable_free(&w->names); }
