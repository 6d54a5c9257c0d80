"""MULTI .. EXEC: one batch of the log, all or nothing, whatever happens around it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap


def transact(connection, *commands):
    """The replies of a transaction."""
    connection("MULTI")
    for words in commands:
        tap.equal(connection.value(*words), b"QUEUED", f"{words}")
    return connection.value("EXEC")


def log_text(server):
    """All that stands in the incremental files of the log."""
    folder = os.path.join(server.dir, "appendonlydir")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".incr.aof"))
    return b"".join(open(os.path.join(folder, n), "rb").read() for n in names)


def test_a_transaction_is_one_batch():
    """What EXEC executes stands behind one annotation, between MULTI and EXEC, and Redis loads it."""
    server = relevo.start(appendfsync="always")
    tap.equal(transact(server.own(), ("SET", "a", "1"), ("INCR", "a"), ("SELECT", "3"), ("RPUSH", "l", "x")),
              [b"OK", 2, b"OK", 1])
    batch = [part for part in log_text(server).split(b"#") if b"MULTI" in part]
    tap.equal(len(batch), 1, "batches with a transaction")
    for word in (b"MULTI", b"INCR", b"RPUSH", b"EXEC"):
        assert word in batch[0], (word, batch)
    server("SELECT", "0")
    digest = server("DEBUG", "DIGEST")
    server.stop()
    redis = relevo.start(relevo.REDIS, dir=server.dir)
    tap.equal(redis("DEBUG", "DIGEST"), digest)


def test_replicas_never_show_half():
    """A reader on a replica sees all of a transaction or nothing of it."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    keys = [f"k{i}" for i in range(50)]
    primary("MSET", *[w for k in keys for w in (k, "0")])
    relevo.wait_equal_offsets(primary, replica)
    writer, reader, seen = primary.connect(), replica.connect(), set()
    for round_ in range(1, 100):
        writer.send_raw(b"".join(resp.encode(words) for words in
                                 [["MULTI"], *[["SET", k, str(round_)] for k in keys], ["EXEC"]]))
        values = set(reader("MGET", *keys))
        tap.equal(len(values), 1, f"values that one MGET sees in round {round_}")
        seen |= values
        for _ in range(len(keys) + 2):
            writer.read()
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(set(reader("MGET", *keys)), {b"99"})


def test_a_large_transaction():
    """A transaction of 40 MB is logged, replicated and loaded again as a whole."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    c = primary.connect()
    replies = transact(c, *[("SET", f"k{i}", "x" * 400000) for i in range(100)])
    tap.equal(replies, [b"OK"] * 100)
    relevo.wait_equal_offsets(primary, replica)
    digest = primary("DEBUG", "DIGEST")
    tap.equal(replica("DEBUG", "DIGEST"), digest)
    primary.kill()
    primary.restart()
    tap.equal(primary("DEBUG", "DIGEST"), digest)


def test_snapshots_and_roles_in_a_transaction():
    """Commands that begin a snapshot or change the role may stand in a transaction; a write behind the loss of the role is
    refused, and the data stay those of the log."""
    primary, server = relevo.start(), relevo.start()
    replies = transact(server.own(), ("SET", "a", "1"), ("SET", "b", "2"), ("BGREWRITEAOF",), ("SET", "c", "3"))
    tap.equal([r for i, r in enumerate(replies) if i != 2], [b"OK"] * 3)
    relevo.wait(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0", "the new base")
    digest = server("DEBUG", "DIGEST")
    server.kill()
    server.restart()
    tap.equal(server("DEBUG", "DIGEST"), digest)
    replies = transact(server.own(), ("SET", "d", "4"), ("SLAVEOF", "127.0.0.1", primary.port), ("SET", "e", "5"),
                       ("CLIENT", "KILL", "TYPE", "normal"))
    tap.equal(replies[:2], [b"OK", b"OK"])
    assert replies[2].startswith(b"READONLY"), replies
    relevo.wait(lambda: server.info("replication")["master_link_status"] == "up", "the link")
    relevo.wait_equal_offsets(primary, server)
    tap.equal(server("DEBUG", "DIGEST"), primary("DEBUG", "DIGEST"))


def test_a_transaction_has_a_bound():
    """A client that queues more than client-query-buffer-limit is closed; what it queued is gone."""
    server = relevo.start(client_query_buffer_limit="1mb")
    c = server.connect()
    c("MULTI")
    try:
        for _ in range(100):
            c("SET", "k", "x" * 100000)
        raise AssertionError("a transaction without bound")
    except (resp.Closed, OSError):
        pass
    tap.equal(server("EXISTS", "k"), 0)


tap.main()
