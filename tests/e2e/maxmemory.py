"""maxmemory: what is refused, what goes, what reaches the log and replicas; freeing in the background."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

MB = 1 << 20
OOM = b"OOM command not allowed when used memory > 'maxmemory'."


def used(server):
    """What maxmemory counts: all but the log's memory."""
    memory = server.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])


def limit(server, more):
    """Set maxmemory to @more bytes above what is in use now."""
    server("CONFIG", "SET", "maxmemory", used(server) + more)


def write(server, count, first=0, size=1000):
    """Set keys through a pipeline of 100; gives the number of errors, which are all OOM."""
    refused = 0
    value = b"x" * size
    with resp.Connection(server.port) as c:
        for at in range(first, first + count, 100):
            c.send_raw(b"".join(resp.encode((b"SET", b"key:%d" % i, value)) for i in range(at, at + 100)))
            for _ in range(100):
                reply = c.read_raw()
                if reply[:1] == b"-":
                    assert OOM in reply, reply
                    refused += 1
    return refused


def test_noeviction_refuses_what_needs_memory():
    """Under noeviction a full server refuses commands that may need memory, and serves all others."""
    server = relevo.start()
    limit(server, 4 * MB)
    assert write(server, 10000) > 0
    keys = server("DBSIZE")
    assert 1000 < keys < 10000, keys
    limit(server, -MB)
    assert server.value("SET", "more", "v").startswith(OOM)
    assert server.value("LPUSH", "list", "v").startswith(OOM)
    assert server("GET", "key:0")
    tap.equal(server("DEL", "key:0"), 1)
    tap.equal(int(server.info("stats")["evicted_keys"]), 0)
    server("CONFIG", "SET", "maxmemory", 0)
    tap.equal(server("SET", "more", "v"), b"OK")


def test_every_policy_keeps_the_limit():
    """Under every policy that may evict, no write is refused, memory stays at the limit, and INFO counts."""
    server = relevo.start()
    server("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
                   "volatile-ttl"):
        server("FLUSHALL")
        server("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", policy)
        server("SET", "lasting", "v")
        limit(server, 8 * MB)
        most = int(server.info("memory")["maxmemory"])
        evicted = int(server.info("stats")["evicted_keys"])
        if policy.startswith("volatile"):
            for i in range(20000):
                if not server("SET", f"key:{i}", "x" * 1000, "EX", 1000 + i):
                    break
        else:
            tap.equal(write(server, 20000), 0, policy)
        info = server.info()
        assert used(server) < most + 2 * MB, (policy, used(server), most)
        assert int(info["evicted_keys"]) - evicted > 5000, (policy, info["evicted_keys"])
        tap.equal(info["maxmemory_policy"], policy)
        assert server("DBSIZE") > 3000, policy
        if policy.startswith("volatile"):
            tap.equal(server("GET", "lasting"), b"v", policy)


def test_volatile_policies_refuse_without_candidates():
    """Under a volatile policy without keys that expire, writes are refused as under noeviction."""
    server = relevo.start(maxmemory_policy="volatile-lru")
    limit(server, 2 * MB)
    assert write(server, 5000) > 0
    limit(server, -MB)
    assert server.value("SET", "more", "v").startswith(OOM)


def test_a_lower_limit_takes_effect():
    """A limit that is lowered at run time is reached without any client's help."""
    server = relevo.start(maxmemory_policy="allkeys-random")
    empty = used(server)
    tap.equal(write(server, 20000), 0)
    server("CONFIG", "SET", "maxmemory", empty + 5 * MB)
    relevo.wait(lambda: int(server.info("stats")["evicted_keys"]) > 8000, lambda: str(server.info("stats")))
    relevo.wait(lambda: used(server) < empty + 7 * MB, lambda: f"{used(server)} to fall to {empty + 7 * MB}")


def test_evictions_reach_the_log_and_replicas():
    """Evicted keys are gone on replicas and after a restart too, and a replica with a limit evicts nothing itself."""
    primary = relevo.start(maxmemory_policy="allkeys-lfu")
    replica = relevo.start_replica(primary, maxmemory="1mb", maxmemory_policy="allkeys-random")
    limit(primary, 4 * MB)
    tap.equal(write(primary, 20000), 0)
    primary("CONFIG", "SET", "maxmemory", 0)
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(replica.digest(), primary.digest(), "digest of the replica")
    tap.equal(int(replica.info("stats")["evicted_keys"]), 0)
    assert int(primary.info("stats")["evicted_keys"]) > 1000
    before = primary.digest()
    primary.restart()
    tap.equal(primary.digest(), before, "digest after a restart")


def test_settings():
    """The settings are Redis's, with its names, defaults and errors."""
    names = ["maxmemory", "maxmemory-policy", "maxmemory-samples", "lfu-log-factor", "lfu-decay-time",
             "replica-ignore-maxmemory", "lazyfree-lazy-eviction", "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
             "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush"]
    ours, theirs = relevo.start(), relevo.start(relevo.REDIS)
    for name in names:
        tap.equal(ours("CONFIG", "GET", name), theirs("CONFIG", "GET", name), name)
    for words in (["maxmemory", "100mb"], ["maxmemory", "x"], ["maxmemory-policy", "ALLKEYS-LRU"],
                  ["maxmemory-samples", "0"], ["lfu-decay-time", "-1"], ["lazyfree-lazy-expire", "yes"]):
        tap.equal(ours.value("CONFIG", "SET", *words), theirs.value("CONFIG", "SET", *words), words)
        tap.equal(ours("CONFIG", "GET", words[0]), theirs("CONFIG", "GET", words[0]), words)


def test_freed_in_the_background():
    """What UNLINK and FLUSHALL ASYNC removed is freed in the background, and counted; replicas do the same."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    before = used(primary)
    for at in range(0, 100000, 1000):
        primary("SADD", "large", *range(at, at + 1000), f"word{at}")
    write(primary, 5000)
    tap.equal(primary("UNLINK", "large"), 1)
    tap.equal(primary("DBSIZE"), 5000)
    tap.equal(primary("FLUSHALL", "ASYNC"), b"OK")
    tap.equal(primary("DBSIZE"), 0)
    relevo.wait_equal_offsets(primary, replica)
    for server in (primary, replica):
        relevo.wait(lambda: server.info("memory")["lazyfree_pending_objects"] == "0", "nothing to be pending")
        tap.equal(server.info("memory")["lazyfreed_objects"], "5001")
        tap.equal(server("DBSIZE"), 0)
    relevo.wait(lambda: used(primary) < before + 4 * MB, lambda: f"{used(primary)} to fall to {before}")


def test_flush_during_a_save():
    """A snapshot under way has everything that FLUSHALL ASYNC removed meanwhile."""
    server = relevo.start()
    write(server, 20000)
    before = server.digest()
    server("BGSAVE")
    server("FLUSHALL", "ASYNC")
    relevo.wait(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save to end")
    copy = relevo.start(relevo.REDIS, dir=server.dir, appendonly="no")
    tap.equal(copy.digest(), before, "digest of the file")
    tap.equal(server("DBSIZE"), 0)


tap.main()
