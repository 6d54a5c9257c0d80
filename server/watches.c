#include "server/watches.h"

#include <sodium.h>

#include "common/engine.h"
#include "common/mem.h"
#include "server/client.h"
#include "server/observe.h"
#include "server/server.h"

enum { FIRST_BUCKETS = 64 };

/* One client's watch of one key. */
struct watch_entry {
    struct client *client;
    struct watched_key *key;
    struct watch_entry *prev, *next; /* of the same key */
    struct watch_entry *next_mine;   /* of the same client */
    bool was_dead;                   /* it had expired already */
};

struct watched_key {
    struct watched_key *next; /* in its bucket */
    struct watch_entry *first;
    uint64_t hash;
    unsigned db;
    size_t len;
    char name[];
};

static struct span name_of(const struct watched_key *k) { return span_of(k->name, k->len); }

static struct watched_key *find(const struct watches *w, unsigned db, struct span key, uint64_t hash)
{
    if (!w->room) return NULL;
    struct watched_key *k = w->buckets[hash & (w->room - 1)];
    while (k && !(k->hash == hash && k->db == db && span_eq(name_of(k), key))) k = k->next;
    return k;
}

static uint64_t hash_of(const struct server *s, unsigned db, struct span key)
{
    uint64_t h;
    (void)crypto_shorthash((unsigned char *)&h, (const unsigned char *)key.p, key.n, s->watches.hash_key);
    return h + db;
}

static void grow(struct watches *w)
{
    const size_t room = w->room ? w->room * 2 : FIRST_BUCKETS;
    struct watched_key **buckets = mem_zalloc(room, sizeof(struct watched_key *));
    for (size_t i = 0; i < w->room; i++)
        for (struct watched_key *k = w->buckets[i], *next; k; k = next) {
            next = k->next;
            k->next = buckets[k->hash & (room - 1)];
            buckets[k->hash & (room - 1)] = k;
        }
    mem_free(w->buckets);
    w->buckets = buckets;
    w->room = room;
}

static struct watched_key *add_key(struct watches *w, unsigned db, struct span key, uint64_t hash)
{
    if (w->keys >= w->room) grow(w);
    struct watched_key *k = mem_alloc(sizeof *k + key.n);
    *k = (struct watched_key){.next = w->buckets[hash & (w->room - 1)], .hash = hash, .db = db, .len = key.n};
    if (key.n) memcpy(k->name, key.p, key.n);
    w->buckets[hash & (w->room - 1)] = k;
    w->keys++;
    return k;
}

static void remove_key(struct watches *w, struct watched_key *k)
{
    struct watched_key **at = &w->buckets[k->hash & (w->room - 1)];
    while (*at != k) at = &(*at)->next;
    *at = k->next;
    w->keys--;
    mem_free(k);
}

void watches_init(struct watches *w) { randombytes_buf(w->hash_key, sizeof w->hash_key); }

void watches_add(struct client *c, struct span key)
{
    struct server *s = c->server;
    const unsigned db = c->session.db;
    const uint64_t hash = hash_of(s, db, key);
    struct watched_key *k = find(&s->watches, db, key, hash);
    if (!k) k = add_key(&s->watches, db, key, hash);
    for (const struct watch_entry *e = c->watched; e; e = e->next_mine)
        if (e->key == k) return;
    struct watch_entry *e = MEM_NEW(struct watch_entry);
    *e = (struct watch_entry){.client = c, .key = k, .next = k->first, .next_mine = c->watched};
    e->was_dead = engine_key_state(s->engine, db, key, clock_now(&s->clock)) == KEY_DEAD;
    if (k->first) k->first->prev = e;
    k->first = e;
    c->watched = e;
    observe_configure(s);
}

void watches_forget(struct client *c)
{
    struct watches *w = &c->server->watches;
    if (!c->watched) return;
    for (struct watch_entry *e = c->watched, *next; e; e = next) {
        next = e->next_mine;
        if (e->prev) e->prev->next = e->next;
        else e->key->first = e->next;
        if (e->next) e->next->prev = e->prev;
        if (!e->key->first) remove_key(w, e->key);
        mem_free(e);
    }
    c->watched = NULL;
    observe_configure(c->server);
}

bool watches_changed(struct client *c)
{
    struct server *s = c->server;
    for (const struct watch_entry *e = c->watched; e && !(c->flags & CLIENT_CHANGED_UNDER); e = e->next_mine)
        if (!e->was_dead &&
            engine_key_state(s->engine, e->key->db, name_of(e->key), clock_now(&s->clock)) == KEY_DEAD)
            c->flags |= CLIENT_CHANGED_UNDER;
    return c->flags & CLIENT_CHANGED_UNDER;
}

void watches_touched(struct server *s, unsigned db, struct span key)
{
    struct watched_key *k = find(&s->watches, db, key, hash_of(s, db, key));
    if (!k) return;
    for (struct watch_entry *e = k->first; e; e = e->next) {
        /* What was dead already is being deleted, or was. */
        if (e->was_dead && engine_key_state(s->engine, db, key, clock_now(&s->clock)) != KEY_ALIVE) {
            e->was_dead = engine_key_state(s->engine, db, key, clock_now(&s->clock)) == KEY_DEAD;
            continue;
        }
        e->client->flags |= CLIENT_CHANGED_UNDER;
    }
}

static void flush_key(struct server *s, struct watched_key *k, int other)
{
    const int64_t now = clock_now(&s->clock);
    const enum key_state is = engine_key_state(s->engine, k->db, name_of(k), now);
    const enum key_state comes =
        other < 0 ? KEY_ABSENT : engine_key_state(s->engine, (unsigned)other, name_of(k), now);
    for (struct watch_entry *e = k->first; e; e = e->next) {
        const bool goes = is == KEY_ALIVE || (is == KEY_DEAD && !e->was_dead);
        if (goes || comes == KEY_ALIVE) e->client->flags |= CLIENT_CHANGED_UNDER;
        else e->was_dead = comes == KEY_DEAD;
    }
}

void watches_flushed(struct server *s, int db, int other)
{
    for (size_t i = 0; i < s->watches.room; i++)
        for (struct watched_key *k = s->watches.buckets[i]; k; k = k->next)
            if (db < 0 || k->db == (unsigned)db) flush_key(s, k, other);
}

void watches_free(struct watches *w)
{
    mem_free(w->buckets);
    *w = (struct watches){0};
}
