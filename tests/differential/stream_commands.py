"""Random commands on streams. As in generator.py."""


def g_xadd(g):
    if g.chance(0.01):
        g.after([b"DEL", g.key("stream")])
    words = [g.key("stream")] + g.maybe(0.1, b"NOMKSTREAM") + (trimming(g) if g.chance(0.25) else [])
    if g.chance(0.7):
        pairs = [b"f1", g.value(), b"f2", g.value()]
    else:
        pairs = [w for _ in range(1 + g.random.randrange(4)) for w in (g.member(), g.value())]
    return words + [g.new_id()] + pairs


def trimming(g):
    by_length = g.chance(0.5)
    threshold = g.pick([b"0", b"1", b"5", b"20", b"100", b"-1"]) if by_length else g.id()
    if by_length and g.chance(0.6):
        threshold = b"%d" % g.random.randrange(10, 250)
    words = [b"MAXLEN" if by_length else b"MINID"] + g.pick([[], [b"="], [b"~"], [b"~"]]) + [threshold]
    words += g.maybe(0.3 if b"~" in words else 0.02, b"LIMIT", g.pick([b"0", b"1", b"100", b"150", b"-1"]))
    return words + g.maybe(0.01, b"MAXLEN", b"5")


def g_xread(g):
    count = 1 + g.random.randrange(2)
    words = g.maybe(0.5, b"COUNT", g.small()) + g.maybe(0.01, b"NOACK")
    words += g.maybe(0.02, b"BLOCK", g.pick([b"abc", b"-1", b"1.5", b""])) + [b"STREAMS"]
    return words + [g.key("stream") for _ in range(count)] + \
        [g.pick([b"$", b"0"]) if g.chance(0.1) else g.id() for _ in range(count)]


def g_xreadgroup(g):
    count = 1 if g.chance(0.8) else 2
    words = [b"GROUP", g.group(), g.consumer()] + g.maybe(0.7, b"COUNT", g.small()) + g.maybe(0.1, b"NOACK")
    return words + [b"STREAMS"] + [g.key("stream") for _ in range(count)] + \
        [b">" if g.chance(0.7) else g.pick([b"0", g.id()]) for _ in range(count)]


def g_xgroup(g):
    key, group = g.key("stream"), g.group()
    at = g.pick([b"$", b"0", b"0", g.id()])
    read = g.maybe(0.2, b"ENTRIESREAD", g.pick([b"0", b"3", b"-1", b"-2", b"abc", b"50"]))
    return g.pick([lambda: [b"CREATE", key, group, at] + g.maybe(0.3, b"MKSTREAM") + read,
                   lambda: [b"CREATE", key, group, at] + g.maybe(0.3, b"MKSTREAM") + read,
                   lambda: [b"SETID", key, group, at] + read,
                   lambda: [b"CREATECONSUMER", key, group, g.consumer()],
                   lambda: [b"DELCONSUMER", key, group, g.consumer()] if g.chance(0.4) else [b"DESTROY", key, group],
                   lambda: [b"create", key, group, at] + g.maybe(0.1, b"x")])()


def g_xpending(g):
    words = [g.key("stream"), g.group()]
    if g.chance(0.4):
        return words
    words += g.maybe(0.3, b"IDLE", g.idle()) + g.id_range() + [g.small()]
    return words + g.maybe(0.4, g.consumer()) + g.maybe(0.02, b"x")


def g_xclaim(g):
    words = [g.key("stream"), g.group(), g.consumer(), g.idle()] + g.some(g.id)
    words += g.maybe(0.15, b"IDLE", g.pick([b"100000000", b"0", b"abc"]))
    words += g.maybe(0.15, b"TIME", g.pick([b"1000", b"-1", b"1600000000000", b"9223372036854775807"]))
    words += g.maybe(0.2, b"RETRYCOUNT", g.small())
    words += g.maybe(0.4, b"FORCE") + g.maybe(0.3, b"JUSTID")
    return words + g.maybe(0.1, b"LASTID", g.id()) + g.maybe(0.01, b"x")


def g_xautoclaim(g):
    return [g.key("stream"), g.group(), g.consumer(), g.idle(), b"0" if g.chance(0.5) else g.id()] + \
        g.maybe(0.5, b"COUNT", g.small()) + g.maybe(0.3, b"JUSTID")


def g_xinfo(g):
    key = g.key("stream")
    return g.pick([lambda: [b"STREAM", key], lambda: [b"STREAM", key, b"FULL"] + g.maybe(0.4, b"COUNT", g.small()),
                   lambda: [b"GROUPS", key], lambda: [b"CONSUMERS", key, g.group()],
                   lambda: [b"STREAM", key, b"x"]])()


def g_xsetid(g):
    words = [g.key("stream"), b"%d-5" % g.top if g.chance(0.7) else g.id()]
    words += g.maybe(0.3, b"ENTRIESADDED", g.pick([b"0", b"500", b"100000", b"-1"]))
    return words + g.maybe(0.3, b"MAXDELETEDID", g.id())


COMMANDS = {
    "XADD": (40, g_xadd),
    "XLEN": (3, lambda g: [g.key("stream")]),
    "XRANGE": (8, lambda g: [g.key("stream")] + g.id_range() + g.maybe(0.4, b"COUNT", g.small())),
    "XREVRANGE": (8, lambda g: [g.key("stream")] + g.id_range(True) + g.maybe(0.4, b"COUNT", g.small())),
    "XREAD": (6, g_xread),
    "XREADGROUP": (16, g_xreadgroup),
    "XDEL": (6, lambda g: [g.key("stream")] + g.some(g.id)),
    "XTRIM": (3, lambda g: [g.key("stream")] + trimming(g)),
    "XGROUP": (8, g_xgroup),
    "XACK": (6, lambda g: [g.key("stream"), g.group()] + g.some(g.id)),
    "XPENDING": (8, g_xpending),
    "XCLAIM": (8, g_xclaim),
    "XAUTOCLAIM": (5, g_xautoclaim),
    "XINFO": (10, g_xinfo),
    "XSETID": (1, g_xsetid),
}
