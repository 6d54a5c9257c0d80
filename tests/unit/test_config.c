#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/config.h"

static char path[] = "/tmp/relevo-config-XXXXXX";

static void write_file(const char *text)
{
    const int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

/* The same file again, with another text. */
static void change_file(const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0);
    (void)fclose(f);
}

static char *read_file(void)
{
    static char text[16384];
    FILE *f = fopen(path, "r");
    const size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static void expect_refused(enum setting id, const char *value, const char *why)
{
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_expect_eq(config_set(c, id, span_str(value), &m), ERR_INVALID, "%s", value);
    cr_expect_str_eq(m.text, why);
    cr_expect(config_is_initial(c, id));
    config_free(c);
}

Test(config, bad_values_are_refused_in_the_words_of_redis)
{
    expect_refused(SET_APPENDONLY, "maybe", "argument must be 'yes' or 'no'");
    expect_refused(SET_APPENDFSYNC, "often", "argument(s) must be one of the following: everysec, always, no");
    expect_refused(SET_PORT, "70000", "argument must be between 0 and 65535 inclusive");
    expect_refused(SET_PORT, "12x", "argument couldn't be parsed into an integer");
    expect_refused(SET_MAX_BULK, "1zb", "argument must be a memory value");
    expect_refused(SET_SAVE, "60", "Invalid save parameters");
    expect_refused(SET_REPLICAOF, "host", "argument must be a host and a port");
}

Test(config, amounts_of_memory_take_units_in_any_case)
{
    struct config *c = config_new();
    cr_expect_eq(config_set(c, SET_MAX_BULK, SPAN("2MB"), NULL), ERR_OK);
    cr_expect_eq(config_number(c, SET_MAX_BULK), 2 << 20);
    cr_expect_eq(config_set(c, SET_MAX_BULK, SPAN("3g"), NULL), ERR_OK);
    cr_expect_eq(config_number(c, SET_MAX_BULK), INT64_C(3000000000));
    config_free(c);
}

Test(config, names_are_found_in_any_case_and_by_their_older_name)
{
    enum setting id;
    cr_expect(config_find(SPAN("APPENDonly"), &id) && id == SET_APPENDONLY);
    cr_expect(config_find(SPAN("slaveof"), &id) && id == SET_REPLICAOF);
    cr_expect_not(config_find(SPAN("appendonl"), &id));
}

Test(config, a_file_in_the_syntax_of_redis_is_read)
{
    write_file("# a comment\n\n  port 7001\nrequirepass \"a b\\x41\"\nsave 900 1\nsave 300 10\n"
               "client-output-buffer-limit pubsub 1mb 2kb 3\nreplicaof 10.0.0.1 6380");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    struct save_rule rules[SAVE_RULES_MAX];
    struct output_limit limits[OUTPUT_CLASSES];
    char host[256];
    int port = 0;
    cr_assert_eq(config_load_file(c, path, &m), ERR_OK, "%s", m.text);
    cr_expect_eq(config_number(c, SET_PORT), 7001);
    cr_expect_str_eq(config_text(c, SET_REQUIREPASS), "a bA");
    cr_assert_eq(config_save_rules(c, rules), 2);
    cr_expect(rules[1].seconds == 300 && rules[1].changes == 10);
    config_output_limits(c, limits);
    cr_expect(limits[OUTPUT_PUBSUB].hard_bytes == 1 << 20 && limits[OUTPUT_PUBSUB].soft_seconds == 3);
    cr_expect_eq(limits[OUTPUT_REPLICA].hard_bytes, 256 << 20, "the other classes stay");
    cr_expect(config_replicaof(c, host, &port) && strcmp(host, "10.0.0.1") == 0 && port == 6380);
    config_free(c);
    (void)unlink(path);
}

Test(config, a_mistake_in_a_file_is_reported_with_its_line)
{
    write_file("port 7001\n\nprot 1\n");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_expect_eq(config_load_file(c, path, &m), ERR_INVALID);
    cr_expect(strstr(m.text, "line 3") && strstr(m.text, "unknown setting 'prot'"), "%s", m.text);
    config_free(c);
    (void)unlink(path);
}

Test(config, settings_of_redis_that_mean_nothing_here_are_noted)
{
    write_file("activedefrag yes\nio-threads 1\ncluster-node-timeout 10\nSUPERVISED systemd\nport 7001\n");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_assert_eq(config_load_file(c, path, &m), ERR_OK, "%s", m.text);
    const struct span notes = buf_span(config_notes(c));
    cr_expect_eq(config_number(c, SET_PORT), 7001);
    cr_expect_eq(notes.n,
                 strlen("activedefrag has no effect: values are not moved in memory\n"
                        "a cluster's setting has no effect: there is no cluster mode\n"
                        "supervised has no effect: the process runs in the foreground\n"),
                 "%.*s", (int)notes.n, notes.p);
    config_free(c);
    (void)unlink(path);
}

Test(config, settings_of_redis_that_somebody_would_count_on_are_refused)
{
    static char *const refused[][2] = {{"--daemonize", "yes"},           {"--unixsocket", "/tmp/s"},
                                       {"--min-replicas-to-write", "1"}, {"--cluster-enabled", "yes"},
                                       {"--loadmodule", "m.so"},         {"--rdbchecksum", "no"}};
    static char *const usual[][2] = {
        {"--daemonize", "no"}, {"--min-replicas-to-write", "0"}, {"--rdbchecksum", "yes"}};
    struct config *c = config_new();
    struct errmsg m = {{0}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *argv[] = {refused[i][0], refused[i][1]};
        cr_expect_eq(config_load_args(c, 2, argv, &m), ERR_INVALID, "%s", argv[0]);
        cr_expect(strstr(m.text, "is not supported"), "%s", m.text);
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        char *argv[] = {usual[i][0], usual[i][1]};
        cr_expect_eq(config_load_args(c, 2, argv, &m), ERR_OK, "%s: %s", argv[0], m.text);
    }
    cr_expect_eq(config_notes(c)->len, 0);
    config_free(c);
}

Test(config, files_include_others)
{
    struct config *c = config_new();
    struct errmsg m = {{0}};
    char text[512];
    write_file("");
    (void)snprintf(text, sizeof text, "port 7001\ninclude %s.no-such-*\nmaxclients 5\n", path);
    change_file(text);
    cr_expect_eq(config_load_file(c, path, &m), ERR_OK, "%s", m.text);
    cr_expect_eq(config_number(c, SET_MAXCLIENTS), 5);
    (void)snprintf(text, sizeof text, "include %s.none\n", path);
    change_file(text);
    cr_expect_eq(config_load_file(c, path, &m), ERR_MISSING);
    (void)snprintf(text, sizeof text, "include %s\n", path);
    change_file(text);
    cr_expect_eq(config_load_file(c, path, &m), ERR_RANGE, "a file that includes itself: %s", m.text);
    config_free(c);
    (void)unlink(path);
}

Test(config, arguments_win_and_an_empty_save_clears)
{
    struct config *c = config_new();
    struct errmsg m = {{0}};
    struct save_rule rules[SAVE_RULES_MAX];
    char *argv[] = {"--port", "7002", "--save", "", "--bind", "127.0.0.1", "::1"};
    cr_assert_eq(config_load_args(c, 7, argv, &m), ERR_OK, "%s", m.text);
    cr_expect_eq(config_number(c, SET_PORT), 7002);
    cr_expect_eq(config_save_rules(c, rules), 0);
    cr_expect_str_eq(config_text(c, SET_BIND), "127.0.0.1 ::1");
    config_free(c);
}

Test(config, rewriting_keeps_comments_and_order_and_adds_what_changed)
{
    write_file("# mine\nport 7001\n\nsave 900 1\nsave 300 10\n# the end\n");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_assert_eq(config_load_file(c, path, &m), ERR_OK);
    cr_assert_eq(config_set(c, SET_MAXCLIENTS, SPAN("77"), &m), ERR_OK);
    cr_assert_eq(config_set(c, SET_REQUIREPASS, SPAN("a \"b\""), &m), ERR_OK);
    cr_assert_eq(config_rewrite(c, SPAN(""), path, &m), ERR_OK, "%s", m.text);
    cr_expect_str_eq(read_file(), "# mine\nport 7001\n\nsave 900 1 300 10\n# the end\n# Generated by CONFIG REWRITE\n"
                                  "maxclients 77\nrequirepass \"a \\\"b\\\"\"\n");
    struct config *again = config_new();
    cr_assert_eq(config_load_file(again, path, &m), ERR_OK, "%s", m.text);
    cr_expect_str_eq(config_text(again, SET_REQUIREPASS), "a \"b\"");
    config_free(c);
    config_free(again);
    (void)unlink(path);
}

Test(config, users_and_renamed_commands_are_lists)
{
    write_file("# users\nuser a on \">my word\" ~x\n\nrename-command CONFIG \"\"\nuser b off\n");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_assert_eq(config_load_file(c, path, &m), ERR_OK, "%s", m.text);
    const struct config_lists *l = config_lists(c);
    cr_expect(span_eq(buf_span(&l->users),
                      SPAN("\nuser a on #c7e2259250b535be57db80b66985fa5a828d6064542202215fb0948b67309d04 "
                           "~x\n\n\nuser b off\n")),
              "%.*s", (int)l->users.len, l->users.p);
    cr_assert_eq(l->rename_count, 1);
    cr_expect_str_eq(l->renames[0].from, "CONFIG");
    cr_expect_str_eq(l->renames[0].to, "");
    cr_assert_eq(config_rewrite(c, SPAN("user c on ~\"q\n"), path, &m), ERR_OK, "%s", m.text);
    config_free(c);
    c = config_new();
    cr_assert_eq(config_load_file(c, path, &m), ERR_OK, "%s", m.text);
    cr_expect(span_eq(buf_span(&config_lists(c)->users), SPAN("\nuser c on ~\"q\n")));
    cr_expect_eq(config_lists(c)->rename_count, 1);
    config_free(c);
    (void)unlink(path);
}

Test(config, a_user_line_with_white_space_in_a_rule_is_refused)
{
    write_file("user a on \"~x +@all\"\n");
    struct config *c = config_new();
    struct errmsg m = {{0}};
    cr_expect_eq(config_load_file(c, path, &m), ERR_INVALID);
    config_free(c);
    (void)unlink(path);
}
