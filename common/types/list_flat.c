#include "common/types/list_flat.h"

#include <assert.h>

#include "common/mem.h"

struct flat *flat_new(size_t bytes, size_t width)
{
    assert(width > 0 && bytes >= sizeof(struct flat) + width && bytes <= UINT32_MAX);
    struct flat *f = mem_alloc(bytes);
    *f = (struct flat){.width = (uint32_t)width};
    f->room = (uint32_t)((bytes - sizeof *f) / width * width);
    return f;
}

struct flat *flat_dup(const struct flat *f)
{
    const uint32_t used = f->end - f->begin;
    struct flat *copy = flat_new(sizeof *f + used, f->width);
    memcpy(copy->bytes, f->bytes + f->begin, used);
    copy->end = used;
    return copy;
}

/* Move the elements to offset @begin. */
static void shift(struct flat *f, uint32_t begin)
{
    const uint32_t used = f->end - f->begin;
    memmove(f->bytes + begin, f->bytes + f->begin, used);
    f->begin = begin;
    f->end = begin + used;
}

struct flat *flat_trim(struct flat *f)
{
    if (f->end - f->begin == f->room) return f;
    shift(f, 0);
    f = mem_realloc(f, sizeof *f + f->end);
    f->room = f->end;
    return f;
}

lp_t *flat_to_listpack(const struct flat *f)
{
    lp_t *lp = lp_new();
    for (const unsigned char *at = flat_at(f, 0); at; at = flat_next(f, at)) lp = lp_append(lp, flat_get(f, at));
    return lp;
}

const unsigned char *flat_at(const struct flat *f, size_t index)
{
    return index < flat_count(f) ? f->bytes + f->begin + index * f->width : NULL;
}

const unsigned char *flat_next(const struct flat *f, const unsigned char *at)
{
    at += f->width;
    return at < f->bytes + f->end ? at : NULL;
}

const unsigned char *flat_prev(const struct flat *f, const unsigned char *at)
{
    return at > f->bytes + f->begin ? at - f->width : NULL;
}

const unsigned char *flat_find(const struct flat *f, const unsigned char *from, struct span s)
{
    if (s.n != f->width) return NULL;
    while (from && memcmp(from, s.p, s.n) != 0) from = flat_next(f, from);
    return from;
}

bool flat_push(struct flat *f, bool at_head, struct span s)
{
    if (s.n != f->width || f->end - f->begin == f->room) return false;
    if (at_head) {
        if (f->begin == 0) shift(f, f->room - f->end);
        f->begin -= f->width;
        memcpy(f->bytes + f->begin, s.p, s.n);
    } else {
        if (f->end == f->room) shift(f, 0);
        memcpy(f->bytes + f->end, s.p, s.n);
        f->end += f->width;
    }
    return true;
}

bool flat_set(struct flat *f, const unsigned char *at, struct span s)
{
    if (s.n != f->width) return false;
    memmove(f->bytes + (at - f->bytes), s.p, s.n);
    return true;
}

void flat_delete(struct flat *f, const unsigned char **at, size_t n)
{
    const uint32_t from = (uint32_t)(*at - f->bytes), cut = (uint32_t)n * f->width;
    assert(from >= f->begin && cut <= f->end - from);
    if (from == f->begin) {
        f->begin += cut;
        *at = f->begin < f->end ? f->bytes + f->begin : NULL;
        return;
    }
    memmove(f->bytes + from, f->bytes + from + cut, f->end - from - cut);
    f->end -= cut;
    if (from == f->end) *at = NULL;
}

void flat_check(const struct flat *f)
{
    assert(f->width > 0 && f->begin < f->end && f->end <= f->room);
    assert(f->room % f->width == 0 && f->begin % f->width == 0 && f->end % f->width == 0);
    assert(mem_size(f) >= sizeof *f + f->room);
}
