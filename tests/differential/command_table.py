#!/usr/bin/python3
"""The command table against redis-server's: COMMAND COUNT, INFO, DOCS, GETKEYS and GETKEYSANDFLAGS.

Facts are compared, of every command that both have: arity, flags, positions, categories, tips, key specifications,
versions, groups, argument trees, what is deprecated and by what it is replaced. Sentences are our own, so of those
(summary, complexity, history, notes) only that they are there, and the versions that a history names, are compared.

The tables below are the differences that stay; README.md says why. Anything else, and anything in them that no longer
holds, is a failure.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import compare
import generator
import relevo
import resp
import tap

# Commands that redis-server 7.0 lacks: of Redis 7.2, and the expiry of fields of 7.4 and 8.0; our own.
EXTRA = """
    cache.fill cache.get cache.release
    client|no-touch client|setinfo hexpire hexpireat hexpiretime hgetdel hgetex hpersist hpexpire hpexpireat hpexpiretime hpttl hsetex
    httl waitaof"""
# What 7.2 added, but for the commands of Sentinel.
SINCE_7_2 = "client|no-touch client|setinfo cluster|myshardid waitaof"
# Commands that come with sessions, scripts, clusters and the rest of administration.
ABSENT = """
    asking cluster cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|count-failure-reports
    cluster|countkeysinslot cluster|delslots cluster|delslotsrange cluster|failover cluster|flushslots
    cluster|forget cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links cluster|meet
    cluster|myid cluster|nodes cluster|replicas cluster|replicate cluster|reset cluster|saveconfig
    cluster|set-config-epoch cluster|setslot cluster|shards cluster|slaves cluster|slots migrate readonly readwrite
    module|load module|loadex module|unload
    failover

    psync
    replconf
    sync"""
# Invocations of commands with keys that the generator does not make.
OTHERS = [b"WATCH a", b"WATCH a b c", b"WATCH", b"SPUBLISH a b", b"SPUBLISH a", b"SSUBSCRIBE a", b"SSUBSCRIBE a b",
          b"SUNSUBSCRIBE", b"SUNSUBSCRIBE a b",
          b"BLPOP a b 0", b"BLPOP a", b"BRPOP a 0", b"BLMOVE a b LEFT RIGHT 0",
          b"BRPOPLPUSH a b 0", b"BLMPOP 0 2 a b LEFT", b"BLMPOP 0 3 a b LEFT", b"BZPOPMIN a b c 0", b"BZPOPMAX a 0",
          b"BZMPOP 0 1 a MIN"] + [
    b"%s x %s" % (name, rest) for name in (b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO", b"FCALL", b"FCALL_RO")
    for rest in (b"0", b"1 a", b"2 a b c", b"3 a", b"-1 a", b"z a", b"0 a")]
# Facts that differ: name and what of it.
DIFFERENT_INFO = {("zrank", "arity"), ("zrevrank", "arity")}
DIFFERENT_DOCS = {("zrank", "arguments"), ("zrank", "history"), ("zrevrank", "arguments"), ("zrevrank", "history"),
                  ("acl|log", "history"), ("debug", "arguments"), ("quit", "arguments"), ("command|getkeys", "arguments"),
                  ("command|getkeysandflags", "arguments")}
SENTENCES = ("summary", "complexity", "notes")


def table(reply):
    """A map in RESP2 as a dictionary with text for keys."""
    return {k.decode(): v for k, v in zip(reply[::2], reply[1::2])}


def key_spec(reply):
    return {name: sorted(value) if name == "flags" else value for name, value in table(reply).items()
            if name not in SENTENCES}


def infos(rows, into=None):
    """Facts of COMMAND INFO by command, subcommands among them."""
    into = {} if into is None else into
    for name, arity, flags, first, last, step, categories, tips, specs, subcommands in rows:
        into[name.decode()] = {"arity": arity, "flags": sorted(flags), "positions": (first, last, step),
                               "categories": sorted(categories), "tips": sorted(tips),
                               "key specifications": [key_spec(s) for s in specs]}
        infos(subcommands, into)
    return into


def argument(reply):
    facts = table(reply)
    for name in facts.keys() & {"flags", "arguments"}:
        facts[name] = sorted(facts[name]) if name == "flags" else [argument(a) for a in facts[name]]
    return facts


def docs(reply, into=None):
    """Facts of COMMAND DOCS by command, subcommands among them."""
    into = {} if into is None else into
    for name, said in table(reply).items():
        facts = table(said)
        docs(facts.pop("subcommands", []), into)
        for sentence in SENTENCES:
            if sentence in facts:
                facts[sentence] = len(facts[sentence]) > 0
        if "arguments" in facts:
            facts["arguments"] = [argument(a) for a in facts["arguments"]]
        if "history" in facts:
            assert all(sentence for _, sentence in facts["history"]), name
            facts["history"] = sorted({version for version, _ in facts["history"]})
        if "replaced_by" in facts:  # the words of commands in it; Redis writes "!GET" for GET
            facts["replaced_by"] = sorted(w.strip("!") for w in re.findall(r"`([^`]*)`", facts["replaced_by"].decode()))
        into[name] = facts
    return into


def differences(ours, theirs):
    """What differs in the facts of shared commands, as (name, what, ours, theirs)."""
    found = []
    for name in sorted(ours.keys() & theirs.keys()):
        for what in sorted(ours[name].keys() | theirs[name].keys()):
            a, b = ours[name].get(what), theirs[name].get(what)
            if a != b:
                found.append((name, what, a, b))
    return found


def only_listed(found, listed):
    """Fail on a difference that is not listed, and on a listed one that no longer is."""
    unlisted = [f"{name}: {what}\n  relevo: {a!r}\n  redis:  {b!r}" for name, what, a, b in found
                if (name, what) not in listed]
    assert not unlisted, "\n".join(unlisted)
    tap.equal(sorted(listed - {(name, what) for name, what, _, _ in found}), [], "listed, but equal")


def both():
    return relevo.start(), relevo.start(relevo.REDIS)


def test_count():
    """COMMAND COUNT counts the commands that redis-server has, but for the named ones that one of the two lacks."""
    server, theirs = both()
    ours, shared = infos(server("COMMAND")), infos(theirs("COMMAND"))
    tap.equal(sorted(ours.keys() - shared.keys()), sorted(EXTRA.split()), "only Relevo has")
    tap.equal(sorted(shared.keys() - ours.keys()), sorted(ABSENT.split()), "only redis-server has")
    top = [n for n in ABSENT.split() if "|" not in n], [n for n in EXTRA.split() if "|" not in n]
    tap.equal(server("COMMAND", "COUNT"), theirs("COMMAND", "COUNT") - len(top[0]) + len(top[1]))
    tap.equal(server("COMMAND", "COUNT"), len(server("COMMAND")))
    tap.equal(server("COMMAND", "COUNT"), len(server("COMMAND", "LIST")))


def test_the_page_of_commands():
    """The page in server/README.md names every command of redis-server 7.0, and of 7.2, once: those that are there as same or
    different, and the others as absent."""
    with open(os.path.join(relevo.TOP, "server", "README.md"), encoding="utf-8") as f:
        page = f.read().split("## Every command of Redis 7.2", 1)[1].split("\n## ", 1)[0]
    listed, table = {"same": [], "differs": [], "absent": []}, None
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 2:
            continue
        if cells[1] == "same":
            table = "same"
        elif cells[0] in listed:
            table = cells[0]
        elif "---" not in cells[0]:
            names = re.findall(r"`([A-Z][A-Z0-9_ -]*)`", cells[1] if table == "same" else cells[0])
            listed[table] += [name.lower().replace(" ", "|") for name in names]
    server, theirs = both()
    ours, redis = infos(server("COMMAND")).keys(), infos(theirs("COMMAND")).keys() | set(SINCE_7_2.split())
    everything = listed["same"] + listed["differs"] + listed["absent"]
    tap.equal(sorted(everything), sorted(redis), "named once each")
    tap.equal(sorted(listed["same"] + listed["differs"]), sorted(redis & ours), "those that are there")


def test_info():
    """COMMAND INFO of every shared command tells redis-server's facts, and the same with and without names."""
    server, theirs = both()
    all_of_ours = server("COMMAND", "INFO")
    ours, facts = infos(all_of_ours), infos(theirs("COMMAND", "INFO"))
    assert len(ours.keys() & facts.keys()) > 200, len(ours.keys() & facts.keys())
    only_listed(differences(ours, facts), DIFFERENT_INFO)
    tap.equal(server("COMMAND"), all_of_ours)
    tap.equal(server("COMMAND", "INFO", *[row[0] for row in all_of_ours]), all_of_ours)
    names = ["get", "GET", "object|encoding", "object|nothing", "nothing", "", "get|x", "|"]
    for a, b in zip(server("COMMAND", "INFO", *names), theirs("COMMAND", "INFO", *names)):
        tap.equal(infos([a]) if a else a, infos([b]) if b else b)


def test_docs():
    """COMMAND DOCS of every shared command tells redis-server's facts: arguments, versions, groups, replacements."""
    server, theirs = both()
    ours, facts = docs(server("COMMAND", "DOCS")), docs(theirs("COMMAND", "DOCS"))
    only_listed(differences(ours, facts), DIFFERENT_DOCS)
    for name in ("get", "object|encoding", "nothing", "XADD"):
        tap.equal(docs(server("COMMAND", "DOCS", name)), docs(theirs("COMMAND", "DOCS", name)))


def test_docs_differences_are_seen():
    """The comparison sees a changed version, a lost token, another type, a flag and a missing sentence."""
    theirs = relevo.start(relevo.REDIS)
    facts = docs(theirs("COMMAND", "DOCS", "SET"))

    def changed(change):
        other = docs(theirs("COMMAND", "DOCS", "SET"))
        change(other["set"])
        return differences(other, facts)
    assert not changed(lambda f: None)
    for change in (lambda f: f.update(since=b"9.9.9"), lambda f: f["arguments"][2]["arguments"][0].pop("token"),
                   lambda f: f["arguments"][0].update(type=b"string"), lambda f: f["arguments"][2].pop("flags"),
                   lambda f: f.pop("summary"), lambda f: f["history"].pop()):
        tap.equal(len(changed(change)), 1)


def sources(seed, count):
    """Invocations of every command that has keys: mostly valid, some damaged in one place."""
    source = generator.Generator(seed)
    return [source.next() for _ in range(count)] + [line.split() for line in OTHERS]


def excused(words, ours, theirs, judge):
    """Whether redis-server's answer is of no use: it refuses PFMERGE of one key, which it executes, and finds keys in
    commands that it does not execute, because their number of keys is no number. Later versions' forms it does not
    know."""
    if compare.newer_form(words):
        return isinstance(theirs, resp.Error)
    if words[0].upper() == b"PFMERGE":
        return len(words) == 2 and isinstance(theirs, resp.Error)
    return isinstance(ours, resp.Error) and isinstance(judge.value(*words), resp.Error)


def keys_differ(server, theirs, verb, commands):
    """The first difference of each command's GETKEYS, and the names that got keys at least once."""
    found, seen = {}, set()
    ours, judge = server.own(), theirs.own()
    for at in range(0, len(commands), 300):
        batch = commands[at:at + 300]
        data = b"".join(resp.encode([b"COMMAND", verb] + words) for words in batch)
        for c in (ours, judge):
            c.send_raw(data)
        for words, a, b in zip(batch, [ours.read() for _ in batch], [judge.read() for _ in batch]):
            name = words[0].upper()
            if isinstance(b, list):
                seen.add(name.decode("latin-1"))
            if a != b and not excused(words, a, b, judge):
                found.setdefault(name, f"{compare.show(words)[:300]}\n  relevo: {a!r}\n  redis:  {b!r}")
    return found, seen


def check_keys(verb):
    server, theirs = both()
    found, seen = keys_differ(server, theirs, verb, sources(11, tap.rounds(60000, 600000)))
    assert not found, "\n".join(found.values())
    shared = infos(server("COMMAND")).keys() - set(EXTRA.split())
    have_keys = {name.split("|")[0].upper() for name, facts in infos(theirs("COMMAND")).items()
                 if name in shared and any(b"not_key" not in s["flags"] for s in facts["key specifications"])}
    tap.equal(sorted(have_keys - seen - {"RESTORE-ASKING"}), [], "commands with keys that were never asked about")
    for words in ("", "NOSUCH", "GET", "GET a b", "PING", "PING a", "SCAN 0", "OBJECT", "OBJECT ENCODING", "OBJECT HELP",
                  "OBJECT NOSUCH a", "XGROUP CREATE a", "MEMORY USAGE a", "CONFIG GET a", "CLIENT", "get a", "RANDOMKEY",
                  "RESTORE-ASKING a 0 x", "SORT a STORE", "SORT a STORE b STORE c", "SORT a BY x GET STORE",
                  "GEORADIUS a 1 2 3 m STORE b", "XREAD STREAMS a b c", "XREAD COUNT 1", "LMPOP 0 a LEFT",
                  "ZINTERSTORE d 2 a", "ZUNION 99999999999999999999 a", "BITFIELD a GET u8", "BITFIELD a SET", "SET a b get"):
        tap.equal(server.value("COMMAND", verb, *words.split()), theirs.value("COMMAND", verb, *words.split()), words)


def test_getkeys():
    """COMMAND GETKEYS finds redis-server's keys in random invocations of every command that has keys, and its errors."""
    check_keys(b"GETKEYS")


def test_getkeysandflags():
    """COMMAND GETKEYSANDFLAGS finds redis-server's keys with its flags, and its errors."""
    check_keys(b"GETKEYSANDFLAGS")


tap.main()
