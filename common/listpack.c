#include "common/listpack.h"

#include <assert.h>

#include "common/le.h"
#include "common/mem.h"

/* The encoding byte says what an element is:
 *
 *     0xxxxxxx             integer 0 .. 127
 *     10xxxxxx             string of x bytes
 *     110xxxxx x8          13-bit signed integer
 *     1110xxxx x8          string, 12-bit length
 *     11110000 u32 le      string, 32-bit length
 *     11110001 .. 11110100 integer of 2, 3, 4, 8 bytes, little endian, signed
 *     11111111             end of the listpack
 *
 * Behind it stands its length (encoding byte included) in groups of seven bits, the lowest group last; every byte but
 * the first of them has bit 7 set, so it can be read from its end. */
enum { STR32 = 0xF0, INT16 = 0xF1, INT24 = 0xF2, INT32 = 0xF3, INT64 = 0xF4, END = 0xFF, COUNT_UNKNOWN = 0xFFFF };

static int64_t sign_extend(uint64_t v, unsigned bits)
{
    const uint64_t top = UINT64_C(1) << (bits - 1);
    return (int64_t)((v ^ top) - top);
}

size_t lp_bytes(const lp_t *lp) { return le_get_u32(lp); }

static void set_header(lp_t *lp, size_t bytes, size_t count)
{
    le_put(lp, 4, bytes);
    le_put(lp + 4, 2, count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN);
}

/* Bytes of the element at @at without the length behind it; 0 if the encoding byte is none. Looks at 5 bytes at most,
 * and only at as many as the encoding byte asks for. */
static size_t body_bytes(const lp_t *at)
{
    const size_t b = at[0];
    if (b < 0x80) return 1;
    if (b < 0xC0) return 1 + (b & 0x3F);
    if (b < 0xE0) return 2;
    if (b < 0xF0) return 2 + ((b & 0x0F) << 8 | at[1]);
    switch (b) {
    case STR32: return 5 + le_get_u32(at + 1);
    case INT16: return 3;
    case INT24: return 4;
    case INT32: return 5;
    case INT64: return 9;
    default: return 0;
    }
}

/* Bytes that the length behind an element takes. The bounds are Redis's own, one below what would fit: its check of
 * foreign bytes computes with them, so another choice would be refused there. */
static unsigned tail_bytes(size_t body)
{
    if (body <= 127) return 1;
    if (body < 16383) return 2;
    if (body < 2097151) return 3;
    if (body < 268435455) return 4;
    return 5;
}

static void put_tail(lp_t *to, size_t body)
{
    const unsigned n = tail_bytes(body);
    for (unsigned i = n; i-- > 0; body >>= 7) to[i] = (lp_t)((body & 127) | (i > 0 ? 128 : 0));
}

static const lp_t *step(const lp_t *at)
{
    const size_t body = body_bytes(at);
    assert(body > 0);
    return at + body + tail_bytes(body);
}

/* An element as it will stand in memory: `head` (the whole of an integer), then the bytes of the string. */
struct form {
    lp_t head[9];
    unsigned head_bytes;
    struct span text;
    size_t body, whole;
};

static void form_int(struct form *f, int64_t v)
{
    if (v >= 0 && v <= 127) {
        f->head[0] = (lp_t)v;
        f->head_bytes = 1;
    } else if (v >= -4096 && v <= 4095) {
        const uint64_t u = (uint64_t)v & 0x1FFF;
        f->head[0] = (lp_t)(0xC0 | u >> 8);
        f->head[1] = (lp_t)u;
        f->head_bytes = 2;
    } else {
        const unsigned kind = v >= INT16_MIN && v <= INT16_MAX   ? INT16
                              : v >= -(1 << 23) && v < 1 << 23   ? INT24
                              : v >= INT32_MIN && v <= INT32_MAX ? INT32
                                                                 : INT64;
        static const unsigned char width[] = {2, 3, 4, 8};
        f->head[0] = (lp_t)kind;
        f->head_bytes = 1 + width[kind - INT16];
        le_put(f->head + 1, width[kind - INT16], (uint64_t)v);
    }
}

static void form_of_int(struct form *f, int64_t v)
{
    f->text = (struct span){0};
    form_int(f, v);
    f->body = f->head_bytes;
    f->whole = f->body + tail_bytes(f->body);
}

static void form_of(struct form *f, struct span s)
{
    int64_t v;
    f->text = (struct span){0};
    if (s.n <= NUM_I64_MAX_TEXT && num_parse_i64(s, &v)) {
        form_int(f, v);
    } else {
        f->text = s;
        if (s.n < 64) {
            f->head[0] = (lp_t)(0x80 | s.n);
            f->head_bytes = 1;
        } else if (s.n < 4096) {
            f->head[0] = (lp_t)(0xE0 | s.n >> 8);
            f->head[1] = (lp_t)s.n;
            f->head_bytes = 2;
        } else {
            f->head[0] = STR32;
            le_put(f->head + 1, 4, s.n);
            f->head_bytes = 5;
        }
    }
    f->body = f->head_bytes + f->text.n;
    f->whole = f->body + tail_bytes(f->body);
}

static void put_form(lp_t *to, const struct form *f)
{
    memcpy(to, f->head, f->head_bytes);
    if (f->text.n) memcpy(to + f->head_bytes, f->text.p, f->text.n);
    put_tail(to + f->body, f->body);
}

lp_t *lp_new(void)
{
    lp_t *lp = mem_alloc(LP_HEADER_BYTES + 1);
    set_header(lp, LP_HEADER_BYTES + 1, 0);
    lp[LP_HEADER_BYTES] = END;
    return lp;
}

void lp_free(lp_t *lp) { mem_free(lp); }

lp_t *lp_dup(const lp_t *lp) { return mem_dup(lp, lp_bytes(lp)); }

size_t lp_count(const lp_t *lp)
{
    const size_t count = le_get_u16(lp + 4);
    if (count != COUNT_UNKNOWN) return count;
    size_t n = 0;
    for (const lp_t *at = lp + LP_HEADER_BYTES; *at != END; at = step(at)) n++;
    return n;
}

const lp_t *lp_first(const lp_t *lp)
{
    const lp_t *at = lp + LP_HEADER_BYTES;
    return *at == END ? NULL : at;
}

const lp_t *lp_last(const lp_t *lp) { return lp_prev(lp, lp + lp_bytes(lp) - 1); }

const lp_t *lp_next(const lp_t *lp, const lp_t *at)
{
    (void)lp;
    at = step(at);
    return *at == END ? NULL : at;
}

const lp_t *lp_prev(const lp_t *lp, const lp_t *at)
{
    if (at == lp + LP_HEADER_BYTES) return NULL;
    size_t body = 0;
    for (unsigned shift = 0;; shift += 7) {
        const size_t b = *--at;
        body |= (b & 127) << shift;
        if (b < 128) return at - body;
    }
}

const lp_t *lp_seek(const lp_t *lp, int64_t index)
{
    const size_t stored = le_get_u16(lp + 4);
    if (stored != COUNT_UNKNOWN) {
        const int64_t count = (int64_t)stored;
        if (index >= count || index < -count) return NULL;
        /* Come from the nearer end. */
        if (index >= 0 && index > count / 2) index -= count;
        else if (index < 0 && -index > count / 2 + 1) index += count;
    }
    const lp_t *at;
    if (index >= 0) {
        at = lp_first(lp);
        while (at && index-- > 0) at = lp_next(lp, at);
    } else {
        at = lp_last(lp);
        while (at && ++index < 0) at = lp_prev(lp, at);
    }
    return at;
}

bool lp_get_int(const lp_t *at, int64_t *v)
{
    const uint64_t b = at[0];
    if (b < 0x80) *v = (int64_t)b;
    else if (b < 0xC0) return false;
    else if (b < 0xE0) *v = sign_extend((b & 0x1F) << 8 | at[1], 13);
    else if (b == INT16) *v = sign_extend(le_get_u16(at + 1), 16);
    else if (b == INT24) *v = sign_extend(((uint64_t)le_get_u16(at + 1) | (uint64_t)at[3] << 16), 24);
    else if (b == INT32) *v = sign_extend(le_get_u32(at + 1), 32);
    else if (b == INT64) *v = (int64_t)le_get_u64(at + 1);
    else return false;
    return true;
}

/* The bytes of an element that is stored as a string. */
static struct span text_of(const lp_t *at)
{
    const size_t b = at[0];
    if (b < 0xC0) return span_of(at + 1, b & 0x3F);
    if (b < 0xF0) return span_of(at + 2, (b & 0x0F) << 8 | at[1]);
    return span_of(at + 5, le_get_u32(at + 1));
}

struct span lp_get(const lp_t *at, char *scratch)
{
    int64_t v;
    if (lp_get_int(at, &v)) return span_of(scratch, num_format_i64(scratch, v));
    return text_of(at);
}

bool lp_equal(const lp_t *at, struct span s)
{
    int64_t mine, other;
    if (lp_get_int(at, &mine)) return s.n <= NUM_I64_MAX_TEXT && num_parse_i64(s, &other) && mine == other;
    return span_eq(text_of(at), s);
}

const lp_t *lp_find(const lp_t *lp, const lp_t *from, struct span s, unsigned skip)
{
    (void)lp;
    if (!from) return NULL;
    int64_t wanted = 0, v;
    const bool is_int = s.n <= NUM_I64_MAX_TEXT && num_parse_i64(s, &wanted);
    unsigned pass = 0;
    for (const lp_t *at = from; *at != END; at = step(at)) {
        if (pass > 0) {
            pass--;
            continue;
        }
        pass = skip;
        if (lp_get_int(at, &v) ? is_int && v == wanted : span_eq(text_of(at), s)) return at;
    }
    return NULL;
}

bool lp_fits(const lp_t *lp, struct span s) { return s.n <= LP_MAX_BYTES && lp_bytes(lp) + s.n + 10 <= LP_MAX_BYTES; }

/* Replace @cut bytes at offset @at by @room bytes that the caller then fills; the header gets @count elements. */
static lp_t *splice(lp_t *lp, size_t at, size_t cut, size_t room, size_t count)
{
    const size_t old = lp_bytes(lp), bytes = old - cut + room;
    assert(bytes <= LP_MAX_BYTES && at + cut < old);
    if (bytes > old && bytes > mem_size(lp)) lp = mem_realloc(lp, bytes);
    memmove(lp + at + room, lp + at + cut, old - at - cut);
    set_header(lp, bytes, count);
    /* Give back what a large deletion freed; small slack is kept for the next insertion. */
    if (bytes < old && bytes < mem_size(lp) / 2) lp = mem_realloc(lp, bytes);
    return lp;
}

/* The stored count moved by @by; an unknown one stays unknown. */
static size_t count_after(const lp_t *lp, int64_t by)
{
    const size_t count = le_get_u16(lp + 4);
    return count == COUNT_UNKNOWN ? count : (size_t)((int64_t)count + by);
}

static lp_t *insert_form(lp_t *lp, size_t offset, const struct form *f)
{
    lp = splice(lp, offset, 0, f->whole, count_after(lp, 1));
    put_form(lp + offset, f);
    return lp;
}

static lp_t *replace_form(lp_t *lp, const lp_t **at, const struct form *f)
{
    const size_t offset = (size_t)(*at - lp), cut = (size_t)(step(*at) - *at);
    lp = splice(lp, offset, cut, f->whole, count_after(lp, 0));
    put_form(lp + offset, f);
    *at = lp + offset;
    return lp;
}

lp_t *lp_append_int(lp_t *lp, int64_t v)
{
    struct form f;
    form_of_int(&f, v);
    return insert_form(lp, lp_bytes(lp) - 1, &f);
}

lp_t *lp_replace_int(lp_t *lp, const lp_t **at, int64_t v)
{
    struct form f;
    form_of_int(&f, v);
    return replace_form(lp, at, &f);
}

lp_t *lp_insert(lp_t *lp, const lp_t *at, struct span s, const lp_t **inserted)
{
    struct form f;
    form_of(&f, s);
    const size_t offset = at ? (size_t)(at - lp) : lp_bytes(lp) - 1;
    lp = insert_form(lp, offset, &f);
    if (inserted) *inserted = lp + offset;
    return lp;
}

lp_t *lp_append(lp_t *lp, struct span s) { return lp_insert(lp, NULL, s, NULL); }

lp_t *lp_prepend(lp_t *lp, struct span s) { return lp_insert(lp, lp_first(lp), s, NULL); }

lp_t *lp_replace(lp_t *lp, const lp_t **at, struct span s)
{
    struct form f;
    form_of(&f, s);
    return replace_form(lp, at, &f);
}

lp_t *lp_delete(lp_t *lp, const lp_t **at, size_t n)
{
    const lp_t *end = *at;
    size_t gone = 0;
    for (; gone < n && *end != END; gone++) end = step(end);
    const size_t offset = (size_t)(*at - lp), cut = (size_t)(end - *at);
    lp = splice(lp, offset, cut, 0, count_after(lp, -(int64_t)gone));
    *at = lp[offset] == END ? NULL : lp + offset;
    return lp;
}

/* Does a whole element stand between @at and @end (where the end mark is)? *whole is its size. */
static bool element_valid(const lp_t *at, const lp_t *end, size_t *whole)
{
    const size_t left = (size_t)(end - at);
    const size_t b = at[0];
    const size_t looked_at = b >= 0xE0 && b < 0xF0 ? 2 : b == STR32 ? 5 : 1;
    if (left < looked_at) return false;
    const size_t body = body_bytes(at);
    if (body == 0 || body >= left) return false;
    const unsigned tail = tail_bytes(body);
    if (left - body < tail) return false;
    lp_t expected[5];
    put_tail(expected, body);
    *whole = body + tail;
    return memcmp(at + body, expected, tail) == 0;
}

bool lp_valid(const void *bytes, size_t n)
{
    const lp_t *lp = bytes;
    if (n < LP_HEADER_BYTES + 1 || n > LP_MAX_BYTES || lp_bytes(lp) != n || lp[n - 1] != END) return false;
    const lp_t *at = lp + LP_HEADER_BYTES, *end = lp + n - 1;
    size_t count = 0, whole = 0;
    for (; at < end; at += whole, count++)
        if (!element_valid(at, end, &whole)) return false;
    const size_t stored = le_get_u16(lp + 4);
    return stored == COUNT_UNKNOWN || stored == count;
}
