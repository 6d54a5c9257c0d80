#include "common/types/member.h"

#include "common/mem.h"

struct sample {
    uint64_t items;
    size_t bytes;
};

static void weigh(void *context, void *item, bool marked)
{
    (void)marked;
    struct sample *s = context;
    s->items++;
    s->bytes += mem_size(item);
}

size_t member_table_bytes(const struct htable *t)
{
    enum { ENOUGH = 64 };
    struct sample s = {0};
    uint64_t at = 0;
    do at = htable_scan(t, at, false, weigh, &s);
    while (at && s.items < ENOUGH);
    const double per_item = s.items ? (double)s.bytes / (double)s.items : 0;
    return htable_bytes(t) + (size_t)(per_item * (double)t->count);
}
