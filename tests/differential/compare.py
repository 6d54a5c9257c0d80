"""Runs the same commands on two servers and compares replies, byte for byte but for the rules below, and data.

Rules (each is justified in README.md): replies whose order is not promised are compared sorted; remaining times within a
minute; the SCAN family by what a full iteration gives; commands that choose at random by what they could have chosen,
after which both servers are made equal again.
"""
import re

import resp
from generator import SCANS

UNORDERED = {b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"KEYS", b"HKEYS", b"HVALS"}
UNORDERED_PAIRS = {b"HGETALL"}
# Replies with times of reading in them, somewhere.
TIMED = {b"XPENDING", b"XINFO"}
TIMES = {b"TTL": 60, b"PTTL": 60000, b"EXPIRETIME": 60, b"PEXPIRETIME": 60000}
RANDOM = {b"SPOP", b"SRANDMEMBER", b"RANDOMKEY", b"HRANDFIELD", b"ZRANDMEMBER"}
# What a server may say of its own insides: how Redis names an encoding, and what Relevo may say then.
ENCODINGS = {b"hashtable": {b"listpack"}, b"quicklist": {b"listpack"}, b"embstr": {b"int"}, b"raw": {b"int", b"embstr"},
             b"skiplist": {b"listpack"}}
CONTAINERS = {b"OBJECT", b"MEMORY", b"XGROUP", b"XINFO"}
APART = {b"DUMP"} | RANDOM | {name.encode() for name in SCANS}
PIPELINE = 400
# Redis's SORT asks whether the last number that anybody read was out of range. This makes it forget, and fails.
FORGET_RANGE = [b"ZINCRBY", b"nokey", b"abc", b"m"]


class Difference(Exception):
    """Two servers disagreed."""

    def __init__(self, command, ours, theirs):
        super().__init__(command, ours, theirs)
        self.command, self.ours, self.theirs = command, ours, theirs


def same_hello(raw):
    """A reply without what differs in HELLO's: the server's version and the connection's number."""
    return re.sub(rb"(version\r\n)\$\d+\r\n[\d.]+|(\$2\r\nid\r\n):\d+", rb"\1\2", raw)


def show(command):
    """A command as one can type it into redis-cli."""
    def word(w):
        if w and all(33 <= c < 127 and c not in b"\"'\\" for c in w):
            return w.decode()
        return '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\x{c:02x}" for c in w) + '"'
    return " ".join(word(w) for w in command)


def pairs(items):
    """Pairs, which RESP2 gives in a row and RESP3 one by one."""
    return [tuple(i) for i in items] if items and isinstance(items[0], list) else list(zip(items[::2], items[1::2]))


def normal(name, reply):
    """A reply in the form in which it is compared."""
    if isinstance(reply, list):
        if name in UNORDERED:
            return sorted(reply)
        if name in UNORDERED_PAIRS:
            return sorted(pairs(reply))
    return reply


def same_but_times(a, b):
    """Whether two replies are equal when the times in them may be a minute apart: behind their names, and in rows of
    pending entries, which end in a time and a number."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if not isinstance(a, list) or not isinstance(b, list) or len(a) != len(b):
        return a == b
    row = len(a) in (3, 4) and isinstance(a[0], bytes) and isinstance(a[-1], int) and isinstance(a[-2], int)
    for i, (x, y) in enumerate(zip(a, b)):
        time = row and i == len(a) - 2 or i > 0 and a[i - 1] in (b"idle", b"seen-time")
        if time and isinstance(x, int) and isinstance(y, int) and abs(x - y) <= 60000:
            continue
        if not same_but_times(x, y):
            return False
    return True


def same_object(words, x, y):
    """Whether two servers say compatible things of how they keep a value."""
    what = words[1].upper()
    if what == b"ENCODING":
        return x in ENCODINGS.get(y, ())
    if what == b"REFCOUNT":  # of integers that are texts in Redis
        return isinstance(x, int) and isinstance(y, int) and {x, y} == {1, 2147483647}
    # In Redis a small integer is shared: it is as idle as the last key anywhere that was given one.
    return what == b"IDLETIME" and isinstance(x, int) and isinstance(y, int)


def newer_form(words):
    """Whether a command has more arguments than Redis 7.0 knows of: WITHSCORE came with 7.2."""
    return words[0].upper() in (b"ZRANK", b"ZREVRANK") and len(words) > 3


def same(words, a, b):
    """Whether two raw replies are equal under the rules."""
    if a == b:
        return True
    name = words[0].upper()
    if newer_form(words) and b.startswith(b"-ERR wrong number of arguments"):
        return True
    if a[:1] == b"-" or b[:1] == b"-":
        return False
    x, y = resp.decode(a)[0], resp.decode(b)[0]
    if name in TIMES and isinstance(x, int) and isinstance(y, int) and x >= 0 and y >= 0:
        return abs(x - y) <= TIMES[name]
    if name in TIMED:
        return same_but_times(x, y)
    if name == b"OBJECT":
        return same_object(words, x, y)
    if name == b"MEMORY":
        return isinstance(x, int) and isinstance(y, int)
    if name in UNORDERED or name in UNORDERED_PAIRS:
        return normal(name, x) == normal(name, y)
    return False


class Pair:
    """Connections to two servers that are to behave alike."""

    def __init__(self, ours, theirs):
        self.connections = (ours, theirs)
        self.history = []
        self.succeeded = set()

    def both(self, command):
        for c in self.connections:
            c.send_raw(resp.encode(command))
        return [c.read() for c in self.connections]

    def reset(self):
        self.history = []
        for reply in self.both([b"FLUSHALL"]) + self.both([b"SELECT", b"0"]):
            assert reply == b"OK", reply

    def run(self, commands):
        """Run them in order; raises Difference at the first one that differs."""
        queue = []
        for command in commands:
            if command[0].upper() in APART:
                self._pipeline(queue)
                queue = []
                self.history.append(command)
                self._apart(command)
            else:
                if command[0].upper() in (b"SORT", b"SORT_RO"):
                    queue.append(FORGET_RANGE)
                queue.append(command)
                if len(queue) >= PIPELINE:
                    self._pipeline(queue)
                    queue = []
        self._pipeline(queue)

    def _pipeline(self, commands):
        if not commands:
            return
        data = b"".join(map(resp.encode, commands))
        for c in self.connections:
            c.send_raw(data)
        ours, theirs = self.connections
        difference = None
        for command in commands:
            a, b = ours.read_raw(), theirs.read_raw()
            if difference is None:
                self.history.append(command)
                if b[:1] != b"-":
                    self._succeeded(command)
                if a != b and not same(command, a, b):
                    difference = Difference(command, resp.decode(a)[0], resp.decode(b)[0])
        if difference:
            raise difference

    def _succeeded(self, command):
        """Remember that a command, or one of its subcommands, did not end in an error."""
        name = command[0].upper()
        self.succeeded.add(name + b"|" + command[1].upper() if name in CONTAINERS else name)

    def _apart(self, command):
        name = command[0].upper()
        if name in RANDOM:
            self._random(name, command)
        elif name == b"DUMP":
            self._dump(command)
        else:
            replies = [self._iterate(name, c, command) for c in self.connections]
            if replies[0] != replies[1]:
                raise Difference(command, *replies)
            if not isinstance(replies[1], resp.Error):
                self._succeeded(command)

    def _iterate(self, name, connection, command):
        """What a full iteration of the SCAN family gives, sorted; or the error."""
        at = 1 if name == b"SCAN" else 2
        words, found, calls = list(command), [], 0
        if len(words) <= at or words[at] != b"0":
            reply = connection.value(*words)
            return reply if isinstance(reply, resp.Error) else "a reply"
        while True:
            reply = connection.value(*words)
            if isinstance(reply, resp.Error):
                return reply
            cursor, items = reply
            if name in (b"HSCAN", b"ZSCAN"):
                items = list(zip(items[::2], items[1::2]))
            found += items
            calls += 1
            if calls > 100000:
                return "an iteration without end"
            if cursor == b"0":
                return sorted(set(found))
            words[at] = cursor

    def _choices(self, name, command):
        """What each of the two servers could choose from, for a command as it stands: members, or pairs."""
        if name == b"RANDOMKEY":
            return [set(r) for r in self.both([b"KEYS", b"*"])]
        look = {b"HRANDFIELD": [b"HGETALL"], b"ZRANDMEMBER": [b"ZRANGE"]}.get(name, [b"SMEMBERS"])
        words = look + command[1:2] + ([b"0", b"-1", b"WITHSCORES"] if name == b"ZRANDMEMBER" else [])
        choices = []
        for reply in self.both(words):
            if isinstance(reply, list) and look != [b"SMEMBERS"]:
                found = pairs(reply)
                reply = found if len(command) > 3 else [member for member, _ in found]
            choices.append(set(reply) if isinstance(reply, list) else reply)
        return choices

    def _random(self, name, command):
        """Random choices: what could be chosen is equal on both sides, the shapes of the replies are, and each choice
        is one that could be made."""
        choices = self._choices(name, command) if name == b"RANDOMKEY" or len(command) > 1 else [set(), set()]
        ours, theirs = self.both(command)
        if choices[0] != choices[1]:
            raise Difference(command, *choices)
        if type(ours) is not type(theirs) or isinstance(ours, (resp.Error, int)) and ours != theirs:
            raise Difference(command, ours, theirs)
        if isinstance(ours, resp.Error):
            return
        self._succeeded(command)
        if ours is None:
            return
        lists = [r if isinstance(r, list) else [r] for r in (ours, theirs)]
        if len(command) > 3:
            lists = [pairs(r) for r in lists]
        if len(lists[0]) != len(lists[1]):
            raise Difference(command, ours, theirs)
        negative = len(command) > 2 and command[2].startswith(b"-")
        for chosen in lists:
            if not set(chosen) <= choices[0] or not negative and len(set(chosen)) != len(chosen):
                raise Difference(command, ours, theirs)
        if name == b"SPOP" and set(lists[0]) != set(lists[1]):
            self._pop_alike(command, lists)

    def _pop_alike(self, command, popped):
        """Put back what each server chose to pop, and take away what ours did."""
        for connection, members in zip(self.connections, popped):
            connection(b"SADD", command[1], *members)
        if len(set(self.both([b"SREM", command[1]] + popped[0]))) != 1:
            raise Difference(command, *popped)

    def _dump(self, command):
        """Payloads may differ (compression, order), but each server must make the same value of the other's."""
        ours, theirs = self.both(command)
        if not isinstance(ours, bytes) or not isinstance(theirs, bytes) or isinstance(ours, resp.Error):
            if ours != theirs:
                raise Difference(command, ours, theirs)
            return
        self._succeeded(command)
        name, contents = b"restored", []
        for connection, payload in zip(self.connections, (theirs, ours)):
            reply = connection.value(b"RESTORE", name, b"0", payload)
            contents.append(reply if isinstance(reply, resp.Error) else self._content(connection, name, signs=False))
            connection(b"DEL", name)
        if contents[0] != contents[1]:
            raise Difference(command, *contents)

    def compare_data(self):
        """Digests of the whole data sets; on a difference the keys that differ are named."""
        digests = self.both([b"DEBUG", b"DIGEST"])
        if digests[0] == digests[1]:
            return
        differing = []
        for db in range(3):
            self.both([b"SELECT", b"%d" % db])
            keys = sorted(set().union(*map(set, self.both([b"KEYS", b"*"]))))
            for key in keys:
                replies = [self._content(c, key) for c in self.connections]
                if replies[0] != replies[1]:
                    differing.append((db, key, *replies))
        raise Difference([b"DEBUG", b"DIGEST"], *([d[:3] for d in differing[:3]], [d[:2] + d[3:] for d in differing[:3]])
                         if differing else digests)

    @staticmethod
    def _content(connection, key, signs=True):
        """A key's type, whether it expires, and its value in a comparable form, with the signs of zeros or without."""
        kind = connection.value(b"TYPE", key)
        read = {b"string": [b"GET", key], b"list": [b"LRANGE", key, b"0", b"-1"], b"set": [b"SMEMBERS", key],
                b"hash": [b"HGETALL", key], b"zset": [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
                b"stream": [b"XRANGE", key, b"-", b"+"]}.get(bytes(kind))
        if not read:
            return kind
        value = normal(read[0], connection.value(*read))
        if kind == b"zset" and not signs:
            value = [b"0" if word == b"-0" else word for word in value]
        return kind, connection.value(b"PTTL", key) > 0, value


def reproduces(pair, commands):
    """Whether these commands, from an empty data set, still end in a difference; the difference or None."""
    pair.reset()
    try:
        pair.run(commands)
        pair.compare_data()
    except Difference as difference:
        return difference
    return None


def minimise(pair, commands, tries=400):
    """Leave out commands as long as a difference remains; gives the rest and its difference."""
    last = reproduces(pair, commands)
    if last is None:
        return commands, None
    commands = list(pair.history) or list(commands)
    size = max(1, len(commands) // 2)
    while size >= 1 and tries > 0:
        at = 0
        while at < len(commands) and tries > 0:
            shorter = commands[:at] + commands[at + size:]
            tries -= 1
            found = reproduces(pair, shorter) if shorter else None
            if found:
                commands, last = shorter, found
            else:
                at += size
        size //= 2
    return commands, last
