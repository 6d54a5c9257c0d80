#include <criterion/criterion.h>
#include <stdio.h>

#include "common/engine.h"
#include "server/acl.h"
#include "server/acl_check.h"
#include "server/acl_log.h"
#include "server/words.h"

static const struct command config_rows[] = {
    COMMAND("CONFIG|GET", "name+", "", "1.0.0", "", CMD_ADMIN, 0, NO_KEYS, NULL),
    COMMAND("CONFIG|SET", "{name value}+", "", "1.0.0", "", CMD_ADMIN, 0, NO_KEYS, NULL),
    COMMANDS_END,
};

static const struct command rows[] = {
    COMMAND("AUTH", "[username] password", "", "1.0.0", "", CMD_FAST | CMD_NO_AUTH, ACL_CONNECTION, NO_KEYS, NULL),
    COMMAND("PUBLISH", "channel message", "", "2.0.0", "", CMD_PUBSUB | CMD_FAST, 0, NO_KEYS, NULL),
    COMMAND("SUBSCRIBE", "channel+", "", "2.0.0", "", CMD_PUBSUB, 0, NO_KEYS, NULL),
    COMMAND("PSUBSCRIBE", "pattern+", "", "2.0.0", "", CMD_PUBSUB, 0, NO_KEYS, NULL),
    COMMAND("UNSUBSCRIBE", "[channel+]", "", "2.0.0", "", CMD_PUBSUB, 0, NO_KEYS, NULL),
    COMMAND_CONTAINER("CONFIG", "", "2.0.0", 0, config_rows),
    COMMANDS_END,
};

static struct command_set *commands;
static struct acl *acl;

static void begin(void)
{
    commands = command_set_new();
    engine_add_commands(commands);
    command_set_add(commands, rows, 0);
    acl = acl_new(commands);
}

static void end(void)
{
    acl_free(acl);
    command_set_free(commands);
}

TestSuite(acl, .init = begin, .fini = end);

enum { MOST = 64 };

static size_t split(const char *text, struct span words[MOST])
{
    struct span rest = span_str(text);
    size_t n = 0;
    while (n < MOST && word_next(&rest, ' ', &words[n])) n++;
    return n;
}

/* Apply rules to the user "u"; the answer as ACL SETUSER would give it, or "". */
static const char *set(const char *rules)
{
    static char answer[1024];
    struct span words[MOST];
    struct acl_failure f;
    const size_t n = split(rules, words);
    answer[0] = '\0';
    if (acl_set_user(acl, SPAN("u"), words, n, NULL, &f)) return answer;
    (void)snprintf(answer, sizeof answer, "%s|%s", f.rule, f.why ? f.why : "open");
    return answer;
}

static void expect_rules(const char *rules, const char *description)
{
    struct buf text = {0};
    cr_expect_str_eq(set("reset"), "");
    cr_expect_str_eq(set(rules), "", "%s", rules);
    acl_user_describe(acl_find(acl, SPAN("u")), &text);
    buf_add_char(&text, '\0');
    cr_expect_str_eq(text.p, description, "%s", rules);
    text.len = 0;
    struct acl *again = acl_new(commands), *before = NULL;
    struct buf errors = {0};
    acl_format(acl, &text);
    cr_expect_eq(acl_parse(again, buf_span(&text), "text", &before, &errors), ERR_OK, "%.*s", (int)errors.len,
                 errors.p);
    struct buf second = {0};
    acl_format(again, &second);
    cr_expect(span_eq(buf_span(&text), buf_span(&second)), "%.*s is read as %.*s", (int)text.len, text.p,
              (int)second.len, second.p);
    acl_free(before);
    acl_free(again);
    buf_free(&errors);
    buf_free(&second);
    buf_free(&text);
}

/* "" or what is denied: "command", "key x", "channel x". */
static const char *denied(const char *request)
{
    static char what[256];
    struct span argv[MOST];
    const size_t argc = split(request, argv);
    const struct command_entry *e = command_find(commands, argv[0], argc > 1 ? argv[1] : SPAN(""));
    size_t index = 0;
    cr_assert(e != NULL && command_arity_fits(e, argc), "%s", request);
    const enum acl_verdict v = acl_check(acl_find(acl, SPAN("u")), e, argv, argc, &index);
    what[0] = '\0';
    if (v == ACL_DENIED_COMMAND) return "command";
    if (v != ACL_OK)
        (void)snprintf(what, sizeof what, "%s %.*s", acl_log_reason(v), (int)argv[index].n, argv[index].p);
    return what;
}

#define EXPECT_DENIED(request, what) cr_expect_str_eq(denied(request), what, "%s", request)
#define EXPECT_ALLOWED(request)      EXPECT_DENIED(request, "")

Test(acl, the_default_user_may_do_everything_without_a_password)
{
    cr_expect(acl_default(acl)->unlimited);
    cr_expect(acl_is_open(acl));
    cr_expect_eq(acl_authenticate(acl, SPAN("default"), SPAN("anything")), acl_default(acl));
    cr_expect_null(acl_authenticate(acl, SPAN("nobody"), SPAN("anything")));
}

Test(acl, a_new_user_is_off_and_may_do_nothing)
{
    cr_expect_str_eq(set(""), "");
    struct acl_user *u = acl_find(acl, SPAN("u"));
    cr_assert(u != NULL && !u->on && !u->open && !u->unlimited);
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("")));
    EXPECT_DENIED("GET k", "command");
    EXPECT_ALLOWED("AUTH u x");
}

Test(acl, a_description_keeps_the_rules_that_count_in_their_order)
{
    expect_rules("", "off sanitize-payload resetchannels -@all");
    expect_rules("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all");
    expect_rules("+@all -@dangerous +keys", "off sanitize-payload resetchannels +@all -@dangerous +keys");
    expect_rules("+GET -get +Get", "off sanitize-payload resetchannels -@all +get");
    expect_rules("+config|get -config|set +config", "off sanitize-payload resetchannels -@all +config");
    expect_rules("+get -@all +@READ", "off sanitize-payload resetchannels -@all +@read");
    expect_rules("+select|0 +select|Abc +select|ABC",
                 "off sanitize-payload resetchannels -@all +select|0 +select|Abc");
    expect_rules("+select +select|0", "off sanitize-payload resetchannels -@all +select");
    expect_rules("+select|0 -select", "off sanitize-payload resetchannels -@all -select");
}

Test(acl, patterns_are_listed_once_with_all_their_access)
{
    expect_rules("~a %R~b %W~c %RW~d %wr~e", "off sanitize-payload ~a %R~b %W~c ~d ~e resetchannels -@all");
    expect_rules("%R~a %W~a %R~b ~b", "off sanitize-payload ~a ~b resetchannels -@all");
    expect_rules("&x &y* &x", "off sanitize-payload resetchannels &x &y* -@all");
    expect_rules("~a allkeys resetkeys ~b", "off sanitize-payload ~b resetchannels -@all");
}

Test(acl, selectors_are_listed_behind_the_root)
{
    expect_rules("( +get ~q* ) (+@all -set %R~z allchannels)",
                 "off sanitize-payload resetchannels -@all (~q* resetchannels -@all +get) (%R~z &* +@all -set)");
    expect_rules("(~a) () clearselectors", "off sanitize-payload resetchannels -@all");
    expect_rules("(~a)x ~b)", "off sanitize-payload resetchannels -@all (~a)x ~b resetchannels -@all)");
}

Test(acl, rules_that_are_none_are_refused_in_the_words_of_redis)
{
    static const struct {
        const char *rule, *answer;
    } table[] = {
        {"+foo", "+foo|Unknown command or category name in ACL"},
        {"+@foo", "+@foo|Unknown command or category name in ACL"},
        {"+", "+|Unknown command or category name in ACL"},
        {"+|", "+||Unknown command or category name in ACL"},
        {"+get|", "+get||Syntax error"},
        {"-get|", "-get||Unknown command or category name in ACL"},
        {"-get|x", "-get|x|Unknown command or category name in ACL"},
        {"+get|a|b", "+get|a|b|Unknown command or category name in ACL"},
        {"+config|", "+config||Syntax error"},
        {"+config|x", "+config|x|Unknown command or category name in ACL"},
        {"+config|get|x", "+config|get|x|Allowing first-arg of a subcommand is not supported"},
        {"%X~a", "%X~a|Syntax error"},
        {"%~a", "%~a|Syntax error"},
        {"%RR~a", "%RR~a|Syntax error"},
        {"%R", "%R|Syntax error"},
        {"bla", "bla|Syntax error"},
        {"(on)", "(on)|Syntax error"},
        {"(~a) +get)", "+get)|Unknown command or category name in ACL"},
        {"(~a)", ""},
        {"( ~a +get", "(|open"},
        {"(~a (+get )", "(~a|open"},
        {"(", "(|open"},
        {"#abc",
         "#abc|The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"},
        {"!abc",
         "!abc|The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_expect_str_eq(set(table[i].rule), table[i].answer, "%s", table[i].rule);
}

Test(acl, a_password_stands_in_no_error)
{
    cr_expect_str_eq(set("<secret"), "<|The password you are trying to remove from the user does not exist");
    cr_expect_str_eq(set("(>secret)"), "(>|Syntax error");
}

Test(acl, white_space_and_zero_bytes_have_no_place_in_rules_and_names)
{
    static const struct span bad[] = {{"~a b", 4},  {"&a\nb", 4}, {"+get|a b", 8},
                                      {"~a\0b", 4}, {"\0", 1},    {"%R~\t", 4}};
    struct acl_failure f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_null(acl_set_user(acl, SPAN("u"), &bad[i], 1, NULL, &f), "rule %zu", i);
    cr_expect_not(acl_rules_name_fits(SPAN("a b")));
    cr_expect_not(acl_rules_name_fits(SPAN("a\0b")));
    cr_expect_not(acl_rules_name_fits(SPAN("")));
    cr_expect(acl_rules_name_fits(SPAN("a\xff~")));
}

Test(acl, all_rules_are_applied_or_none)
{
    cr_expect_str_eq(set("on +get >p"), "");
    cr_expect_str_neq(set("off -get nopass bla"), "");
    cr_expect(acl_find(acl, SPAN("u"))->on);
    EXPECT_DENIED("GET k", "key k");
    cr_expect_not(acl_find(acl, SPAN("u"))->open);
}

Test(acl, passwords_are_kept_as_hashes_and_any_of_them_opens)
{
    cr_expect_str_eq(set("on >abc >abc >two "
                         "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
                     "");
    struct acl_user *u = acl_find(acl, SPAN("u"));
    cr_expect_eq(u->hash_count, 2);
    cr_expect_eq(acl_authenticate(acl, SPAN("u"), SPAN("abc")), u);
    cr_expect_eq(acl_authenticate(acl, SPAN("u"), SPAN("two")), u);
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("ab")));
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("")));
    cr_expect_str_eq(set("<abc"), "");
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("abc")));
    cr_expect_str_eq(set("off"), "");
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("two")));
    cr_expect_str_eq(set("on nopass"), "");
    cr_expect_eq(acl_authenticate(acl, SPAN("u"), SPAN("whatever")), u);
    cr_expect_str_eq(set("resetpass"), "");
    cr_expect_null(acl_authenticate(acl, SPAN("u"), SPAN("whatever")));
}

Test(acl, the_setting_requirepass_is_the_password_of_the_default_user)
{
    acl_set_password(acl, SPAN("p"));
    cr_expect_not(acl_is_open(acl));
    cr_expect_null(acl_authenticate(acl, SPAN("default"), SPAN("x")));
    cr_expect_eq(acl_authenticate(acl, SPAN("default"), SPAN("p")), acl_default(acl));
    acl_set_password(acl, SPAN(""));
    cr_expect(acl_is_open(acl));
}

Test(acl, commands_are_checked_with_their_subcommands_and_first_arguments)
{
    cr_expect_str_eq(set("~* +get +config|get +select|0"), "");
    EXPECT_ALLOWED("gEt k");
    EXPECT_ALLOWED("CONFIG GET maxmemory");
    EXPECT_DENIED("CONFIG SET maxmemory 1", "command");
    EXPECT_ALLOWED("SELECT 0");
    EXPECT_DENIED("SELECT 1", "command");
    EXPECT_DENIED("SET k v", "command");
    cr_expect_str_eq(set("+config -config|set"), "");
    EXPECT_ALLOWED("CONFIG GET maxmemory");
    EXPECT_DENIED("CONFIG SET maxmemory 1", "command");
    cr_expect_str_eq(set("-select"), "");
    EXPECT_DENIED("SELECT 0", "command");
}

Test(acl, categories_hold_the_commands_that_command_info_says)
{
    cr_expect_str_eq(set("~* +@read -@hash"), "");
    EXPECT_ALLOWED("GET k");
    EXPECT_ALLOWED("LRANGE k 0 1");
    EXPECT_DENIED("HGET k f", "command");
    EXPECT_DENIED("SET k v", "command");
    cr_expect_str_eq(set("+@all -@dangerous"), "");
    EXPECT_DENIED("KEYS *", "command");
    EXPECT_DENIED("CONFIG SET a b", "command");
    EXPECT_ALLOWED("SET k v");
}

Test(acl, keys_are_checked_for_what_is_done_with_them)
{
    cr_expect_str_eq(set("+@all %R~r* %W~w* ~b*"), "");
    EXPECT_ALLOWED("GET r1");
    EXPECT_DENIED("GET w1", "key w1");
    EXPECT_DENIED("SET r1 v", "key r1");
    EXPECT_ALLOWED("SET w1 v");
    EXPECT_DENIED("SET w1 v GET", "key w1");
    EXPECT_ALLOWED("SET b1 v GET");
    EXPECT_ALLOWED("COPY r1 w1");
    EXPECT_DENIED("COPY w1 r1", "key w1");
    EXPECT_ALLOWED("EXISTS r1 w1 b1");
    EXPECT_DENIED("EXISTS r1 x1", "key x1");
    EXPECT_DENIED("MSET b1 v x v b2 v", "key x");
}

Test(acl, the_patterns_of_one_key_are_not_added_up)
{
    cr_expect_str_eq(set("+@all %R~*x %W~x*"), "");
    EXPECT_DENIED("SET x v GET", "key x");
    EXPECT_DENIED("INCR x", "key x");
}

Test(acl, a_command_is_allowed_only_if_one_selector_allows_all_of_it)
{
    cr_expect_str_eq(set("+get ~a* (+set ~b*) (+mset ~c* ~d*)"), "");
    EXPECT_ALLOWED("GET a");
    EXPECT_ALLOWED("SET b v");
    EXPECT_DENIED("GET b", "key b");
    EXPECT_DENIED("SET a v", "key a");
    EXPECT_DENIED("MSET c v a v", "key a");
    EXPECT_ALLOWED("MSET c v d v");
    EXPECT_DENIED("DEL a", "command");
}

Test(acl, the_selector_that_came_furthest_gives_the_reason)
{
    cr_expect_str_eq(set("+mset ~a (+mset ~a ~b) (+get ~*)"), "");
    EXPECT_DENIED("MSET a 1 b 2 c 3", "key c");
    EXPECT_DENIED("MSET a 1 c 3", "key c");
}

Test(acl, channels_are_patterns_and_patterns_are_taken_literally)
{
    cr_expect_str_eq(set("+@pubsub &news:* &x"), "");
    EXPECT_ALLOWED("SUBSCRIBE news:1 x");
    EXPECT_DENIED("SUBSCRIBE news:1 y", "channel y");
    EXPECT_ALLOWED("PSUBSCRIBE news:*");
    EXPECT_DENIED("PSUBSCRIBE news:1*", "channel news:1*");
    EXPECT_ALLOWED("PSUBSCRIBE x");
    EXPECT_ALLOWED("PUBLISH news:2 hello");
    EXPECT_DENIED("PUBLISH other hello", "channel other");
    EXPECT_ALLOWED("UNSUBSCRIBE other");
}

Test(acl, a_user_who_may_do_all_is_known_for_it)
{
    cr_expect_str_eq(set("+@all ~* &*"), "");
    cr_expect(acl_find(acl, SPAN("u"))->unlimited);
    cr_expect_str_eq(set("-get"), "");
    cr_expect_not(acl_find(acl, SPAN("u"))->unlimited);
    cr_expect_str_eq(set("+get"), "");
    cr_expect(acl_find(acl, SPAN("u"))->unlimited);
    cr_expect_str_eq(set("resetchannels"), "");
    cr_expect_not(acl_find(acl, SPAN("u"))->unlimited);
    cr_expect_str_eq(set("(+@all ~* &*)"), "");
    cr_expect(acl_find(acl, SPAN("u"))->unlimited);
}

Test(acl, sort_may_look_at_other_keys_if_all_may_be_read)
{
    const struct span argv[] = {SPAN("SORT"), SPAN("k")};
    const struct command_entry *e = command_find(commands, argv[0], argv[1]);
    cr_expect_str_eq(set("+sort ~k*"), "");
    cr_expect_not(acl_check_reads_all_keys(acl_find(acl, SPAN("u")), e, argv, 2));
    cr_expect_str_eq(set("%W~*"), "");
    cr_expect_not(acl_check_reads_all_keys(acl_find(acl, SPAN("u")), e, argv, 2));
    cr_expect_str_eq(set("(+get ~*)"), "");
    cr_expect_not(acl_check_reads_all_keys(acl_find(acl, SPAN("u")), e, argv, 2));
    cr_expect_str_eq(set("(%R~* +sort)"), "");
    cr_expect(acl_check_reads_all_keys(acl_find(acl, SPAN("u")), e, argv, 2));
}

Test(acl, a_key_that_is_named_behind_a_trick_is_found)
{
    cr_expect_str_eq(set("+@all ~src ~ok ~LIMIT ~STORE ~ASC"), "");
    EXPECT_DENIED("SORT src STORE secret GET store LIMIT 0 1", "key secret");
    EXPECT_DENIED("SORT src BY store LIMIT 0 1 STORE secret", "key secret");
    EXPECT_DENIED("SORT src STORE secret BY store ASC", "key secret");
    EXPECT_ALLOWED("SORT src STORE STORE");
    EXPECT_ALLOWED("SORT src STORE secret STORE ok");
    EXPECT_DENIED("GEORADIUS src 1 1 1 km STORE STOREDIST ASC", "key STOREDIST");
    EXPECT_DENIED("SORT src STORE ok STORE secret", "key secret");
    EXPECT_ALLOWED("GEORADIUS src 1 1 1 km STORE secret STORE ok");
    EXPECT_DENIED("GEORADIUS src 1 1 1 km STORE ok STORE secret", "key secret");
    EXPECT_DENIED("GEORADIUS src 1 1 1 km STOREDIST ok STORE secret", "key secret");
    EXPECT_DENIED("GEORADIUSBYMEMBER src STORE 1 km STORE ok STOREDIST secret", "key secret");
    EXPECT_DENIED("XREAD COUNT 1 STREAMS STREAMS ok 0 0", "key STREAMS");
    EXPECT_DENIED("XREADGROUP GROUP STREAMS c STREAMS secret >", "key secret");
    EXPECT_DENIED("ZUNIONSTORE ok 2 src secret", "key secret");
    EXPECT_DENIED("ZUNIONSTORE secret 1 src", "key secret");
    EXPECT_DENIED("LMPOP 2 ok secret LEFT", "key secret");
    EXPECT_DENIED("MEMORY USAGE secret", "key secret");
    EXPECT_DENIED("OBJECT ENCODING secret", "key secret");
    EXPECT_DENIED("BITOP AND ok src secret", "key secret");
    EXPECT_DENIED("RENAME ok secret", "key secret");
}

Test(acl, users_are_read_from_text_with_every_mistake_named)
{
    static const char text[] = "user a on +get\nuser\nfoo\n\nuser a off\n  user b (~a\t\nuser c +foo\nuser d >x <y";
    struct buf errors = {0};
    struct acl *before = NULL;
    cr_expect_eq(acl_parse(acl, SPAN(text), "f", &before, &errors), ERR_INVALID);
    buf_add_char(&errors, '\0');
    cr_expect_str_eq(
        errors.p,
        "f:2: should start with user keyword followed by the username. "
        "f:3: should start with user keyword followed by the username. "
        "f:5: Duplicate user 'a' found. f:6: Unmatched parenthesis in selector definition. "
        "f:7: Error in applying operation '+foo': Unknown command or category name in ACL. "
        "f:8: Error in applying operation '<': The password you are trying to remove from the user does not "
        "exist. ");
    cr_expect_null(before);
    cr_expect_eq(acl_count(acl), 1);
    buf_free(&errors);
}

Test(acl, a_text_that_names_the_default_user_says_all_of_it)
{
    struct buf errors = {0};
    struct acl *before = NULL;
    cr_expect_eq(acl_parse(acl, SPAN("user z on\nuser default on >p +get\nuser b off\n"), "f", &before, &errors),
                 ERR_OK);
    cr_expect_not(acl_is_open(acl));
    cr_expect_not(acl_default(acl)->unlimited);
    cr_expect_eq(acl_count(acl), 3);
    cr_expect(span_eq(acl_at(acl, 0)->name, SPAN("b")));
    acl_free(before);
    cr_expect_eq(acl_parse(acl, SPAN(""), "f", &before, &errors), ERR_OK);
    cr_expect_eq(acl_count(acl), 1);
    cr_expect(acl_default(acl)->unlimited);
    acl_free(before);
}

Test(acl, a_user_is_taken_out_but_not_the_default_one)
{
    cr_expect_str_eq(set("on"), "");
    struct acl_user *u = acl_take(acl, SPAN("u"));
    cr_expect_not_null(u);
    acl_user_free(u);
    cr_expect_null(acl_find(acl, SPAN("u")));
    cr_expect_null(acl_take(acl, SPAN("u")));
    cr_expect_null(acl_take(acl, SPAN("default")));
}

Test(acl, losing_a_channel_is_noticed)
{
    struct acl_user *before = NULL;
    struct acl_failure f;
    struct span rules[MOST];
    cr_expect_str_eq(set("&a &b* (&c)"), "");
    struct acl_user *u = acl_set_user(acl, SPAN("u"), rules, split("resetchannels &b* (&a) &x", rules), &before, &f);
    cr_expect(acl_user_hears_as_much(u, before));
    acl_user_free(before);
    u = acl_set_user(acl, SPAN("u"), rules, split("resetchannels", rules), &before, &f);
    cr_expect_not(acl_user_hears_as_much(u, before));
    cr_expect_not(acl_check_channel(u, SPAN("b1"), false));
    cr_expect(acl_check_channel(u, SPAN("c"), false));
    acl_user_free(before);
}

Test(acl, new_users_may_hear_all_channels_if_the_setting_says_so)
{
    acl_set_channels_default(acl, true);
    cr_expect_str_eq(set("+subscribe"), "");
    EXPECT_ALLOWED("SUBSCRIBE any");
    cr_expect_str_eq(set("resetchannels"), "");
    EXPECT_DENIED("SUBSCRIBE any", "channel any");
    cr_expect_str_eq(set("reset +subscribe"), "");
    EXPECT_ALLOWED("SUBSCRIBE any");
}

static void log_key(struct acl_log *l, const char *key, int64_t now_ms)
{
    acl_log_add(l, ACL_DENIED_KEY, "toplevel", span_str(key), SPAN("u"), SPAN("id=1"), now_ms);
}

Test(acl, equal_denials_within_a_minute_are_one_entry)
{
    struct acl_log *l = acl_log_new();
    log_key(l, "a", 1000);
    log_key(l, "b", 2000);
    log_key(l, "a", 61000);
    cr_expect_eq(acl_log_count(l), 2);
    cr_expect_eq(acl_log_at(l, 0)->count, 2);
    cr_expect_eq(acl_log_at(l, 0)->created_ms, 1000);
    cr_expect_eq(acl_log_at(l, 0)->updated_ms, 61000);
    cr_expect(span_eq(buf_span(&acl_log_at(l, 0)->object), SPAN("a")));
    log_key(l, "b", 62001);
    cr_expect_eq(acl_log_count(l), 3);
    acl_log_add(l, ACL_DENIED_KEY, "multi", SPAN("b"), SPAN("u"), SPAN("id=1"), 62001);
    cr_expect_eq(acl_log_count(l), 4);
    acl_log_reset(l);
    cr_expect_eq(acl_log_count(l), 0);
    acl_log_free(l);
}

Test(acl, the_log_is_bounded)
{
    struct acl_log *l = acl_log_new();
    char key[4096];
    acl_log_set_max(l, 3);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof key, "%02d%*s", i, 4000, "x");
        log_key(l, key, i);
    }
    cr_expect_eq(acl_log_count(l), 3);
    cr_expect_eq(acl_log_at(l, 0)->id, 9);
    cr_expect_lt(acl_log_at(l, 0)->object.len, 2000);
    log_key(l, key, 10);
    cr_expect_eq(acl_log_count(l), 3);
    cr_expect_eq(acl_log_at(l, 0)->count, 2);
    acl_log_set_max(l, 0);
    log_key(l, "x", 11);
    cr_expect_eq(acl_log_count(l), 0);
    acl_log_free(l);
}
