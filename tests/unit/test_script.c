/* Scripts in their sandbox: conversions, errors as Redis words them, what must not be reached, what must stay bounded. */
#include "tests/unit/script_kit.h"

Test(script, values_become_replies_of_either_protocol)
{
    struct script_kit *k = script_kit_new();
    RUNS_TO(k, "return 3.99", ":3|");
    RUNS_TO(k, "return -0.5", ":0|");
    RUNS_TO(k, "return 1e20", ":-9223372036854775808|");
    RUNS_TO(k, "return 0/0", ":-9223372036854775808|");
    RUNS_TO(k, "return 'x'", "$1|x|");
    RUNS_TO(k, "return ''", "$0||");
    RUNS_TO(k, "return true", ":1|");
    RUNS_TO(k, "return false", "$-1|");
    RUNS3_TO(k, "return false", "_|");
    RUNS3_TO(k, "redis.setresp(3) return false", "#f|");
    RUNS_TO(k, "redis.setresp(3) return false", ":0|");
    RUNS_TO(k, "return nil", "$-1|");
    RUNS_TO(k, "return {1,2,nil,3}", "*2|:1|:2|");
    RUNS_TO(k, "return {ok='a\\r\\nb',1}", "+a  b|");
    RUNS_TO(k, "return {err='foo'}", "-foo|");
    RUNS_TO(k, "return {ok=1}", "*0|");
    RUNS3_TO(k, "return {double=0.1}", ",0.10000000000000001|");
    RUNS_TO(k, "return {double=1/0}", "$3|inf|");
    RUNS3_TO(k, "return {map={a={1}}}", "%1|$1|a|*1|:1|");
    RUNS_TO(k, "return {map={a=1}}", "*2|$1|a|:1|");
    RUNS3_TO(k, "return {set={a=true}}", "~1|$1|a|");
    RUNS3_TO(k, "return {big_number='12\\r3'}", "(12 3|");
    RUNS3_TO(k, "return {verbatim_string={format='txt',string='x'}}", "=5|txt:x|");
    RUNS3_TO(k, "return {verbatim_string={string='x'}}", "*0|");
    RUNS_TO(k, "return function() end", "$-1|");
    RUNS_TO(k, "return {KEYS, ARGV}", "*2|*2|$2|k1|$2|k2|*1|$2|a1|");
    script_kit_free(k);
}

Test(script, replies_of_commands_become_values)
{
    static const struct {
        const char *reply, *code, *is;
    } cases[] = {
        {":42\r\n", "return redis.call('x') + 1", ":43|"},
        {"$3\r\na\r\n\r\n", "return #redis.call('x')", ":3|"},
        {"$-1\r\n", "return tostring(redis.call('x'))", "$5|false|"},
        {"*-1\r\n", "return tostring(redis.call('x'))", "$5|false|"},
        {"_\r\n", "return tostring(redis.call('x'))", "$3|nil|"},
        {"+fine\r\n", "return redis.call('x').ok", "$4|fine|"},
        {"-ERR no\r\n", "return redis.pcall('x').err", "$6|ERR no|"},
        {"*2\r\n:1\r\n*1\r\n$1\r\nb\r\n", "local t = redis.call('x') return t[1] .. t[2][1]", "$2|1b|"},
        {"#t\r\n", "return tostring(redis.call('x'))", "$4|true|"},
        {",1.5\r\n", "return tostring(redis.call('x').double)", "$3|1.5|"},
        {"(123\r\n", "return redis.call('x').big_number", "$3|123|"},
        {"=5\r\ntxt:y\r\n", "local v = redis.call('x').verbatim_string return v.format .. v.string", "$4|txty|"},
        {"%1\r\n$1\r\na\r\n:7\r\n", "return redis.call('x').map.a", ":7|"},
        {"~1\r\n$1\r\na\r\n", "return tostring(redis.call('x').set.a)", "$4|true|"},
        {"|1\r\n+k\r\n+v\r\n:3\r\n", "return redis.call('x')", ":3|"},
    };
    struct script_kit *k = script_kit_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        k->reply = cases[i].reply;
        RUNS_TO(k, cases[i].code, cases[i].is);
    }
    script_kit_free(k);
}

Test(script, arguments_of_commands_are_written_as_redis_writes_them)
{
    struct script_kit *k = script_kit_new();
    RUNS_TO(k, "redis.call('set', 1, -7, 1e15, 1e17, 0.1, -0, 'x')", "$-1|");
    cr_assert_eq(
        span_cmp(buf_span(&k->called), SPAN("[set][1][-7][1000000000000000][1e+17][0.10000000000000001][-0][x]")), 0,
        "%.*s", (int)k->called.len, k->called.p);
    RUNS_TO(k, "redis.call()",
            "-ERR Please specify at least one argument for this redis lib call script: SHA, on @user_script:1.|");
    RUNS_TO(k, "redis.call('get', {})",
            "-ERR Lua redis lib command arguments must be strings or integers script: SHA, on @user_script:1.|");
    script_kit_free(k);
}

Test(script, errors_say_what_and_where)
{
    struct script_kit *k = script_kit_new();
    k->reply = "-ERR no such thing\r\n";
    RUNS_TO(k, "\n\nreturn redis.call('x')", "-ERR no such thing script: SHA, on @user_script:3.|");
    RUNS_TO(k, "return redis.pcall('x')", "-ERR no such thing|");
    RUNS_TO(k, "return {pcall(redis.call,'x')}", "*2|$-1|$17|ERR no such thing|");
    RUNS_TO(k, "error('foo')", "-ERR user_script:1: foo script: SHA, on @user_script:1.|");
    RUNS_TO(k, "error({err='My foo'})", "-My foo script: SHA, on @user_script:1.|");
    RUNS_TO(k, "error({})", "-ERR unknown error script: SHA, on @user_script:1.|");
    RUNS_TO(k, "error(nil)", "-ERR nil script: SHA, on @user_script:1.|");
    RUNS_TO(k, "local a return a.b",
            "-ERR user_script:1: attempt to index local 'a' (a nil value) script: SHA, on @user_script:1.|");
    RUNS_TO(k, "loadstring('error(1)')()", "-ERR [string \"error(1)\"]:1: 1 script: SHA, on error(1):1.|");
    RUNS_TO(k, "foo bar", "!Error compiling script (new function): user_script:1: '=' expected near 'bar'");
    RUNS_TO(k, "#!lua\nfoo bar", "!Error compiling script (new function): user_script:2: '=' expected near 'bar'");
    RUNS_TO(k, "return redis.error_reply('foo')", "-ERR foo|");
    RUNS_TO(k, "return redis.error_reply('-FOO bar')", "-FOO bar|");
    RUNS_TO(k, "return redis.error_reply(1)", "-ERR wrong number or type of arguments|");
    script_kit_free(k);
}

Test(script, globals_and_libraries_cannot_be_changed)
{
    static const char *const attempts[] = {
        "x = 1",
        "_G.x = 1",
        "print = 1",
        "redis.call = 1",
        "string.x = 1",
        "getmetatable('').__index = 1",
        "getmetatable(_G).__index = nil",
        "cjson.encode = nil",
    };
    struct script_kit *k = script_kit_new();
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        RUNS_TO(k, attempts[i],
                "-ERR user_script:1: Attempt to modify a readonly table script: SHA, on @user_script:1.|");
    static const char refused[] = "-ERR Attempt to modify a readonly table script: SHA, on @user_script:1.|";
    RUNS_TO(k, "rawset(_G, 'x', 1)", refused);
    RUNS_TO(k, "rawset(redis, 1, 1)", refused);
    RUNS_TO(k, "setmetatable(_G, {})", refused);
    RUNS_TO(k, "setmetatable(string, nil)", refused);
    RUNS_TO(k, "table.insert(redis, 1)", refused);
    RUNS_TO(k, "table.insert(_G, 1, 1)", refused);
    RUNS_TO(k, "return x",
            "-ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: SHA, on "
            "@user_script:1.|");
    /* What only looks works as on any table. */
    RUNS_TO(k, "local n = 0 for name in pairs(string) do n = n + 1 end return n > 10", ":1|");
    RUNS_TO(k, "return {type(rawget(_G, 'redis')), type(next(math)), tostring(getmetatable(redis))}",
            "*3|$5|table|$6|string|$3|nil|");
    script_kit_free(k);
}

Test(script, nothing_of_the_machine_can_be_reached)
{
    static const char *const absent[] = {"os",    "io",      "debug",   "package", "require",  "dofile", "loadfile",
                                         "print", "getfenv", "setfenv", "module",  "newproxy", "jit",    "_LOADED"};
    struct script_kit *k = script_kit_new();
    char code[200];
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        (void)snprintf(code, sizeof code, "return tostring(rawget(_G, '%s'))", absent[i]);
        RUNS_TO(k, code, "$3|nil|");
    }
    script_kit_free(k);
}

Test(script, bytecode_is_never_loaded)
{
    struct script_kit *k = script_kit_new();
    RUNS_TO(k, "return tostring(loadstring(string.dump(function() return 1 end)))", "$3|nil|");
    RUNS_TO(k,
            "local d = string.dump(function() return 1 end) local sent "
            "return tostring(load(function() if sent then return nil end sent = true return d end))",
            "$3|nil|");
    RUNS_TO(k,
            "local d, i = string.dump(function() return 1 end), 0 "
            "return tostring(load(function() i = i + 1 return i <= #d and d:sub(i, i) or nil end))",
            "$3|nil|");
    RUNS_TO(k, "\x1bLua", "!Error compiling script (new function): user_script:1: unexpected symbol near 'char(27)'");
    RUNS_TO(k, "return loadstring('return 7')()", ":7|");
    RUNS_TO(k, "local i = 0 return load(function() i = i + 1 return ({'return ', '8'})[i] end)()", ":8|");
    script_kit_free(k);
}

Test(script, memory_is_bounded_and_comes_back)
{
    static const char *const bombs[] = {
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = string.rep('x', 1e6) local t = {} while true do t[#t + 1] = s .. #t end",
        "local t = {} for i = 1, 1e7 do t[i] = coroutine.create(function() end) end",
    };
    static const char refused[] = "-ERR the script needs more memory than script-memory-limit allows|";
    struct script_kit *k = script_kit_new();
    struct script_vm *vm = script_cache_vm(k->cache);
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        RUNS_TO(k, bombs[i], refused);
        cr_assert_lt(script_vm_memory(vm), 8 << 20);
        RUNS_TO(k, "return 1", ":1|");
    }
    RUNS_TO(k, "return string.rep('x', 1e10)",
            "-ERR user_script:1: resulting string too large script: SHA, on @user_script:1.|");
    RUNS_TO(k, "return #string.rep('', 1e300)", ":0|");
    /* Caught, it is an error like any other. */
    RUNS_TO(k, "local ok = pcall(function() local t = {} while true do t[#t + 1] = {} end end) return tostring(ok)",
            "$5|false|");
    script_kit_free(k);
}

Test(script, depth_is_bounded)
{
    struct script_kit *k = script_kit_new();
    static const char *const deep[] = {
        "local function f() return 1 + f() end return tostring(pcall(f))",
        ("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end "
         "return tostring(pcall(function() return t.a end))"),
        "local function f() return coroutine.wrap(f)() end return tostring(pcall(f))",
        "local s = string.rep('(', 10000) return tostring(loadstring('return ' .. s) ~= nil)",
        "return tostring(pcall(string.find, string.rep('a', 50000), string.rep('a?', 50000)))",
        "return tostring(pcall(string.gsub, 'x', string.rep('(', 5000), ''))",
        "return tostring(pcall(cjson.decode, string.rep('[', 100000)))",
        "return tostring(pcall(cmsgpack.unpack, string.rep('\\145', 100000)))",
        "local t = {} t[1] = t return tostring(pcall(cjson.encode, t))",
        "return tostring(pcall(unpack, {}, 1, 1e8))",
    };
    for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) RUNS_TO(k, deep[i], "$5|false|");
    const char *reply = script_kit_run(k, "local t = {} t[1] = t return t", 2);
    cr_assert_not_null(strstr(reply, "-ERR reached lua stack limit|"));
    script_kit_free(k);
}

Test(script, a_stopped_script_cannot_catch_that)
{
    static const char *const stubborn[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() while true do pcall(f) end end f()",
        "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
        "while true do redis.pcall('x') end",
    };
    struct script_kit *k = script_kit_new();
    for (size_t i = 0; i < sizeof stubborn / sizeof stubborn[0]; i++) {
        k->stop = "ERR enough";
        const char *reply = script_kit_run(k, stubborn[i], 2);
        cr_assert_not_null(strstr(reply, "-ERR enough script: SHA"), "%s", reply);
        k->stop = NULL;
        RUNS_TO(k, "local n = 0 for i = 1, 1e6 do n = n + 1 end return n", ":1000000|");
    }
    script_kit_free(k);
}

Test(script, a_script_pauses_anywhere_and_goes_on)
{
    struct script_kit *k = script_kit_new();
    k->pause_at = 1;
    RUNS_TO(k, "local n = 0 for i = 1, 1e6 do n = n + 1 end return n", ":1000000|");
    cr_assert_geq(k->ticks, 100);
    k->ticks = 0;
    RUNS_TO(k,
            "local co = coroutine.wrap(function() for i = 1, 1e5 do pcall(function() for j = 1, 10 do end end) end "
            "coroutine.yield(7) end) return {pcall(co)}",
            "*2|:1|:7|");
    cr_assert_geq(k->ticks, 50);
    script_kit_free(k);
}

Test(script, the_first_line_says_flags)
{
    struct script_kit *k = script_kit_new();
    struct errmsg m;
    cr_assert_eq(script_cache_get(k->cache, SPAN("return 1"), &m)->flags, SCRIPT_COMPAT);
    cr_assert_eq(script_cache_get(k->cache, SPAN("#!lua\nreturn 1"), &m)->flags, 0);
    cr_assert_eq(script_cache_get(k->cache, SPAN("#!lua flags=no-writes,allow-stale\nreturn 1"), &m)->flags,
                 SCRIPT_NO_WRITES | SCRIPT_ALLOW_STALE);
    cr_assert_eq(script_cache_get(k->cache, SPAN("#!lua flags=\nreturn 1"), &m)->flags, 0);
    RUNS_TO(k, "#!lua", "!Invalid script shebang");
    RUNS_TO(k, "#!luax\n", "!Unexpected engine in script shebang: #!luax");
    RUNS_TO(k, "#!lua name=foo\n", "!Unknown lua shebang option: name=foo");

    RUNS_TO(k, "#!lua flags=no-writes,\n", "!Unexpected flag in script shebang: ");
    script_kit_free(k);
}

Test(script, scripts_are_found_by_their_digest_until_flushed)
{
    struct script_kit *k = script_kit_new();
    struct errmsg m;
    const struct cached_script *s = script_cache_get(k->cache, SPAN("return 1"), &m);
    cr_assert_str_eq(s->sha, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    cr_assert_eq(script_cache_find(k->cache, SPAN("E0E1F9FABFC9D4800C877A703B823AC0578FF8DB")), s);
    cr_assert_null(script_cache_find(k->cache, SPAN("e0e1f9fabfc9d4800c877a703b823ac0578ff8d")));
    cr_assert_null(script_cache_find(k->cache, SPAN("z0e1f9fabfc9d4800c877a703b823ac0578ff8db")));
    for (int i = 0; i < 1000; i++) {
        char code[32];
        const int n = snprintf(code, sizeof code, "return %d", i);
        cr_assert_not_null(script_cache_get(k->cache, span_of(code, (size_t)n), &m));
    }
    cr_assert_eq(script_cache_count(k->cache), 1000);
    cr_assert_eq(script_cache_get(k->cache, SPAN("return 1"), &m), s);
    script_cache_flush(k->cache);
    cr_assert_eq(script_cache_count(k->cache), 0);
    cr_assert_null(script_cache_find(k->cache, SPAN("e0e1f9fabfc9d4800c877a703b823ac0578ff8db")));
    RUNS_TO(k, "return 1", ":1|");
    script_kit_free(k);
}

Test(script, what_the_redis_table_offers)
{
    struct script_kit *k = script_kit_new();
    RUNS_TO(k, "return redis.sha1hex('')", "$40|da39a3ee5e6b4b0d3255bfef95601890afd80709|");
    RUNS_TO(k, "return redis.sha1hex(1)", "$40|356a192b7913b04c54574d18c28d46e6395428ab|");
    RUNS_TO(k, "return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}", "*2|$6|7.0.15|:458767|");
    RUNS_TO(k, "redis.log(redis.LOG_NOTICE, 'a', 1, {}, 'b')", "$-1|");
    cr_assert_eq(span_cmp(buf_span(&k->logged), SPAN("2:a 1 b\n")), 0);
    RUNS_TO(k, "redis.log(7, 'x')", "-ERR Invalid debug level. script: SHA, on @user_script:1.|");
    RUNS_TO(k, "redis.setresp(4)", "-ERR RESP version must be 2 or 3. script: SHA, on @user_script:1.|");
    RUNS_TO(k, "return {redis.acl_check_cmd('get', 'x'), redis.acl_check_cmd('set', 'x') == false}", "*2|:1|:1|");
    RUNS_TO(k, "redis.acl_check_cmd('foo')",
            "-ERR Invalid command passed to redis.acl_check_cmd() script: SHA, on @user_script:1.|");
    RUNS_TO(k, "return redis.replicate_commands()", ":1|");
    RUNS_TO(k, "redis.set_repl(redis.REPL_ALL) return redis.breakpoint()", "$-1|");
    cr_assert_not_null(strstr(script_kit_run(k, "redis.set_repl(redis.REPL_NONE)", 2), "takes only redis.REPL_ALL"));
    script_kit_free(k);
}

Test(script, chance_is_the_same_after_each_start)
{
    struct script_kit *k = script_kit_new();
    RUNS_TO(k, "return tostring(math.random())", "$16|0.39646477363839|");
    RUNS_TO(k, "return tostring(math.random())", "$16|0.84048536971234|");
    RUNS_TO(k, "math.randomseed(5) local a = math.random() math.randomseed(5) return tostring(a == math.random())",
            "$4|true|");
    RUNS_TO(k, "for i = 1, 1000 do local r = math.random(5, 9) assert(r >= 5 and r <= 9 and r % 1 == 0) end", "$-1|");
    RUNS_TO(k, "return math.random(0)",
            "-ERR user_script:1: bad argument #1 to 'random' (interval is empty) script: SHA, on @user_script:1.|");
    script_kit_free(k);
}
