"""Random commands on bits, HyperLogLogs and places, and SORT, LCS, DUMP and RESTORE. As in generator.py."""
import functools
import struct

# Keys of their own for SORT. Ties must fall in the same order, which is that of a list or of scores, not of a table; and
# Redis turns a sorted set that it sorts into its large form, which knows -0.
SORT_LIST, SORT_NUMBERS, SORT_SCORES, SORT_SET = b"sl", b"sn", b"sz", b"st"
UNITS = [b"m", b"km", b"ft", b"mi", b"KM"]
RDB_STRING, RDB_LIST, RDB_SET, RDB_HASH, RDB_ZSET_2, RDB_INTSET = 0, 1, 2, 4, 5, 11


# --- Bits.

def bit_offset(g):
    roll = g.random.random()
    if roll < 0.9:
        return b"%d" % g.random.randrange(200)
    if roll < 0.97:
        return b"%d" % g.random.randrange(20000)
    return g.pick([b"-1", b"abc", b"", b"4294967296", b"9223372036854775807", b"#1", b"1 ", b"01"])


def bit(g):
    return g.pick([b"0", b"1"]) if g.chance(0.97) else g.pick([b"2", b"-1", b"abc", b""])


def bit_key(g):
    return g.key("bitmap") if g.chance(0.9) else g.key("string")


def unit(g):
    return g.pick([b"BYTE", b"BIT", b"bit"]) if g.chance(0.97) else g.pick([b"BITS", b"", b"1"])


def span_index(g):
    return b"%d" % g.random.randrange(-60, 200) if g.chance(0.6) else g.index()


def g_bitcount(g):
    words = [bit_key(g)]
    if g.chance(0.7):
        words += [span_index(g)] if g.chance(0.03) else [span_index(g), span_index(g)]
        words += [unit(g)] if g.chance(0.6) else []
    return words


def g_bitpos(g):
    words = [bit_key(g), bit(g)]
    for choice in (0.7, 0.7, 0.6):
        if not g.chance(choice):
            break
        words.append(span_index(g) if len(words) < 4 else unit(g))
    return words


def g_bitop(g):
    name = g.pick([b"AND", b"OR", b"XOR", b"NOT", b"and", b"not"]) if g.chance(0.98) else b"NAND"
    count = 1 if name.lower() == b"not" and g.chance(0.95) else 1 + g.random.randrange(3)
    to = b"b3" if g.chance(0.8) else bit_key(g)
    return [name, to] + [bit_key(g) for _ in range(count)]


def encoding(g):
    if g.chance(0.97):
        return g.pick([b"i", b"u"]) + b"%d" % g.pick([1, 2, 3, 4, 5, 7, 8, 8, 9, 15, 16, 17, 31, 32, 33, 62, 63, 63])
    return g.pick([b"i64", b"u64", b"i65", b"i0", b"8", b"i", b"u", b"x8", b"", b"I8", b"i08"])


def field_offset(g):
    if g.chance(0.6):
        return b"%d" % g.random.randrange(150)
    if g.chance(0.9):
        return b"#%d" % g.random.randrange(12)
    return g.pick([b"#-1", b"-1", b"##1", b"#", b"abc", b"4294967296", b"#9223372036854775807", b""])


def field_value(g):
    roll = g.random.random()
    if roll < 0.5:
        return b"%d" % g.random.randrange(-200, 300)
    if roll < 0.7:
        return b"%d" % g.random.randrange(-(1 << 63), 1 << 63)
    return g.integer()


def g_bitfield(readonly):
    def build(g):
        words = [bit_key(g)]
        for _ in range(g.random.randrange(5)):
            verb = b"GET" if g.chance(0.97 if readonly else 0.3) else g.pick([b"SET", b"INCRBY", b"incrby"])
            if not readonly and g.chance(0.3):
                words += [b"OVERFLOW", g.pick([b"WRAP", b"SAT", b"FAIL", b"sat"]) if g.chance(0.98) else b"NO"]
            words += [verb, encoding(g), field_offset(g)]
            words += [] if verb == b"GET" else [field_value(g)]
        return words
    return build


# --- HyperLogLogs.

def element(g):
    roll = g.random.random()
    if roll < 0.8:
        return b"e%d" % g.random.randrange(3000)
    return b"%d" % g.random.randrange(10 ** 6) if roll < 0.9 else g.value()


def g_pfadd(g):
    if g.chance(0.03):
        begin = g.random.randrange(100000)
        return [g.key("hll")] + [b"x%d" % (begin + i) for i in range(g.pick([100, 400, 1200]))]
    return [g.key("hll")] + ([element(g) for _ in range(1 + g.random.randrange(5))] if g.chance(0.95) else [])


def g_pfmerge(g):
    to = b"p3" if g.chance(0.7) else g.key("hll")
    if g.chance(0.1):
        g.after([b"DEL", b"p%d" % g.random.randrange(4)])
    return [to] + [g.key("hll") for _ in range(g.random.randrange(4))]


# --- Places.

def place(g):
    roll = g.random.random()
    if roll < 0.75:
        return [b"%.3f" % (13 + g.random.random() * 3), b"%.3f" % (37 + g.random.random() * 2)]
    if roll < 0.85:
        return [b"%d" % g.random.randrange(-4, 5), b"%d" % g.random.randrange(-4, 5)]
    if roll < 0.94:
        return [b"%.6f" % (g.random.random() * 360 - 180), b"%.6f" % (g.random.random() * 170 - 85)]
    if roll < 0.97:
        return [g.pick([b"180", b"-180", b"179.999999", b"0"]), g.pick([b"85.05112878", b"-85.05112878", b"85", b"0"])]
    return [g.pick([b"181", b"abc", b"", b"1e400", b"nan", b"10"]), g.pick([b"86", b"-90", b"x", b"10"])]


def g_geoadd(g):
    options = g.maybe(0.1, b"NX") + g.maybe(0.1, b"XX") + g.maybe(0.2, b"CH")
    count = 150 if g.chance(0.02) else 1 + g.random.randrange(4)
    members = [[b"n%d" % i] if count > 4 else [g.member()] for i in range(count)]
    return [g.key("geo")] + options + [w for m in members for w in place(g) + m]


def radius(g):
    if g.chance(0.03):
        return [g.pick([b"-1", b"abc", b"inf", b"1e300", b"0", b""]), g.pick(UNITS)]
    size = g.pick([1, 10, 100, 200, 500, 1000, 3000, 10000, 30000]) * g.random.random()
    return [b"%.3f" % size, g.pick(UNITS) if g.chance(0.2) else b"km"] if g.chance(0.98) else [b"1", b"yd"]


def box(g):
    if g.chance(0.03):
        return [g.pick([b"-1", b"abc", b"0"]), g.pick([b"10", b"-3", b"x"]), b"km"]
    sizes = [b"%.2f" % (g.pick([1, 50, 300, 1000, 8000, 40000]) * g.random.random()) for _ in range(2)]
    return sizes + [b"km" if g.chance(0.8) else g.pick(UNITS)]


def geo_options(g, store):
    options = [g.maybe(0.3, b"WITHCOORD"), g.maybe(0.3, b"WITHDIST"), g.maybe(0.3, b"WITHHASH")] if not store or g.chance(
        0.02) else []
    if g.chance(0.4):
        options.append([b"COUNT", b"%d" % (1 + g.random.randrange(8)) if g.chance(0.95) else g.pick([b"0", b"-1", b"x"])]
                       + g.maybe(0.3, b"ANY"))
    options.append(g.maybe(0.01, b"ANY") + g.maybe(0.25, b"ASC") + g.maybe(0.25, b"DESC"))
    g.random.shuffle(options)
    return [w for option in options for w in option]


def g_georadius(member, readonly):
    def build(g):
        store = g.chance(0.02 if readonly else 0.25)
        words = [g.key("geo")] + ([g.member()] if member else place(g)) + radius(g) + geo_options(g, store)
        if store:
            words += [g.pick([b"STORE", b"STOREDIST"]), b"g3" if g.chance(0.8) else g.key("geo")]
        return words
    return build


def g_geosearch(store):
    def build(g):
        words = [b"g3" if g.chance(0.8) else g.key("geo")] if store else []
        words.append(g.key("geo"))
        parts = [[b"FROMMEMBER", g.member()] if g.chance(0.5) else [b"FROMLONLAT"] + place(g),
                 [b"BYRADIUS"] + radius(g) if g.chance(0.5) else [b"BYBOX"] + box(g)]
        if g.chance(0.02):
            parts.append([b"BYRADIUS"] + radius(g))
        if g.chance(0.02):
            parts.pop(0)
        parts.append(geo_options(g, store))
        parts.append(g.maybe(0.3 if store else 0.01, b"STOREDIST"))
        g.random.shuffle(parts)
        return words + [w for part in parts for w in part]
    return build


# --- SORT.

def pattern(g):
    return g.pick([b"s*", b"s*", b"h*->m1", b"h*->5", b"w_*", b"nokey", b"#", b"h*->", b"*", b"s*x->", b"t*", b"h*->m*"])


def sort_member(g):
    """Without a zero byte, behind which Redis sees nothing when it compares: the order of a table is left then."""
    return g.member().replace(b"\0", b"0")


def fill_sorted(g):
    if g.chance(0.5):
        g.after([b"RPUSH", SORT_LIST] + g.some(g.member), [b"SADD", SORT_SET] + g.some(lambda: sort_member(g)),
                [b"ZADD", SORT_SCORES] + [w for _ in range(3) for w in (b"%d" % g.random.randrange(9), sort_member(g))])
    if g.chance(0.05):
        g.after([b"DEL", SORT_LIST, SORT_SCORES, SORT_SET])


def g_sort(readonly):
    def build(g):
        keep_order, by = g.chance(0.15), g.chance(0.4)
        alpha, store = g.chance(0.6), g.chance(0.01 if readonly else 0.3)
        key = g.pick([g.key("list"), g.key("set"), SORT_SCORES])
        if keep_order or alpha:
            key = g.pick([SORT_LIST, SORT_SCORES] if keep_order else [SORT_LIST] if by else
                         [SORT_LIST, SORT_SET, SORT_SCORES])
            fill_sorted(g)
        elif not alpha:
            key = SORT_NUMBERS if g.chance(0.8) else key
            g.after([b"RPUSH", SORT_NUMBERS] + [g.pick([b"%d" % g.random.randrange(-9, 30), b"%d" % g.random.randrange(4),
                                                        b"1.5", b" 7", b"1e3"]) for _ in range(2)])
            if g.chance(0.04):
                g.after([b"DEL", SORT_NUMBERS], [b"RPUSH", SORT_NUMBERS] + g.some(g.number))
        parts = [g.maybe(0.3, b"DESC") + g.maybe(0.1, b"ASC"), [b"ALPHA"] if alpha else []]
        if keep_order or by:
            parts.append([b"BY", b"nosort" if keep_order else g.pick([b"s*", b"h*->m1", b"h*->5", b"w_*"])])
        if g.chance(0.3):
            parts.append([b"LIMIT", g.index(), g.index()])
        for _ in range(g.random.randrange(3)):
            parts.append(g.maybe(0.5, b"GET", pattern(g)))
        if store:
            parts.append([b"STORE", b"l3"])
        g.random.shuffle(parts)
        return [key] + [w for part in parts for w in part]
    return build


# --- LCS, DUMP and RESTORE.

def g_lcs(g):
    words = [g.key("string"), g.key("string")]
    return words + g.maybe(0.3, b"LEN") + g.maybe(0.4, b"IDX") + g.maybe(0.3, b"WITHMATCHLEN") + \
        g.maybe(0.3, b"MINMATCHLEN", g.index())


@functools.lru_cache(1)
def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x95AC9329AC4BC9B5 if byte & 1 else 0)
        table.append(byte)
    return table


def crc64(data):
    """CRC-64/Jones, reflected: what ends a payload."""
    table, crc = crc_table(), 0
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc


def rdb_string(text):
    return (bytes([len(text)]) if len(text) < 64 else struct.pack(">BB", 0x40 | len(text) >> 8, len(text) & 255)) + text


def distinct(g, make):
    return list(dict.fromkeys(make() for _ in range(g.random.randrange(5))))


def payload(g):
    """A value as DUMP could have given it, at times a damaged one."""
    kind = g.pick([RDB_STRING, RDB_LIST, RDB_SET, RDB_HASH, RDB_ZSET_2, RDB_INTSET])
    words = distinct(g, g.member)
    if kind == RDB_STRING:
        body = rdb_string(g.value()[:200])
    elif kind in (RDB_LIST, RDB_SET):
        body = bytes([len(words)]) + b"".join(map(rdb_string, words))
    elif kind == RDB_HASH:
        body = bytes([len(words)]) + b"".join(rdb_string(w) + rdb_string(g.value()) for w in words)
    elif kind == RDB_ZSET_2:
        body = bytes([len(words)]) + b"".join(rdb_string(w) + struct.pack("<d", g.random.randrange(20)) for w in words)
    else:
        numbers = sorted(g.random.sample(range(-1000, 1000), 1 + g.random.randrange(6)))
        body = rdb_string(struct.pack("<II", 2, len(numbers)) + struct.pack(f"<{len(numbers)}h", *numbers))
    data = bytes([kind]) + body + struct.pack("<H", g.pick([6, 9, 10]) if g.chance(0.97) else 99)
    data += struct.pack("<Q", crc64(data))
    if g.chance(0.05):
        at = g.random.randrange(len(data))
        data = data[:at] + bytes([data[at] ^ 1 << g.random.randrange(8)]) + data[at + 1:]
    return data


def g_restore(g):
    key = g.any_key()
    g.after([b"EXISTS", key])
    time, options = b"0", []
    if g.chance(0.3):
        time, options = (g.at_milliseconds(), [b"ABSTTL"]) if g.chance(0.5) else (b"%d" % g.random.randrange(10 ** 9, 10 ** 12), [])
    if g.chance(0.85):
        options.append(b"REPLACE")
    if g.chance(0.05):
        options += g.pick([[b"IDLETIME", g.small()], [b"FREQ", g.small()], [b"FREQ", b"256"], [b"IDLETIME"]])
    return [key, time, payload(g)] + options


COMMANDS = {
    "SETBIT": (12, lambda g: [bit_key(g), bit_offset(g), bit(g)]),
    "GETBIT": (5, lambda g: [bit_key(g), bit_offset(g)]),
    "BITCOUNT": (6, g_bitcount),
    "BITPOS": (6, g_bitpos),
    "BITOP": (5, g_bitop),
    "BITFIELD": (10, g_bitfield(False)),
    "BITFIELD_RO": (3, g_bitfield(True)),
    "PFADD": (12, g_pfadd),
    "PFCOUNT": (5, lambda g: [g.key("hll")] if g.chance(0.6) else g.some(lambda: g.key("hll"))),
    "PFMERGE": (2, g_pfmerge),
    "PFDEBUG": (1, lambda g: [g.pick([b"ENCODING", b"DECODE", b"decode", b"TODENSE", b"GETREG", b"x"]), g.key("hll")]),
    "GEOADD": (12, g_geoadd),
    "GEODIST": (4, lambda g: [g.key("geo"), g.member(), g.member()] + ([g.pick(UNITS + [b"yd"])] if g.chance(0.5) else [])),
    "GEOHASH": (3, lambda g: [g.key("geo")] + g.some(g.member)),
    "GEOPOS": (3, lambda g: [g.key("geo")] + g.some(g.member)),
    "GEORADIUS": (5, g_georadius(False, False)),
    "GEORADIUS_RO": (2, g_georadius(False, True)),
    "GEORADIUSBYMEMBER": (5, g_georadius(True, False)),
    "GEORADIUSBYMEMBER_RO": (2, g_georadius(True, True)),
    "GEOSEARCH": (8, g_geosearch(False)),
    "GEOSEARCHSTORE": (4, g_geosearch(True)),
    "SORT": (8, g_sort(False)),
    "SORT_RO": (3, g_sort(True)),
    "LCS": (4, g_lcs),
    "DUMP": (1, lambda g: [g.any_key()]),
    "RESTORE": (4, g_restore),
    "RESTORE-ASKING": (0.3, g_restore),
}
