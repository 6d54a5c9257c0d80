/* LCS: the longest common subsequence of two strings.
 *
 * The textbook's table (Wagner and Fischer, 1974), of which only two rows are kept at a time: the way back through it
 * asks no more than which of two neighbours is the larger, so each cell leaves one bit. Where the length alone is asked
 * for, not even that. */
#include "common/commands/lcs.h"

#include "common/call.h"
#include "common/mem.h"

struct lcs_options {
    bool length, matches, with_length;
    int64_t least; /* matches that are shorter are left out */
};

struct lcs {
    struct span a, b;
    struct lcs_options options;
    uint32_t length;
    uint64_t *up; /* bit i * b.n + j: for a[i] and b[j] the way back leads to a[i-1], else to b[j-1] */
};

/* A run of bytes that the two strings have in common: [a, a + n) and [b, b + n). */
struct lcs_match {
    size_t a, b, n;
};

static bool take_options(struct call *c, struct lcs_options *o)
{
    for (size_t i = 3; i < c->argc; i++) {
        if (span_is(c->argv[i], "IDX")) {
            o->matches = true;
        } else if (span_is(c->argv[i], "LEN")) {
            o->length = true;
        } else if (span_is(c->argv[i], "WITHMATCHLEN")) {
            o->with_length = true;
        } else if (span_is(c->argv[i], "MINMATCHLEN") && i + 1 < c->argc) {
            if (!call_int(c, c->argv[++i], &o->least)) return false;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    if (!o->length || !o->matches) return true;
    reply_error(c->reply, "ERR If you want both the length and indexes, please just use IDX.");
    return false;
}

/* Redis keeps the whole table, and so has a limit, which bounds the time too. */
static bool fits(struct call *c, size_t a, size_t b)
{
    uint64_t cells;
    if (a >= UINT32_MAX - 1 || b >= UINT32_MAX - 1) {
        reply_error(c->reply, "ERR String too long for LCS");
        return false;
    }
    if (!__builtin_mul_overflow((uint64_t)a + 1, (uint64_t)b + 1, &cells) &&
        cells <= call_max_bulk(c) / sizeof(uint32_t))
        return true;
    reply_error(c->reply, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    return false;
}

static void set_bit(uint64_t *bits, size_t at) { bits[at / 64] |= UINT64_C(1) << at % 64; }
static bool has_bit(const uint64_t *bits, size_t at) { return bits[at / 64] >> at % 64 & 1; }

/* Fill the table; sets the length and, if `up` is there, the way back. */
static void fill(struct lcs *l)
{
    /* row[j]: the length for a[..i) and b[..j), before and while i goes up by one. */
    uint32_t *row = mem_zalloc(l->b.n + 1, sizeof *row);
    for (size_t i = 0; i < l->a.n; i++) {
        uint32_t diagonal = 0; /* row[j], as it was before */
        for (size_t j = 0; j < l->b.n; j++) {
            const uint32_t above = row[j + 1], left = row[j];
            if (l->a.p[i] == l->b.p[j]) row[j + 1] = diagonal + 1;
            else if (above <= left) row[j + 1] = left;
            else if (l->up) set_bit(l->up, i * l->b.n + j);
            diagonal = above;
        }
    }
    l->length = row[l->b.n];
    mem_free(row);
}

static bool emit(struct call *c, const struct lcs *l, const struct lcs_match *m)
{
    if (m->n == 0 || (l->options.least > 0 && m->n < (uint64_t)l->options.least)) return false;
    const struct lcs_options *o = &l->options;
    reply_array(c->reply, o->with_length ? 3 : 2);
    reply_array(c->reply, 2);
    reply_int(c->reply, (int64_t)m->a);
    reply_int(c->reply, (int64_t)(m->a + m->n - 1));
    reply_array(c->reply, 2);
    reply_int(c->reply, (int64_t)m->b);
    reply_int(c->reply, (int64_t)(m->b + m->n - 1));
    if (o->with_length) reply_int(c->reply, (int64_t)m->n);
    return true;
}

/* Go back from the ends of the strings. Puts the subsequence at @text if that is not NULL, else replies the matches;
 * returns how many of them. */
static size_t go_back(struct call *c, const struct lcs *l, char *text)
{
    struct lcs_match m = {0};
    size_t i = l->a.n, j = l->b.n, at = l->length, matches = 0;
    while (i > 0 && j > 0) {
        if (l->a.p[i - 1] == l->b.p[j - 1]) {
            m = (struct lcs_match){--i, --j, m.n + 1};
            if (text) text[--at] = l->a.p[i];
            continue;
        }
        if (!text) matches += emit(c, l, &m);
        m.n = 0;
        if (has_bit(l->up, (i - 1) * l->b.n + j - 1)) i--;
        else j--;
    }
    if (!text) matches += emit(c, l, &m);
    return matches;
}

static void reply_matches(struct call *c, const struct lcs *l)
{
    reply_map(c->reply, 2);
    reply_bulk(c->reply, SPAN("matches"));
    const size_t mark = reply_begin(c->reply);
    reply_end_array(c->reply, mark, go_back(c, l, NULL));
    reply_bulk(c->reply, SPAN("len"));
    reply_int(c->reply, l->length);
}

static void reply_text(struct call *c, const struct lcs *l)
{
    char *text = mem_alloc(l->length);
    (void)go_back(c, l, text);
    reply_bulk(c->reply, span_of(text, l->length));
    mem_free(text);
}

static bool find_string(struct call *c, struct span key, char *scratch, struct span *s)
{
    const struct entry *e = call_find_any(c, key, FOR_READ);
    if (e && entry_type(e) != TYPE_STRING) return false;
    *s = e ? entry_string(e, scratch) : SPAN("");
    return true;
}

void string_lcs(struct call *c)
{
    char scratch[2][NUM_I64_MAX_TEXT];
    struct lcs l = {.options = {0}};
    if (!find_string(c, c->argv[1], scratch[0], &l.a) || !find_string(c, c->argv[2], scratch[1], &l.b)) {
        reply_error(c->reply, "ERR The specified keys must contain string values");
        return;
    }
    if (!take_options(c, &l.options) || !fits(c, l.a.n, l.b.n)) return;
    if (!l.options.length) l.up = mem_zalloc(l.a.n * l.b.n / 64 + 1, sizeof *l.up);
    fill(&l);
    if (l.options.matches) reply_matches(c, &l);
    else if (l.options.length) reply_int(c->reply, l.length);
    else reply_text(c, &l);
    mem_free(l.up);
}
