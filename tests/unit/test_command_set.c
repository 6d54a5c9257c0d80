#include <criterion/criterion.h>
#include <stdio.h>

#include "common/command_docs.h"
#include "common/engine.h"

static struct command_set *set;
static void setup(void)
{
    set = command_set_new();
    engine_add_commands(set);
}
static void teardown(void) { command_set_free(set); }
TestSuite(command_set, .init = setup, .fini = teardown);

static const struct command_entry *find(const char *name, const char *sub)
{
    return command_find(set, span_str(name), span_str(sub));
}

static struct syntax_size measure(const char *text)
{
    struct syntax *list = syntax_parse(text);
    const struct syntax_size size = syntax_measure(list);
    syntax_free(list);
    return size;
}

Test(command_set, a_command_is_found_in_any_case)
{
    cr_assert(find("GeT", ""));
    cr_expect_eq(find("GeT", ""), find("get", "anything"));
    cr_expect_str_eq(find("GET", "")->name, "get");
    cr_expect(find("GET", "")->flags & CMD_ENGINE);
    cr_expect_null(find("nothing", ""));
    cr_expect_null(find("", ""));
}

Test(command_set, a_container_gives_its_subcommand_or_itself)
{
    const struct command_entry *encoding = find("object", "ENCODING");
    cr_assert(encoding && encoding->row->run);
    cr_expect_str_eq(encoding->name, "object|encoding");
    cr_expect_eq(encoding->arity, 3);
    cr_expect_eq(encoding->parent, find("object", "unknown"));
    cr_expect_null(find("object", "")->row->run);
}

Test(command_set, ids_are_dense_and_each_command_is_reached_by_its_index)
{
    static bool seen[4096];
    size_t n = 0;
    for (size_t i = 0; i < command_count(set); i++) {
        const struct command_entry *e = command_at(set, i);
        cr_assert_eq(find(e->name, ""), e);
        cr_assert_not(seen[e->id]);
        seen[e->id] = true;
        n++;
        for (size_t j = 0; j < e->sub_count; j++, n++) {
            cr_assert_not(seen[e->subs[j]->id]);
            seen[e->subs[j]->id] = true;
        }
    }
    cr_expect_eq(command_ids(set), n);
}

Test(command_set, every_row_says_what_a_reader_needs)
{
    for (size_t i = 0; i < command_count(set); i++) {
        const struct command *row = command_at(set, i)->row;
        cr_expect(row->summary[strlen(row->summary) - 1] == '.', "%s", row->name);
        cr_expect(row->since[0] && row->complexity[0], "%s", row->name);
        cr_expect((row->run != NULL) != (row->subcommands != NULL), "%s", row->name);
        cr_expect((row->deprecated != NULL) == (row->replaced_by != NULL), "%s", row->name);
        cr_expect(!(row->keys[0].flags & KEY_VARIABLE_FLAGS) == !row->key_flags, "%s", row->name);
        cr_expect(!(row->flags & CMD_WRITE) != !(row->flags & CMD_READONLY) || row->subcommands ||
                      row->flags & (CMD_LOADING | CMD_ADMIN),
                  "%s either writes or reads", row->name);
    }
}

Test(command_set, the_arity_comes_out_of_the_syntax)
{
    static const struct {
        const char *syntax;
        unsigned least;
        bool more;
    } cases[] = {
        {"", 0, false},
        {"key", 1, false},
        {"key value", 2, false},
        {"key+", 1, true},
        {"{key value}+", 2, true},
        {"key [count]", 1, true},
        {"key {LEFT|RIGHT} x", 3, false},
        {"key {A a|B b c}", 3, true},
        {"[EX seconds|PX milliseconds]", 0, true},
        {"key [NX|XX] [GT|LT] [CH] [INCR] {score member}+", 3, true},
        {"STREAMS key+ id+", 3, true},
        {"key member*", 1, true},
        {"filter={old@-2.8.12|new={[ID id]|[TYPE type]}+}", 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct syntax_size size = measure(cases[i].syntax);
        cr_expect(size.least == cases[i].least && size.more == cases[i].more, "%s: %u %d", cases[i].syntax,
                  size.least, size.more);
    }
    cr_expect_eq(find("get", "")->arity, 2);
    cr_expect_eq(find("set", "")->arity, -3);
    cr_expect(command_arity_fits(find("set", ""), 3) && command_arity_fits(find("set", ""), 9));
    cr_expect_not(command_arity_fits(find("set", ""), 2) || command_arity_fits(find("get", ""), 3));
}

static void describe(const struct syntax *list, struct buf *to)
{
    for (const struct syntax *n = list; n; n = n->next) {
        buf_add_char(to, ' ');
        argument_name(n, to);
        buf_printf(to, ":%.*s", (int)argument_type(n).n, argument_type(n).p);
        if (n->token.p) buf_printf(to, ":%.*s", (int)n->token.n, n->token.p);
        if (n->since.p) buf_printf(to, "@%.*s", (int)n->since.n, n->since.p);
        if (n->deprecated.p) buf_printf(to, "@-%.*s", (int)n->deprecated.n, n->deprecated.p);
        if (n->key_spec >= 0) buf_printf(to, "#%d", n->key_spec);
        if (n->optional) buf_add_char(to, '?');
        if (n->repeated) buf_add_char(to, '+');
        if (!n->first) continue;
        buf_add_char(to, '(');
        describe(n->first, to);
        buf_add(to, " )", 2);
    }
}

Test(command_set, arguments_are_a_tree_of_values_tokens_and_groups)
{
    static const struct {
        const char *syntax, *tree;
    } cases[] = {
        {"key seconds [NX|XX]", " key:key seconds:integer nx|xx:oneof?( nx:pure-token xx:pure-token )"},
        {"key [EX seconds|PERSIST]", " key:key seconds|persist:oneof?( seconds:integer:EX persist:pure-token )"},
        {"[LIMIT offset count]", " offset_count:block:LIMIT?( offset:integer count:integer )"},
        {"[FULL [COUNT count]]", " count:block:FULL?( count:integer:COUNT? )"},
        {"count=[{COUNT count} [ANY]@6.2.0]", " count:block?( count:integer:COUNT any:pure-token@6.2.0? )"},
        {"condition=[NX|XX]@7.0.0 [change=CH]",
         " condition:oneof@7.0.0?( nx:pure-token xx:pure-token ) change:pure-token?"},
        {"operator=[equal==|approximately=~] {*|id}+",
         " operator:oneof?( equal:pure-token approximately:pure-token ) *|id:oneof+( *:pure-token id:string )"},
        {"start(integer) [BY pattern(#1)] dst(key#2)", " start:integer pattern:pattern:BY#1? dst:key#2"},
        {"parameter={parameter}+ old@-2.8.12 member*",
         " parameter:block+( parameter:string ) old:string@-2.8.12 member:string+"},
        {"{host port|no-one={NO ONE}}", " host_port|no-one:oneof( host_port:block( host:string port:string ) "
                                        "no-one:block( no:pure-token one:pure-token ) )"},
        {"{score member}+", " score_member:block+( score:double member:string )"},
        {"[GET pattern]+", " pattern:pattern:GET?+"},
        {"[WEIGHTS weight+]", " weight:string:WEIGHTS?+"},
        {"{FROMMEMBER member|FROMLONLAT longitude latitude}",
         " member|longitude_latitude:oneof( member:string:FROMMEMBER longitude_latitude:block:FROMLONLAT( "
         "longitude:double latitude:double ) )"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0};
        struct syntax *list = syntax_parse(cases[i].syntax);
        describe(list, &text);
        buf_add_char(&text, '\0');
        cr_expect_str_eq(text.p, cases[i].tree);
        syntax_free(list);
        buf_free(&text);
    }
}

Test(command_set, syntax_for_people_has_no_annotations)
{
    static const struct {
        const char *syntax, *plain;
    } cases[] = {
        {"key condition=[NX|XX]@3.0.2 [change=CH]@3.0.2 {score member}+", "key [NX|XX] [CH] {score member}+"},
        {"start(integer) [BY pattern(#1)] member*", "start [BY pattern] member+"},
        {"operator=[equal==|approximately=~] {auto_id=*|id}", "[=|~] {*|id}"},
        {"filter={ip:port@-2.8.12|[ID client-id]@2.8.12@-9.9.9}+", "{ip:port|[ID client-id]}+"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0};
        syntax_plain(cases[i].syntax, &text);
        buf_add_char(&text, '\0');
        cr_expect_str_eq(text.p, cases[i].plain);
        buf_free(&text);
    }
}

Test(command_set, the_history_comes_out_of_the_syntax_and_the_row_a_version_at_a_time)
{
    static const struct command row = {
        .history = "10.0.0 Tenth.\n6.2.0 Sixth.",
        .syntax = "key condition=[NX|XX]@3.0.2 [LIMIT offset count]@6.2.0 [by={BEST [EVER]@3.2.10}] name@6.2.0"};
    const struct command_entry e = {.row = &row};
    struct syntax *arguments = syntax_parse(row.syntax);
    struct span version = {NULL, 0};
    struct buf text = {0}, all = {0};
    while (command_history_next(&e, arguments, &version, &text))
        buf_printf(&all, "%.*s: %.*s\n", (int)version.n, version.p, (int)text.len, text.p);
    buf_add_char(&all, '\0');
    cr_expect_str_eq(all.p, "3.0.2: Accepts `NX`, `XX`.\n3.2.10: Accepts `EVER`.\n"
                            "6.2.0: Accepts `LIMIT`, `name`. Sixth.\n10.0.0: Tenth.\n");
    syntax_free(arguments);
    buf_free(&text);
    buf_free(&all);
}

#define EXPECT_KEYS(expected, ...)                                                                                   \
    do {                                                                                                             \
        const struct span argv[] = {__VA_ARGS__};                                                                    \
        struct key_ref keys[8];                                                                                      \
        char text[64] = "";                                                                                          \
        const long n = command_keys(command_find(set, argv[0], argv[1]), argv, sizeof argv / sizeof *argv, keys, 8); \
        size_t len = (size_t)snprintf(text, sizeof text, "%ld:", n);                                                 \
        for (long i = 0; i < n && i < 8; i++)                                                                        \
            len += (size_t)snprintf(text + len, sizeof text - len, " %u", keys[i].index);                            \
        cr_expect_str_eq(text, expected);                                                                            \
    } while (0)

Test(command_set, keys_are_found_where_the_row_says)
{
    EXPECT_KEYS("1: 1", SPAN("GET"), SPAN("a"));
    EXPECT_KEYS("3: 1 2 3", SPAN("DEL"), SPAN("a"), SPAN("b"), SPAN("c"));
    EXPECT_KEYS("2: 1 3", SPAN("MSET"), SPAN("a"), SPAN("1"), SPAN("b"), SPAN("2"));
    EXPECT_KEYS("2: 1 2", SPAN("RENAME"), SPAN("a"), SPAN("b"));
    EXPECT_KEYS("3: 1 3 4", SPAN("ZUNIONSTORE"), SPAN("to"), SPAN("2"), SPAN("a"), SPAN("b"));
    EXPECT_KEYS("1: 2", SPAN("OBJECT"), SPAN("ENCODING"), SPAN("a"));
    EXPECT_KEYS("0:", SPAN("SCAN"), SPAN("0"));
    EXPECT_KEYS("-1:", SPAN("GET"), SPAN("a"), SPAN("b"));
    EXPECT_KEYS("-1:", SPAN("ZUNION"), SPAN("9"), SPAN("a"));
    EXPECT_KEYS("-1:", SPAN("ZUNION"), SPAN("x"), SPAN("a"));
    EXPECT_KEYS("-1:", SPAN("ZUNIONSTORE"), SPAN("to"), SPAN("0"), SPAN("a"));
    EXPECT_KEYS("2: 1 5", SPAN("SORT"), SPAN("a"), SPAN("STORE"), SPAN("b"), SPAN("store"), SPAN("c"));
    EXPECT_KEYS("1: 1", SPAN("SORT"), SPAN("a"), SPAN("STORE"));
}

#define EXPECT_FLAGS(expected, ...)                                                                                \
    do {                                                                                                           \
        const struct span argv[] = {__VA_ARGS__};                                                                  \
        struct key_ref key;                                                                                        \
        cr_expect_eq(command_keys(command_find(set, argv[0], argv[1]), argv, sizeof argv / sizeof *argv, &key, 1), \
                     1);                                                                                           \
        cr_expect_eq(key.flags, (expected));                                                                       \
    } while (0)

Test(command_set, what_is_done_with_a_key_may_depend_on_the_arguments)
{
    EXPECT_FLAGS(KEY_OW | KEY_UPDATE, SPAN("SET"), SPAN("a"), SPAN("get"));
    EXPECT_FLAGS(KEY_OW | KEY_UPDATE, SPAN("SET"), SPAN("a"), SPAN("b"), SPAN("NX"));
    EXPECT_FLAGS(KEY_RW | KEY_ACCESS | KEY_UPDATE, SPAN("SET"), SPAN("a"), SPAN("b"), SPAN("get"));
    EXPECT_FLAGS(KEY_RO | KEY_ACCESS, SPAN("BITFIELD"), SPAN("a"), SPAN("GET"), SPAN("u8"), SPAN("0"),
                 SPAN("OVERFLOW"), SPAN("SAT"));
    EXPECT_FLAGS(KEY_RW | KEY_ACCESS | KEY_UPDATE, SPAN("BITFIELD"), SPAN("a"), SPAN("GET"), SPAN("u8"));
    EXPECT_FLAGS(KEY_RW | KEY_ACCESS | KEY_UPDATE, SPAN("BITFIELD"), SPAN("a"), SPAN("SET"), SPAN("u8"), SPAN("0"),
                 SPAN("1"));
}

static void nothing(struct call *c) { (void)c; }

Test(command_set, a_keyword_leads_to_keys_forwards_and_backwards)
{
    static const struct command rows[] = {
        COMMAND("FROMFRONT", "[arg+]", "For this test.", "1.0.0", "O(1)", CMD_READONLY, ACL_STRING,
                KEYS_AFTER(KEY_RO, "STREAMS", 1, -1, 2), nothing),
        COMMAND("FROMBACK", "[arg+]", "For this test.", "1.0.0", "O(1)", CMD_READONLY, ACL_STRING,
                KEYS_AFTER(KEY_RO, "KEYS", -2, -1, 0), nothing),
        COMMANDS_END,
    };
    command_set_add(set, rows, 0);
    cr_expect(find("fromfront", "")->flags & CMD_MOVABLE_KEYS);
    EXPECT_KEYS("2: 2 3", SPAN("FROMFRONT"), SPAN("streams"), SPAN("a"), SPAN("b"), SPAN("1"), SPAN("2"));
    EXPECT_KEYS("1: 3", SPAN("FROMBACK"), SPAN("x"), SPAN("KEYS"), SPAN("a"));
    EXPECT_KEYS("0:", SPAN("FROMBACK"), SPAN("x"), SPAN("y"), SPAN("a"));
}

static bool has(struct words words, const char *word)
{
    for (size_t i = 0; i < words.count; i++)
        if (strcmp(words.word[i], word) == 0) return true;
    return false;
}

Test(command_set, categories_and_groups_follow_from_the_row)
{
    const struct command_entry *get = find("get", ""), *flush = find("flushall", "");
    cr_expect(has(command_category_words(get), "@read") && has(command_category_words(get), "@fast"));
    cr_expect(has(command_category_words(flush), "@write") && has(command_category_words(flush), "@slow") &&
              has(command_category_words(flush), "@dangerous"));
    cr_expect(has(command_flag_words(get), "readonly"));
    cr_expect_str_eq(command_group(get), "string");
    cr_expect_str_eq(command_group(flush), "server");
    cr_expect_str_eq(command_group(find("object", "")), "generic");
    const struct key_range range = command_key_range(find("mset", ""));
    cr_expect(range.first == 1 && range.last == -1 && range.step == 2);
}

Test(command_set, a_renamed_command_is_found_by_its_new_name_only)
{
    const struct command_entry *get = find("get", ""), *encoding = find("object", "encoding");
    cr_expect_eq(command_rename(set, SPAN("GET"), SPAN("Fetch")), ERR_OK);
    cr_expect_null(find("get", ""));
    cr_expect_eq(find("FETCH", ""), get);
    cr_expect_str_eq(get->name, "get", "what it is does not change");
    cr_expect_eq(command_find_original(set, SPAN("Get"), SPAN("")), get);
    cr_expect_eq(command_rename(set, SPAN("object"), SPAN("thing")), ERR_OK);
    cr_expect_eq(find("thing", "ENCODING"), encoding);
    cr_expect_null(find("object", "encoding"));
    cr_expect_eq(command_rename(set, SPAN("fetch"), SPAN("")), ERR_OK);
    cr_expect_null(find("fetch", ""));
    cr_expect_null(find("", ""));
    cr_expect_eq(command_rename(set, SPAN("set"), SPAN("get")), ERR_OK, "the name is free now");
    cr_expect_str_eq(find("get", "")->name, "set");
}

Test(command_set, what_cannot_be_renamed_stays)
{
    cr_expect_eq(command_rename(set, SPAN("nosuch"), SPAN("x")), ERR_MISSING);
    cr_expect_eq(command_rename(set, SPAN("get"), SPAN("SET")), ERR_EXISTS);
    cr_expect_str_eq(find("get", "")->name, "get");
    cr_expect_str_eq(find("set", "")->name, "set");
}

static void run_nothing(struct call *c) { (void)c; }

Test(command_set, a_container_takes_subcommands_from_several_tables)
{
    static const struct command first_subs[] = {
        COMMAND("BOX|ONE", "", "One.", "1.0.0", "O(1)", CMD_LOADING, 0, NO_KEYS, run_nothing), COMMANDS_END};
    static const struct command second_subs[] = {
        COMMAND("BOX|TWO", "arg", "Two.", "1.0.0", "O(1)", CMD_LOADING, 0, NO_KEYS, run_nothing), COMMANDS_END};
    static const struct command first[] = {COMMAND_CONTAINER("BOX", "A box.", "1.0.0", 0, first_subs), COMMANDS_END};
    static const struct command second[] = {COMMAND_CONTAINER("BOX", "A box.", "1.0.0", 0, second_subs),
                                            COMMANDS_END};
    struct command_set *s = command_set_new();
    command_set_add(s, first, CMD_ENGINE);
    command_set_add(s, second, 0);
    cr_expect_eq(command_count(s), 1);
    cr_expect_eq(command_ids(s), 3);
    const struct command_entry *one = command_find(s, SPAN("box"), SPAN("one")),
                               *two = command_find(s, SPAN("box"), SPAN("TWO"));
    cr_assert(one && two && one->parent == two->parent);
    cr_expect(one->flags & CMD_ENGINE && !(two->flags & CMD_ENGINE));
    cr_expect_eq(two->arity, 3);
    cr_expect_eq(command_at(s, 0)->sub_count, 2);
    command_set_free(s);
}
