"""relevo check: what lies on disk is told as it is, and mended as far as it can be."""
import glob
import os
import pty
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harm
import load
import relevo
import tap


def fed_back(text):
    """The digest of a redis-server that was told these commands by redis-cli."""
    redis = relevo.start(relevo.REDIS)
    lines = "".join(line + "\n" for line in text.splitlines() if not line.startswith("#"))
    done = subprocess.run(["redis-cli", "-p", str(redis.port)], input=lines.encode("utf-8", "surrogateescape"),
                          capture_output=True, check=False, timeout=relevo.PATIENCE_S)
    errors = [line for line in done.stdout.decode("utf-8", "replace").splitlines()
              if re.match(r"(ERR|WRONGTYPE|Invalid)", line)]
    tap.equal(errors, [], "errors of redis-cli")
    return redis.digest()


def dumped(path):
    status, out, err = relevo.run("check", "--dump", path)
    tap.equal(status, 0, err)
    return out


def test_dump_of_a_directory():
    """What --dump prints of a base and a log, redis-cli takes, and the data is equal."""
    server = relevo.start()
    load.fill(server, 1, 3000)
    load.rewrite(server)
    load.fill(server, 2, 3000)
    server("SET", b"odd \"key\"\n", b"\x00\xff\\ \t")
    digest = server.digest()
    server.stop()
    text = dumped(server.dir)
    tap.equal(fed_back(text), digest)
    assert r'SET "odd \"key\"\n" "\x00\xff\\ \t"' in text, text[-500:]
    assert re.search(r"^# offset \d+, epoch \d+, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", text, re.M), text[:500]
    assert re.search(r"^# relevo-position ", text, re.M), text[:500]


def test_dump_of_files_of_a_redis():
    """--dump reads what a redis-server wrote: a dump, a directory, a file with timestamps."""
    redis = relevo.start(relevo.REDIS, aof_timestamp_enabled="yes")
    load.fill(redis, 9, 2000)  # (no zero score with a sign, which ZADD cannot make)
    redis("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)\n")
    redis("SAVE")
    load.rewrite(redis)  # of what it logs, a client may not say all: XTRIM with LIMIT and =
    redis("SET", "behind", "the base")
    redis("SAVE")
    digest = redis.digest()
    redis.stop()
    text = dumped(os.path.join(redis.dir, "dump.rdb"))
    tap.equal(fed_back(text), digest)
    assert re.search(r'^FUNCTION "LOAD" "#!lua name=lib\\n', text, re.M), text[:300]
    text = dumped(redis.dir)
    tap.equal(fed_back(text), digest)
    path = os.path.join(relevo.temporary_directory(), "appendonly.aof")
    with open(path, "wb") as f:
        f.write(b"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n")
    tap.equal(dumped(path).splitlines()[1:], ["# 2023-11-14T22:13:20.000Z", "PING"])


def test_dump_ends_at_damage():
    """--dump prints what is whole, then says where the damage is, and ends with 1."""
    server = relevo.start()
    for number in range(50):
        server("SET", f"key:{number}", number)
    server.stop()
    path = glob.glob(os.path.join(server.dir, "appendonlydir", "*.incr.aof"))[0]
    with open(path, "r+b") as f:
        at = f.read().index(b"key:25")
        f.seek(at - 4)
        f.write(b"X")
    status, out, err = relevo.run("check", "--dump", path)
    tap.equal(status, 1, out)
    assert 'SET "key:24" "24"' in out and "key:26" not in out, out
    assert re.search(re.escape(os.path.basename(path)) + r", byte \d+", err), err


def test_progress_on_a_terminal():
    """A large file has a progress bar on a terminal, and none elsewhere."""
    directory = relevo.temporary_directory()
    path = os.path.join(directory, "appendonly.aof")
    one = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"v" * 1000000 + b"\r\n"
    with open(path, "wb") as f:
        for _ in range(40):
            f.write(one)
    master, slave = pty.openpty()
    done = subprocess.run([relevo.binary(), "check", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=slave, check=False, timeout=relevo.PATIENCE_S)
    os.close(slave)
    shown = os.read(master, 65536).decode("ascii")
    os.close(master)
    tap.equal(done.returncode, 0)
    assert re.search(r"\[#+\.+\] +\d+ % of 38 MB", shown), shown
    assert b"ok " in done.stdout and b"40 commands" in done.stdout, done.stdout
    status, out, err = relevo.run("check", path)
    tap.equal((status, err), (0, ""), out)


def folder(directory):
    return os.path.join(directory, "appendonlydir")


def logs(directory):
    """The segments, oldest first."""
    return sorted(glob.glob(os.path.join(folder(directory), "*.incr.aof")), key=lambda f: int(f.split(".")[-3]))


def fix(directory, *words, expected=0, options=()):
    """relevo check --fix; gives what it printed, which has all these words."""
    status, out, err = relevo.run("check", "--fix", *options, directory)
    tap.equal(status, expected, out + err)
    for word in words:
        assert re.search(word, out), f"{word!r} is not in:\n{out}"
    return out


def sound(directory):
    status, out, err = relevo.run("check", directory)
    tap.equal(status, 0, out + err)
    return out


def a_life(**settings):
    """A stopped server with two restarts (three epochs), two bases and writes between; and its digest."""
    server = relevo.start(log_retention_size="0", **settings)
    for number in range(3):
        for i in range(20):
            server("RPUSH", f"list:{number}", f"element:{number}:{i}")
        if number < 2:
            load.rewrite(server)
        server.restart()
    server("SET", "last", "1")
    digest = server.digest()
    server.stop()
    return server, digest


def started(directory):
    return relevo.start(dir=directory)


def test_our_manifest_is_written_anew():
    """A damaged or a missing relevo.manifest is written anew from the files; identity goes on where it can be proven."""
    server, digest = a_life()
    lineage = re.search(r"lineage ([0-9a-f]{32})", sound(server.dir)).group(1)
    for text in ("node", "peer", "segment"):
        directory = harm.copy_of(server.dir)
        path = os.path.join(folder(directory), "relevo.manifest")
        with open(path, "ab") as f:
            f.write(b"x" if text == "peer" else b"")
        if text != "peer":
            harm.damage(path, text.encode())
        status, out, _ = relevo.run("check", directory)
        assert status == 1 and "relevo.manifest" in out, out
        fix(directory, "is written anew from a base and", f"lineage {lineage}")
        assert glob.glob(path + ".salvage-*"), "the damaged manifest was not kept"
        sound(directory)
        tap.equal(started(directory).digest(), digest, text)
    directory = harm.copy_of(server.dir)
    os.unlink(os.path.join(folder(directory), "relevo.manifest"))
    out = fix(directory, "is missing", "new lineage", "cannot be verified")
    assert lineage not in out, out
    sound(directory)
    ours = started(directory)
    tap.equal(ours.digest(), digest)
    replica = relevo.start_replica(ours)
    relevo.wait_equal_offsets(ours, replica)
    tap.equal(replica.digest(), digest)


def test_a_manifest_is_not_guessed():
    """Where the files leave a doubt the manifest is not written, and nothing changes."""
    server, _ = a_life(checkpoint_keep="3")

    def without_manifest():
        directory = harm.copy_of(server.dir)
        os.unlink(os.path.join(folder(directory), "relevo.manifest"))
        return directory
    gap = without_manifest()
    os.unlink(logs(gap)[-1])
    two = without_manifest()
    shutil.copy(logs(two)[-1], os.path.join(folder(two), "other.aof.1.incr.aof"))
    strange = without_manifest()
    with open(os.path.join(folder(strange), "appendonly.aof.99.incr.aof"), "wb") as f:
        f.write(b"*1\r\n$4\r\nPING\r\n")
    for directory, words in ((gap, "no segment begins at"), (two, "two logs"), (strange, "not begin with a batch")):
        before = sorted(os.listdir(folder(directory)))
        fix(directory, words, expected=1)
        tap.equal(sorted(os.listdir(folder(directory))), before)


def test_a_redis_manifest_is_written_anew():
    """A damaged appendonly.aof.manifest keeps a node from starting until --fix has written it anew, ours or a Redis's."""
    server, digest = a_life()
    redis = relevo.start(relevo.REDIS)
    load.fill(redis, 8, 500)
    redis_digest = redis.digest()
    redis.stop()
    for directory, expected in ((harm.copy_of(server.dir), digest), (harm.copy_of(redis.dir), redis_digest)):
        path = os.path.join(folder(directory), "appendonly.aof.manifest")
        harm.damage(path, b"type")
        refused = relevo.prepare(dir=directory).spawn()
        tap.equal(refused.await_exit(), 1)
        assert "appendonly.aof.manifest is damaged" in refused.log(), refused.log()
        fix(directory, "appendonly.aof.manifest")
        tap.equal(started(directory).digest(), expected)
    with open(os.path.join(folder(redis.dir), "appendonly.aof.manifest"), "wb") as f:
        f.write(b"nothing")
    incr = logs(redis.dir)[-1]
    shutil.copy(incr, incr.replace(".1.incr", ".3.incr"))
    fix(redis.dir, "one is missing", expected=1)


def test_damage_in_the_middle_is_cut():
    """Damage in a segment that others follow: --fix cuts there, keeps all that it cut, and the node starts with the rest."""
    server = relevo.start(auto_aof_rewrite_percentage="0", checkpoint_keep="3")
    for number in range(3):
        for i in range(10):
            server("SET", f"key:{number}:{i}", i)
        load.rewrite(server)
    server("SET", "end", "1")
    server.stop()
    with open(os.path.join(folder(server.dir), "relevo.manifest"), "rb") as f:
        assert f.read().count(b"segment ") == 4
    # The newest base stands behind the damage: older segments go, and nothing of the data is lost.
    directory = harm.copy_of(server.dir)
    harm.damage(logs(directory)[1], b"key:1:5")
    fix(directory, r"damaged at byte \d+ \(log offset \d+\)", r"Whole before it: \d+ bytes", "whole batches again",
        r"the log is kept from offset \d+ on", r"(?s)kept from offset \d+ on.*ok .*incr\.aof: 1 batches")
    sound(directory)
    tap.equal(started(directory)("DBSIZE"), 31)
    # Without the newest base the damage lies in the way: the log ends before it.
    directory = harm.copy_of(server.dir)
    bases = sorted(glob.glob(os.path.join(folder(directory), "*.base.rdb")))
    for base in bases[1:]:
        harm.damage(base, 30)
    harm.damage(logs(directory)[2], b"key:2:5")
    out = fix(directory, "base.rdb: damaged at byte", "the log begins at .*base.rdb now")
    assert ".salvage-" in out
    sound(directory)
    ours = started(directory)
    tap.equal(ours("DBSIZE"), 25)
    assert ours("EXISTS", "key:2:4") and not ours("EXISTS", "key:2:5")
    kept = b"".join(open(f, "rb").read() for f in glob.glob(os.path.join(folder(directory), "*.salvage-*")))
    assert b"key:2:6" in kept and b"end" in kept, "what was cut off is gone"


def test_a_missing_segment():
    """A missing segment keeps a node from starting; --fix lets the log end before it."""
    server = relevo.start(auto_aof_rewrite_percentage="0", checkpoint_keep="3")
    for number in range(2):
        server("SET", f"key:{number}", "1")
        load.rewrite(server)
    server("SET", "end", "1")
    server.stop()
    path = logs(server.dir)[-1]
    os.rename(path, path + ".away")
    refused = relevo.prepare(dir=server.dir).spawn()
    tap.equal(refused.await_exit(), 1)
    assert os.path.basename(path) in refused.log() and "is missing" in refused.log(), refused.log()
    fix(server.dir, os.path.basename(path), "the log ends before it now")
    sound(server.dir)
    tap.equal(started(server.dir)("KEYS", "*").__len__(), 2)


def test_a_running_server_is_left_alone():
    """--fix does nothing to a directory that a server uses."""
    server = relevo.start()
    server("SET", "k", "v")
    for path in (server.dir, folder(server.dir)):
        status, out, err = relevo.run("check", "--fix", path)
        assert status == 1 and "in use" in err, (status, out, err)


def test_damage_is_fetched_from_a_node():
    """--fix --from gets the damaged part of a log from a replica, with a cluster secret or on the loopback without."""
    for secret in (None, relevo.cluster_key()):
        settings = {"cluster_secret_file": secret} if secret else {}
        options = ["--cluster-secret-file", secret] if secret else []
        primary = relevo.start(auto_aof_rewrite_percentage="0", **settings)
        primary("SET", "before", "1")
        replica = relevo.start_replica(primary, auto_aof_rewrite_percentage="0", **settings)
        for number in range(200):
            primary("RPUSH", "list", f"element:{number}", "x" * 500)
        relevo.wait_equal_offsets(primary, replica)
        digest = primary.digest()
        primary.stop()
        path = logs(primary.dir)[-1]
        whole = relevo.file_digest(path)
        for at in (b"element:100", b"element:0"):
            harm.damage(path, at)
            status, out, _ = relevo.run("check", primary.dir)
            assert status == 1 and "whole batches again from byte" in out, out
            fix(primary.dir, r"fetched from 127.0.0.1:\d+", options=["--from", f"127.0.0.1:{replica.port}", *options])
            tap.equal(relevo.file_digest(path), whole)
        assert glob.glob(path + ".salvage-*"), "what stood there was not kept"
        sound(primary.dir)
        tap.equal(replica.info("replication")["master_link_status"], "down", "the visitor was taken for somebody")
        primary.restart()
        tap.equal(primary.digest(), digest)


def bases(directory):
    """The bases, oldest first."""
    return sorted(glob.glob(os.path.join(folder(directory), "*.base.rdb")), key=lambda f: int(f.split(".")[-3]))


def pushed(server, name, count=50):
    for number in range(count):
        server("RPUSH", name, f"element:{number}", "x" * 100)


def a_pair():
    """A primary with a base and log behind it, and a replica whose base stands at the same place."""
    settings = {"auto_aof_rewrite_percentage": "0", "log_retention_size": "0"}
    primary = relevo.start(**settings)
    pushed(primary, "first")
    load.rewrite(primary)
    replica = relevo.start_replica(primary, **settings)
    pushed(primary, "second")
    relevo.wait_equal_offsets(primary, replica)
    return primary, replica


def test_a_base_is_fetched_from_a_node():
    """--fix --from gets a damaged or missing base from a replica, wherever in the log the replica's base stands."""
    def as_ours(primary, replica):
        pass

    def before_ours(primary, replica):
        load.rewrite(primary)
        pushed(primary, "third")

    def behind_ours(primary, replica):
        load.rewrite(replica)
        pushed(primary, "third")

    def at_our_end(primary, replica):
        load.rewrite(replica)
    for arrange in (as_ours, before_ours, behind_ours, at_our_end):
        primary, replica = a_pair()
        arrange(primary, replica)
        relevo.wait_equal_offsets(primary, replica)
        digest = primary.digest()
        primary.stop()
        for harmed in ("damaged", "missing"):
            directory = harm.copy_of(primary.dir)
            base = bases(directory)[-1]
            if harmed == "damaged":
                harm.damage(base, os.path.getsize(base) // 2)
            else:
                os.unlink(base)
            fix(directory, "--from HOST:PORT", "replicaof", expected=1)
            fix(directory, r"a base at log offset \d+, fetched from 127.0.0.1:\d+; the log here goes on",
                options=["--from", f"127.0.0.1:{replica.port}"])
            tap.equal(len(glob.glob(base + ".salvage-0")), int(harmed == "damaged"))
            sound(directory)
            ours = started(directory)
            tap.equal(ours.digest(), digest, f"{arrange.__name__}, {harmed}")
            tap.equal(ours("RPUSH", "first", "more"), 101)
            ours.restart()
            tap.equal(ours("LLEN", "first"), 101)
            follower = relevo.start_replica(ours)
            relevo.wait_equal_offsets(ours, follower)
            tap.equal(follower.digest(), ours.digest())
        tap.equal(replica.info("replication")["master_link_status"], "down")


def test_a_base_behind_our_log_is_fetched():
    """The base of a promoted node that went on has all of the log here, and is taken; not so if the two logs have parted."""
    primary, replica = a_pair()
    primary.stop()
    apart = harm.copy_of(primary.dir)
    other = started(apart)
    pushed(other, "other", 5)
    other.stop()
    replica("REPLICAOF", "NO", "ONE")
    pushed(replica, "third")
    load.rewrite(replica)
    digest = replica.digest()
    for directory in (primary.dir, apart):
        os.unlink(bases(directory)[-1])
    options = ["--from", f"127.0.0.1:{replica.port}"]
    before = sorted(os.listdir(folder(apart)))
    fix(apart, "failed .*(part at|refuses)", expected=1, options=options)
    tap.equal(sorted(os.listdir(folder(apart))), before)
    fix(primary.dir, "all of the log that was here, and more", options=options)
    sound(primary.dir)
    tap.equal(started(primary.dir).digest(), digest)


def test_a_base_and_log_are_fetched_together():
    """Damage in the log and in the base at once: both come from the node."""
    primary, replica = a_pair()
    digest = primary.digest()
    primary.stop()
    harm.damage(bases(primary.dir)[-1], 50)
    harm.damage(logs(primary.dir)[-1], b"element:7")
    fix(primary.dir, "fetched from .*what stood there", "a base at log offset",
        options=["--from", f"127.0.0.1:{replica.port}"])
    sound(primary.dir)
    tap.equal(started(primary.dir).digest(), digest)


def test_epochs_are_learned_from_a_node():
    """A missing manifest is written anew with --from under the lineage that the data had: a node knows the ids of its epochs."""
    settings = {"auto_aof_rewrite_percentage": "0"}
    primary = relevo.start(**settings)
    replica = relevo.start_replica(primary, **settings)
    pushed(primary, "first")
    primary.restart()
    pushed(primary, "second")
    relevo.wait_equal_offsets(primary, replica)
    digest = primary.digest()
    primary.stop()
    lineage = re.search(r"lineage ([0-9a-f]{32})", sound(primary.dir)).group(1)
    os.unlink(os.path.join(folder(primary.dir), "relevo.manifest"))
    stranger = relevo.start()
    empty = relevo.free_port()
    fix(harm.copy_of(primary.dir), "new lineage", r"\(--from\)")
    fix(harm.copy_of(primary.dir), "cannot be written anew", expected=1, options=["--from", f"127.0.0.1:{empty}"])
    fix(harm.copy_of(primary.dir), "does not know it", "new lineage", options=["--from", f"127.0.0.1:{stranger.port}"])
    out = fix(primary.dir, f"lineage {lineage}", options=["--from", f"127.0.0.1:{replica.port}"])
    assert "new lineage" not in out, out
    sound(primary.dir)
    ours = started(primary.dir)
    tap.equal(ours.digest(), digest)
    replica("REPLICAOF", "127.0.0.1", ours.port)
    relevo.wait_equal_offsets(ours, replica)
    tap.equal(replica.info("stats")["sync_full"], "0")


def test_who_cannot_give_the_log_is_named():
    """--from a node of another lineage, with another key, or that is not there: said so, and nothing is cut."""
    primary = relevo.start()
    for number in range(20):
        primary("SET", f"key:{number}", number)
    primary.stop()
    path = logs(primary.dir)[-1]
    harm.damage(path, b"key:10")
    before = relevo.file_digest(path)
    stranger = relevo.start()
    stranger("SET", "k", "v")
    guarded = relevo.start(cluster_secret_file=relevo.cluster_key())
    redis = relevo.start(relevo.REDIS)
    key = ["--cluster-secret-file", relevo.cluster_key()]
    for port, more, words in ((stranger.port, [], "refuses"), (guarded.port, key, "failed .*127.0.0.1"),
                              (relevo.free_port(), [], "refused"), (redis.port, [], "failed .*127.0.0.1")):
        fix(primary.dir, words, expected=1, options=["--from", f"127.0.0.1:{port}", *more])
        tap.equal(relevo.file_digest(path), before)
    for wrong in (["--from", "127.0.0.1:1"], ["--fix", "--dump"], ["--fix", "--cluster-secret-file", "x"]):
        tap.equal(relevo.run("check", primary.dir, *wrong)[0], 2, wrong)


tap.main()
