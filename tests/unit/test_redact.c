#include "server/redact.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* The words of @line as others see them. */
static const char *seen(const char *command, const char *line)
{
    static char text[300], copy[300];
    struct span argv[16];
    size_t argc = 0, n = 0;
    const struct command_entry entry = {.name = command};
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *rest = NULL, *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = span_str(word);
    for (size_t i = 0; i < argc; i++) {
        const struct span s = redact_argument(&entry, argv, i);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i ? " " : "", (int)s.n, s.p);
    }
    return text;
}

#define EXPECT_SEEN(command, line, expected) cr_expect_str_eq(seen(command, line), expected)
#define R                                    "(redacted)"

Test(redact, hides_every_password)
{
    EXPECT_SEEN("auth", "AUTH secret", "AUTH " R);
    EXPECT_SEEN("auth", "auth bob secret", "auth " R " " R);
    EXPECT_SEEN("hello", "HELLO 3 SETNAME x auth bob secret", "HELLO 3 SETNAME x auth " R " " R);
    EXPECT_SEEN("config|set", "CONFIG SET maxmemory 1 Requirepass secret masterauth more",
                "CONFIG SET maxmemory 1 Requirepass " R " masterauth " R);
    EXPECT_SEEN("acl|setuser", "ACL SETUSER bob on >secret", "ACL SETUSER " R " " R " " R);
    EXPECT_SEEN("migrate", "MIGRATE host 1 k 0 10 COPY AUTH secret", "MIGRATE host 1 k 0 10 COPY AUTH " R);
    EXPECT_SEEN("migrate", "MIGRATE host 1 k 0 10 AUTH2 bob secret KEYS k",
                "MIGRATE host 1 k 0 10 AUTH2 " R " " R " KEYS k");
}

Test(redact, hides_nothing_else)
{
    EXPECT_SEEN("set", "SET auth secret", "SET auth secret");
    EXPECT_SEEN("hello", "HELLO 3 SETNAME x", "HELLO 3 SETNAME x");
    EXPECT_SEEN("config|set", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 1");
    EXPECT_SEEN("config|get", "CONFIG GET requirepass maxmemory", "CONFIG GET requirepass maxmemory");
    EXPECT_SEEN("migrate", "MIGRATE auth auth2 k 0 10", "MIGRATE auth auth2 k 0 10");
}
