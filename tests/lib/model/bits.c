/* Strings as runs of bits, and of numbers of any width. */
#include "tests/lib/model/model.h"

static bool bit_at(struct span s, size_t at)
{
    return at / 8 < s.n && (unsigned char)s.p[at / 8] >> (7 - at % 8) & 1;
}

static void getbit(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STRING, &k)) model_reply_int(c, bit_at(model_text(k), (size_t)model_int(c->argv[2])));
}

static void setbit(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    const size_t at = (size_t)model_int(c->argv[2]);
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    model_reply_int(c, bit_at(model_text(k), at));
    buf_add_span(&b, model_text(k));
    while (b.len <= at / 8) buf_add_char(&b, 0);
    const unsigned mask = 0x80u >> at % 8, old = (unsigned char)b.p[at / 8];
    b.p[at / 8] = (char)(model_int(c->argv[3]) ? old | mask : old & ~mask);
    model_edit_text(c, c->argv[1], buf_span(&b));
    buf_free(&b);
}

static void bitcount(struct model_call *c)
{
    struct model_key *k;
    size_t begin = 0, end;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = model_text(k);
    const bool by_bit = c->argc > 4;
    end = 8 * text.n;
    if (c->argc > 2) {
        model_byte_range(model_int(c->argv[2]), model_int(c->argv[3]), by_bit ? end : text.n, &begin, &end);
        begin *= by_bit ? 1 : 8;
        end *= by_bit ? 1 : 8;
    }
    for (size_t i = begin; i < end; i++) n += bit_at(text, i);
    model_reply_int(c, n);
}

static void bitpos(struct model_call *c)
{
    struct model_key *k;
    const bool wanted = model_int(c->argv[2]) != 0;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = model_text(k);
    size_t at = 0;
    while (at < 8 * text.n && bit_at(text, at) != wanted) at++;
    /* Behind the end all is zero; but a string that is there and empty has no bit at all. */
    model_reply_int(c, at < 8 * text.n || (!wanted && !(k && text.n == 0)) ? (int64_t)at : -1);
}

/* Before the beginning is the beginning, whichever end of the range it is. */
static int64_t from_end(int64_t at, size_t n)
{
    if (at < 0) at += (int64_t)n;
    return at < 0 ? 0 : at;
}

/* BITPOS with a beginning, perhaps an end, perhaps counted in bits. */
static void bitpos_from(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    const bool wanted = model_int(c->argv[2]) != 0, by_bit = c->argc > 5, ends = c->argc > 4;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = model_text(k);
    const size_t n = by_bit ? 8 * text.n : text.n;
    model_range(from_end(model_int(c->argv[3]), n), from_end(ends ? model_int(c->argv[4]) : -1, n), n, &begin, &end);
    begin *= by_bit ? 1 : 8;
    end *= by_bit ? 1 : 8;
    size_t at = begin;
    while (at < end && bit_at(text, at) != wanted) at++;
    if (at < end) model_reply_int(c, (int64_t)at);
    /* Behind the end all is zero, unless it was said where the end is, or nothing was looked at. */
    else if (k) model_reply_int(c, wanted || ends || begin == end ? -1 : (int64_t)end);
    else model_reply_int(c, wanted ? -1 : 0);
}

static void bitop(struct model_call *c)
{
    struct buf b = {0};
    size_t longest = 0;
    const char how = c->argv[1].p[0];
    for (size_t i = 3; i < c->argc; i++) {
        struct model_key *k;
        if (!model_get(c, i, TYPE_STRING, &k)) return;
        if (model_text(k).n > longest) longest = model_text(k).n;
    }
    for (size_t at = 0; at < longest; at++) {
        unsigned v = how == 'A' ? 0xff : 0;
        for (size_t i = 3; i < c->argc; i++) {
            const struct span s = model_text(model_find(c->model, c->argv[i]));
            const unsigned byte = at < s.n ? (unsigned char)s.p[at] : 0;
            v = how == 'A' ? v & byte : how == 'O' ? v | byte : how == 'X' ? v ^ byte : ~byte;
        }
        buf_add_char(&b, (char)v);
    }
    struct model_key *old = model_find(c->model, c->argv[2]);
    if (longest) model_put_text(c, c->argv[2], buf_span(&b));
    else if (old) model_drop(c->model, old);
    model_reply_int(c, (int64_t)longest);
    buf_free(&b);
}

/* ---- BITFIELD: each operation bit by bit, in numbers that are wide enough for all of them ---- */

struct field {
    struct buf *bytes;
    size_t at;
    unsigned width;
    bool is_signed;
};

static __int128 read_field(const struct field *f)
{
    __int128 v = 0;
    for (unsigned i = 0; i < f->width; i++) v = 2 * v + bit_at(buf_span(f->bytes), f->at + i);
    return f->is_signed && v >= (__int128)1 << (f->width - 1) ? v - ((__int128)1 << f->width) : v;
}

static void write_field(struct field *f, __int128 v)
{
    for (unsigned i = f->width; i-- > 0; v >>= 1) {
        const unsigned mask = 0x80u >> (f->at + i) % 8;
        char *byte = f->bytes->p + (f->at + i) / 8;
        *byte = (char)((unsigned char)*byte & ~mask);
        if (v & 1) *byte = (char)((unsigned char)*byte | mask);
    }
}

/* The value that the field gets for @v; false: none. */
static bool fit(const struct field *f, char overflow, __int128 *v)
{
    const __int128 size = (__int128)1 << f->width, least = f->is_signed ? -(size / 2) : 0, most = least + size - 1;
    if (*v >= least && *v <= most) return true;
    if (overflow == 'F') return false;
    if (overflow == 'S') *v = *v < least ? least : most;
    while (overflow == 'W' && *v < least) *v += (least - *v + size - 1) / size * size;
    while (overflow == 'W' && *v > most) *v -= (*v - most + size - 1) / size * size;
    return true;
}

/* One operation at argument @at; returns how many arguments it has. */
static size_t operate(struct model_call *c, size_t at, char overflow, struct buf *bytes)
{
    const bool get = model_is(c->argv[at], "GET"), set = model_is(c->argv[at], "SET");
    const struct span type = c->argv[at + 1];
    struct field f = {bytes, (size_t)model_int(c->argv[at + 2]), 0, type.p[0] == 'i'};
    f.width = (unsigned)model_int(span_of(type.p + 1, type.n - 1));
    const __int128 before = read_field(&f);
    if (get) {
        model_reply_int(c, (int64_t)before);
        return 3;
    }
    __int128 v = model_int(c->argv[at + 3]);
    /* A value to be set in a field without a sign is taken without one. */
    if (!set) v += before;
    else if (!f.is_signed && v < 0) v += (__int128)1 << 64;
    if (fit(&f, overflow, &v)) {
        write_field(&f, v);
        model_reply_int(c, (int64_t)(set ? before : v));
    } else {
        model_reply_nil(c);
    }
    return 4;
}

static void bitfield(struct model_call *c)
{
    struct model_key *k;
    struct buf bytes = {0};
    size_t count = 0, longest = 0;
    char overflow = 'W';
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    buf_add_span(&bytes, model_text(k));
    for (size_t i = 2; i + 2 < c->argc; i += model_is(c->argv[i], "GET") ? 3 : 4, count++) {
        if (model_is(c->argv[i], "OVERFLOW")) i += 2;
        const int64_t width = model_int(span_of(c->argv[i + 1].p + 1, c->argv[i + 1].n - 1));
        const size_t end = (size_t)(model_int(c->argv[i + 2]) + width + 7) / 8;
        if (!model_is(c->argv[i], "GET") && end > longest) longest = end;
    }
    while (bytes.len < longest) buf_add_char(&bytes, 0);
    model_reply_array(c, count);
    for (size_t i = 2; i < c->argc;) {
        if (model_is(c->argv[i], "OVERFLOW")) {
            overflow = c->argv[i + 1].p[0];
            i += 2;
        }
        i += operate(c, i, overflow, &bytes);
    }
    if (longest) model_edit_text(c, c->argv[1], buf_span(&bytes));
    buf_free(&bytes);
}

const struct model_command model_bitmaps[] = {
    {"SETBIT", "k b d", setbit},
    {"SETBIT", "k b d", setbit},
    {"GETBIT", "k b", getbit},
    {"BITCOUNT", "k", bitcount},
    {"BITCOUNT", "k n n", bitcount},
    {"BITCOUNT", "k n n BIT", bitcount},
    {"BITPOS", "k d", bitpos},
    {"BITPOS", "k d n", bitpos_from},
    {"BITPOS", "k d n n", bitpos_from},
    {"BITPOS", "k d n n BIT", bitpos_from},
    {"BITOP", "AND k {k}", bitop},
    {"BITOP", "OR k {k}", bitop},
    {"BITOP", "XOR k {k}", bitop},
    {"BITOP", "NOT k k", bitop},
    {"BITFIELD", "k GET y b", bitfield},
    {"BITFIELD_RO", "k GET y b GET y b", bitfield},
    {"BITFIELD", "k SET y b i", bitfield},
    {"BITFIELD", "k OVERFLOW SAT SET y b n GET y b", bitfield},
    {"BITFIELD", "k OVERFLOW FAIL SET y b n INCRBY y b n", bitfield},
    {"BITFIELD", "k {INCRBY y b i}", bitfield},
    {"BITFIELD", "k OVERFLOW SAT {INCRBY y b i}", bitfield},
    {"BITFIELD", "k OVERFLOW FAIL INCRBY y b i OVERFLOW WRAP SET y b n", bitfield},
    {NULL, NULL, NULL},
};
