#include "common/key_sizes.h"

#include "common/num.h"

static uint64_t size_of(const struct entry *e)
{
    char scratch[NUM_I64_MAX_TEXT];
    if (entry_type(e) == TYPE_STRING) return entry_string(e, scratch).n;
    return object_size(entry_type(e), entry_object(e));
}

static unsigned step_of(uint64_t size) { return size ? 64 - (unsigned)__builtin_clzll(size) : 0; }

static void look_at(void *context, void *item, bool marked)
{
    struct key_sizes *s = context;
    const struct entry *e = item;
    (void)marked;
    s->looked_at++;
    s->counts[entry_type(e)][step_of(size_of(e))]++;
}

void key_sizes_look(struct engine *e, unsigned db, uint64_t most, uint64_t random, struct key_sizes *s)
{
    const struct htable *t = db_table(engine_db(e, db));
    *s = (struct key_sizes){.keys = t->count};
    const uint64_t begin = s->keys > most ? htable_position(random) : 0;
    uint64_t at = begin;
    do at = htable_scan(t, at, false, look_at, s);
    while (at && s->looked_at < most);
    /* Around the end, up to the bucket before the one where it began. */
    if (begin && s->looked_at < most) do
            at = htable_scan(t, at, false, look_at, s);
        while (at && at < begin && s->looked_at < most);
}

uint64_t key_sizes_get(const struct key_sizes *s, enum type type, unsigned step)
{
    const uint64_t n = s->counts[type][step];
    if (s->looked_at >= s->keys || s->looked_at == 0) return n;
    return (uint64_t)((double)n * (double)s->keys / (double)s->looked_at + 0.5);
}
