/* Libraries of functions: what loads, what is refused in Redis's words, and following the data. */
#include "common/functions.h"
#include "tests/unit/script_kit.h"

struct library_kit {
    struct script_kit *k;
    struct libraries *l;
    char said[512];
};

static void say(void *context, const char *text)
{
    struct library_kit *t = context;
    (void)snprintf(t->said, sizeof t->said, "%s", text);
}

static struct library_kit *kit_new(void)
{
    struct library_kit *t = calloc(1, sizeof *t);
    t->k = script_kit_new();
    const struct script_vm_options o = script_kit_options(t->k);
    t->l = libraries_new(&o, say, t);
    return t;
}

static void kit_free(struct library_kit *t)
{
    libraries_free(t->l);
    script_kit_free(t->k);
    free(t);
}

static const char *load(struct library_kit *t, const char *code, bool replace)
{
    struct errmsg m = {{0}};
    struct span name;
    if (!libraries_load(t->l, span_str(code), replace, &name, &m))
        (void)snprintf(t->k->text, sizeof t->k->text, "%.*s", (int)name.n, name.p);
    else (void)snprintf(t->k->text, sizeof t->k->text, "-%s", m.text);
    return t->k->text;
}

static const char *call(struct library_kit *t, const char *name)
{
    const struct span keys[] = {SPAN("k")}, args[] = {SPAN("a"), SPAN("b")};
    const struct library_function *f = libraries_find(t->l, span_str(name));
    if (!f) return "none";
    const struct script_run run = {.function = f->reference,
                                   .by_arguments = true,
                                   .keys = keys,
                                   .key_count = 1,
                                   .args = args,
                                   .arg_count = 2,
                                   .name = name};
    return script_kit_finish(t->k, libraries_vm(t->l), &run, 2);
}

#define LOADS(t, code, reply) cr_assert_str_eq(load(t, code, false), reply, "%s\n%s", code, (t)->k->text)
#define BODY(t, code, reply)  LOADS(t, "#!lua name=x\n" code, "-Error registering functions: ERR " reply)
#define CALLS(t, name, reply) cr_assert_str_eq(call(t, name), reply, "%s", (t)->k->text)

Test(library, functions_are_called_with_keys_and_arguments)
{
    struct library_kit *t = kit_new();
    LOADS(t,
          "#!lua name=lib\nlocal n = 0\nredis.register_function('f', function(keys, args) n = n + 1 "
          "return {n, keys, args, math.floor(1.5)} end)",
          "lib");
    CALLS(t, "f", "*4|:1|*1|$1|k|*2|$1|a|$1|b|:1|");
    CALLS(t, "F", "*4|:2|*1|$1|k|*2|$1|a|$1|b|:1|");
    CALLS(t, "g", "none");
    kit_free(t);
}

Test(library, a_function_sees_all_globals_but_keys_and_cannot_change_them)
{
    struct library_kit *t = kit_new();
    LOADS(t,
          "#!lua name=lib\nredis.register_function('a', function() error('foo') end)\n"
          "redis.register_function('b', function() return KEYS end)\n"
          "redis.register_function('c', function() x = 1 end)\n"
          "redis.register_function('d', function() return redis.register_function('z', function() end) end)\n",
          "lib");
    CALLS(t, "a", "-ERR user_function:2: foo script: a, on @user_function:2.|");
    CALLS(t, "b",
          "-ERR user_function:3: Script attempted to access nonexistent global variable 'KEYS' script: b, on "
          "@user_function:3.|");
    CALLS(t, "c", "-ERR user_function:4: Attempt to modify a readonly table script: c, on @user_function:4.|");
    CALLS(t, "d",
          "-ERR user_function:5: attempt to call field 'register_function' (a nil value) script: d, on "
          "@user_function:5.|");
    kit_free(t);
}

Test(library, what_is_wrong_with_a_library_is_said_as_redis_says_it)
{
    struct library_kit *t = kit_new();
    LOADS(t, "x", "-Missing library metadata");
    LOADS(t, "#!lua", "-Invalid library metadata");
    LOADS(t, "#!lua\nx", "-Library name was not given");
    LOADS(t, "#!foo name=x\nx", "-Engine 'foo' not found");
    LOADS(t, "#!lua name=x-y\nx",
          "-Library names can only contain letters, numbers, or underscores(_) and must be at least one character "
          "long");
    LOADS(t, "#!lua name=x name=y\n", "-Invalid metadata value, name argument was given multiple times");
    LOADS(t, "#!lua name=x foo=y\n", "-Invalid metadata value given: foo=y");
    LOADS(t, "#!lua name=x\nx(", "-Error compiling function: user_function:2: unexpected symbol near '<eof>'");
    LOADS(t, "#!lua name=x\nreturn 1", "-No functions registered");
    BODY(t, "x()", "user_function:2: Script attempted to access nonexistent global variable 'x'");
    BODY(t, "local p = pairs", "user_function:2: Script attempted to access nonexistent global variable 'pairs'");
    BODY(t, "redis.call('ping')", "user_function:2: Script attempted to access nonexistent global variable 'call'");
    BODY(t, "x = 1", "user_function:2: Attempt to modify a readonly table");
    BODY(t, "redis.register_function()", "wrong number of arguments to redis.register_function");
    BODY(t, "redis.register_function('a', 1)", "second argument to redis.register_function must be a function");
    BODY(t, "redis.register_function({}, function() end)",
         "first argument to redis.register_function must be a string");
    BODY(t, "redis.register_function{function_name = 'a'}", "redis.register_function must get a callback argument");
    BODY(t, "redis.register_function{callback = function() end}",
         "redis.register_function must get a function name argument");
    BODY(t, "redis.register_function{function_name = 'a', callback = function() end, flags = {'foo'}}",
         "unknown flag given");
    BODY(t, "redis.register_function{function_name = 'a', callback = function() end, foo = 1}",
         "unknown argument given to redis.register_function");
    BODY(t, "redis.register_function('a', function() end) redis.register_function('a', function() end)",
         "Function already exists in the library");
    cr_assert_eq(libraries_count(t->l), 0);
    cr_assert_eq(libraries_functions(t->l), 0);
    kit_free(t);
}

Test(library, a_library_that_does_not_end_is_stopped)
{
    struct library_kit *t = kit_new();
    t->k->stop = "ERR FUNCTION LOAD timeout";
    BODY(t, "while true do end", "FUNCTION LOAD timeout");
    t->k->stop = NULL;
    LOADS(t, "#!lua name=x\nredis.register_function('a', function() return 1 end)", "x");
    CALLS(t, "a", ":1|");
    kit_free(t);
}

Test(library, flags_and_descriptions_are_kept)
{
    struct library_kit *t = kit_new();
    LOADS(
        t,
        "#!lua name=x\nredis.register_function{function_name = 'a', callback = function() end, description = 'what', "
        "flags = {'no-writes', 'allow-cross-slot-keys', 'no-writes'}}",
        "x");
    const struct library_function *f = libraries_find(t->l, SPAN("a"));
    cr_assert_eq(f->flags, SCRIPT_NO_WRITES | SCRIPT_ALLOW_CROSS_SLOT);
    cr_assert(span_eq(f->description, SPAN("what")));
    kit_free(t);
}

Test(library, libraries_replace_and_exclude_one_another)
{
    struct library_kit *t = kit_new();
    static const char one[] = "#!lua name=one\nredis.register_function('f', function() return 1 end)",
                      new_one[] = "#!lua name=one\nredis.register_function('g', function() return 2 end)",
                      two[] = "#!lua name=two\nredis.register_function('f', function() return 3 end)";
    LOADS(t, one, "one");
    LOADS(t, one, "-Library 'one' already exists");
    LOADS(t, two, "-Function f already exists");
    cr_assert_str_eq(load(t, new_one, true), "one");
    CALLS(t, "f", "none");
    CALLS(t, "g", ":2|");
    LOADS(t, two, "two");
    cr_assert_str_eq(load(t, one, true), "-Function f already exists");
    CALLS(t, "g", ":2|");
    cr_assert(libraries_delete(t->l, SPAN("two")));
    cr_assert_not(libraries_delete(t->l, SPAN("two")));
    CALLS(t, "f", "none");
    libraries_clear(t->l);
    CALLS(t, "g", "none");
    LOADS(t, two, "two");
    CALLS(t, "f", ":3|");
    kit_free(t);
}

Test(library, the_data_is_followed)
{
    struct library_kit *t = kit_new();
    struct functions data = {0};
    struct errmsg m = {{0}};
    static const char one[] = "#!lua name=one\nredis.register_function('f', function() return 1 end)",
                      two[] = "#!lua name=two\nredis.register_function('f', function() return 2 end)",
                      bad[] = "#!lua name=bad\nnonsense()";
    cr_assert_eq(functions_load(&data, span_str(one), false, &m), ERR_OK);
    libraries_follow(t->l, &data);
    CALLS(t, "f", ":1|");
    /* The function has moved to another library. */
    cr_assert(functions_delete(&data, SPAN("one")));
    cr_assert_eq(functions_load(&data, span_str(two), false, &m), ERR_OK);
    cr_assert_eq(functions_load(&data, span_str(bad), false, &m), ERR_OK);
    libraries_follow(t->l, &data);
    CALLS(t, "f", ":2|");
    cr_assert_str_eq(t->said, "The library of functions 'bad' cannot be used: Error registering functions: ERR "
                              "user_function:2: Script attempted to access nonexistent global variable 'nonsense'");
    functions_clear(&data);
    libraries_follow(t->l, &data);
    cr_assert_eq(libraries_count(t->l), 0);
    kit_free(t);
}
