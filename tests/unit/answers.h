/* Replies and logs as one line each, for tests of commands. A test file has its fixture in a variable `f`.
 *
 *     EXPECT("*2|$1|a|$-1|", "MGET k none");       what a command answers, its line ends as '|'
 *     EXPECT_LOG("SET k v\n");                     what was logged since the last look */
#pragma once

#include <criterion/criterion.h>

#include "tests/unit/engine_fixture.h"

static inline const char *answer(const char *reply, char *to, size_t room)
{
    size_t n = 0;
    for (const char *p = reply; *p && n + 1 < room; p++)
        if (*p == '\n') to[n++] = '|';
        else if (*p != '\r') to[n++] = *p;
    to[n] = 0;
    return to;
}

#define EXPECT(expected, ...)                                                       \
    do {                                                                            \
        char answer_text[4096];                                                     \
        (void)answer(fixture_do(&f, __VA_ARGS__), answer_text, sizeof answer_text); \
        cr_expect_str_eq(answer_text, expected, "got %s", answer_text);             \
    } while (0)

#define EXPECT_LOG(expected)                              \
    do {                                                  \
        const char *logged = fixture_log(&f);             \
        cr_expect_str_eq(logged, expected, "%s", logged); \
    } while (0)
