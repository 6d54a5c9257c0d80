#include <criterion/criterion.h>

#include "common/call.h"

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
