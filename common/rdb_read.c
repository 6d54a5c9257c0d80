#include "common/rdb_read.h"

#include <endian.h>
#include <liblzf/lzf.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "common/num.h"
#include "common/rdb_format.h"

enum { CHUNK_BYTES = 64 << 10 };

/* An LZF reference of 3 bytes stands for 264 at most: what claims to grow more is no LZF. */
enum { LZF_MAX_GROWTH = 88 };

void rdb_reader_init(struct rdb_reader *r, const struct rdb_source *source, size_t max_string, struct errmsg *m)
{
    *r = (struct rdb_reader){.source = source, .max_string = max_string, .m = m, .chunk = mem_alloc(CHUNK_BYTES)};
}

void rdb_reader_free(struct rdb_reader *r)
{
    mem_free(r->chunk);
    buf_free(&r->packed);
}

enum err rdb_fail(struct rdb_reader *r, enum err e, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(r->m, e, "%s, at offset %llu", text, (unsigned long long)r->offset);
}

static void sum_taken(struct rdb_reader *r)
{
    rdb_sum_add(&r->sum, span_of(r->chunk + r->summed, r->at - r->summed));
    r->summed = r->at;
}

uint64_t rdb_reader_crc(struct rdb_reader *r)
{
    sum_taken(r);
    return r->sum.crc;
}

static enum err pull(struct rdb_reader *r, void *to, size_t n, size_t *got)
{
    TRY(r->source->read(r->source->context, to, n, got, r->m));
    return *got > 0 ? ERR_OK : rdb_fail(r, ERR_TRUNCATED, "the file ends in the middle");
}

enum err rdb_read(struct rdb_reader *r, void *to, size_t n)
{
    char *p = to;
    while (n > 0) {
        if (r->at == r->end) {
            sum_taken(r);
            r->at = r->end = r->summed = 0;
            TRY(pull(r, r->chunk, CHUNK_BYTES, &r->end));
        }
        const size_t here = n < r->end - r->at ? n : r->end - r->at;
        memcpy(p, r->chunk + r->at, here);
        r->at += here;
        r->offset += here;
        p += here;
        n -= here;
    }
    return ERR_OK;
}

enum err rdb_read_u8(struct rdb_reader *r, unsigned *v)
{
    unsigned char b;
    TRY(rdb_read(r, &b, 1));
    *v = b;
    return ERR_OK;
}

enum err rdb_read_u32le(struct rdb_reader *r, uint32_t *v)
{
    TRY(rdb_read(r, v, sizeof *v));
    *v = le32toh(*v);
    return ERR_OK;
}

enum err rdb_read_u64le(struct rdb_reader *r, uint64_t *v)
{
    TRY(rdb_read(r, v, sizeof *v));
    *v = le64toh(*v);
    return ERR_OK;
}

enum err rdb_read_double(struct rdb_reader *r, double *v)
{
    uint64_t bits;
    TRY(rdb_read_u64le(r, &bits));
    memcpy(v, &bits, sizeof *v);
    return ERR_OK;
}

enum err rdb_read_text_double(struct rdb_reader *r, double *v)
{
    enum { NOT_A_NUMBER = 253, INFINITE = 254, MINUS_INFINITE = 255 };
    unsigned n;
    char text[256];
    TRY(rdb_read_u8(r, &n));
    if (n == NOT_A_NUMBER) return rdb_fail(r, ERR_CORRUPT, "a score is not a number");
    if (n == INFINITE || n == MINUS_INFINITE) {
        *v = n == INFINITE ? __builtin_inf() : -__builtin_inf();
        return ERR_OK;
    }
    TRY(rdb_read(r, text, n));
    return num_parse_double(span_of(text, n), v) ? ERR_OK : rdb_fail(r, ERR_CORRUPT, "a score is not a number");
}

/* A length or, with the upper two bits set, the first byte of a special string. */
static enum err read_length(struct rdb_reader *r, uint64_t *n, unsigned *special)
{
    unsigned first, second;
    uint32_t n32;
    *special = 0;
    TRY(rdb_read_u8(r, &first));
    switch (first & 0xC0) {
    case RDB_LEN_6: *n = first; return ERR_OK;
    case RDB_LEN_14:
        TRY(rdb_read_u8(r, &second));
        *n = (first & 0x3F) << 8 | second;
        return ERR_OK;
    case RDB_LEN_SPECIAL: *special = first; return ERR_OK;
    default: break;
    }
    if (first == RDB_LEN_32) {
        TRY(rdb_read(r, &n32, sizeof n32));
        *n = be32toh(n32);
        return ERR_OK;
    }
    if (first != RDB_LEN_64) return rdb_fail(r, ERR_CORRUPT, "no length begins with byte 0x%02x", first);
    TRY(rdb_read(r, n, sizeof *n));
    *n = be64toh(*n);
    return ERR_OK;
}

enum err rdb_read_number(struct rdb_reader *r, uint64_t *v)
{
    unsigned special;
    TRY(read_length(r, v, &special));
    return special ? rdb_fail(r, ERR_CORRUPT, "a string stands where a number should") : ERR_OK;
}

/* Can @n more bytes be there? */
static bool is_left(const struct rdb_reader *r, uint64_t n)
{
    return r->source->size == 0 || (r->offset <= r->source->size && n <= r->source->size - r->offset);
}

enum err rdb_read_count(struct rdb_reader *r, uint64_t *n)
{
    TRY(rdb_read_number(r, n));
    return is_left(r, *n)
               ? ERR_OK
               : rdb_fail(r, ERR_CORRUPT, "%llu elements do not fit into what is left", (unsigned long long)*n);
}

static enum err check_string_length(struct rdb_reader *r, uint64_t n, size_t limit)
{
    if (n > limit) return rdb_fail(r, ERR_CORRUPT, "a string of %llu bytes", (unsigned long long)n);
    if (!is_left(r, n))
        return rdb_fail(r, ERR_CORRUPT, "a string of %llu bytes does not fit into what is left",
                        (unsigned long long)n);
    return ERR_OK;
}

/* @n bytes into the empty @to, in pieces that double: a lie about the length costs no more memory than there are bytes. */
static enum err read_bytes(struct rdb_reader *r, uint64_t n, size_t limit, struct buf *to)
{
    TRY(check_string_length(r, n, limit));
    while (to->len < n) {
        const size_t most = to->len > CHUNK_BYTES ? to->len : CHUNK_BYTES;
        const size_t here = n - to->len < most ? (size_t)(n - to->len) : most;
        TRY(rdb_read(r, buf_room(to, here), here));
        to->len += here;
    }
    return ERR_OK;
}

static enum err read_lzf(struct rdb_reader *r, size_t limit, struct buf *to)
{
    uint64_t packed, plain;
    TRY(rdb_read_number(r, &packed));
    TRY(rdb_read_number(r, &plain));
    TRY(check_string_length(r, packed, limit));
    if (plain == 0 || plain > limit || plain > UINT32_MAX || packed > UINT32_MAX || plain > packed * LZF_MAX_GROWTH)
        return rdb_fail(r, ERR_CORRUPT, "a compressed string of %llu bytes", (unsigned long long)plain);
    buf_reset(&r->packed, CHUNK_BYTES);
    TRY(read_bytes(r, packed, limit, &r->packed));
    const unsigned got = lzf_decompress(r->packed.p, (unsigned)packed, buf_room(to, (size_t)plain), (unsigned)plain);
    if (got != plain) return rdb_fail(r, ERR_CORRUPT, "a compressed string is damaged");
    to->len = got;
    return ERR_OK;
}

static enum err read_int(struct rdb_reader *r, unsigned form, struct buf *to)
{
    uint32_t v = 0;
    const size_t width = form == RDB_INT8 ? 1 : form == RDB_INT16 ? 2 : 4;
    TRY(rdb_read(r, &v, width));
    v = le32toh(v);
    const int64_t signed_v = width == 1 ? (int8_t)v : width == 2 ? (int16_t)v : (int32_t)v;
    to->len = num_format_i64(buf_room(to, NUM_I64_MAX_TEXT), signed_v);
    return ERR_OK;
}

static enum err read_any(struct rdb_reader *r, size_t limit, struct buf *to)
{
    uint64_t n = 0;
    unsigned special;
    TRY(read_length(r, &n, &special));
    if (!special) return read_bytes(r, n, limit, to);
    if (special == RDB_LZF) return read_lzf(r, limit, to);
    if (special <= RDB_INT32) return read_int(r, special, to);
    return rdb_fail(r, ERR_CORRUPT, "no string begins with byte 0x%02x", special);
}

enum err rdb_read_string(struct rdb_reader *r, struct buf *to)
{
    buf_reset(to, CHUNK_BYTES);
    return read_any(r, r->max_string, to);
}

enum err rdb_read_blob(struct rdb_reader *r, struct buf *to)
{
    buf_free(to);
    TRY(read_any(r, LP_MAX_BYTES, to));
    to->p = mem_realloc(to->p, to->len);
    to->cap = to->len;
    return ERR_OK;
}
