#include "common/types/member.h"

#include <assert.h>

void *member_new(struct span bytes)
{
    const uintptr_t bare = bytes.n == 8 ? 2 : bytes.n == 16 ? 4 : bytes.n == 32 ? 6 : 0;
    unsigned char *block = mem_alloc((bare ? 0 : member_length_bytes(bytes.n)) + bytes.n);
    assert(((uintptr_t)block & 7) == 0);
    unsigned char *to = bare ? block : block + member_put_length(block, bytes.n);
    if (bytes.n) memcpy(to, bytes.p, bytes.n);
    return (void *)((uintptr_t)block | bare);
}

struct sample {
    uint64_t items;
    size_t bytes;
};

static void weigh(void *context, void *item, bool marked)
{
    (void)marked;
    struct sample *s = context;
    s->items++;
    s->bytes += mem_size(member_block(item));
}

size_t member_table_bytes(const struct htable *t, uint64_t samples)
{
    struct sample s = {0};
    uint64_t at = 0;
    do at = htable_scan(t, at, false, weigh, &s);
    while (at && (samples == 0 || s.items < samples));
    const double per_item = s.items ? (double)s.bytes / (double)s.items : 0;
    return htable_bytes(t) + (size_t)(per_item * (double)t->count);
}
