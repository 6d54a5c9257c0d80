#include <criterion/criterion.h>

#include "common/call.h"
#include "tests/unit/rand.h"

static bool match(const char *pattern, const char *text) { return glob_match(span_str(pattern), span_str(text)); }

Test(glob, stars_and_question_marks_stand_for_bytes)
{
    cr_expect(match("*", "") && match("*", "abc") && match("", "") && match("a*c", "abbc") && match("a?c", "abc"));
    cr_expect(match("**a**", "xxaxx") && match("*a*b*", "--a--b--"));
    cr_expect_not(match("", "a") || match("a", "") || match("?", "") || match("a*c", "abcd") || match("*a*b", "ba"));
}

Test(glob, classes_stand_for_one_byte_of_a_list_or_range)
{
    cr_expect(match("[abc]", "b") && match("[a-c]x", "bx") && match("[c-a]", "b") && match("[^a]", "b"));
    cr_expect(match("[a\\]]", "]") && match("[\\-]", "-") && match("h[^e]llo", "hallo"));
    cr_expect_not(match("[abc]", "d") || match("[^a]", "a") || match("[a-c]", "") || match("[", "a"));
    cr_expect(match("[a", "a"), "a missing bracket is implied");
}

Test(glob, a_backslash_takes_the_next_byte_as_it_is)
{
    cr_expect(match("\\*", "*") && match("\\?", "?") && match("\\[a]", "[a]") && match("a\\", "a\\"));
    cr_expect_not(match("\\*", "a") || match("\\?", "a"));
}

Test(glob, a_hostile_pattern_costs_no_more_than_pattern_times_text)
{
    static char pattern[2001], text[20001];
    for (size_t i = 0; i + 1 < sizeof pattern; i += 2) memcpy(pattern + i, "a*", 2);
    memset(text, 'a', sizeof text - 1);
    cr_expect(match(pattern, text));
    pattern[sizeof pattern - 2] = 'b';
    cr_expect_not(match(pattern, text));
}

/* The naive model: a pattern as what was meant, before it was written down; tried byte by byte in every way. */
struct piece {
    enum { STAR, ANY, BYTE, LIST, NOT_LIST } kind;
    char byte, from, to; /* a list is [<byte><from>-<to>] */
};

static bool stands_for(const struct piece *p, char c)
{
    const bool listed = c == p->byte || (c >= p->from && c <= p->to);
    return p->kind == ANY || (p->kind == BYTE && c == p->byte) || (p->kind == LIST && listed) ||
           (p->kind == NOT_LIST && !listed);
}

static bool naive(const struct piece *p, size_t pieces, const char *text, size_t n)
{
    if (pieces == 0) return n == 0;
    if (p->kind != STAR) return n > 0 && stands_for(p, *text) && naive(p + 1, pieces - 1, text + 1, n - 1);
    for (size_t skip = 0; skip <= n; skip++)
        if (naive(p + 1, pieces - 1, text + skip, n - skip)) return true;
    return false;
}

static void write_piece(struct buf *to, const struct piece *p)
{
    switch (p->kind) {
    case STAR: buf_add_char(to, '*'); break;
    case ANY: buf_add_char(to, '?'); break;
    case BYTE: buf_printf(to, strchr("*?[\\", p->byte) ? "\\%c" : "%c", p->byte); break;
    default: buf_printf(to, "[%s%c%c-%c]", p->kind == NOT_LIST ? "^" : "", p->byte, p->from, p->to); break;
    }
}

Test(glob, patterns_mean_what_was_meant)
{
    static const char alphabet[] = "aabbccd*?[";
    unsigned matched = 0;
    struct rand r = {1};
    for (unsigned round = 0; round < 30000; round++) {
        struct piece pieces[7];
        struct buf pattern = {0};
        char text[9];
        const size_t count = rand_below(&r, 7), n = rand_below(&r, 9);
        for (size_t i = 0; i < count; i++) {
            const char from = (char)('a' + rand_below(&r, 3));
            pieces[i].kind = (unsigned)rand_below(&r, 5);
            pieces[i].byte = alphabet[rand_below(&r, pieces[i].kind == BYTE ? 10u : 7u)];
            pieces[i].from = from;
            pieces[i].to = (char)(from + (int)rand_below(&r, 2));
            write_piece(&pattern, &pieces[i]);
        }
        for (size_t i = 0; i < n; i++) text[i] = alphabet[rand_below(&r, 10)];
        const bool expected = naive(pieces, count, text, n);
        cr_assert_eq(glob_match(buf_span(&pattern), span_of(text, n)), expected, "round %u: %.*s and %.*s", round,
                     (int)pattern.len, pattern.p, (int)n, text);
        matched += expected;
        buf_free(&pattern);
    }
    cr_expect_gt(matched, 1000);
}
