"""A primary and its replicas: equal data, continued links, hand-over."""
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import resp
import tap


def pair(**settings):
    """A primary and one replica that follows it."""
    primary = relevo.start(**settings)
    return primary, relevo.start_replica(primary, **settings)


def follow(replica, primary):
    """Point a replica at another primary and wait for the link."""
    assert replica("REPLICAOF", "127.0.0.1", primary.port).startswith(b"OK")  # or "OK Already connected ..."
    relevo.wait(lambda: replica.info("replication").get("master_port") == str(primary.port)
                and replica.info("replication").get("master_link_status") == "up",
                lambda: f"the link to {primary.port}: {replica.info('replication')}")


def assert_equal_data(primary, *replicas):
    relevo.wait_equal_offsets(primary, *replicas)
    for replica in replicas:
        tap.equal(replica.digest(), primary.digest(), f"digest of {replica.port}")


def counts(server):
    """How often replicas of @server took all of its data, and how often they continued."""
    info = server.info("stats")
    return int(info["sync_full"]), int(info["sync_partial_ok"])


def test_equal_data_after_a_benchmark():
    """After SETs of redis-benchmark (50 clients, pipelines of 16) primary and replica have equal digests."""
    primary, replica = pair()
    load.benchmark(primary, tap.rounds(200000, 1000000))
    assert_equal_data(primary, replica)
    tap.equal(primary.info("replication")["connected_slaves"], "1")


def test_all_types_reach_the_replica():
    """Commands of all types, expiry times and random choices included, leave equal data on the replica."""
    primary, replica = pair()
    for seed in range(3):
        load.fill(primary, seed, 20000)
        assert_equal_data(primary, replica)


def test_replica_joins_under_load():
    """A replica that joins a primary with data, under load, ends up equal."""
    primary = relevo.start()
    load.fill(primary, 9)
    process = load.benchmark(primary, 10 ** 9, wait=False)
    replica = relevo.start_replica(primary)
    process.kill()
    process.wait()
    assert_equal_data(primary, replica)


def test_killed_replica_continues():
    """A replica that is killed and restarted under load continues at its offset, never from a snapshot."""
    primary, replica = pair()
    full, partial = counts(primary)
    process = load.benchmark(primary, 10 ** 9, wait=False)
    chance = random.Random(3)
    for number in range(tap.rounds(5, 20)):
        goal = int(primary.info("replication")["master_repl_offset"]) + chance.randrange(1000, 500000)
        relevo.wait(lambda: int(primary.info("replication")["master_repl_offset"]) > goal, "the load to go on")
        replica.kill()
        replica.restart()
        relevo.wait(lambda: replica.info("replication")["master_link_status"] == "up", "the link to come up again")
        relevo.wait(lambda: counts(primary) == (full, partial + number + 1), lambda: f"a continued link: {counts(primary)}")
    process.kill()
    process.wait()
    assert_equal_data(primary, replica)
    tap.equal(counts(primary), (full, partial + tap.rounds(5, 20)))


def test_restarted_primary_is_continued():
    """A replica continues after a clean restart of its primary."""
    primary, replica = pair()
    load.fill(primary, 4)
    relevo.wait_equal_offsets(primary, replica)
    primary.restart()
    relevo.wait(lambda: replica.info("replication")["master_link_status"] == "up", "the link to come up again")
    primary("SET", "after", "restart")
    assert_equal_data(primary, replica)
    tap.equal(counts(primary), (0, 1))


def test_half_received_files_go_at_a_start():
    """What a replica that was killed had received of a snapshot does not stay on its disk."""
    server = relevo.prepare()
    left = os.path.join(server.dir, "receiving-4711-1.rdb")
    with open(left, "wb") as f:
        f.write(b"REDIS0010")
    server.spawn().ready()
    assert not os.path.exists(left)


def test_replica_is_read_only():
    """A replica refuses writes with Redis's error and answers reads."""
    primary, replica = pair()
    primary("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(replica.value("SET", "k", "w"), b"READONLY You can't write against a read only replica.")
    tap.equal(replica("GET", "k"), b"v")
    tap.equal(replica("ROLE")[0], b"slave")
    tap.equal(primary("ROLE")[0], b"master")


def test_same_bytes_in_both_logs():
    """The replica's log holds the primary's bytes."""
    primary, replica = pair()
    load.fill(primary, 6, 2000)
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(primary.info("replication")["master_repl_offset"], replica.info("replication")["slave_repl_offset"])
    primary.stop()
    replica.stop()

    def batches(server):
        folder = os.path.join(server.dir, "appendonlydir")
        data = b""
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".incr.aof")):
            with open(os.path.join(folder, name), "rb") as f:
                data += f.read()
        return data
    ours, theirs = batches(primary), batches(replica)
    shorter = min(len(ours), len(theirs))
    assert shorter > 1000 and ours[-shorter:] == theirs[-shorter:], (len(ours), len(theirs))


def test_expiry_comes_from_the_primary():
    """A replica hides an expired key, and deletes it when the primary's log says so."""
    primary, replica = pair()
    primary("SET", "short", "x", "PX", "300")
    primary("SET", "long", "x")
    relevo.wait(lambda: replica("GET", "short") is None, "the key to be hidden")
    relevo.wait(lambda: replica("DBSIZE") == 1, "the key to be deleted")
    assert_equal_data(primary, replica)


def promote(server, *options):
    status, out, err = relevo.run("promote", f"127.0.0.1:{server.port}", *options)
    tap.equal(status, 0, out + err)
    relevo.wait(lambda: server.info("replication")["role"] == "master", "the role to change")


def test_promotion_loses_nothing_received():
    """After kill -9 of the primary, the promoted replica has all that it had received, and takes writes."""
    primary, replica = pair()
    writers = load.Writers(primary)
    writers.run(2000)
    writers.settle()
    relevo.wait_equal_offsets(primary, replica)
    primary.kill()
    promote(replica)
    writers.verify(replica)
    tap.equal(replica("SET", "after", "promotion"), b"OK")
    digest = replica.digest()
    replica.restart()
    tap.equal(replica.digest(), digest)
    tap.equal(replica.info("replication")["role"], "master", "role after a restart")


def test_siblings_continue():
    """Other replicas follow the promoted one by themselves, at their offset, without a snapshot."""
    primary = relevo.start()
    replicas = [relevo.start_replica(primary) for _ in range(3)]
    load.fill(primary, 7)
    relevo.wait_equal_offsets(primary, *replicas)
    primary.kill()
    promoted, *siblings = replicas
    promote(promoted)
    promoted("SET", "new", "epoch")
    for sibling in siblings:
        relevo.wait(lambda: sibling.info("replication").get("master_port") == str(promoted.port)
                    and sibling.info("replication")["master_link_status"] == "up", "a sibling to follow")
    assert_equal_data(promoted, *siblings)
    full, partial = counts(promoted)
    assert full == 0 and partial >= 2, (full, partial)


def test_replicaof_no_one():
    """REPLICAOF NO ONE makes a replica a primary of its own; the old primary goes on alone."""
    primary, replica = pair()
    primary("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(replica("REPLICAOF", "NO", "ONE"), b"OK")
    tap.equal(replica("SET", "k", "mine"), b"OK")
    tap.equal(primary("GET", "k"), b"v")


def test_stale_primary_steps_back():
    """A killed primary that returns after a promotion does not keep accepting writes once it meets the new epoch."""
    primary, replica = pair()
    primary("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    primary.kill()
    promote(replica)
    replica("SET", "k", "new")
    primary.spawn()

    def refuses():
        try:
            with resp.Connection(primary.port) as c:
                return isinstance(c.value("SET", "probe", "x"), resp.Error)
        except (OSError, resp.Closed):
            return False
    relevo.wait(refuses, "the stale primary to refuse writes")
    tap.equal(replica("GET", "k"), b"new")


def test_diverged_primary_is_fenced():
    """A returning primary that holds writes which its successor lacks is fenced: it is read, but not written, until REPLICAOF."""
    primary, replica = pair(appendfsync="always")
    primary("SET", "both", "have it")
    relevo.wait_equal_offsets(primary, replica)
    replica.kill()
    primary("SET", "only", "the old primary")
    primary.kill()
    replica.restart()
    promote(replica)
    replica("SET", "only", "the new primary")
    primary.spawn()
    primary.ready()
    relevo.wait(lambda: primary.info("replication")["relevo_state"] == "fenced",
                lambda: f"the old primary to be fenced: {primary.log()[-800:]}")
    tap.equal(primary("GET", "only"), b"the old primary")
    assert isinstance(primary.value("SET", "k", "v"), resp.Error)
    assert f"REPLICAOF 127.0.0.1 {replica.port}" in primary.log(), primary.log()[-500:]
    follow(primary, replica)
    assert_equal_data(replica, primary)
    tap.equal(primary("GET", "only"), b"the new primary")


def test_replica_of_a_replica_command():
    """An old primary that is pointed at the new one becomes its replica and gets its data."""
    primary, replica = pair()
    load.fill(primary, 8)
    relevo.wait_equal_offsets(primary, replica)
    promote(replica)
    replica("SET", "written", "on the new primary")
    follow(primary, replica)
    assert_equal_data(replica, primary)
    tap.equal(primary("GET", "written"), b"on the new primary")


def test_wait_counts_replicas():
    """WAIT answers how many replicas have the connection's writes."""
    primary = relevo.start()
    replicas = [relevo.start_replica(primary) for _ in range(2)]
    client = primary.connect()
    client("SET", "k", "v")
    tap.equal(client("WAIT", "2", "60000"), 2)
    replicas[0].stop()
    client("SET", "k", "w")
    tap.equal(client("WAIT", "1", "60000"), 1)
    tap.equal(client("WAIT", "2", "50"), 1)


def test_status():
    """relevo status shows role, offset and the replicas of a node, and fails for one that is not there."""
    primary, replica = pair()
    status, out, err = relevo.run("status", f"127.0.0.1:{primary.port}", f"127.0.0.1:{replica.port}")
    tap.equal(status, 0, err)
    assert "primary" in out and "replica" in out, out
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))
    status, out, err = relevo.run("status", f"127.0.0.1:{nobody.getsockname()[1]}")
    nobody.close()
    tap.equal(status, 1, out + err)


def test_empty_primary_does_not_wipe():
    """A primary that came back empty (another data set) does not wipe its replica."""
    primary, replica = pair()
    primary("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    primary.stop()
    for root, _, files in os.walk(primary.dir):
        for name in files:
            os.unlink(os.path.join(root, name))
    primary.restart()
    primary("SET", "other", "data")
    relevo.wait(lambda: "lineage" in replica.log(), lambda: "the replica to name the other lineage: " + replica.log()[-500:])
    tap.equal(replica("GET", "k"), b"v")


tap.main()
