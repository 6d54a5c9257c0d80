#include "common/rdb_legacy.h"

#include "common/num.h"

/*     ziplist: | bytes u32 le | offset of the last entry u32 le | count u16 le | entry ... | 0xFF |
 *     entry:   | length of the one before: u8, or 0xFE and u32 le | encoding | data |
 *
 *     encoding 00xxxxxx: string of x bytes            0xC0, D0, E0, F0, FE: integer of 2, 4, 8, 3, 1 bytes, le
 *              01xxxxxx x8: 14-bit length, be         0xF1 .. 0xFD: integer 0 .. 12
 *              10000000 u32 be: 32-bit length */
enum { ZIPLIST_END = 0xFF, COUNT_UNKNOWN = 0xFFFF };

static bool take_previous_length(struct cursor *c, uint32_t *n)
{
    uint8_t first;
    if (!take_u8(c, &first) || first == ZIPLIST_END) return false;
    *n = first;
    return first < 0xFE || take_u32le(c, n);
}

static bool take_signed(struct cursor *c, unsigned bytes, int64_t *v)
{
    unsigned char raw[8];
    if (!take_bytes(c, raw, bytes)) return false;
    uint64_t u = 0;
    for (unsigned i = bytes; i-- > 0;) u = u << 8 | raw[i];
    const uint64_t top = UINT64_C(1) << (8 * bytes - 1);
    *v = bytes == 8 ? (int64_t)u : (int64_t)((u ^ top) - top);
    return true;
}

static bool take_integer(struct cursor *c, unsigned encoding, int64_t *v)
{
    switch (encoding) {
    case 0xC0: return take_signed(c, 2, v);
    case 0xD0: return take_signed(c, 4, v);
    case 0xE0: return take_signed(c, 8, v);
    case 0xF0: return take_signed(c, 3, v);
    case 0xFE: return take_signed(c, 1, v);
    default: break;
    }
    *v = (int64_t)(encoding & 0x0F) - 1;
    return encoding >= 0xF1 && encoding <= 0xFD;
}

static bool take_string_length(struct cursor *c, unsigned encoding, uint32_t *n)
{
    uint8_t low;
    switch (encoding >> 6) {
    case 0: *n = encoding; return true;
    case 1:
        if (!take_u8(c, &low)) return false;
        *n = (encoding & 0x3F) << 8 | low;
        return true;
    default: return encoding == 0x80 && take_u32be(c, n);
    }
}

/* One entry's data, borrowed or formatted into @scratch. */
static bool take_element(struct cursor *c, char *scratch, struct span *element)
{
    uint8_t encoding;
    uint32_t n;
    int64_t v;
    if (!take_u8(c, &encoding)) return false;
    if (encoding < 0xC0) return take_string_length(c, encoding, &n) && take_span(c, n, element);
    if (!take_integer(c, encoding, &v)) return false;
    *element = span_of(scratch, num_format_i64(scratch, v));
    return true;
}

enum err rdb_ziplist_each(struct span bytes, rdb_element *visit, void *context)
{
    struct cursor c = cursor_of(bytes);
    uint32_t total, tail, previous;
    uint16_t count;
    if (!take_u32le(&c, &total) || !take_u32le(&c, &tail) || !take_u16le(&c, &count)) return ERR_CORRUPT;
    if (total != bytes.n) return ERR_CORRUPT;
    size_t n = 0, length = 0, last = (size_t)(c.at - bytes.p);
    while (cursor_left(&c) > 1) {
        char scratch[NUM_I64_MAX_TEXT];
        struct span element;
        const char *begin = c.at;
        if (!take_previous_length(&c, &previous) || previous != length) return ERR_CORRUPT;
        if (!take_element(&c, scratch, &element)) return ERR_CORRUPT;
        const enum err e = visit(context, element);
        if (e) return e;
        last = (size_t)(begin - bytes.p);
        length = (size_t)(c.at - begin);
        n++;
    }
    uint8_t end;
    if (!take_u8(&c, &end) || end != ZIPLIST_END || tail != last) return ERR_CORRUPT;
    return count == COUNT_UNKNOWN || count == n ? ERR_OK : ERR_CORRUPT;
}

/*     zipmap: | count u8, 254: unknown | (field value) ... | 0xFF |
 *     field:  | length: u8, or 0xFE and u32 le | bytes |
 *     value:  | length | unused u8 | bytes | unused bytes | */
static bool take_zipmap_length(struct cursor *c, uint32_t *n)
{
    uint8_t first;
    if (!take_u8(c, &first) || first == 0xFF) return false;
    *n = first;
    return first < 0xFE || take_u32le(c, n);
}

enum err rdb_zipmap_each(struct span bytes, rdb_element *visit, void *context)
{
    struct cursor c = cursor_of(bytes);
    uint8_t count, unused, end;
    uint32_t n;
    size_t pairs = 0;
    if (!take_u8(&c, &count)) return ERR_CORRUPT;
    while (cursor_left(&c) > 1) {
        struct span field, value, gap;
        if (!take_zipmap_length(&c, &n) || !take_span(&c, n, &field)) return ERR_CORRUPT;
        if (!take_zipmap_length(&c, &n) || !take_u8(&c, &unused)) return ERR_CORRUPT;
        if (!take_span(&c, n, &value) || !take_span(&c, unused, &gap)) return ERR_CORRUPT;
        enum err e = visit(context, field);
        if (!e) e = visit(context, value);
        if (e) return e;
        pairs++;
    }
    if (!take_u8(&c, &end) || end != 0xFF) return ERR_CORRUPT;
    return count >= 254 || count == pairs ? ERR_OK : ERR_CORRUPT;
}
