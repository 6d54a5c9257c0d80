#!/usr/bin/python3
"""Users of Relevo and of Debian's redis-server: random rules must be taken or refused alike, and mean the same.

    tests/differential/acl.py                        # the suite (TAP)
    tests/differential/acl.py --seed 7 --steps 2000  # one run

A step applies random rules to a user on both servers. Replies must be equal, and then what GETUSER tells (but the list of
commands, which Redis 7.0 sums up by guessing and in the order of a table, and we tell as it was given, as Redis 7.2), what
DRYRUN answers to random requests, and what the user gets who sends them, with what ACL LOG keeps of that.
"""
import argparse
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap
from compare import show

CATEGORIES = """keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow
    blocking dangerous connection transaction scripting all""".split()
COMMANDS = """get set GET mset mget del hset hget lpush sort sort_ro select config config|get config|set CONFIG|GET
    client client|id client|kill acl acl|whoami object object|encoding memory memory|usage zunionstore copy rename
    geoadd georadius xadd xread xgroup xgroup|create exists ping echo multi exec keys flushall auth hello""".split()
FIRSTS = ["select|0", "select|1", "SELECT|0", "get|a1", "hget|h", "echo|Hello", "ping|x"]
PATTERNS = ["a*", "b*", "ab", "*", "a?", "[ab]1", "h", "z\\*", "", "k:*", "**", "\xff*".encode("latin-1").decode("latin-1")]
WRONG = ["+nosuch", "-nosuch", "+@nosuch", "-@", "+", "-", "%~a", "%X~a", "%RR~a", "nosuch", "+config|nosuch", "+get|",
         "+config|get|x", "+get|a|b", "-get|a", "#abc", "!abc", "(on)", "(nopass)", "(+get", "( ~a", "+get)", "payload",
         "(+nosuch ~a)", "#" + "g" * 64, "!" + "0" * 64, "+|", "+|get", "~a b", "&a\tb", "%", "(~a)x", "+config|"]
KEYS = ["a1", "b1", "ab", "h", "z*", "k:1", "other"]  # no empty one: in Redis only the pattern * fits it


def key(r):
    return r.choice(KEYS)


def selector_rule(r):
    """A rule that may stand in a selector."""
    return r.choice([
        lambda: r.choice("+-") + r.choice(COMMANDS),
        lambda: r.choice("+-") + "@" + r.choice(CATEGORIES),
        lambda: "+" + r.choice(FIRSTS),
        lambda: r.choice(["~", "~", "%R~", "%W~", "%RW~", "%wr~", "%r~"]) + r.choice(PATTERNS),
        lambda: "&" + r.choice(PATTERNS),
        lambda: r.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"]),
    ])()


def selector(r):
    rules = [selector_rule(r) for _ in range(r.randrange(4))]
    words = r.choice([["(" + " ".join(rules) + ")"], ["("] + rules + [")"]])
    return words


def user_rule(r):
    """A rule, as the words it is made of."""
    if r.random() < 0.55:
        return [selector_rule(r)]
    return r.choice([
        lambda: [r.choice(["on", "off", "ON", "nopass", "resetpass", "sanitize-payload", "skip-sanitize-payload"])],
        lambda: selector(r),
        lambda: [r.choice(["reset", "clearselectors", "ResetKeys"])],
        lambda: [">" + r.choice(["p", "q", ""])],
        lambda: ["#" + r.choice("01ab") * 64],
        lambda: ["!" + r.choice("01ab") * 64],
        lambda: [r.choice(WRONG)],
    ])()


def is_told_otherwise(rules):
    """A second parenthesis opens in a selector: Redis silently forgets what stands before it, we refuse it. Or a password
    stands in one: Redis shows it."""
    begun = False
    for word in rules:
        opens = word[:1] == "("
        if word[-1:] == ")" and len(word) > 1 or (begun and word == ")"):
            begun = False
        elif begun and (opens or word[:1] == ">"):
            return True
        elif opens:
            begun = True
    return False


REQUESTS = [
    lambda r: ["GET", key(r)], lambda r: ["SET", key(r), "v"], lambda r: ["SET", key(r), "v", "GET"],
    lambda r: ["MSET", key(r), "1", key(r), "2"], lambda r: ["MGET", key(r), key(r), key(r)],
    lambda r: ["DEL", key(r), key(r)], lambda r: ["HGET", key(r), "f"], lambda r: ["HSET", key(r), "f", "v"],
    lambda r: ["LPUSH", key(r), "x"], lambda r: ["SORT", key(r)], lambda r: ["SORT", key(r), "BY", "w*"],
    lambda r: ["SORT", key(r), "GET", "#"], lambda r: ["SORT", key(r), "STORE", key(r)],
    lambda r: ["SORT_RO", key(r), "BY", "nosort", "GET", "a*"],
    lambda r: ["SORT", key(r), "STORE", key(r), "BY", "store"], lambda r: ["SELECT", r.choice("01")],
    lambda r: ["CONFIG", "GET", "port"], lambda r: ["CONFIG", "NOSUCH"], lambda r: ["CLIENT", "ID"],
    lambda r: ["ACL", "WHOAMI"], lambda r: ["OBJECT", "ENCODING", key(r)], lambda r: ["MEMORY", "USAGE", key(r)],
    lambda r: ["ZUNIONSTORE", key(r), "2", key(r), key(r)], lambda r: ["COPY", key(r), key(r)],
    lambda r: ["RENAME", key(r), key(r)], lambda r: ["GEORADIUS", key(r), "0", "0", "1", "km", "STORE", key(r)],
    lambda r: ["XREAD", "STREAMS", key(r), key(r), "0", "0"], lambda r: ["EXISTS", key(r), key(r)],
    lambda r: ["XGROUP", "CREATE", key(r), "g", "$"], lambda r: ["PING"], lambda r: ["PING", "x"],
    lambda r: ["ECHO", r.choice(["hello", "other"])], lambda r: ["KEYS", "*"], lambda r: ["TTL", key(r)],
    lambda r: ["OBJECT", "HELP"], lambda r: ["NOSUCH", key(r)], lambda r: ["GET"], lambda r: ["TYPE", key(r)],
    lambda r: ["LMPOP", "2", key(r), key(r), "LEFT"], lambda r: ["BITOP", "AND", key(r), key(r), key(r)],
    lambda r: ["PUBLISH", key(r), "m"], lambda r: ["SUBSCRIBE", key(r), key(r)], lambda r: ["PSUBSCRIBE", key(r)],
    lambda r: ["BLPOP", key(r), key(r), "0"], lambda r: ["BLMOVE", key(r), key(r), "LEFT", "LEFT", "0"],
    lambda r: ["BLMPOP", "0", "2", key(r), key(r), "LEFT"], lambda r: ["BZMPOP", "0", "1", key(r), "MIN"],
    lambda r: ["XREADGROUP", "GROUP", "g", "c", "STREAMS", key(r), key(r), ">", ">"],
    lambda r: ["EVAL", "return 1", "2", key(r), key(r)], lambda r: ["EVALSHA_RO", "abc", "1", key(r)],
    lambda r: ["FCALL", "f", "1", key(r), key(r)], lambda r: ["MIGRATE", "h", "1", key(r), "0", "1"],
    lambda r: ["MIGRATE", "h", "1", "", "0", "1", "KEYS", key(r), key(r)], lambda r: ["PUNSUBSCRIBE", key(r)],
    lambda r: ["UNSUBSCRIBE", key(r)], lambda r: ["SSUBSCRIBE", key(r)], lambda r: ["SPUBLISH", key(r), "m"],
]
# Replies of these say something about the connection or the server, or none comes.
ONLY_DRY = {"CLIENT", "CONFIG", "KEYS", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "MEMORY", "OBJECT",
            "BLPOP", "BLMOVE", "BLMPOP", "BZMPOP", "MIGRATE", "PUNSUBSCRIBE", "XREADGROUP"}


class Difference(Exception):
    """Two servers disagreed."""


def encoded(words):
    return [w.encode("latin-1") for w in words]


class Both:
    """The same to both servers."""

    def __init__(self, servers):
        self.servers = servers
        self.trace = []
        self.known = None

    def compare(self, words, connections=None, what=lambda reply: reply):
        """Send to both (or on both of @connections), give the common reply."""
        self.trace.append(words)
        ours, theirs = (what(c.value(*encoded(words))) for c in connections or self.servers)
        if ours != theirs:
            lines = ["  " + show(encoded(w)) for w in self.trace[-30:]]
            raise Difference("\n".join(lines) + f"\n  ours:   {ours!r}\n  theirs: {theirs!r}")
        return ours


def rights(reply):
    """GETUSER without the commands, in the root and in selectors."""
    if not isinstance(reply, list):
        return reply
    return [rights(v) for i, v in enumerate(reply) if not (i and reply[i - 1] == b"commands")]


def log_facts(reply):
    """What ACL LOG tells of each denial and does not come from a clock or a connection."""
    return [dict(zip(entry[::2], entry[1::2]))[name] for entry in reply
            for name in (b"count", b"reason", b"context", b"object", b"username")]


def judge(both, r):
    """What the user may do, asked and tried."""
    for _ in range(15):
        request = r.choice(REQUESTS)(r)
        if both.known[0](request[0]) and both.known[1](request[0]):
            both.compare(["ACL", "DRYRUN", "u"] + request)
    for server in both.servers:
        server("ACL", "SETUSER", "u", "on", "nopass")
        server("ACL", "LOG", "RESET")
    connections = [server.connect() for server in both.servers]
    both.compare(["AUTH", "u", "x"], connections)
    for _ in range(15):
        request = r.choice(REQUESTS)(r)
        if request[0] not in ONLY_DRY and both.known[0](request[0]) and both.known[1](request[0]):
            both.compare(request, connections)
    for connection in connections:
        connection.close()
    both.compare(["ACL", "LOG"], what=log_facts)


def knows(server):
    """A function that tells whether a server has a command."""
    names = {}

    def ask(name):
        if name not in names:
            names[name] = name == "NOSUCH" or server("COMMAND", "INFO", name)[0] is not None
        return names[name]
    return ask


def run(servers, seed, steps):
    """@steps changes of a user; raises Difference."""
    r = random.Random(seed)
    both = Both(servers)
    both.known = [knows(server) for server in servers]
    for step in range(steps):
        if step % 20 == 0:
            both.trace = []
            both.compare(["FLUSHALL"])
            for server in servers:
                server("ACL", "DELUSER", "u")
            both.compare(["ACL", "SETUSER", "u", "reset"])
        rules = [word for _ in range(r.randrange(1, 5)) for word in user_rule(r)]
        if is_told_otherwise(rules):
            continue
        both.compare(["ACL", "SETUSER", "u"] + rules)
        both.compare(["ACL", "GETUSER", "u"], what=rights)
        if step % 4 == 3:
            judge(both, r)


def servers():
    return relevo.start(), relevo.start(relevo.REDIS)


def test_kept_seeds():
    """Seeds that are always run."""
    pair = servers()
    for seed in range(1, 11):
        run(pair, seed, 600)


def test_a_fresh_seed():
    """A seed that was never run before, printed if it fails."""
    seed = random.SystemRandom().randrange(1 << 32)
    try:
        run(servers(), seed, 1000)
    except Difference as difference:
        raise Difference(f"seed {seed}:\n{difference}") from difference


def test_own_description():
    """What a server tells of a user makes an equal user of a new one, for all commands."""
    ours, theirs = servers()
    r = random.Random(5)
    names = sorted(n.decode() for n in ours("COMMAND", "LIST"))
    shared = [n for n, row in zip(names, theirs("COMMAND", "INFO", *names)) if row]
    for _ in range(60):
        rules = [r.choice("+-") + r.choice(["@" + r.choice(CATEGORIES), r.choice(COMMANDS)]) for _ in range(6)]
        for server in (ours, theirs):
            server("ACL", "SETUSER", "a", "reset", "allkeys", "allchannels", *rules)
            line = dict(zip(*[iter(server("ACL", "GETUSER", "a"))] * 2))
            server("ACL", "SETUSER", "b", "reset", "allkeys", "allchannels", *line[b"commands"].split())
        for name in r.sample(shared, 40):
            arguments = ["1"] * (abs(ours("COMMAND", "INFO", name)[0][1]) - 1)
            if b"|" in name.encode() or ours("COMMAND", "INFO", name)[0][9]:
                continue
            answers = [s("ACL", "DRYRUN", u, name, *arguments) for s in (ours, theirs) for u in "ab"]
            assert len(set(answers)) == 1, (rules, name, answers)


def test_fixed_replies():
    """Replies and errors of the subcommands, in RESP2 and RESP3."""
    both = Both(servers())
    for version in "23":
        for server in both.servers:
            server("HELLO", version)
            server("ACL", "SETUSER", "s", "reset", "on", "nopass", "~a", "&c", "+get", "(%R~b +@hash)")
        for words in (["ACL", "CAT"], ["ACL", "CAT", "nosuch"], ["ACL", "CAT", "a", "b"], ["ACL", "WHOAMI"],
                      ["ACL", "USERS"], ["ACL", "LIST"], ["ACL", "GETUSER", "s"], ["ACL", "GETUSER", "nobody"],
                      ["ACL", "GENPASS", "0"], ["ACL", "GENPASS", "4097"], ["ACL", "GENPASS", "x"], ["ACL", "LOG", "x"],
                      ["ACL", "LOG", "-1"], ["ACL", "LOG", "RESET"], ["ACL", "LOG", "RESET", "x"], ["ACL", "LOG"],
                      ["ACL", "DELUSER", "default"], ["ACL", "DELUSER", "nobody"], ["ACL", "DELUSER"], ["ACL", "SAVE"],
                      ["ACL", "LOAD"], ["ACL", "NOSUCH"], ["ACL"], ["ACL", "SETUSER"], ["ACL", "SETUSER", "a b", "on"],
                      ["ACL", "DRYRUN", "nobody", "get", "a"], ["ACL", "DRYRUN", "s", "nosuch"],
                      ["ACL", "DRYRUN", "s", "config"], ["ACL", "DRYRUN", "s", "config", "nosuch"],
                      ["CLIENT", "KILL", "USER", "nobody"], ["CLIENT", "KILL", "USER", "s"], ["AUTH", "x"],
                      ["AUTH", "s", "x", "y"], ["AUTH", "nobody", "x"], ["CONFIG", "GET", "acllog-max-len"], ["CONFIG", "GET", "acl-pubsub-default"],
                      ["CONFIG", "SET", "acllog-max-len", "-1"], ["CONFIG", "SET", "acl-pubsub-default", "x"],
                      ["CONFIG", "SET", "aclfile", "x"]):
            both.compare(words)


def test_transactions():
    """Rights are looked at when a command is queued and again when it is executed."""
    both = Both(servers())
    for server in both.servers:
        server("ACL", "SETUSER", "t", "on", "nopass", "~a*", "&c*", "+@all")
    for change in ("-get", "resetkeys", "resetchannels", "-exec", "-@all", "+@all"):
        connections = [server.connect() for server in both.servers]
        both.compare(["ACL", "SETUSER", "t", "allcommands", "resetkeys", "~a*", "resetchannels", "&c*"])
        for words in (["AUTH", "t", "x"], ["MULTI"], ["GET", "a"], ["SET", "a1", "1"]):
            both.compare(words, connections)
        both.compare(["ACL", "SETUSER", "t", change])
        both.compare(["EXEC"], connections)
        both.compare(["ACL", "LOG"], what=log_facts)
        for connection in connections:
            connection.close()


if any(a.startswith("--") for a in sys.argv[1:]):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    run(servers(), options.seed, options.steps)
    tap._run_closers(False)
    sys.exit(0)
tap.main()
