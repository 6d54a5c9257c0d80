"""Random commands over a small key space: all value kinds, wrong types, bad options, wrong numbers of arguments.

A generator is seeded and knows no server: the same seed gives the same commands. It avoids replies that hang on when a
command is executed: expiry times are far in the future, or so far in the past that the key is gone at once.
"""
import random

import more_commands
import stream_commands

FAMILIES = {"string": "s", "list": "l", "set": "t", "hash": "h", "zset": "z", "stream": "q", "bitmap": "b",
            "hll": "p", "geo": "g"}
KEYS_PER_FAMILY = 4
# Commands that no random number is put into: it could make a key expire while the test runs, or ask for a reply of
# billions of elements.
DELICATE = {"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "SET", "GETEX", "SETEX", "PSETEX", "SRANDMEMBER", "HRANDFIELD",
            "ZRANDMEMBER", "RESTORE", "RESTORE-ASKING"}
# Commands whose replies need a look at the whole: the comparer runs them apart (see compare.py).
SCANS = {"SCAN", "SSCAN", "HSCAN", "ZSCAN"}
# Lexical ranges mean something only where all scores are equal; elsewhere what Redis finds hangs on the random levels of
# its skip list. So they have keys of their own, whose members all have the score 0.
LEXICAL_KEYS = [b"x0", b"x1", b"x2"]

INTEGERS = [b"0", b"1", b"-1", b"2", b"3", b"7", b"10", b"-10", b"100", b"255", b"32767", b"65536", b"2147483648",
            b"-2147483649", b"9223372036854775807", b"-9223372036854775808", b"1000000007"]
FLOATS = [b"0", b"-0", b"1", b"-1", b"2", b"3", b"1.5", b"-2.5", b"0.1", b"3.14159265358979", b"1e3", b"1e300",
          b"-1e300", b"inf", b"-inf", b"+inf", b"17", b"0.30000000000000004", b"123456789.125", b"1e-5", b"5e-324"]
JUNK = [b"", b"abc", b"1.", b".5", b" 1", b"1 ", b"01", b"+1", b"nan", b"0x10", b"9223372036854775808",
        b"-9223372036854775809", b"1e400", b"NX", b"\x00\xff", b"(", b"[", b"*", b"-", b"+"]
TEXTS = [b"", b"a", b"b", b"hello", b"hello world", b"\x00\x01\xff\r\n", b"12345678901234567890", b"1.50",
         b"x" * 44, b"x" * 45, b"y" * 64, b"y" * 65, b"z" * 300, b"007", b"-0", b"3.0", "żółw".encode()]


class Generator:
    """next() gives one command as a list of byte strings."""

    def __init__(self, seed, known=None):
        self.random = random.Random(seed)
        self.pending = []
        self.top = 1  # the IDs of new entries grow with it
        self.names, weights = [], []
        for name, (weight, build) in COMMANDS.items():
            if known is None or name in known:
                self.names.append((name, build))
                weights.append(weight)
        total = 0
        self.cumulative = [total := total + w for w in weights]

    def next(self):
        if self.pending:
            return self.pending.pop()
        name, build = self.random.choices(self.names, cum_weights=self.cumulative)[0]
        args = [name.encode()] + build(self)
        if self.chance(0.03) and args[1:2] not in [[k] for k in LEXICAL_KEYS]:
            args = self.spoil(name, args)
            if name in DELICATE and len(args) > 1:
                self.after([b"EXISTS", args[1]])
        if name == "XADD":  # an ID that is the time would differ
            args = [b"5-5" if a == b"*" else a for a in args]
        if self.chance(0.02):
            args[0] = args[0].lower()
        return args

    # Choices.

    def chance(self, p):
        return self.random.random() < p

    def pick(self, choices):
        return choices[int(self.random.random() * len(choices))]

    def some(self, make, most=4):
        return [make() for _ in range(1 + int(self.random.random() * most))]

    def maybe(self, p, *words):
        return list(words) if self.chance(p) else []

    def spoil(self, name, args):
        """Make a command wrong in one place, or at least odd."""
        kind = self.random.randrange(4)
        at = 1 + self.random.randrange(len(args)) if len(args) > 1 else 1
        args = list(args)
        if kind == 0 and len(args) > 1:
            args.pop()
        elif kind == 1:
            args.insert(at, self.pick(JUNK))
        elif kind == 2 and at < len(args):
            args[at] = self.pick(JUNK if name in DELICATE else JUNK + INTEGERS)
        elif kind == 3 and name not in DELICATE and len(args) > 2:
            a, b = self.random.randrange(1, len(args)), self.random.randrange(1, len(args))
            args[a], args[b] = args[b], args[a]
        return args

    # Arguments.

    def key(self, family):
        """A key, mostly of the family that suits the command. Strings that are HyperLogLogs are not written to as others:
        of damaged ones Redis uses what makes sense, and leaves the key half changed beside an error."""
        if self.chance(0.04):
            key = self.any_key()
            if family not in ("string", "bitmap") or key[:1] != FAMILIES["hll"].encode():
                return key
        return b"%s%d" % (FAMILIES[family].encode(), self.random.randrange(KEYS_PER_FAMILY))

    def any_key(self):
        if self.chance(0.03):
            return self.pick([b"", b"missing", b"\x00k", b"k" * 100])
        return b"%s%d" % (self.pick(list(FAMILIES.values())).encode(), self.random.randrange(KEYS_PER_FAMILY))

    def destination(self, family):
        """Where a STORE command puts its result: mostly one key, so that the others live on."""
        return b"%s3" % FAMILIES[family].encode() if self.chance(0.8) else self.key(family)

    def lexical_key(self):
        key = self.pick(LEXICAL_KEYS)
        if self.chance(0.5):
            self.after([b"ZADD", key] + [w for _ in range(3) for w in (b"0", self.member())])
        if self.chance(0.02):
            self.after(self.pick([[b"DEL", key], [b"SET", key, b"v"], [b"ZPOPMIN", key, b"2"]]))
        return key

    def value(self):
        roll = self.random.random()
        if roll < 0.35:
            return self.pick(INTEGERS)
        if roll < 0.5:
            return b"%d" % self.random.randrange(-1000, 100000)
        if roll < 0.6:
            return self.pick(FLOATS)
        if roll < 0.95:
            return self.pick(TEXTS)
        return bytes(self.random.randrange(256) for _ in range(self.random.randrange(20)))

    def member(self):
        roll = self.random.random()
        if roll < 0.65:
            return b"m%d" % self.random.randrange(10)
        if roll < 0.9:
            return b"%d" % self.random.randrange(-2, 10)
        return self.value()

    def index(self):
        if self.chance(0.8):
            return b"%d" % self.random.randrange(-8, 9)
        return self.pick(INTEGERS + [b"-100", b"200"])

    def small(self):
        return b"%d" % self.random.randrange(0, 6) if self.chance(0.9) else self.pick([b"-1", b"100", b"abc"])

    def integer(self):
        return self.pick(INTEGERS) if self.chance(0.9) else self.pick(JUNK)

    def delta(self):
        return b"%d" % self.random.randrange(-50, 50) if self.chance(0.8) else self.integer()

    def fraction(self):
        """A number of any size with many digits, in one of the ways in which one can be written."""
        value = (self.random.random() - 0.5) * 10.0 ** self.random.randrange(-8, 20)
        return (self.pick(["%.17g", "%.3f", "%.1f", "%e", "%g"]) % value).encode()

    def number(self):
        if self.chance(0.3):
            return self.fraction()
        return self.pick(FLOATS) if self.chance(0.9) else self.pick(JUNK)

    def score(self):
        roll = self.random.random()
        if roll < 0.6:
            return b"%d" % self.random.randrange(-10, 30)
        if roll < 0.7:
            return self.fraction()
        if roll < 0.97:
            return self.pick(FLOATS)
        return self.pick(JUNK)

    def score_bound(self):
        if self.chance(0.15):
            return self.pick([b"-inf", b"+inf"])
        return (b"(" if self.chance(0.3) else b"") + self.score()

    def lex_bound(self):
        if self.chance(0.2):
            return self.pick([b"-", b"+"])
        if self.chance(0.03):
            return self.pick(JUNK)
        return self.pick([b"[", b"("]) + self.member()

    def pattern(self):
        return self.pick([b"*", b"s*", b"?1", b"[ls]*", b"[^s]?", b"m*", b"*1*", b"z[0-1]", b"h\\1", b"\\*", b"[a-",
                          b"", b"m[1-5]", b"**1", b"*?*", b"[]*", b"nothing"])

    def seconds(self):
        """A relative time in seconds: far away, or already over, or no number."""
        if self.chance(0.06):
            return self.pick([b"0", b"-1", b"-100000", b"abc", b"", b"9223372036854775807", b"-9223372036854775808",
                              b"9223372036854775", b"1.5"])
        return b"%d" % self.random.randrange(10 ** 6, 10 ** 9)

    def milliseconds(self):
        if self.chance(0.06):
            return self.seconds() if self.chance(0.2) else self.pick([b"-1", b"0", b"abc", b"9223372036854775807"])
        return b"%d" % self.random.randrange(10 ** 9, 10 ** 12)

    def at_seconds(self):
        if self.chance(0.06):
            return self.pick([b"1", b"1000000", b"0", b"-5", b"abc", b"9223372036854775807"])
        return b"%d" % self.random.randrange(4 * 10 ** 9, 5 * 10 ** 9)

    def at_milliseconds(self):
        if self.chance(0.06):
            return self.pick([b"1", b"1000000", b"0", b"-5", b"abc", b"9223372036854775807"])
        return b"%d" % self.random.randrange(4 * 10 ** 12, 5 * 10 ** 12)

    def expiry(self):
        return self.pick([lambda: [b"EX", self.seconds()], lambda: [b"PX", self.milliseconds()],
                          lambda: [b"EXAT", self.at_seconds()], lambda: [b"PXAT", self.at_milliseconds()]])()

    def database(self):
        return self.pick([b"0", b"0", b"1", b"1", b"2"]) if self.chance(0.97) else self.pick([b"99", b"-1", b"abc"])

    def score_range(self, reverse=False):
        """Two bounds, mostly in the order in which something lies between them."""
        a, b = self.random.randrange(-10, 30), self.random.randrange(-10, 30)
        if self.chance(0.4):
            return [self.score_bound(), self.score_bound()]
        low, high = b"%d" % min(a, b), (b"(" if self.chance(0.2) else b"") + b"%d" % max(a, b)
        return [high, low] if reverse else [low, high]

    def index_range(self):
        if self.chance(0.4):
            return [b"%d" % self.random.randrange(0, 4), b"%d" % self.random.randrange(-4, 0)]
        return [self.index(), self.index()]

    def lex_range(self, reverse=False):
        bounds = sorted([self.lex_bound(), self.lex_bound()], key=lambda b: (b != b"-", b == b"+", b[1:]))
        if self.chance(0.3):
            return [self.lex_bound(), self.lex_bound()]
        return bounds[::-1] if reverse else bounds

    def limit(self, p=0.3):
        return [b"LIMIT", self.index(), self.index()] if self.chance(p) else []

    def id(self):
        """The ID of an entry that may be there."""
        ms = max(0, self.top - self.random.randrange(25))
        roll = self.random.random()
        if roll < 0.5:
            return b"%d-%d" % (ms, self.random.randrange(3))
        if roll < 0.94:
            return b"%d" % ms
        return self.pick([b"0-0", b"0", b"0-1", b"18446744073709551615-18446744073709551615", b"18446744073709551615",
                          b"-", b"+", b"$", b">", b"*", b"1-", b"-1", b"1-*", b"+5", b" 5-1", b"05-01", b"5-1-1", b"5-+1",
                          b"18446744073709551616", b"5-x", b"(5-1", b"\x005-1", b"5-1\x00", b""] + JUNK)

    def new_id(self):
        roll = self.random.random()
        if roll < 0.1:
            return self.id()
        if roll < 0.4:
            return b"%d-*" % self.top
        self.top += self.random.randrange(1, 3)
        return b"%d-%d" % (self.top, self.random.randrange(3)) if roll < 0.9 else b"%d" % self.top

    def id_range(self, reverse=False):
        low = b"-" if self.chance(0.5) else (b"(" if self.chance(0.2) else b"") + self.id()
        high = b"+" if self.chance(0.5) else (b"(" if self.chance(0.2) else b"") + self.id()
        return [high, low] if reverse else [low, high]

    def group(self):
        return b"g%d" % self.random.randrange(3) if self.chance(0.98) else self.value()

    def consumer(self):
        return b"c%d" % self.random.randrange(4) if self.chance(0.97) else self.value()

    def idle(self):
        """Far from anything that the clock could make true."""
        return self.pick([b"0", b"0", b"0", b"10000000", b"-5", b"abc"] if self.chance(0.3) else [b"0", b"50000000"])

    def after(self, *commands):
        """Commands to come next: they settle what would otherwise hang on background work."""
        self.pending += reversed([list(c) for c in commands])


def g_set(g):
    key = g.key("string")
    words = [key, g.value()]
    options = g.maybe(0.15, b"NX") + g.maybe(0.15, b"XX") + g.maybe(0.15, b"GET") + g.maybe(0.1, b"KEEPTTL")
    if g.chance(0.25):
        options += g.expiry()
        g.after([b"EXISTS", key])  # a time that is over removes the key when it is looked at
    if g.chance(0.02):
        options.append(g.pick(JUNK))
    return words + options


def g_getex(g):
    key = g.key("string")
    g.after([b"EXISTS", key])
    return [key] + (g.expiry() if g.chance(0.6) else g.maybe(0.4, b"PERSIST"))


def g_expire(time):
    def build(g):
        key = g.any_key()
        g.after([b"EXISTS", key])
        options = g.maybe(0.1, b"NX") + g.maybe(0.1, b"XX") + g.maybe(0.1, b"GT") + g.maybe(0.1, b"LT")
        return [key, time(g)] + options
    return build


def g_setex(time):
    def build(g):
        key = g.key("string")
        g.after([b"EXISTS", key])
        return [key, time(g), g.value()]
    return build


def g_many(family, make, big):
    """A key and members: mostly few, at times enough to change the encoding."""
    def build(g):
        if g.chance(0.01):
            begin = g.random.randrange(1000)
            return [g.key(family)] + [word for i in range(big) for word in make(g, begin + i)]
        return [g.key(family)] + [word for _ in range(1 + g.random.randrange(4)) for word in make(g, None)]
    return build


def g_zadd(g):
    if g.chance(0.01):
        return [g.key("zset")] + [w for i in range(150) for w in (b"%d" % (i % 40), b"n%d" % i)]
    options = g.maybe(0.1, b"NX") + g.maybe(0.1, b"XX") + g.maybe(0.1, b"GT") + g.maybe(0.1, b"LT") + g.maybe(0.2, b"CH")
    if g.chance(0.1):
        return [g.key("zset")] + options + [b"INCR", g.score(), g.member()] + g.maybe(0.03, g.score(), g.member())
    return [g.key("zset")] + options + [w for _ in range(1 + g.random.randrange(4)) for w in (g.score(), g.member())]


def g_zrange(store):
    def build(g):
        by = g.pick([b"", b"", b"BYSCORE", b"BYLEX"])
        reverse = g.chance(0.3)
        bounds = {b"": lambda r: g.index_range(), b"BYSCORE": g.score_range, b"BYLEX": g.lex_range}[by](reverse)
        key = g.lexical_key if by == b"BYLEX" else lambda: g.key("zset")
        words = [key()]
        if store:
            words.insert(0, key() if by == b"BYLEX" else g.destination("zset"))
        words += bounds
        options = [[by]] if by else []
        options += [[b"REV"]] if reverse else []
        limit = g.limit(0.3 if by else 0.03)
        options += [limit] if limit else []
        options += [[b"WITHSCORES"]] if g.chance(0.02 if store or by == b"BYLEX" else 0.3) else []
        g.random.shuffle(options)
        return words + [w for option in options for w in option]
    return build


def g_zsets(store, weights):
    def build(g):
        count = 1 + g.random.randrange(3)
        words = [g.destination("zset")] if store else []
        words += [b"%d" % (count if g.chance(0.97) else g.random.randrange(-1, 5))]
        words += [g.key("zset") if g.chance(0.85) else g.key("set") for _ in range(count)]
        if weights and g.chance(0.3):
            words += [b"WEIGHTS"] + [g.number() for _ in range(count)]
        if weights and g.chance(0.3):
            words += [b"AGGREGATE", g.pick([b"SUM", b"MIN", b"MAX", b"SUM", b"x"])]
        return words + ([] if store else g.maybe(0.4, b"WITHSCORES"))
    return build


def g_card(family):
    def build(g):
        count = 1 + g.random.randrange(3)
        return [b"%d" % (count if g.chance(0.95) else g.random.randrange(-1, 5))] + \
            [g.key(family) for _ in range(count)] + (g.maybe(0.4, b"LIMIT", g.small()))
    return build


def g_mpop(family, ends):
    def build(g):
        count = 1 + g.random.randrange(3)
        words = [b"%d" % (count if g.chance(0.96) else g.random.randrange(-1, 5))] + [g.key(family) for _ in range(count)]
        words.append(g.pick(ends) if g.chance(0.97) else g.pick(JUNK))
        return words + g.maybe(0.5, b"COUNT", g.small()) + g.maybe(0.01, b"COUNT", b"1")
    return build


def g_object(g):
    return [g.pick([b"ENCODING", b"ENCODING", b"encoding", b"REFCOUNT", b"IDLETIME", b"FREQ", b"x"]), g.any_key()]


def g_sample(family, option=None):
    """Members by chance: how many, and with what."""
    def build(g):
        words = [g.key(family)]
        if g.chance(0.4):
            return words
        words.append(g.pick([b"0", b"1", b"2", b"3", b"100", b"-1", b"-3", b"-10", b"abc", b"9223372036854775807",
                             b"-9223372036854775808", b"9223372036854775808"]))
        return words + (g.maybe(0.4, option) + g.maybe(0.02, b"x") if option else g.maybe(0.02, b"x"))
    return build


def g_scan(family):
    def build(g):
        words = [b"0"] if family is None else [g.key(family), b"0"]
        if g.chance(0.4):
            words += [b"MATCH", g.pattern()]
        if g.chance(0.4):
            words += [b"COUNT", g.pick([b"1", b"2", b"10", b"1000", b"0", b"-1", b"abc"])]
        if family is None and g.chance(0.3):
            words += [b"TYPE", g.pick([b"string", b"list", b"set", b"zset", b"hash", b"stream", b"nothing"])]
        return words
    return build


def g_two(g):
    """Two keys, mostly of one family, so that the families keep their types."""
    if g.chance(0.1):
        return [g.any_key(), g.any_key()]
    family = g.pick(list(FAMILIES))
    return [g.key(family), g.key(family)]


def g_copy(g):
    return g_two(g) + (g.maybe(0.3, b"DB", g.database())) + g.maybe(0.4, b"REPLACE")


def g_lpos(g):
    words = [g.key("list"), g.member()]
    return words + g.maybe(0.3, b"RANK", g.index()) + g.maybe(0.3, b"COUNT", g.small()) + g.maybe(0.2, b"MAXLEN", g.small())


def side(g):
    return g.pick([b"LEFT", b"RIGHT"]) if g.chance(0.97) else g.pick(JUNK)


def keys_and_values(g):
    return [w for _ in range(1 + g.random.randrange(3)) for w in (g.key("string"), g.value())]


# name: (weight, how its arguments are made)
COMMANDS = {
    "SET": (30, g_set),
    "GET": (12, lambda g: [g.key("string")]),
    "MGET": (5, lambda g: g.some(g.any_key)),
    "MSET": (4, keys_and_values),
    "MSETNX": (2, keys_and_values),
    "SETNX": (4, lambda g: [g.key("string"), g.value()]),
    "SETEX": (2, g_setex(Generator.seconds)),
    "PSETEX": (2, g_setex(Generator.milliseconds)),
    "GETSET": (3, lambda g: [g.key("string"), g.value()]),
    "GETDEL": (2, lambda g: [g.key("string")]),
    "GETEX": (4, g_getex),
    "APPEND": (6, lambda g: [g.key("string"), g.value()]),
    "STRLEN": (3, lambda g: [g.key("string")]),
    "SETRANGE": (5, lambda g: [g.key("string"), g.pick([b"0", b"1", b"5", b"10", b"100", b"-1", b"536870912", b"abc"]),
                               g.value()]),
    "GETRANGE": (5, lambda g: [g.key("string"), g.index(), g.index()]),
    "SUBSTR": (1, lambda g: [g.key("string"), g.index(), g.index()]),
    "INCR": (5, lambda g: [g.key("string")]),
    "DECR": (4, lambda g: [g.key("string")]),
    "INCRBY": (5, lambda g: [g.key("string"), g.delta()]),
    "DECRBY": (4, lambda g: [g.key("string"), g.delta()]),
    "INCRBYFLOAT": (6, lambda g: [g.key("string"), g.number()]),
    "DEL": (5, lambda g: g.some(g.any_key, 2)),
    "UNLINK": (3, lambda g: g.some(g.any_key, 2)),
    "EXISTS": (4, lambda g: g.some(g.any_key)),
    "TOUCH": (2, lambda g: g.some(g.any_key)),
    "TYPE": (4, lambda g: [g.any_key()]),
    "KEYS": (3, lambda g: [g.pattern()]),
    "RENAME": (4, g_two),
    "RENAMENX": (3, g_two),
    "RANDOMKEY": (2, lambda g: []),
    "EXPIRE": (5, g_expire(Generator.seconds)),
    "PEXPIRE": (5, g_expire(Generator.milliseconds)),
    "EXPIREAT": (5, g_expire(Generator.at_seconds)),
    "PEXPIREAT": (5, g_expire(Generator.at_milliseconds)),
    "TTL": (4, lambda g: [g.any_key()]),
    "PTTL": (4, lambda g: [g.any_key()]),
    "EXPIRETIME": (3, lambda g: [g.any_key()]),
    "PEXPIRETIME": (3, lambda g: [g.any_key()]),
    "PERSIST": (3, lambda g: [g.any_key()]),
    "DBSIZE": (2, lambda g: []),
    "FLUSHDB": (0.3, lambda g: g.maybe(0.5, g.pick([b"ASYNC", b"SYNC", b"x"]))),
    "FLUSHALL": (0.15, lambda g: g.maybe(0.5, g.pick([b"ASYNC", b"SYNC", b"x"]))),
    "SELECT": (3, lambda g: [g.database()]),
    "SWAPDB": (0.5, lambda g: [g.database(), g.database()]),
    "MOVE": (3, lambda g: [g.any_key(), g.database()]),
    "COPY": (4, g_copy),
    "SCAN": (2, g_scan(None)),
    "LPUSH": (14, g_many("list", lambda g, i: [g.member() if i is None else b"e%d" % i], 300)),
    "RPUSH": (14, g_many("list", lambda g, i: [g.member() if i is None else b"%d" % i], 1500)),
    "LPUSHX": (3, lambda g: [g.key("list")] + g.some(g.member)),
    "RPUSHX": (3, lambda g: [g.key("list")] + g.some(g.member)),
    "LPOP": (6, lambda g: [g.key("list")] + g.maybe(0.4, g.small())),
    "RPOP": (6, lambda g: [g.key("list")] + g.maybe(0.4, g.small())),
    "LLEN": (3, lambda g: [g.key("list")]),
    "LRANGE": (8, lambda g: [g.key("list")] + g.index_range()),
    "LINDEX": (5, lambda g: [g.key("list"), g.index()]),
    "LSET": (6, lambda g: [g.key("list"), g.index(), g.value()]),
    "LINSERT": (6, lambda g: [g.key("list"), g.pick([b"BEFORE", b"AFTER", b"after", b"x"]), g.member(), g.value()]),
    "LREM": (5, lambda g: [g.key("list"), g.index(), g.member()]),
    "LTRIM": (3, lambda g: [g.key("list"), g.pick([b"0", b"1", b"-50", b"2"]), g.pick([b"-1", b"-2", b"100", b"5"])]),
    "LMOVE": (5, lambda g: [g.key("list"), g.key("list"), side(g), side(g)]),
    "RPOPLPUSH": (3, lambda g: [g.key("list"), g.key("list")]),
    "LPOS": (4, g_lpos),
    "SADD": (16, g_many("set", lambda g, i: [g.member() if i is None else b"%d" % (i * 3)], 600)),
    "SREM": (6, lambda g: [g.key("set")] + g.some(g.member)),
    "SISMEMBER": (4, lambda g: [g.key("set"), g.member()]),
    "SMISMEMBER": (4, lambda g: [g.key("set")] + g.some(g.member)),
    "SMEMBERS": (4, lambda g: [g.key("set")]),
    "SCARD": (3, lambda g: [g.key("set")]),
    "SPOP": (3, lambda g: [g.key("set")] + g.maybe(0.6, g.small())),
    "SRANDMEMBER": (3, g_sample("set")),
    "SMOVE": (4, lambda g: [g.key("set"), g.key("set"), g.member()]),
    "SINTER": (4, lambda g: g.some(lambda: g.key("set"), 3)),
    "SUNION": (4, lambda g: g.some(lambda: g.key("set"), 3)),
    "SDIFF": (4, lambda g: g.some(lambda: g.key("set"), 3)),
    "SINTERSTORE": (3, lambda g: [g.destination("set")] + g.some(lambda: g.key("set"), 3)),
    "SUNIONSTORE": (3, lambda g: [g.destination("set")] + g.some(lambda: g.key("set"), 3)),
    "SDIFFSTORE": (3, lambda g: [g.destination("set")] + g.some(lambda: g.key("set"), 3)),
    "SINTERCARD": (3, g_card("set")),
    "SSCAN": (1.5, g_scan("set")),
    "HSET": (16, g_many("hash", lambda g, i: [g.member(), g.value()] if i is None else [b"f%d" % i, b"%d" % i], 140)),
    "HMSET": (3, g_many("hash", lambda g, i: [g.member(), g.value()] if i is None else [b"f%d" % i, b"%d" % i], 140)),
    "HSETNX": (4, lambda g: [g.key("hash"), g.member(), g.value()]),
    "HGET": (5, lambda g: [g.key("hash"), g.member()]),
    "HMGET": (4, lambda g: [g.key("hash")] + g.some(g.member)),
    "HGETALL": (4, lambda g: [g.key("hash")]),
    "HDEL": (6, lambda g: [g.key("hash")] + g.some(g.member)),
    "HEXISTS": (4, lambda g: [g.key("hash"), g.member()]),
    "HLEN": (3, lambda g: [g.key("hash")]),
    "HSTRLEN": (3, lambda g: [g.key("hash"), g.member()]),
    "HKEYS": (3, lambda g: [g.key("hash")]),
    "HVALS": (3, lambda g: [g.key("hash")]),
    "HINCRBY": (6, lambda g: [g.key("hash"), g.member(), g.delta()]),
    "HINCRBYFLOAT": (6, lambda g: [g.key("hash"), g.member(), g.number()]),
    "HRANDFIELD": (3, g_sample("hash", b"WITHVALUES")),
    "HSCAN": (1.5, g_scan("hash")),
    "ZADD": (30, g_zadd),
    "ZREM": (6, lambda g: [g.key("zset")] + g.some(g.member)),
    "ZSCORE": (4, lambda g: [g.key("zset"), g.member()]),
    "ZMSCORE": (4, lambda g: [g.key("zset")] + g.some(g.member)),
    "ZINCRBY": (8, lambda g: [g.key("zset"), g.score(), g.member()]),
    "ZCARD": (3, lambda g: [g.key("zset")]),
    "ZCOUNT": (5, lambda g: [g.key("zset")] + g.score_range()),
    "ZLEXCOUNT": (4, lambda g: [g.lexical_key()] + g.lex_range()),
    "ZRANK": (4, lambda g: [g.key("zset"), g.member()]),
    "ZREVRANK": (4, lambda g: [g.key("zset"), g.member()]),
    "ZRANGE": (12, g_zrange(False)),
    "ZRANGESTORE": (5, g_zrange(True)),
    "ZREVRANGE": (4, lambda g: [g.key("zset")] + g.index_range() + g.maybe(0.4, b"WITHSCORES")),
    "ZRANGEBYSCORE": (6, lambda g: [g.key("zset")] + g.score_range() + g.maybe(0.4, b"WITHSCORES") + g.limit()),
    "ZREVRANGEBYSCORE": (5, lambda g: [g.key("zset")] + g.score_range(True) + g.limit()
                         + g.maybe(0.4, b"WITHSCORES")),
    "ZRANGEBYLEX": (4, lambda g: [g.lexical_key()] + g.lex_range() + g.limit()),
    "ZREVRANGEBYLEX": (4, lambda g: [g.lexical_key()] + g.lex_range(True) + g.limit()),
    "ZREMRANGEBYRANK": (2, lambda g: [g.key("zset"), g.index(), g.index()]),
    "ZREMRANGEBYSCORE": (2, lambda g: [g.key("zset"), g.pick([b"-10", b"0", b"(5", b"-inf"]), g.score()]),
    "ZREMRANGEBYLEX": (2, lambda g: [g.lexical_key()] + g.lex_range()),
    "ZPOPMIN": (4, lambda g: [g.key("zset")] + g.maybe(0.4, g.small())),
    "ZPOPMAX": (4, lambda g: [g.key("zset")] + g.maybe(0.4, g.small())),
    "ZRANDMEMBER": (3, g_sample("zset", b"WITHSCORES")),
    "ZUNION": (3, g_zsets(False, True)),
    "ZINTER": (3, g_zsets(False, True)),
    "ZDIFF": (3, g_zsets(False, False)),
    "ZUNIONSTORE": (3, g_zsets(True, True)),
    "ZINTERSTORE": (3, g_zsets(True, True)),
    "ZDIFFSTORE": (3, g_zsets(True, False)),
    "ZINTERCARD": (2, g_card("zset")),
    "ZSCAN": (1.5, g_scan("zset")),
    "LMPOP": (4, g_mpop("list", [b"LEFT", b"RIGHT", b"right"])),
    "ZMPOP": (4, g_mpop("zset", [b"MIN", b"MAX", b"max"])),
    "OBJECT": (6, g_object),
    "MEMORY": (2, lambda g: [b"USAGE", g.any_key()] + g.maybe(0.3, b"SAMPLES", g.small())),
    "ECHO": (1, lambda g: [g.value()]),
    "PING": (1, lambda g: g.maybe(0.5, g.value())),
    "NOSUCHCOMMAND": (0.5, lambda g: g.some(g.value)),
}

for module in (more_commands, stream_commands):
    COMMANDS.update(module.COMMANDS)
