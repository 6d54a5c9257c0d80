"""Clients that wait for keys: who is served, in which order, and what becomes of those who never are."""
import os
import random
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import redis
import relevo
import resp
import tap

GONE = b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"


def blocked(server):
    return int(server.info("clients")["blocked_clients"])


def wait_blocked(server, count):
    relevo.wait(lambda: blocked(server) == count, lambda: f"{count} blocked clients, there are {blocked(server)}")


def begin(server, *words, connection=None):
    """Send a command on a connection of its own, and wait until it waits."""
    before = blocked(server)
    connection = connection or server.connect()
    connection.send(*words)
    wait_blocked(server, before + 1)
    return connection


def closed(connection):
    try:
        return connection.read_raw() is None
    except (resp.Closed, ConnectionResetError):
        return True


def test_a_hundred_waiters_are_served_in_their_order():
    """Of those who wait for one key, who came first is served first, with one push or many, alone or in a transaction."""
    server = relevo.start()
    waiters = [begin(server, *(["BLPOP", "k", "0"] if n % 3 else ["BRPOPLPUSH", "k", "other", "0"])) for n in range(100)]
    server("RPUSH", "k", *range(10))
    server("MULTI")
    for n in range(10, 60):
        server("RPUSH", "k", n)
    server("EXEC")
    wait_blocked(server, 40)
    server("RPUSH", "k", *range(60, 95))
    wait_blocked(server, 5)
    answers = [w.read() for w in waiters[:95]]
    # BLPOP takes the head, BRPOPLPUSH the tail of what is there when its turn comes.
    for batch in (range(10), range(10, 60), range(60, 95)):
        left = list(batch)
        for n in batch:
            expected = b"%d" % (left.pop(0) if n % 3 else left.pop())
            tap.equal(answers[n], [b"k", expected] if n % 3 else expected, f"waiter {n}")
    tap.equal(server("EXISTS", "k"), 0)
    tap.equal(calls(server, "blpop"), 66)


def test_every_way_in_which_a_key_comes_to_be():
    """Whatever makes a list or a sorted set serves those who wait for it, also in place of another type."""
    server = relevo.start()
    server("RPUSH", "list", "1")
    server("ZADD", "zset", "1", "m")
    server("GEOADD", "places", "1", "1", "m")
    payload = server("DUMP", "list")
    for words in (["LPUSH", "k", "1"], ["LMOVE", "list", "k", "LEFT", "LEFT"], ["COPY", "list", "k", "REPLACE"],
                  ["SORT", "list", "STORE", "k"], ["RESTORE", "k", "0", payload, "REPLACE"], ["RENAME", "list", "k"]):
        for old in (None, "SET"):
            if old and words[0] in ("LPUSH", "LMOVE"):
                continue
            waiter = begin(server, "BLPOP", "k", "0")
            if old:
                server("SET", "k", "v")
            server(*words)
            tap.equal(waiter.read(), [b"k", b"1"], f"{words} {old}")
            server("DEL", "list", "k")
            server("RPUSH", "list", "1")
    for words in (["ZADD", "k", "1", "m"], ["ZINCRBY", "k", "1", "m"], ["ZUNIONSTORE", "k", "1", "zset"],
                  ["ZRANGESTORE", "k", "zset", "0", "-1"]):
        waiter = begin(server, "BZPOPMAX", "k", "0")
        server(*words)
        tap.equal(waiter.read(), [b"k", b"m", b"1"], words)
    waiter = begin(server, "BZPOPMIN", "k", "0")
    server("GEOSEARCHSTORE", "k", "places", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km")
    tap.equal(waiter.read()[:2], [b"k", b"m"])
    server("SELECT", "1")
    server("RPUSH", "k", "there")
    waiter = begin(server, "BLPOP", "k", "0")
    server("SWAPDB", "0", "1")
    tap.equal(waiter.read(), [b"k", b"there"])
    server("RPUSH", "k", "moved")
    waiter = begin(server, "BLPOP", "k", "0")
    server("MOVE", "k", "0")
    tap.equal(waiter.read(), [b"k", b"moved"])


def test_a_chain_is_served_in_one_turn():
    """Who is served by being moved an element may serve another: all of it before the next command."""
    server = relevo.start()
    chain = [begin(server, "BLMOVE", f"k{n}", f"k{n + 1}", "LEFT", "RIGHT", "0") for n in range(20)]
    last = begin(server, "BLPOP", "k20", "0")
    pusher = server.connect()
    pusher.send_raw(resp.encode(["RPUSH", "k0", "v"]) + resp.encode(["EXISTS", *[f"k{n}" for n in range(21)]]))
    tap.equal([pusher.read(), pusher.read()], [1, 0])
    tap.equal([c.read() for c in chain], [b"v"] * 20)
    tap.equal(last.read(), [b"k20", b"v"])


def test_a_transaction_is_never_interrupted():
    """Who waits sees what a transaction leaves, and a blocking command in one does not wait."""
    server = relevo.start()
    waiter, reader = begin(server, "BLPOP", "k", "0"), begin(server, "XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    server("MULTI")
    for words in (["RPUSH", "k", "1"], ["BLPOP", "k", "0"], ["BLMOVE", "k", "x", "LEFT", "LEFT", "0"], ["RPUSH", "k", "2", "3"],
                  ["LRANGE", "k", "0", "-1"], ["XADD", "s", "1-1", "f", "v"], ["XADD", "s", "2-1", "f", "v"]):
        server(*words)
    tap.equal(server("EXEC"), [1, [b"k", b"1"], None, 2, [b"2", b"3"], b"1-1", b"2-1"])
    tap.equal(waiter.read(), [b"k", b"2"])
    tap.equal(reader.read(), [[b"s", [[b"1-1", [b"f", b"v"]], [b"2-1", [b"f", b"v"]]]]])


def test_what_stands_behind_a_blocking_command():
    """A pipeline goes on where it waited, in order; CLIENT UNBLOCK lets it."""
    server = relevo.start()
    connection = server.connect()
    number = connection("CLIENT", "ID")
    connection.send_raw(b"".join(map(resp.encode, [["SET", "x", "1"], ["BLPOP", "k", "0"], ["INCR", "x"],
                                                    ["BZPOPMIN", "z", "0"], ["GET", "x"]])))
    wait_blocked(server, 1)
    tap.equal(server("GET", "x"), b"1")
    server("RPUSH", "k", "v")
    relevo.wait(lambda: server("GET", "x") == b"2", "the pipeline to go on")
    wait_blocked(server, 1)
    tap.equal([server("CLIENT", "UNBLOCK", number), server("CLIENT", "UNBLOCK", number)], [1, 0])
    tap.equal([connection.read() for _ in range(5)], [b"OK", [b"k", b"v"], 2, None, b"2"])


def test_an_answer_that_nobody_wants():
    """CLIENT REPLY SKIP in front of a blocking command is for its answer, whenever and however that comes."""
    server = relevo.start()
    connection = server.connect()
    number = connection("CLIENT", "ID")
    for end in (["RPUSH", "k", "v"], ["CLIENT", "UNBLOCK", number], ["CLIENT", "UNBLOCK", number, "ERROR"]):
        connection.send("CLIENT", "REPLY", "SKIP")
        begin(server, "BLPOP", "k", "0", connection=connection)
        server(*end)
        tap.equal(connection("ECHO", "next"), b"next", end)
    connection.send("CLIENT", "REPLY", "SKIP")
    connection.send("BLPOP", "k", "0.001")
    tap.equal(connection("ECHO", "last"), b"last")


def test_nothing_is_given_to_the_dead():
    """Clients that went away while they waited, by themselves or by force, take nothing."""
    server = relevo.start()
    gone, killed, half = (begin(server, "BLPOP", "k", "0") for _ in range(3))
    gone.close()
    wait_blocked(server, 2)
    half.socket.shutdown(1)
    wait_blocked(server, 1)
    address = "%s:%d" % killed.socket.getsockname()
    tap.equal(server("CLIENT", "KILL", "ADDR", address), 1)
    assert closed(killed)
    wait_blocked(server, 0)
    tap.equal(server("RPUSH", "k", "v"), 1)
    tap.equal(server("LRANGE", "k", "0", "-1"), [b"v"])


def test_readers_of_a_group_hear_that_it_is_gone():
    """XREADGROUP ends with an error when its stream or its group is destroyed, however that comes about."""
    server = relevo.start()
    no_key, no_group = b"UNBLOCKED the stream key no longer exists", b"NOGROUP the consumer group this client was blocked on no longer exists"
    ways = [(["DEL", "s"], no_key), (["SET", "s", "v"], no_key), (["RENAME", "s", "t"], no_key), (["FLUSHALL"], no_key),
            (["SWAPDB", "0", "1"], no_key), (["PEXPIREAT", "s", "1"], no_key), (["XGROUP", "DESTROY", "s", "g"], no_group)]
    for words, error in ways:
        server("FLUSHALL")
        server("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        readers = [begin(server, "XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">") for _ in range(3)]
        other = begin(server, "XREAD", "BLOCK", "0", "STREAMS", "s", "$")
        server(*words)
        tap.equal([r.read() for r in readers], [error] * 3, words)
        wait_blocked(server, 1)
        other.close()
        wait_blocked(server, 0)
    server("FLUSHALL")
    server("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    server("PEXPIRE", "s", "20")
    reader = begin(server, "XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">") if server("EXISTS", "s") else None
    if reader:
        tap.equal(reader.read(), no_key)


def calls(server, name):
    """How often a command has been executed."""
    return int(server.info("commandstats").get("cmdstat_" + name, "calls=0").split(",")[0].split("=")[1])


def test_ten_thousand_wait_and_give_up():
    """Each is told when its own time is over, none is forgotten, and what they held is free again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10000, (hard if hard != resource.RLIM_INFINITY else 1 << 20) - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    server = relevo.start(maxclients=count + 100)
    r, waiters = random.Random(1), []
    for n in range(count):
        waiters.append(resp.Connection(server.port))
        waiters[-1].send("BLPOP", "all", f"own{n}", "0" if n % 10 == 0 else f"{r.uniform(3, 6):.3f}")
    relevo.wait(lambda: calls(server, "blpop") == count, "all to have been heard")
    tap.equal(server("RPUSH", "own70", "v"), 1)
    tap.equal(waiters[70].read(), [b"own70", b"v"])
    forever = [n for n in range(0, count, 10) if n != 70]
    wait_blocked(server, len(forever))
    tap.equal({str(w.read()) for n, w in enumerate(waiters) if n % 10}, {"None"})
    tap.equal(server.info("clients")["clients_in_timeout_table"], "0")
    tap.equal(server("RPUSH", "all", *forever), len(forever))
    assert sorted(int(waiters[n].read()[1]) for n in forever) == forever, "each gets one"
    wait_blocked(server, 0)
    for w in waiters:
        w.close()


def served_by_everything(server):
    """Serve each kind of waiter; returns their answers."""
    server("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    waiters = [begin(server, *words.split()) for words in (
        "BLPOP a b 0", "BLMOVE c d LEFT RIGHT 0", "BRPOPLPUSH e d 0", "BLMPOP 0 2 f g RIGHT COUNT 2", "BZPOPMAX y z 0",
        "BZMPOP 0 1 w MIN COUNT 2", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "XREADGROUP GROUP g d NOACK BLOCK 0 STREAMS s >")]
    for words in ("RPUSH b 1 2", "RPUSH c 1 2", "RPUSH e 1 2", "RPUSH g 1 2 3", "ZADD z 1 m 2 n", "ZADD w 1 m 2 n 3 o",
                  "XADD s 1-1 f v", "XADD s 2-1 f v"):
        server(*words.split())
    wait_blocked(server, 0)
    return [w.read() for w in waiters]


def test_what_was_served_stands_in_the_log_as_plain_effects():
    """A restart, a replica and a Redis that loads the directory all come to the same data."""
    server = relevo.start(appendfsync="always")
    replica = relevo.start_replica(server)
    answers = served_by_everything(server)
    tap.equal(answers[:6], [[b"b", b"1"], b"1", b"2", [b"g", [b"3", b"2"]], [b"z", b"n", b"2"],
                            [b"w", [[b"m", b"1"], [b"n", b"2"]]]])
    relevo.wait_equal_offsets(server, replica)
    digest, full = server("DEBUG", "DIGEST"), server.digest()
    tap.equal(replica.digest(), full)
    pending = server("XPENDING", "s", "g")
    server.kill()
    server.restart()
    tap.equal(server.digest(), full)
    tap.equal(server("XPENDING", "s", "g"), pending)
    server.stop()
    tap.equal(relevo.start(relevo.REDIS, dir=server.dir)("DEBUG", "DIGEST"), digest)


def test_replicas_serve_readers():
    """XREAD waits on a replica for what its primary sends; what writes is refused there."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    readers = [begin(replica, "XREAD", "BLOCK", "0", "STREAMS", "s", "$") for _ in range(5)]
    primary("XADD", "s", "1-1", "f", "v")
    tap.equal([r.read() for r in readers], [[[b"s", [[b"1-1", [b"f", b"v"]]]]]] * 5)
    for words in ("BLPOP k 0", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >"):
        assert replica.value(*words.split()).startswith(b"READONLY"), words
    reader = begin(replica, "XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    replica("REPLICAOF", "NO", "ONE")
    replica("XADD", "s", "2-1", "f", "v")
    tap.equal(reader.read(), [[b"s", [[b"2-1", [b"f", b"v"]]]]])


def test_a_primary_that_becomes_a_replica_lets_all_go():
    """Who waits on a primary is told that its role changed, and closed, as by Redis."""
    server, other = relevo.start(), relevo.start()
    waiters = [begin(server, *words.split()) for words in ("BLPOP k 0", "BZPOPMIN z 100", "XREAD BLOCK 0 STREAMS s $", "WAIT 1 0",
                                                           "WAITAOF 1 1 100000")]
    server("REPLICAOF", "127.0.0.1", other.port)
    for w in waiters:
        tap.equal(w.read(), GONE)
        assert closed(w)
    tap.equal(server.info("errorstats")["errorstat_UNBLOCKED"], "count=5")
    tap.equal(blocked(server), 0)


def test_waitaof():
    """WAITAOF tells on how many disks the connection's writes are: here, and of replicas that keep a log."""
    primary = relevo.start()
    kept, forgetful = relevo.start_replica(primary), relevo.start_replica(primary, appendonly="no")
    client = primary.connect()
    client("SET", "k", "v")
    tap.equal(client("WAIT", "2", "0"), 2)
    tap.equal(client("WAITAOF", "1", "1", "0"), [1, 1])
    tap.equal(client("WAITAOF", "0", "2", "50"), [1, 1])
    client("MULTI")
    client("WAITAOF", "1", "5", "0")
    tap.equal(client("EXEC"), [[1, 1]])
    relevo.wait_equal_offsets(primary, kept, forgetful)
    number = client("CLIENT", "ID")
    begin(primary, "WAITAOF", "0", "3", "0", connection=client)
    tap.equal(primary("CLIENT", "UNBLOCK", number), 1)
    tap.equal(client.read(), [1, 1])
    begin(primary, "WAITAOF", "0", "3", "0", connection=client)
    tap.equal(primary("CLIENT", "UNBLOCK", number, "ERROR"), 1)
    tap.equal(client.read(), b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
    for words, error in (("2 0 0", b"ERR value is out of range, value must between 0 and 1"),
                         ("-1 0 0", b"ERR value is out of range, value must between 0 and 1"),
                         ("0 -1 0", b"ERR value is out of range, must be positive"),
                         ("0 0 -1", b"ERR timeout is negative"), ("0 0 x", b"ERR timeout is not an integer or out of range")):
        tap.equal(client.value("WAITAOF", *words.split()), error, words)
    assert kept.value("WAITAOF", "0", "0", "0").startswith(b"ERR WAITAOF cannot be used with replica instances.")
    without = relevo.start(appendonly="no")
    without("SET", "k", "v")
    tap.equal(without.value("WAITAOF", "1", "0", "0"),
              b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    tap.equal(without("WAITAOF", "0", "0", "0"), [0, 0])


def test_redis_py():
    """python3-redis waits and gives up as its users know it."""
    server = relevo.start()
    for protocol in (2, 3):
        r = redis.Redis(port=server.port, **({"protocol": protocol} if redis.VERSION[0] >= 5 else {}))
        r.flushall()
        tap.equal(r.blpop(["a", "b"], timeout=0.01), None)
        r.rpush("b", "x", "y", "z")
        tap.equal(r.brpop(["a", "b"], timeout=1), (b"b", b"z"))
        tap.equal(r.blmove("b", "c", 1, "LEFT", "RIGHT"), b"x")
        tap.equal(r.brpoplpush("b", "c", 1), b"y")
        tap.equal(r.bzpopmin("z", timeout=0.01), None)
        r.zadd("z", {"m": 1.5, "n": 2})
        tap.equal(r.bzpopmax("z", timeout=1), (b"z", b"n", 2.0))
        tap.equal(r.xread({"s": "$"}, block=10), [] if protocol == 2 or redis.VERSION[0] < 5 else {})
        tap.equal(r.client_unblock(r.client_id()), False)


tap.main()
