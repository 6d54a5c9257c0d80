#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/role_file.h"

static char dir[] = "/tmp/relevo-role-XXXXXX";

static void enter(void) { cr_assert(mkdtemp(dir) != NULL); }

static void leave(void)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/relevo.role", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

static void expect_role(const char *configured, const char *role)
{
    char text[ROLE_TEXT_MAX];
    struct errmsg m = {{0}};
    cr_expect_eq(role_file_read(dir, configured, text, &m), 0, "%s", m.text);
    cr_expect_str_eq(text, role);
}

TestSuite(role_file, .init = enter, .fini = leave);

Test(role_file, without_a_note_the_setting_decides)
{
    expect_role("10.0.0.1 6379", "10.0.0.1 6379");
    expect_role("", "");
}

Test(role_file, a_promoted_replica_stays_primary)
{
    struct errmsg m;
    cr_assert_eq(role_file_write(dir, "10.0.0.1 6379", "", &m), 0);
    expect_role("10.0.0.1 6379", "");
}

Test(role_file, a_primary_that_was_made_a_replica_stays_one)
{
    struct errmsg m;
    cr_assert_eq(role_file_write(dir, "", "10.0.0.2 6380", &m), 0);
    expect_role("", "10.0.0.2 6380");
}

Test(role_file, another_setting_overrules_the_note)
{
    struct errmsg m;
    cr_assert_eq(role_file_write(dir, "10.0.0.1 6379", "", &m), 0);
    expect_role("10.0.0.3 6379", "10.0.0.3 6379");
    expect_role("", "");
}

Test(role_file, a_damaged_note_is_refused)
{
    char path[256], text[ROLE_TEXT_MAX];
    struct errmsg m = {{0}};
    (void)snprintf(path, sizeof path, "%s/relevo.role", dir);
    FILE *f = fopen(path, "w");
    (void)fputs("nonsense\n", f);
    (void)fclose(f);
    cr_expect_eq(role_file_read(dir, "", text, &m), ERR_CORRUPT);
}
