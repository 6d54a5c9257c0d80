"""CLIENT REPLY, PAUSE, NO-EVICT and NO-TOUCH, and maxmemory-clients: as redis-server has them, where it has them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

KINDS = (relevo.RELEVO, relevo.REDIS)


def sent(connection, *requests):
    """What comes back for these requests and a PING behind them, which tells that there is no more."""
    connection.send_raw(b"".join(resp.encode(r.split()) for r in requests) + resp.encode(["ECHO", "end"]))
    replies = []
    while not replies or replies[-1] != b"end":
        replies.append(connection.read())
    return replies[:-1]


def test_replies_can_be_left_out():
    """CLIENT REPLY SKIP leaves one reply out, OFF all until ON; errors and queued commands too."""
    for kind in KINDS:
        server = relevo.start(kind)
        c = server.connect()
        tap.equal(sent(c, "CLIENT REPLY SKIP", "SET k v", "GET k"), [b"v"], kind)
        tap.equal(sent(c, "CLIENT REPLY SKIP", "NOSUCH", "GET k"), [b"v"], kind)
        tap.equal(sent(c, "CLIENT REPLY OFF", "INCR n", "GET", "NOSUCH", "MULTI", "INCR n", "EXEC", "CLIENT REPLY SKIP",
                       "CLIENT REPLY ON", "GET n"), [b"OK", b"2"], kind)
        tap.equal(sent(c, "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING"), [b"PONG"], kind)
        tap.equal([bytes(e) for e in sent(c, "CLIENT REPLY maybe", "CLIENT REPLY")],
                  [b"ERR syntax error", b"ERR wrong number of arguments for 'client|reply' command"], kind)


def test_pause():
    """CLIENT PAUSE WRITE lets reads go on, ALL lets nothing go on; UNPAUSE ends the former, time both; a later pause only
    extends."""
    for kind in KINDS:
        server = relevo.start(kind)
        server("SET", "k", "v")
        reader, writer, other = (server.connect() for _ in range(3))
        tap.equal(server("CLIENT", "PAUSE", "100000", "WRITE"), b"OK")
        server("CLIENT", "PAUSE", "1", "WRITE")
        writer.send("SET", "k", "w")
        other.send_raw(b"".join(resp.encode(w) for w in (["GET", "k"], ["MULTI"], ["INCR", "n"], ["EXEC"])))
        tap.equal(other.read(), b"v", kind)
        tap.equal(reader("GET", "k"), b"v", kind)
        tap.equal(server("CLIENT", "UNPAUSE"), b"OK")
        tap.equal(writer.read(), b"OK", kind)
        tap.equal([other.read() for _ in range(3)], [b"OK", b"QUEUED", [1]], kind)
        server("CLIENT", "PAUSE", "300")
        reader.send("GET", "k")
        writer.send("SET", "k", "x")
        tap.equal((reader.read() in (b"w", b"x"), writer.read()), (True, b"OK"), kind)
        errors = [server.value("CLIENT", "PAUSE", *w.split()) for w in ("-1", "x", "1 NEVER")]
        tap.equal([e.split()[0] for e in errors], [b"ERR"] * 3, kind)
        tap.equal(errors, [b"ERR timeout is negative", b"ERR timeout is not an integer or out of range",
                           b"ERR CLIENT PAUSE mode must be WRITE or ALL"], kind)


def test_nothing_expires_in_a_pause():
    """While writes are paused what has expired is hidden, but not deleted, whoever looks for it; so the log stands still."""
    for kind in KINDS:
        server = relevo.start(kind)
        for words in (["MULTI"], ["SET", "soon", "v", "PX", "1"], ["CLIENT", "PAUSE", "100000", "WRITE"], ["EXEC"]):
            server(*words)
        relevo.wait(lambda: server("GET", "soon") is None, "the key to expire")
        tap.equal([server("EXISTS", "soon"), server("DBSIZE")], [0, 1], kind)
        tap.equal(server.info("stats")["expired_keys"], "0", kind)
        server("CLIENT", "UNPAUSE")
        relevo.wait(lambda: server("DBSIZE") == 0, "the key to be deleted")


def test_memory_of_all_clients():
    """Above maxmemory-clients the largest client is closed, but not one that asked for NO-EVICT; the others stay."""
    for kind in KINDS:
        server = relevo.start(kind, maxmemory_clients="20mb")
        small, large, kept = (server.connect() for _ in range(3))
        tap.equal(kept("CLIENT", "NO-EVICT", "ON"), b"OK")
        assert b" flags=e " in kept("CLIENT", "INFO"), kind
        kept.send_raw(b"*2\r\n$3\r\nGET\r\n$15000000\r\n" + b"x" * 12000000)
        relevo.wait(lambda: b"qbuf=12000" in server("CLIENT", "LIST"), "the first large request")
        try:
            large.send_raw(b"*2\r\n$3\r\nGET\r\n$15000000\r\n" + b"x" * 14000000)
        except OSError:
            pass
        relevo.wait(lambda: server.info("stats")["evicted_clients"] == "1", "the largest to be closed")
        tap.equal(small("PING"), b"PONG", kind)
        kept.send_raw(b"x" * 3000000 + b"\r\n")
        tap.equal(kept.read(), None, kind)
        server("CONFIG", "SET", "maxmemory-clients", "5%")
        tap.equal(server("CONFIG", "GET", "maxmemory-clients")[1], b"5%", kind)
        assert isinstance(server.value("CONFIG", "SET", "maxmemory-clients", "101%"), resp.Error), kind


def test_what_is_looked_at_without_a_touch():
    """Behind CLIENT NO-TOUCH ON a read does not count as a use; TOUCH does."""
    server = relevo.start(maxmemory_policy="allkeys-lfu", lfu_log_factor="0")
    server("SET", "k", "v")
    c = server.connect()

    def uses():
        return server("OBJECT", "FREQ", "k")
    before = uses()
    c("CLIENT", "NO-TOUCH", "ON")
    for _ in range(5):
        c("GET", "k")
    tap.equal(uses(), before)
    c("TOUCH", "k")
    tap.equal(uses(), before + 1)
    assert b" flags=T " in c("CLIENT", "INFO")
    c("CLIENT", "NO-TOUCH", "OFF")
    c("GET", "k")
    tap.equal(uses(), before + 2)


tap.main()
