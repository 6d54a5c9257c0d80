#include "common/intset.h"

#include <assert.h>

#include "common/le.h"
#include "common/mem.h"

enum { HEADER_BYTES = 8 };

static unsigned width_of(const intset_t *s) { return s[0]; }

static unsigned width_for(int64_t v)
{
    return v >= INT16_MIN && v <= INT16_MAX ? 2 : v >= INT32_MIN && v <= INT32_MAX ? 4 : 8;
}

static int64_t get_at(const intset_t *s, unsigned width, size_t index)
{
    const intset_t *p = s + HEADER_BYTES + index * width;
    switch (width) {
    case 2: return (int16_t)le_get_u16(p);
    case 4: return (int32_t)le_get_u32(p);
    default: return (int64_t)le_get_u64(p);
    }
}

static void put_at(intset_t *s, unsigned width, size_t index, int64_t v)
{
    le_put(s + HEADER_BYTES + index * width, width, (uint64_t)v);
}

static void set_header(intset_t *s, unsigned width, size_t count)
{
    le_put(s, 4, width);
    le_put(s + 4, 4, count);
}

intset_t *intset_new(void)
{
    intset_t *s = mem_alloc(HEADER_BYTES);
    set_header(s, 2, 0);
    return s;
}

void intset_free(intset_t *s) { mem_free(s); }

intset_t *intset_dup(const intset_t *s) { return mem_dup(s, intset_bytes(s)); }

size_t intset_count(const intset_t *s) { return le_get_u32(s + 4); }

size_t intset_bytes(const intset_t *s) { return HEADER_BYTES + intset_count(s) * width_of(s); }

int64_t intset_at(const intset_t *s, size_t index)
{
    assert(index < intset_count(s));
    return get_at(s, width_of(s), index);
}

/* Index of @v, or of the first integer above it. */
static size_t lower_bound(const intset_t *s, int64_t v)
{
    const unsigned width = width_of(s);
    size_t low = 0, high = intset_count(s);
    /* Sets are often filled in ascending order. */
    if (high > 0 && get_at(s, width, high - 1) < v) return high;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (get_at(s, width, middle) < v) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool intset_has(const intset_t *s, int64_t v)
{
    if (width_for(v) > width_of(s)) return false;
    const size_t at = lower_bound(s, v);
    return at < intset_count(s) && get_at(s, width_of(s), at) == v;
}

/* Rewrite with a width that @v needs, leaving room for one more; @v is below or above all others, so it goes there. */
static intset_t *widen_and_add(intset_t *s, int64_t v)
{
    const unsigned old = width_of(s), width = width_for(v);
    const size_t count = intset_count(s), shift = v < 0 ? 1 : 0;
    s = mem_realloc(s, HEADER_BYTES + (count + 1) * width);
    for (size_t i = count; i-- > 0;) put_at(s, width, i + shift, get_at(s, old, i));
    put_at(s, width, v < 0 ? 0 : count, v);
    set_header(s, width, count + 1);
    return s;
}

intset_t *intset_add(intset_t *s, int64_t v, bool *added)
{
    *added = true;
    const unsigned width = width_of(s);
    if (width_for(v) > width) return widen_and_add(s, v);
    const size_t count = intset_count(s), at = lower_bound(s, v);
    if (at < count && get_at(s, width, at) == v) {
        *added = false;
        return s;
    }
    const size_t bytes = HEADER_BYTES + (count + 1) * width;
    if (bytes > mem_size(s)) s = mem_realloc(s, bytes);
    intset_t *p = s + HEADER_BYTES + at * width;
    memmove(p + width, p, (count - at) * width);
    put_at(s, width, at, v);
    set_header(s, width, count + 1);
    return s;
}

intset_t *intset_remove(intset_t *s, int64_t v, bool *removed)
{
    *removed = intset_has(s, v);
    if (!*removed) return s;
    const unsigned width = width_of(s);
    const size_t count = intset_count(s), at = lower_bound(s, v);
    intset_t *p = s + HEADER_BYTES + at * width;
    memmove(p, p + width, (count - at - 1) * width);
    set_header(s, width, count - 1);
    const size_t bytes = intset_bytes(s);
    return bytes < mem_size(s) / 2 ? mem_realloc(s, bytes) : s;
}

bool intset_valid(const void *bytes, size_t n)
{
    const intset_t *s = bytes;
    if (n < HEADER_BYTES) return false;
    const uint64_t width = le_get_u32(s), count = le_get_u32(s + 4);
    if ((width != 2 && width != 4 && width != 8) || n - HEADER_BYTES != width * count) return false;
    for (size_t i = 1; i < count; i++)
        if (get_at(s, (unsigned)width, i - 1) >= get_at(s, (unsigned)width, i)) return false;
    return true;
}
