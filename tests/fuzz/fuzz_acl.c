/* ACL files and rules: whatever the text, it is taken or refused with a reason; what is taken has a description that makes equal
 * users, who may do the same; and no rule changes anything if one of them is refused. */
#include <stdlib.h>
#include <string.h>

#include "common/engine.h"
#include "server/acl.h"
#include "server/acl_check.h"
#include "server/words.h"
#include "tests/fuzz/target.h"

enum { RULES_MAX = 64 };

static void require_same(const struct acl *a, const struct acl *b)
{
    struct buf x = {0}, y = {0};
    acl_format(a, &x);
    acl_format(b, &y);
    REQUIRE(span_eq(buf_span(&x), buf_span(&y)));
    buf_free(&x);
    buf_free(&y);
}

/* Two users may do the same with every command. */
static void require_same_rights(const struct command_set *commands, const struct acl_user *a,
                                const struct acl_user *b)
{
    struct span argv[8];
    REQUIRE(a->unlimited == b->unlimited);
    for (size_t i = 0; i < command_count(commands); i++) {
        const struct command_entry *e = command_at(commands, i);
        size_t at_a = 0, at_b = 0, argc = 5;
        argv[0] = span_str(e->name);
        for (size_t j = 1; j < 8; j++) argv[j] = j % 3 ? SPAN("1") : SPAN("key");
        while (argc && !command_arity_fits(e, argc)) argc--;
        if (argc == 0) continue;
        REQUIRE(acl_check(a, e, argv, argc, &at_a) == acl_check(b, e, argv, argc, &at_b));
        REQUIRE(at_a == at_b && at_a < argc);
    }
}

/* The text as an ACL file. */
static void as_file(const struct command_set *commands, struct span text)
{
    struct acl *acl = acl_new(commands), *again = acl_new(commands), *before = NULL;
    struct buf errors = {0}, written = {0};
    if (acl_parse(acl, text, "f", &before, &errors) == ERR_OK) {
        REQUIRE(errors.len == 0);
        acl_free(before);
        acl_format(acl, &written);
        REQUIRE(acl_parse(again, buf_span(&written), "f", &before, &errors) == ERR_OK);
        require_same(acl, again);
        for (size_t i = 0; i < acl_count(acl); i++) require_same_rights(commands, acl_at(acl, i), acl_at(again, i));
    } else {
        REQUIRE(errors.len > 0);
        require_same(acl, again);
    }
    acl_free(before);
    acl_free(acl);
    acl_free(again);
    buf_free(&errors);
    buf_free(&written);
}

/* The text as the rules of ACL SETUSER, divided by zero bytes: so they may hold white space. */
static void as_rules(const struct command_set *commands, struct span text)
{
    struct acl *acl = acl_new(commands);
    struct span rules[RULES_MAX];
    struct acl_failure f = {.why = ""};
    size_t n = 0;
    while (n < RULES_MAX && word_next(&text, '\0', &rules[n])) n++;
    for (size_t i = 0; i < n; i++) {
        struct acl_user *before = NULL;
        struct acl *untouched = acl_new(commands), *old = NULL;
        struct buf was = {0}, errors = {0};
        acl_format(acl, &was);
        REQUIRE(acl_parse(untouched, buf_span(&was), "f", &old, &errors) == ERR_OK);
        if (!acl_set_user(acl, SPAN("u"), rules + i, n - i < 3 ? n - i : 3, &before, &f)) {
            REQUIRE(memchr(f.rule, 0, sizeof f.rule));
            require_same(acl, untouched);
        }
        acl_user_free(before);
        acl_free(untouched);
        acl_free(old);
        buf_free(&was);
    }
    struct buf text_of_all = {0};
    acl_format(acl, &text_of_all);
    as_file(commands, buf_span(&text_of_all));
    buf_free(&text_of_all);
    acl_free(acl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4000) return 0;
    struct command_set *commands = command_set_new();
    engine_add_commands(commands);
    const struct span text = span_of(data + 1, size - 1);
    if (data[0] % 2) as_file(commands, text);
    else as_rules(commands, text);
    command_set_free(commands);
    return 0;
}
