#include "common/types/zitem.h"

#include "common/mem.h"

struct zitem *zitem_new(struct span member, double score)
{
    struct zitem *item = mem_alloc(sizeof *item + member_length_bytes(member.n) + member.n);
    item->score = score;
    unsigned char *bytes = item->tail + member_put_length(item->tail, member.n);
    if (member.n) memcpy(bytes, member.p, member.n);
    return item;
}
