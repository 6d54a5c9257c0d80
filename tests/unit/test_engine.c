#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(engine, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)

Test(engine, what_was_set_is_read_back)
{
    EXPECT("+OK\r\n", "SET k v");
    EXPECT("$1\r\nv\r\n", "GET k");
    EXPECT("$-1\r\n", "GET other");
    EXPECT(":1\r\n", "DEL k other");
    EXPECT("$-1\r\n", "GET k");
}

Test(engine, a_write_is_logged_as_it_came_and_a_read_is_not)
{
    fixture_do(&f, "SET k v");
    fixture_do(&f, "GET k");
    fixture_do(&f, "DEL nothing");
    cr_expect_str_eq(fixture_log(&f), "SET k v\n");
}
