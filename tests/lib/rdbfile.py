"""RDB files made by hand, in the encodings of all versions of Redis: what the redis-server of today reads but no longer
writes (ziplists, zipmaps, quicklists of ziplists, expiry in seconds), and what only later ones write.

    file = rdbfile.File(version=6)
    file.key(rdbfile.LIST_ZIPLIST, "list", rdbfile.string(rdbfile.ziplist(["a", 1])))
    data = file.bytes()
"""
import struct

(STRING, LIST, SET, ZSET, HASH, ZSET_2) = range(6)
HASH_ZIPMAP, LIST_ZIPLIST, SET_INTSET, ZSET_ZIPLIST, HASH_ZIPLIST, LIST_QUICKLIST = range(9, 15)
STREAM_1, HASH_LISTPACK, ZSET_LISTPACK, LIST_QUICKLIST_2, STREAM_2, SET_LISTPACK, STREAM_3 = range(15, 22)
HASH_TIMED_PREVIEW, HASH_LISTPACK_TIMED_PREVIEW, HASH_TIMED, HASH_LISTPACK_TIMED = range(22, 26)
FUNCTION, FUNCTION_PREVIEW, MODULE_AUX, IDLE, FREQ, AUX, RESIZEDB, EXPIRE_MS, EXPIRE_S, SELECTDB, EOF = range(245, 256)


def _crc_table():
    """CRC-64/Jones, reflected: the polynomial of Redis's checksum."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def crc64(data):
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _raw(value):
    return value if isinstance(value, bytes) else str(value).encode()


def length(n):
    """A length in the fewest bytes."""
    if n < 64:
        return bytes([n])
    if n < 1 << 14:
        return bytes([0x40 | n >> 8, n & 0xFF])
    return b"\x80" + struct.pack(">I", n) if n < 1 << 32 else b"\x81" + struct.pack(">Q", n)


def string(value):
    """A string as it is."""
    value = _raw(value)
    return length(len(value)) + value


def integer(value):
    """A string that is kept as an integer of 1, 2 or 4 bytes."""
    for form, (low, layout) in enumerate(((7, "<b"), (15, "<h"), (31, "<i"))):
        if -1 << low <= value < 1 << low:
            return bytes([0xC0 | form]) + struct.pack(layout, value)
    return string(value)


def compressed(value):
    """A string in LZF: its first byte, references to it of 264 bytes at most, and the rest literally."""
    value = _raw(value)
    run = len(value) - len(value.lstrip(value[:1]))
    packed, left = bytes([0]) + value[:1], run - 1
    while left >= 9:
        part = min(left, 264)
        packed += bytes([7 << 5, part - 9, 0])
        left -= part
    rest = value[run - left:]
    for at in range(0, len(rest), 32):
        piece = rest[at:at + 32]
        packed += bytes([len(piece) - 1]) + piece
    return b"\xC3" + length(len(packed)) + length(len(value)) + packed


def _ziplist_entry(value):
    if isinstance(value, int):
        if 0 <= value <= 12:
            return bytes([0xF1 + value])
        for form, low, size in ((0xFE, 7, 1), (0xC0, 15, 2), (0xF0, 23, 3), (0xD0, 31, 4), (0xE0, 63, 8)):
            if -1 << low <= value < 1 << low:
                return bytes([form]) + value.to_bytes(size, "little", signed=True)
    value = _raw(value)
    if len(value) < 64:
        return bytes([len(value)]) + value
    if len(value) < 1 << 14:
        return bytes([0x40 | len(value) >> 8, len(value) & 0xFF]) + value
    return b"\x80" + struct.pack(">I", len(value)) + value


def ziplist(values):
    """Redis 2.6 to 6.2: entries that know the length of the one before."""
    body, before, last = b"", 0, 10
    for value in values:
        last = 10 + len(body)
        head = bytes([before]) if before < 254 else b"\xFE" + struct.pack("<I", before)
        entry = head + _ziplist_entry(value)
        body, before = body + entry, len(entry)
    return struct.pack("<IIH", 11 + len(body), last, min(len(values), 0xFFFF)) + body + b"\xFF"


def zipmap(pairs):
    """Redis up to 2.4: fields and values, each value with a byte that says how much room behind it is unused."""
    def size(n):
        return bytes([n]) if n < 254 else b"\xFE" + struct.pack("<I", n)
    body = b"".join(size(len(f)) + f + size(len(v)) + b"\x02" + v + b"??" for f, v in pairs)
    return bytes([min(len(pairs), 254)]) + body + b"\xFF"


def intset(values):
    """Sorted integers of one width."""
    width = next(w for w in (2, 4, 8) if all(-1 << 8 * w - 1 <= v < 1 << 8 * w - 1 for v in values))
    return struct.pack("<II", width, len(values)) + b"".join(v.to_bytes(width, "little", signed=True)
                                                             for v in sorted(values))


def _listpack_entry(value):
    if isinstance(value, int):
        if 0 <= value < 128:
            entry = bytes([value])
        elif -4096 <= value < 4096:
            entry = struct.pack(">H", 0xC000 | value & 0x1FFF)
        else:
            size = next(s for s in (2, 3, 4, 8) if -1 << 8 * s - 1 <= value < 1 << 8 * s - 1)
            entry = bytes([{2: 0xF1, 3: 0xF2, 4: 0xF3, 8: 0xF4}[size]]) + value.to_bytes(size, "little", signed=True)
    else:
        value = _raw(value)
        if len(value) < 64:
            entry = bytes([0x80 | len(value)]) + value
        elif len(value) < 4096:
            entry = struct.pack(">H", 0xE000 | len(value)) + value
        else:
            entry = b"\xF0" + struct.pack("<I", len(value)) + value
    back, n = [], len(entry)
    while True:
        back.append(n & 127)
        n >>= 7
        if not n:
            break
    return entry + bytes([back[-1]] + [b | 128 for b in reversed(back[:-1])])


def listpack(values):
    """Redis 7.0 and later: entries that end in their own length."""
    body = b"".join(_listpack_entry(v) for v in values)
    return struct.pack("<IH", 7 + len(body), min(len(values), 0xFFFF)) + body + b"\xFF"


def stream(kind, entries, group=None):
    """Entries (ms, {field: value}), all in one node; a group with one consumer who holds the first entry."""
    first = entries[0][0]
    fields = list(entries[0][1])
    node = [len(entries), 0, len(fields), *fields, 0]
    for ms, pairs in entries:
        assert list(pairs) == fields
        node += [2, ms - first, 0, *pairs.values(), len(fields) + 3]
    out = length(1) + string(struct.pack(">QQ", first, 0)) + string(listpack(node)) + length(len(entries))
    out += length(entries[-1][0]) + length(0)
    if kind != STREAM_1:
        out += length(first) + length(0) + length(0) + length(0) + length(len(entries))
    if group is None:
        return out + length(0)
    raw_id = struct.pack(">QQ", first, 0)
    out += length(1) + string(group) + length(first) + length(0)
    if kind != STREAM_1:
        out += length(1)
    out += length(1) + raw_id + struct.pack("<Q", 1700000000000) + length(3)
    out += length(1) + string("consumer") + struct.pack("<Q", 1700000000000)
    if kind == STREAM_3:
        out += struct.pack("<Q", 1700000000000)
    return out + length(1) + raw_id


def timed_table(fields):
    """Redis 7.4: (field, value, expiry in ms or 0), the times counted from one less than the earliest."""
    first = min((expiry for _, _, expiry in fields if expiry), default=0)
    return struct.pack("<Q", first) + length(len(fields)) + b"".join(
        length(expiry - first + 1 if expiry else 0) + string(field) + string(value) for field, value, expiry in fields)


def timed_listpack(fields):
    """The same for few fields: the earliest time, and a listpack with the earliest first and those that stay last."""
    order = sorted(fields, key=lambda field: field[2] or 1 << 62)
    first = min((expiry for _, _, expiry in fields if expiry), default=0)
    return struct.pack("<Q", first) + string(listpack([part for field in order for part in field]))


def payload(kind, content, version):
    """What DUMP of a server that writes @version gives."""
    data = bytes([kind]) + content + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


class File:
    """A file under construction."""

    def __init__(self, version, magic="REDIS"):
        self.data = f"{magic}{version:0{9 - len(magic)}d}".encode()

    def raw(self, data):
        self.data += data

    def opcode(self, number, *strings):
        self.data += bytes([number]) + b"".join(string(s) for s in strings)

    def select(self, db):
        self.data += bytes([SELECTDB]) + length(db)

    def key(self, kind, name, content, before=b""):
        """One key; @before: opcodes in front of it (expiry, idle time)."""
        self.data += before + bytes([kind]) + string(name) + content

    def bytes(self):
        data = self.data + bytes([EOF])
        return data + struct.pack("<Q", crc64(data))

    def write(self, path):
        with open(path, "wb") as out:
            out.write(self.bytes())


def old_encodings(version):
    """A file of @version with every encoding that redis-server up to 6.2 wrote and 7.0 reads."""
    numbers = [0, 12, 13, -1, 127, -128, 32767, -32768, 8388607, -8388608, 2 ** 31 - 1, -2 ** 31, 2 ** 63 - 1, -2 ** 63]
    words = ["", "a", "x" * 63, "y" * 64, "z" * 300, "0012"]
    file = File(version)
    if version >= 7:
        file.opcode(AUX, "redis-ver", "3.2.0")
    file.select(0)
    if version >= 7:
        file.raw(bytes([RESIZEDB]) + length(20) + length(2))
    file.key(STRING, "raw", string("text"))
    file.key(STRING, "lzf", compressed("a" * 700 + "tail of the text"))
    for number in (0, -7, 1000, -70000, 2 ** 40):
        file.key(STRING, f"int:{number}", integer(number))
    file.key(STRING, "seconds", string("v"), before=bytes([EXPIRE_S]) + struct.pack("<I", 2145916800))
    file.key(STRING, "ms", string("v"), before=bytes([EXPIRE_MS]) + struct.pack("<Q", 4102444800123))
    file.key(LIST, "list", length(3) + string("a") + integer(7) + compressed("b" * 100))
    file.key(LIST_ZIPLIST, "list:ziplist", string(ziplist(words + numbers)))
    file.key(SET, "set", length(3) + string("a") + integer(-5) + string("c"))
    for number, values in enumerate(([1, -3, 2], [70000, 1], [2 ** 40, -1, 5])):
        file.key(SET_INTSET, f"set:intset:{number}", string(intset(values)))
    file.key(HASH, "hash", length(2) + string("f") + string("v") + string("n") + integer(300))
    file.key(HASH_ZIPMAP, "hash:zipmap", string(zipmap([(b"f", b"v"), (b"g", b"w" * 253), (b"h" * 300, b"")])))
    file.key(HASH_ZIPLIST, "hash:ziplist", compressed(ziplist(["f", 1, "g", "v" * 80, 5, "n"])))
    file.key(ZSET, "zset", length(4) + string("a") + b"\x031.5" + string("b") + b"\xFE" + string("c") + b"\xFF" +
             string("d") + b"\x02-3")
    file.key(ZSET_ZIPLIST, "zset:ziplist", string(ziplist(["low", "-inf", "a", -2, "b", "0.5", "c", 7, "high", "inf"])))
    if version >= 7:
        nodes = [ziplist(words), ziplist(numbers), ziplist(["only"])]
        file.key(LIST_QUICKLIST, "list:quicklist", length(3) + b"".join(map(string, nodes)))
    if version >= 8:
        file.key(ZSET_2, "zset:2", length(2) + string("a") + struct.pack("<d", 0.1) + string("b") +
                 struct.pack("<d", -1e300))
    if version >= 9:
        file.key(STREAM_1, "stream:1", stream(STREAM_1, [(1000, {"f": "v", "g": 5}), (1005, {"f": "w", "g": -5})], "g"))
        file.key(STRING, "idle", string("v"), before=bytes([IDLE]) + length(100))
        file.key(STRING, "often", string("v"), before=bytes([FREQ, 200]))
    file.select(9)
    file.key(STRING, "raw", string("in another database"))
    return file


def new_encodings(version):
    """What redis-server 7.0 (version 10) writes, and 7.2 (version 11) beside it."""
    file = File(version)
    file.opcode(AUX, "redis-ver", "7.2.0")
    file.opcode(FUNCTION, "#!lua name=kept\nredis.register_function('f', function() return 1 end)\n")
    file.select(0)
    numbers = [0, 127, 128, -1, 4095, -4096, 4096, 32767, 8388607, -8388608, 2 ** 31 - 1, -2 ** 31, 2 ** 62, -2 ** 63]
    file.key(HASH_LISTPACK, "hash", string(listpack(["f", 1, "g", "v" * 80, "h", "w" * 5000])))
    file.key(ZSET_LISTPACK, "zset", string(listpack(["a", -2, "b", "0.5", "c", 7])))
    file.key(LIST_QUICKLIST_2, "list", length(3) + length(2) + string(listpack(numbers)) + length(1) +
             string("p" * 9000) + length(2) + string(listpack(["a", ""])))
    file.key(STREAM_2, "stream:2", stream(STREAM_2, [(7, {"f": "v"}), (9, {"f": "w"})], "g"))
    if version >= 11:
        file.key(SET_LISTPACK, "set", string(listpack(["a", 5, "b" * 100])))
        file.key(STREAM_3, "stream:3", stream(STREAM_3, [(7, {"f": "v"}), (9, {"f": "w"})], "g"))
    return file
