#!/usr/bin/python3
"""Random scripts to Relevo and to Debian's redis-server: values of every kind on their way out of Lua and back, replies of
commands as Lua sees them, errors with their places, cmsgpack, struct, cjson and bit on the same values and bytes.

    tests/differential/scripts.py                          # the suite (TAP)
    tests/differential/scripts.py --seed 7 --scripts 20000 # one run

Replies must be equal byte for byte in RESP2 and in RESP3. A difference is printed with its seed and the script.

Left out is what has no one answer (the order of a table's keys, so tables have one key where it matters), what ends
redis-server (an error that is a table without `err`), and versions.
"""
import argparse
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

NUMBERS = ["0", "1", "-1", "3.99", "-3.99", "127", "128", "-129", "65536", "2^31", "2^40", "2^53", "1e15", "1e17", "-2^63", "0.1",
           "1e300"]
STRINGS = ["''", "'x'", "'a b'", "'a\\r\\nb'", "'\\255'", "('y'):rep(300)", "'12'", "'ERR foo'", "'-bar'"]
COMMANDS = [
    "'SET', 's', {v}", "'GET', 's'", "'GET', 'none'", "'INCR', 'n'", "'INCRBYFLOAT', 'f', {n}", "'LPUSH', 'l', {v}",
    "'LRANGE', 'l', 0, -1", "'LPOP', 'l', 2", "'HSET', 'h', 'f', {v}", "'HGETALL', 'h'", "'ZADD', 'z', {n}, 'm'",
    "'ZSCORE', 'z', 'm'", "'ZRANGE', 'z', 0, -1, 'WITHSCORES'", "'SADD', 'set', 'm'", "'SMEMBERS', 'set'", "'TYPE', 'l'",
    "'PING'", "'ECHO', {v}", "'NOSUCH'", "'GET'", "'INCR', 'l'", "'MULTI'", "'CONFIG', 'GET', 'x'", "'CLIENT', 'ID'",
    "'XADD', 'x', '1-1', 'f', {v}", "'XRANGE', 'x', '-', '+'", "'SELECT', 1", "'EVAL', 'return 1', 0", "{t}", "",
    "'EXPIRE', 's', 100", "'EXISTS', 's', 'l', 'none'", "'BLPOP', 'l', 0", "'DEL', 'x', 'z', 'l'", "'MSET', 'a', {v}, 'b', {n}",
    "'SCRIPT', 'FLUSH'", "'XREAD', 'BLOCK', 0, 'STREAMS', 'x', '$'", "'GETEX', 's'", "'LMPOP', 1, 'l', 'LEFT'"]
FORMATS = ["b", "B", ">h", "H", "i", "i3", ">I5", "l", "L", "f", "d", ">d", "s", "c3", "x", "!4i", "!8d", "Bc0", "T", "q", "i33"]


def number(r):
    return r.choice(NUMBERS)


def string(r):
    return r.choice(STRINGS)


def value(r, depth=0):
    """An expression of Lua."""
    kinds = [number, string, lambda r: r.choice(["true", "false", "nil"])]
    if depth < 4:
        kinds += [table] * 2
    make = r.choice(kinds)
    return make(r, depth) if make is table else make(r)


def table(r, depth=0):
    kind = r.randrange(10)
    inner = lambda: value(r, depth + 1)
    if kind < 5:
        return "{" + ", ".join(inner() for _ in range(r.randrange(4))) + "}"
    return [lambda: "{ok = %s}" % inner(), lambda: "{err = %s}" % inner(), lambda: "{double = %s}" % inner(),
            lambda: "{map = {k = %s}}" % inner(), lambda: "{big_number = %s}" % inner()][kind - 5]()


def command(r):
    return r.choice(COMMANDS).format(v=r.choice([number, string])(r), n=number(r), t="{}")


def conversion(r):
    return f"return {value(r)}"


def calls(r):
    call = r.choice(["call", "call", "pcall"])
    head = r.choice(["", "", "redis.setresp(3) "])
    return head + r.choice([
        f"return redis.{call}({command(r)})",
        f"redis.pcall({command(r)})\nreturn redis.{call}({command(r)})",
        f"local v = redis.{call}({command(r)}) return type(v)",
        f"local v = redis.pcall({command(r)}) return {{v, v}}",
        f"return {{pcall(redis.call, {command(r)})}}".replace(", )", ")"),
        f"return redis.{r.choice(['error_reply', 'status_reply'])}({value(r, 4)})"])


def library(r):
    v, b = value(r, 2), string(r)
    return r.choice([
        f"return cmsgpack.pack({v})", f"return cmsgpack.unpack(cmsgpack.pack({v}))",
        f"return {{pcall(cmsgpack.unpack, ARGV[1])}}", f"return {{pcall(cmsgpack.unpack_limit, ARGV[1], 2, 1)}}",
        f"return {{pcall(cmsgpack.unpack_one, ARGV[1], {r.randrange(6)})}}",
        f"return {{pcall(struct.pack, '{r.choice(FORMATS)}{r.choice(FORMATS)}', {r.choice([number, string])(r)}, {number(r)})}}",
        f"return {{pcall(struct.unpack, '{r.choice(FORMATS)}{r.choice(FORMATS)}', ARGV[1])}}",
        f"return {{pcall(struct.size, '{r.choice(FORMATS)}{r.choice(FORMATS)}')}}",
        f"return {{pcall(cjson.encode, {v})}}", f"return {{pcall(cjson.decode, {b})}}",
        f"return bit.{r.choice(['band', 'bor', 'bxor', 'lshift', 'rol'])}({number(r)}, {r.randrange(99)})",
        f"return bit.tohex({number(r)})", f"return redis.sha1hex({b})",
        f"math.randomseed({r.randrange(9)}) return {{tostring(math.random()), math.random(9), math.random(3, 7)}}"])


def error(r):
    return "\n" * r.randrange(3) + r.choice([
        f"error({string(r)})", f"error({{err = {string(r)}}})", "local a return a.b", "return 1 + {}", "x = 1", "return y",
        "rawset(_G, 'x', 1)", "return foo bar", "return (", "string.len = 1", "return tostring(print)", "local f = nil f()",
        "return table.concat({{}})", f"return loadstring({string(r)})", f"return {{pcall(error, {string(r)})}}",
        "return {xpcall(function() error('x') end, function(e) return 'H' .. e end)}", "return #redis.call",
        "#!lua flags=no-writes\nreturn redis.call('SET', 's', 1)", "return ('x'):bad()", "return redis.log(9, 'x')",
        "return redis.setresp(4)", "return unpack({}, 1, 1e8)", "return math.random(0)", "return setmetatable(string, nil)"])


FAMILIES = [conversion, conversion, calls, calls, calls, library, library, error]


def run(seed, count):
    """Execute @count scripts on both; the number of replies that were no errors."""
    r = random.Random(seed)
    ours, theirs = relevo.start(relevo.RELEVO), relevo.start(relevo.REDIS)
    good = 0
    for protocol in ("2", "3"):
        with resp.Connection(ours.port) as a, resp.Connection(theirs.port) as b:
            for c in (a, b):
                c("FLUSHALL")
                c.send("HELLO", protocol)
                c.read()
            for _ in range(count // 2):
                script, argument = r.choice(FAMILIES)(r), bytes(r.choice(b"\x00\x01\x91\x81\xa1\xc0\xcb\xd9\xff12ab") for _ in range(r.randrange(9)))
                if r.random() < 0.3:
                    argument = r.randbytes(r.randrange(20))
                replies = []
                for c in (a, b):
                    c.send("EVAL", script, "0", argument)
                    replies.append(c.read_raw())
                good += not replies[0].startswith(b"-")
                assert replies[0] == replies[1], (f"seed {seed}, RESP{protocol}\n{script}\nargument {argument!r}\n"
                                                  f"relevo: {replies[0]!r}\nredis:  {replies[1]!r}")
    return good


def test_random_scripts():
    """Random scripts give redis-server's replies, in RESP2 and in RESP3."""
    for seed in range(40 if os.environ.get("RELEVO_TESTS") == "long" else 4):
        assert run(seed, 5000) > 2000, "most scripts are refused"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--scripts", type=int, default=5000)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        tap.main()
    else:
        sys.argv[1:] = []
        globals()["test_random_scripts"] = lambda: run(options.seed, options.scripts)
        test_random_scripts.__doc__ = f"seed {options.seed}"
        tap.main()
