#include "common/types/zitem.h"

#include "common/mem.h"

struct zitem *zitem_new(struct span member, double score)
{
    size_t prefix = 1;
    for (size_t n = member.n; n >= 0x80; n >>= 7) prefix++;
    struct zitem *item = mem_alloc(sizeof *item + prefix + member.n);
    item->score = score;
    unsigned char *p = item->tail;
    size_t n = member.n;
    for (; n >= 0x80; n >>= 7) *p++ = (unsigned char)(0x80 | (n & 0x7f));
    *p++ = (unsigned char)n;
    if (member.n) memcpy(p, member.p, member.n);
    return item;
}
