#include "common/expiry_map.h"

#include <assert.h>

#include "common/mem.h"

enum { RANGE_SHIFT = HTABLE_POSITION_BITS - EXPIRY_MAP_BITS };

static uint32_t *count_of(const struct expiry_map *m, uint64_t hash)
{
    return &m->counts[htable_position(hash) >> RANGE_SHIFT];
}

void expiry_map_clear(struct expiry_map *m)
{
    mem_free(m->counts);
    *m = (struct expiry_map){0};
}

void expiry_map_add(struct expiry_map *m, uint64_t hash)
{
    if (!m->counts) m->counts = mem_zalloc(EXPIRY_MAP_RANGES, sizeof *m->counts);
    ++*count_of(m, hash);
    m->total++;
}

void expiry_map_remove(struct expiry_map *m, uint64_t hash)
{
    assert(m->counts && *count_of(m, hash) > 0);
    --*count_of(m, hash);
    m->total--;
}

uint64_t expiry_map_next(const struct expiry_map *m, uint64_t position)
{
    uint64_t range = position >> RANGE_SHIFT;
    if (m->total && m->counts[range]) return position;
    range = m->total ? range + 1 : EXPIRY_MAP_RANGES;
    while (range < EXPIRY_MAP_RANGES && m->counts[range] == 0) range++;
    return range << RANGE_SHIFT;
}

void expiry_map_find(const struct expiry_map *m, uint64_t n, uint64_t *from, uint64_t *to)
{
    assert(n < m->total);
    uint64_t range = 0;
    while (n >= m->counts[range]) n -= m->counts[range++];
    *from = range << RANGE_SHIFT;
    *to = (range + 1) << RANGE_SHIFT;
}
