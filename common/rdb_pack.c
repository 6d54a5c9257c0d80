/* A value's layout is a pattern of atoms, the key in front:
 *
 *     s          a string            l  a length     r  a string that stays as it is
 *     1 4 8 @    1, 4, 8, 16 bytes   [...]  a length, and so many times what is within
 *
 * The state is the place in the pattern, and for each bracket that is open how many times are left. An atom is taken when
 * all of it is there; what is there of one that is not whole waits in `pending`. */
#include "common/rdb_pack.h"

#include <assert.h>
#include <endian.h>
#include <liblzf/lzf.h>

#include "common/mem.h"
#include "common/rdb_format.h"

enum { NESTED_MAX = 4, HEADER_BYTES = 9 };

static const char *const patterns[] = {
    [RDB_STRING] = "ss",
    [RDB_LIST] = "s[s]",
    [RDB_SET] = "s[s]",
    [RDB_HASH] = "s[ss]",
    [RDB_ZSET_2] = "s[s8]",
    [RDB_SET_INTSET] = "ss",
    [RDB_LIST_QUICKLIST] = "s[s]",
    [RDB_HASH_LISTPACK] = "ss",
    [RDB_ZSET_LISTPACK] = "ss",
    [RDB_SET_LISTPACK] = "ss",
    [RDB_LIST_QUICKLIST_2] = "s[ls]",
    [RDB_STREAM_LISTPACKS_2] = "s[ss]llllllll[slll[@8l][s8[@]]]",
};

struct loop {
    const char *begin; /* behind its '[' */
    uint64_t left;
};

struct rdb_packer {
    const char *at; /* in a pattern; at its end an opcode comes */
    struct loop loops[NESTED_MAX];
    unsigned depth;
    uint64_t copy; /* bytes that pass without a look */
    bool begun, passing;
    struct buf pending;
};

struct rdb_packer *rdb_packer_new(void)
{
    struct rdb_packer *p = MEM_NEW(struct rdb_packer);
    p->at = "";
    return p;
}

void rdb_packer_free(struct rdb_packer *p)
{
    if (!p) return;
    buf_free(&p->pending);
    mem_free(p);
}

/* The pattern behind an opcode; NULL: it is not known, or nothing more is to be looked at. */
static const char *pattern_of(unsigned opcode)
{
    switch (opcode) {
    case RDB_AUX: return "rr"; /* whoever looks only there need not know LZF */
    case RDB_SELECTDB:
    case RDB_IDLE: return "l";
    case RDB_RESIZEDB: return "ll";
    case RDB_EXPIRETIME_MS: return "8";
    case RDB_EXPIRETIME: return "4";
    case RDB_FREQ: return "1";
    case RDB_FUNCTION2: return "s";
    case RDB_HASH_TIMED: return "s8[lss]";
    default: return opcode < sizeof patterns / sizeof *patterns ? patterns[opcode] : NULL;
    }
}

/* A length, or a string that is kept as an integer (*size is then what follows the first byte). False: not all is there. */
static bool take_length(struct cursor *c, uint64_t *n, bool *special)
{
    uint8_t first, low;
    uint32_t n32;
    const struct cursor begin = *c;
    *special = false;
    if (!take_u8(c, &first)) return false;
    bool whole = true;
    switch (first & 0xC0) {
    case RDB_LEN_6: *n = first; break;
    case RDB_LEN_14:
        whole = take_u8(c, &low);
        if (whole) *n = (uint64_t)(first & 0x3F) << 8 | low;
        break;
    case RDB_LEN_SPECIAL:
        *special = true;
        *n = first;
        break;
    default:
        if (first == RDB_LEN_32) {
            whole = take_u32be(c, &n32);
            if (whole) *n = n32;
        } else {
            whole = take_u64be(c, n);
        }
    }
    if (!whole) *c = begin;
    return whole;
}

static void put_length(struct buf *out, uint64_t n)
{
    const uint32_t be = htobe32((uint32_t)n);
    assert(n <= UINT32_MAX);
    if (n < 1 << 14) {
        buf_add_char(out, (char)(RDB_LEN_14 | (unsigned)(n >> 8)));
        buf_add_char(out, (char)(n & 0xFF));
        return;
    }
    buf_add_char(out, (char)RDB_LEN_32);
    buf_add(out, &be, sizeof be);
}

/* The string in LZF; false, and nothing was written, if it would not be shorter by a few bytes. */
static bool pack(struct span s, struct buf *out)
{
    enum { HEAD_MOST = 1 + 5 + 5, GAIN = 4 };
    const size_t before = out->len, room = s.n - HEAD_MOST - GAIN;
    struct buf packed = {0};
    const unsigned n = lzf_compress(s.p, (unsigned)s.n, buf_room(&packed, room), (unsigned)room);
    if (n) {
        buf_add_char(out, (char)RDB_LZF);
        put_length(out, n);
        put_length(out, s.n);
        buf_add(out, packed.p, n);
    }
    buf_free(&packed);
    return out->len != before;
}

static bool take_string(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    const struct cursor begin = *c;
    uint64_t n;
    bool special;
    struct span s;
    if (!take_length(c, &n, &special)) return false;
    if (special) {
        if (n > RDB_INT32) { /* compressed already, or nothing of ours */
            p->passing = true;
            *c = begin;
            return true;
        }
        p->copy = UINT64_C(1) << (n & 3);
    } else if (*p->at == 'r' || n < RDB_PACK_LEAST || n > RDB_PACK_MOST) {
        p->copy = n;
    } else if (!take_span(c, (size_t)n, &s)) {
        *c = begin;
        return false;
    } else if (pack(s, out)) {
        return true;
    }
    buf_add(out, begin.at, (size_t)(c->at - begin.at));
    return true;
}

/* Behind the ']' of the loop that stands at @at, within as many brackets as the pattern has. */
static const char *behind(const char *at)
{
    for (unsigned depth = 1; depth; at++) {
        depth += *at == '[';
        depth -= *at == ']';
    }
    return at;
}

static bool take_count(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    const char *begin = c->at;
    uint64_t n;
    bool special;
    if (*p->at == '[' && p->depth == NESTED_MAX) return p->passing = true;
    if (!take_length(c, &n, &special)) return false;
    buf_add(out, begin, (size_t)(c->at - begin));
    p->passing |= special;
    const char kind = *p->at++;
    if (kind == 'l') return true;
    if (n == 0) p->at = behind(p->at);
    else p->loops[p->depth++] = (struct loop){.begin = p->at, .left = n};
    return true;
}

static void end_loops(struct rdb_packer *p)
{
    while (*p->at == ']') {
        struct loop *l = &p->loops[p->depth - 1];
        if (--l->left) {
            p->at = l->begin;
        } else {
            p->depth--;
            p->at++;
        }
    }
}

static bool take_opcode(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    const uint8_t opcode = (uint8_t)*c->at;
    p->at = pattern_of(opcode);
    p->passing = !p->at;
    if (p->passing) return true;
    buf_add(out, c->at++, 1);
    return true;
}

/* One atom; false: not all of it is there. */
static bool step(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    if (!cursor_left(c)) return false;
    switch (*p->at) {
    case 0: return take_opcode(p, c, out);
    case 's':
    case 'r':
        if (!take_string(p, c, out)) return false;
        p->at++;
        break;
    case 'l':
    case '[':
        if (!take_count(p, c, out)) return false;
        break;
    default: p->copy = *p->at == '@' ? 16 : (uint64_t)(*p->at - '0'); p->at++;
    }
    end_loops(p);
    return true;
}

static void copy(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    const size_t n = p->passing || p->copy > cursor_left(c) ? cursor_left(c) : (size_t)p->copy;
    buf_add(out, c->at, n);
    c->at += n;
    if (!p->passing) p->copy -= n;
}

static void take_all(struct rdb_packer *p, struct cursor *c, struct buf *out)
{
    if (!p->begun) {
        if (cursor_left(c) < HEADER_BYTES) return;
        p->begun = true;
        p->passing = memcmp(c->at, "REDIS", 5) != 0;
        p->copy = HEADER_BYTES;
    }
    while (cursor_left(c)) {
        if (p->passing || p->copy) copy(p, c, out);
        else if (!step(p, c, out)) return;
    }
}

void rdb_packer_take(struct rdb_packer *p, struct span bytes, struct buf *out)
{
    struct cursor c;
    if (p->pending.len == 0) {
        c = cursor_of(bytes);
        take_all(p, &c, out);
        buf_add(&p->pending, c.at, cursor_left(&c));
        return;
    }
    buf_add_span(&p->pending, bytes);
    c = cursor_of(buf_span(&p->pending));
    take_all(p, &c, out);
    buf_drop(&p->pending, p->pending.len - cursor_left(&c));
}

void rdb_packer_end(struct rdb_packer *p, struct buf *out)
{
    buf_add_span(out, buf_span(&p->pending));
    p->pending.len = 0;
    p->passing = true;
}
