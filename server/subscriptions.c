#include "server/subscriptions.h"

#include <assert.h>
#include <string.h>

#include "common/call.h"
#include "common/htable.h"
#include "common/mem.h"

/* The two lists that a subscription stands in. */
enum side { OF_TOPIC, OF_SUBSCRIBER, SIDES };

struct subscription {
    /* What it is found by: these two, as bytes. */
    struct topic *topic;
    struct subscriber *subscriber;
    struct {
        struct subscription *prev, *next;
    } in[SIDES];
};

struct chain {
    struct subscription *first, *last;
};

struct topic {
    struct topic *prev, *next; /* of its kind */
    struct chain subscriptions;
    size_t subscribers;
    uint32_t literal; /* bytes at the front of a pattern that stand for themselves */
    uint32_t n;
    char name[];
};

struct subscriber {
    void *owner;
    struct chain subscriptions[TOPIC_KINDS];
    size_t count[TOPIC_KINDS];
};

struct topics {
    struct htable by_name;
    struct topic *first, *last;
};

struct subscriptions {
    struct topics of[TOPIC_KINDS];
    struct htable by_pair;
    size_t name_bytes;
    uint8_t hash_key[HTABLE_KEY_BYTES];
};

static struct span name_of(const void *item)
{
    const struct topic *t = item;
    return span_of(t->name, t->n);
}

static struct span pair_of(const void *item) { return span_of(item, offsetof(struct subscription, in)); }

static const struct htable_kind by_name = {.key = name_of}, by_pair = {.key = pair_of};

/* ---- Lists ---- */

static void chain_add(struct chain *c, enum side side, struct subscription *s)
{
    s->in[side].prev = c->last;
    s->in[side].next = NULL;
    if (c->last) c->last->in[side].next = s;
    else c->first = s;
    c->last = s;
}

static void chain_remove(struct chain *c, enum side side, struct subscription *s)
{
    struct subscription *const prev = s->in[side].prev, *const next = s->in[side].next;
    if (prev) prev->in[side].next = next;
    else c->first = next;
    if (next) next->in[side].prev = prev;
    else c->last = prev;
}

/* ---- Topics ---- */

/* How many bytes of a pattern stand for themselves before the first that has a meaning. */
static uint32_t literal_bytes(struct span pattern)
{
    uint32_t n = 0;
    while (n < pattern.n && !memchr("*?[\\", pattern.p[n], 4)) n++;
    return n;
}

static struct topic *topic_new(struct subscriptions *all, enum topic_kind kind, struct span name, uint64_t hash)
{
    struct topics *of = &all->of[kind];
    struct topic *t = mem_zalloc(1, sizeof *t + name.n);
    assert(name.n <= UINT32_MAX);
    t->n = (uint32_t)name.n;
    if (name.n) memcpy(t->name, name.p, name.n);
    if (kind == TOPIC_PATTERN) t->literal = literal_bytes(name);
    t->prev = of->last;
    if (of->last) of->last->next = t;
    else of->first = t;
    of->last = t;
    htable_insert(&of->by_name, hash, t);
    all->name_bytes += name.n;
    return t;
}

static void topic_free(struct subscriptions *all, enum topic_kind kind, struct topic *t)
{
    struct topics *of = &all->of[kind];
    const void *removed = htable_remove(&of->by_name, htable_hash(&of->by_name, name_of(t)), name_of(t));
    assert(removed == t);
    if (t->prev) t->prev->next = t->next;
    else of->first = t->next;
    if (t->next) t->next->prev = t->prev;
    else of->last = t->prev;
    all->name_bytes -= t->n;
    mem_free(t);
}

struct span topic_name(const struct topic *t) { return name_of(t); }

size_t topic_subscribers(const struct topic *t) { return t->subscribers; }

void topic_each(const struct topic *t, topic_visit *visit, void *context)
{
    for (struct subscription *s = t->subscriptions.first, *next; s; s = next) {
        next = s->in[OF_TOPIC].next; /* with the last subscription the topic may go */
        visit(context, s->subscriber->owner);
    }
}

/* ---- All of them ---- */

struct subscriptions *subscriptions_new(const uint8_t *hash_key)
{
    struct subscriptions *all = MEM_NEW(struct subscriptions);
    memcpy(all->hash_key, hash_key, sizeof all->hash_key);
    for (unsigned k = 0; k < TOPIC_KINDS; k++) htable_init(&all->of[k].by_name, &by_name, all->hash_key);
    htable_init(&all->by_pair, &by_pair, all->hash_key);
    return all;
}

void subscriptions_free(struct subscriptions *all)
{
    if (!all) return;
    assert(all->by_pair.count == 0);
    for (unsigned k = 0; k < TOPIC_KINDS; k++) htable_free(&all->of[k].by_name);
    htable_free(&all->by_pair);
    mem_free(all);
}

static struct topic *find(const struct subscriptions *all, enum topic_kind kind, struct span name, uint64_t *hash)
{
    const struct htable *t = &all->of[kind].by_name;
    *hash = 0;
    if (t->count == 0) return NULL;
    *hash = htable_hash(t, name);
    return htable_find(t, *hash, name);
}

static struct span pair(struct topic *t, struct subscriber *s, struct subscription *room)
{
    room->topic = t;
    room->subscriber = s;
    return pair_of(room);
}

bool subscriptions_add(struct subscriptions *all, enum topic_kind kind, struct span name, struct subscriber *s)
{
    uint64_t name_hash;
    struct subscription probe;
    struct topic *t = find(all, kind, name, &name_hash);
    if (!t) t = topic_new(all, kind, name, htable_hash(&all->of[kind].by_name, name));
    const struct span key = pair(t, s, &probe);
    const uint64_t hash = htable_hash(&all->by_pair, key);
    if (htable_find(&all->by_pair, hash, key)) return false;
    struct subscription *added = MEM_NEW(struct subscription);
    (void)pair(t, s, added);
    chain_add(&t->subscriptions, OF_TOPIC, added);
    chain_add(&s->subscriptions[kind], OF_SUBSCRIBER, added);
    t->subscribers++;
    s->count[kind]++;
    htable_insert(&all->by_pair, hash, added);
    return true;
}

static bool end(struct subscriptions *all, enum topic_kind kind, struct topic *t, struct subscriber *s)
{
    struct subscription probe;
    const struct span key = pair(t, s, &probe);
    struct subscription *found = htable_remove(&all->by_pair, htable_hash(&all->by_pair, key), key);
    if (!found) return false;
    chain_remove(&t->subscriptions, OF_TOPIC, found);
    chain_remove(&s->subscriptions[kind], OF_SUBSCRIBER, found);
    s->count[kind]--;
    mem_free(found);
    if (--t->subscribers == 0) topic_free(all, kind, t);
    return true;
}

bool subscriptions_remove(struct subscriptions *all, enum topic_kind kind, struct span name, struct subscriber *s)
{
    uint64_t hash;
    struct topic *t = find(all, kind, name, &hash);
    return t && end(all, kind, t, s);
}

const struct topic *subscriptions_find(const struct subscriptions *all, enum topic_kind kind, struct span name)
{
    uint64_t hash;
    return find(all, kind, name, &hash);
}

size_t subscriptions_topics(const struct subscriptions *all, enum topic_kind kind)
{
    return all->of[kind].by_name.count;
}

const struct topic *subscriptions_next(const struct subscriptions *all, enum topic_kind kind,
                                       const struct topic *from)
{
    return from ? from->next : all->of[kind].first;
}

const struct topic *subscriptions_next_match(const struct subscriptions *all, struct span channel,
                                             const struct topic *from)
{
    const struct topic *t = subscriptions_next(all, TOPIC_PATTERN, from);
    for (; t; t = t->next) {
        /* Most differ in what they begin with, which is told without looking for a match. */
        const size_t same = t->literal;
        if (channel.n < same || memcmp(channel.p, t->name, same) != 0) continue;
        if (glob_match(span_of(t->name + same, t->n - same), span_of(channel.p + same, channel.n - same))) break;
    }
    return t;
}

size_t subscriptions_memory(const struct subscriptions *all)
{
    size_t n = sizeof *all + all->name_bytes + htable_bytes(&all->by_pair) +
               all->by_pair.count * sizeof(struct subscription);
    for (unsigned k = 0; k < TOPIC_KINDS; k++)
        n += htable_bytes(&all->of[k].by_name) + all->of[k].by_name.count * sizeof(struct topic);
    return n;
}

/* ---- Subscribers ---- */

struct subscriber *subscriber_new(void *owner)
{
    struct subscriber *s = MEM_NEW(struct subscriber);
    s->owner = owner;
    return s;
}

void subscriber_free(struct subscriptions *all, struct subscriber *s)
{
    if (!s) return;
    for (unsigned k = 0; k < TOPIC_KINDS; k++)
        while (s->subscriptions[k].first) (void)end(all, k, s->subscriptions[k].first->topic, s);
    mem_free(s);
}

size_t subscriber_count(const struct subscriber *s, enum topic_kind kind) { return s->count[kind]; }

const struct topic *subscriber_oldest(const struct subscriber *s, enum topic_kind kind)
{
    return s->subscriptions[kind].first ? s->subscriptions[kind].first->topic : NULL;
}

bool subscriber_all(const struct subscriber *s, enum topic_kind kind, topic_test *test, void *context)
{
    for (const struct subscription *i = s->subscriptions[kind].first; i; i = i->in[OF_SUBSCRIBER].next)
        if (!test(context, topic_name(i->topic))) return false;
    return true;
}

size_t subscriber_memory(const struct subscriber *s)
{
    size_t n = sizeof *s;
    for (unsigned k = 0; k < TOPIC_KINDS; k++) n += s->count[k] * sizeof(struct subscription);
    return n;
}
