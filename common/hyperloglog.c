#include "common/hyperloglog.h"

#include <assert.h>
#include <endian.h>
#include <math.h>

#include "common/mem.h"

enum {
    ENCODING_AT = 4,
    STALE_AT = 15, /* the byte with the bit */
    STALE = 0x80,
    VALUE_BITS = 6,
    VALUE_MASK = 63,
    /* Runs. */
    ZERO_MAX = 64,
    RUN_MAX = 4,
    RUN_VALUE_MAX = 32,
    WIDE = 0x40,
    VALUED = 0x80,
};

static const char magic[4] = {'H', 'Y', 'L', 'L'};

bool hll_valid(struct span s)
{
    if (s.n < HLL_HEADER_BYTES || memcmp(s.p, magic, sizeof magic) != 0) return false;
    const unsigned char encoding = (unsigned char)s.p[ENCODING_AT];
    return encoding == HLL_SPARSE || (encoding == HLL_DENSE && s.n == HLL_DENSE_BYTES);
}

enum hll_encoding hll_encoding(struct span s) { return s.p[ENCODING_AT] == HLL_DENSE ? HLL_DENSE : HLL_SPARSE; }

/* --- Hashing ----------------------------------------------------------------------------------------------------- */

/* MurmurHash64A (Austin Appleby, public domain), for which the order of bytes is little endian. */
static uint64_t murmur64a(struct span s, uint64_t seed)
{
    const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
    const unsigned char *p = (const unsigned char *)s.p;
    uint64_t h = seed ^ s.n * m, k;
    size_t left = s.n;
    for (; left >= sizeof k; left -= sizeof k, p += sizeof k) {
        memcpy(&k, p, sizeof k);
        k = le64toh(k) * m;
        k = (k ^ k >> 47) * m;
        h = (h ^ k) * m;
    }
    if (left) {
        k = 0;
        for (size_t i = 0; i < left; i++) k |= (uint64_t)p[i] << 8 * i;
        h = (h ^ k) * m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

struct hll_mark hll_mark_of(struct span element)
{
    const uint64_t hash = murmur64a(element, UINT64_C(0xadc83b19));
    /* The register, and one more than the zeros that the rest begins with, seen from its lowest bit. */
    const uint64_t rest = hash >> HLL_BITS | UINT64_C(1) << HLL_HASH_BITS;
    return (struct hll_mark){(uint32_t)(hash & (HLL_REGISTERS - 1)), (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* --- Dense registers --------------------------------------------------------------------------------------------- */

static unsigned dense_get(const unsigned char *registers, uint32_t index)
{
    const size_t at = (size_t)index * VALUE_BITS / 8;
    const unsigned shift = index * VALUE_BITS % 8;
    unsigned v = registers[at];
    if (shift > 8 - VALUE_BITS) v |= (unsigned)registers[at + 1] << 8;
    return v >> shift & VALUE_MASK;
}

static void dense_set(unsigned char *registers, uint32_t index, unsigned value)
{
    const size_t at = (size_t)index * VALUE_BITS / 8;
    const unsigned shift = index * VALUE_BITS % 8;
    const unsigned mask = VALUE_MASK;
    registers[at] = (unsigned char)((registers[at] & ~(mask << shift)) | value << shift);
    if (shift <= 8 - VALUE_BITS) return;
    registers[at + 1] = (unsigned char)((registers[at + 1] & ~(mask >> (8 - shift))) | value >> (8 - shift));
}

bool hll_raise_dense(char *bytes, struct hll_mark mark)
{
    unsigned char *registers = (unsigned char *)bytes + HLL_HEADER_BYTES;
    if (dense_get(registers, mark.index) >= mark.rank) return false;
    dense_set(registers, mark.index, mark.rank);
    return true;
}

/* --- Runs -------------------------------------------------------------------------------------------------------- */

bool hll_next_run(struct span s, size_t *at, struct hll_run *run)
{
    if (*at >= s.n) return false;
    const unsigned char *p = (const unsigned char *)s.p + *at;
    *run = (struct hll_run){.wide = !(*p & VALUED) && (*p & WIDE)};
    if (*p & VALUED) {
        run->value = (uint8_t)((*p >> 2 & 31) + 1);
        run->registers = (*p & 3u) + 1;
    } else if (!run->wide) {
        run->registers = (*p & 63u) + 1;
    } else {
        if (s.n - *at < 2) return false;
        run->registers = ((*p & 63u) << 8 | p[1]) + 1;
    }
    *at += run->wide ? 2 : 1;
    return true;
}

/* Write a run; returns its bytes. */
static size_t put_run(unsigned char *to, uint32_t registers, unsigned value)
{
    if (value > 0) {
        to[0] = (unsigned char)(VALUED | (value - 1) << 2 | (registers - 1));
        return 1;
    }
    if (registers <= ZERO_MAX) {
        to[0] = (unsigned char)(registers - 1);
        return 1;
    }
    to[0] = (unsigned char)(WIDE | (registers - 1) >> 8);
    to[1] = (unsigned char)(registers - 1);
    return 2;
}

void hll_init(struct buf *b)
{
    buf_reset(b, SIZE_MAX);
    buf_add(b, magic, sizeof magic);
    const char encoding[4] = {HLL_SPARSE};
    buf_add(b, encoding, sizeof encoding);
    char cache[HLL_CACHE_BYTES];
    hll_format_cache(cache, 0);
    buf_add(b, cache, sizeof cache);
    unsigned char zeros[2];
    const size_t n = put_run(zeros, HLL_REGISTERS, 0);
    buf_add(b, zeros, n);
}

bool hll_make_dense(struct buf *b)
{
    const struct span s = buf_span(b);
    if (hll_encoding(s) == HLL_DENSE) return true;
    unsigned char *dense = mem_zalloc(1, HLL_DENSE_BYTES);
    memcpy(dense, s.p, HLL_HEADER_BYTES);
    dense[ENCODING_AT] = HLL_DENSE;
    uint32_t index = 0;
    struct hll_run run;
    size_t at = HLL_HEADER_BYTES;
    bool whole = true;
    for (; whole && hll_next_run(s, &at, &run); index += run.registers) {
        whole = run.registers <= HLL_REGISTERS - index;
        for (uint32_t i = 0; whole && run.value && i < run.registers; i++)
            dense_set(dense + HLL_HEADER_BYTES, index + i, run.value);
    }
    whole = whole && index == HLL_REGISTERS && at == s.n;
    if (whole) {
        b->len = 0;
        buf_add(b, dense, HLL_DENSE_BYTES);
    }
    mem_free(dense);
    return whole;
}

/* --- Changing a run ---------------------------------------------------------------------------------------------- */

/* Where a register lies: its run and the one before. */
struct place {
    size_t at, end, before; /* offsets; before: HLL_HEADER_BYTES if there is none before */
    uint32_t first, before_first;
    struct hll_run run;
};

static bool find_from(const struct buf *b, size_t at, uint32_t first, uint32_t index, struct place *p)
{
    *p = (struct place){.at = at, .end = at, .before = at, .first = first, .before_first = first};
    while (hll_next_run(buf_span(b), &p->end, &p->run)) {
        if (index < p->first + p->run.registers) return true;
        p->before = p->at;
        p->before_first = p->first;
        p->first += p->run.registers;
        p->at = p->end;
    }
    return false;
}

static bool find_place(const struct hll_editor *e, uint32_t index, struct place *p)
{
    /* If the register lies in the run of the hint itself, the run before is not known. */
    if (e->hint && e->hint_first <= index && find_from(e->b, e->hint, e->hint_first, index, p) && p->at != e->hint)
        return true;
    return find_from(e->b, HLL_HEADER_BYTES, 0, index, p);
}

/* Join neighbours of equal value, as far as a run is long enough: among a few runs from where something changed. */
static void join_runs(struct buf *b, size_t from)
{
    enum { LOOKS = 5 };
    unsigned char *p = (unsigned char *)b->p;
    for (unsigned looks = 0; looks < LOOKS && from < b->len; looks++) {
        size_t next = from, behind;
        struct hll_run run, other;
        if (!hll_next_run(buf_span(b), &next, &run)) return;
        behind = next;
        if (run.value && hll_next_run(buf_span(b), &behind, &other) && other.value == run.value &&
            run.registers + other.registers <= RUN_MAX) {
            put_run(p + from, run.registers + other.registers, run.value);
            memmove(p + next, p + behind, b->len - behind);
            b->len -= behind - next;
        } else {
            from = next;
        }
    }
}

/* The run that has the register, split around it: up to three runs in at most five bytes. */
static size_t split(const struct place *p, struct hll_mark mark, unsigned char *to)
{
    size_t n = 0;
    const uint32_t behind = p->first + p->run.registers - mark.index - 1;
    if (mark.index > p->first) n += put_run(to, mark.index - p->first, p->run.value);
    n += put_run(to + n, 1, mark.rank);
    if (behind) n += put_run(to + n, behind, p->run.value);
    return n;
}

static enum hll_change turn_dense(struct hll_editor *e, struct hll_mark mark)
{
    if (!hll_make_dense(e->b)) return HLL_DAMAGED;
    return hll_raise_dense(e->b->p, mark) ? HLL_CHANGED : HLL_SAME;
}

static enum hll_change raise_sparse(struct hll_editor *e, struct hll_mark mark)
{
    struct place p;
    unsigned char runs[5];
    if (mark.rank > RUN_VALUE_MAX) return turn_dense(e, mark);
    if (!find_place(e, mark.index, &p)) return HLL_DAMAGED;
    if (p.run.value >= mark.rank) return HLL_SAME;
    const size_t n = split(&p, mark, runs), old = p.end - p.at;
    if (n > old && e->b->len + n - old > e->sparse_max_bytes) return turn_dense(e, mark);
    (void)buf_room(e->b, n);
    memmove(e->b->p + p.at + n, e->b->p + p.end, e->b->len - p.end);
    memcpy(e->b->p + p.at, runs, n);
    e->b->len = e->b->len + n - old;
    join_runs(e->b, p.before);
    e->hint = p.before;
    e->hint_first = p.before_first;
    return HLL_CHANGED;
}

enum hll_change hll_raise(struct hll_editor *e, struct hll_mark mark)
{
    assert(mark.index < HLL_REGISTERS);
    if (hll_encoding(buf_span(e->b)) == HLL_SPARSE) return raise_sparse(e, mark);
    return hll_raise_dense(e->b->p, mark) ? HLL_CHANGED : HLL_SAME;
}

/* --- Counting ---------------------------------------------------------------------------------------------------- */

bool hll_merge(uint8_t *registers, struct span s)
{
    if (hll_encoding(s) == HLL_DENSE) {
        const unsigned char *dense = (const unsigned char *)s.p + HLL_HEADER_BYTES;
        for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
            const unsigned v = dense_get(dense, i);
            if (v > registers[i]) registers[i] = (uint8_t)v;
        }
        return true;
    }
    uint32_t index = 0;
    struct hll_run run;
    size_t at = HLL_HEADER_BYTES;
    for (; hll_next_run(s, &at, &run); index += run.registers) {
        if (run.registers > HLL_REGISTERS - index) return false;
        for (uint32_t i = 0; run.value && i < run.registers; i++)
            if (run.value > registers[index + i]) registers[index + i] = run.value;
    }
    return index == HLL_REGISTERS && at == s.n;
}

/* Ertl's series, until another term changes nothing. */
static double sigma(double x)
{
    if (x == 1) return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (before != z);
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1) return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (before != z);
    return z / 3;
}

uint64_t hll_estimate(const uint8_t *registers)
{
    static const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    const double m = HLL_REGISTERS;
    unsigned histogram[VALUE_MASK + 1] = {0};
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) histogram[registers[i] & VALUE_MASK]++;
    double z = m * tau((m - histogram[HLL_HASH_BITS + 1]) / m);
    for (unsigned rank = HLL_HASH_BITS; rank >= 1; rank--) z = (z + histogram[rank]) * 0.5;
    z += m * sigma(histogram[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

/* --- The cached estimate ----------------------------------------------------------------------------------------- */

bool hll_cached(struct span s, uint64_t *estimate)
{
    struct cursor c = cursor_of(span_of(s.p + HLL_CACHE_AT, HLL_CACHE_BYTES));
    return take_u64le(&c, estimate) && !(s.p[STALE_AT] & STALE);
}

void hll_format_cache(char *to, uint64_t estimate)
{
    const uint64_t v = htole64(estimate);
    memcpy(to, &v, sizeof v);
}

void hll_spoil_cache(char *bytes) { bytes[STALE_AT] = (char)(bytes[STALE_AT] | STALE); }
