"""What was acknowledged survives; what is torn is cut; what is damaged is refused."""
import glob
import os
import random
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import tap


def newest_log(server):
    """The log file that is being written: the *.incr.aof with the highest number."""
    files = glob.glob(os.path.join(server.dir, "appendonlydir", "*.incr.aof"))
    assert files, os.listdir(server.dir)
    return max(files, key=lambda f: int(f.split(".")[-3]))


def written(server, commands=200):
    """A server with a log of some batches, stopped."""
    for number in range(commands):
        server("RPUSH", "list", number)
    server.stop()
    return newest_log(server)


def test_restart_keeps_data():
    """Data of all types is there after a clean restart, and after another one."""
    server = relevo.start()
    load.fill(server)
    digest = server.digest()
    for _ in range(2):
        server.restart()
        tap.equal(server.digest(), digest)


def test_kill_under_always():
    """Under appendfsync always, every acknowledged write is there after kill -9 at a random moment."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    tap.note(f"seed {seed}")
    for _ in range(tap.rounds(5, 120)):
        server = relevo.start(appendfsync="always")
        writers = load.Writers(server)
        writers.run(chance.randrange(1, 4000))
        server.kill()
        writers.finish()
        server.restart()
        writers.verify(server)
        server.stop()


def test_kill_during_rewrite():
    """Under appendfsync always, nothing acknowledged is lost when kill -9 hits while a new base is written."""
    chance = random.Random(11)
    server = relevo.start(appendfsync="always")
    load.fill(server)
    writers = load.Writers(server)
    for _ in range(tap.rounds(3, 30)):
        writers.run(100)
        reply = server.value("BGREWRITEAOF")
        assert b"rewriting" in reply, reply
        writers.run(chance.randrange(1, 300))
        server.kill()
        writers.finish()
        server.restart()
        writers.verify(server)
        server("DEL", *(f"{what}:{n}" for n in range(8) for what in ("count", "list")))
        writers = load.Writers(server)
    writers.finish()


def test_kill_during_manifests():
    """The same when bases and manifests are replaced without a pause, on one directory that lives through all the kills."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    tap.note(f"seed {seed}")
    server = relevo.start(appendfsync="always", log_retain_bytes="0")
    for _ in range(tap.rounds(4, 60)):
        writers = load.Writers(server)
        for _ in range(chance.randrange(1, 12)):
            reply = server.value("BGREWRITEAOF")
            assert b"rewriting" in reply or b"progress" in reply, reply
            writers.run(chance.randrange(1, 30))
        server.kill()
        writers.finish()
        server.restart()
        writers.verify(server)
        server("FLUSHALL")


def test_kill_during_load():
    """A start that is killed at any moment leaves what the next one needs."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    tap.note(f"seed {seed}")
    server = relevo.start(appendfsync="always")
    load.fill(server)
    server("BGREWRITEAOF")
    load.fill(server, seed=2)
    digest = server.digest()
    server.kill()
    for _ in range(tap.rounds(4, 40)):
        server.spawn()
        for _ in range(chance.randrange(1, 60)):
            server.is_listening()
        server.kill()
        if chance.randrange(4) == 0:
            server.spawn().ready()
            tap.equal(server.digest(), digest)
            server.kill()
    server.spawn().ready()
    tap.equal(server.digest(), digest)


def test_kill_under_everysec_keeps_a_prefix():
    """Under appendfsync everysec what is left after kill -9 is a prefix of what was sent, without holes."""
    server = relevo.start(appendfsync="everysec")
    writers = load.Writers(server)
    writers.run(3000)
    server.kill()
    writers.finish()
    server.restart()
    for number, client in enumerate(writers.clients):
        entries = server("LRANGE", f"list:{number}", "0", "-1")
        tap.equal(entries, [b"%d" % i for i in range(len(entries))])
        assert len(entries) * 2 <= client["sent"]


def test_torn_tail_is_cut():
    """A torn tail of any length is cut at the last whole batch, and the log says so."""
    server = relevo.start()
    path = written(server)
    kept = os.path.join(relevo.temporary_directory(), "kept")
    shutil.copytree(server.dir, kept)
    with open(path, "rb") as f:
        data = f.read()
    begin = data.rfind(b"#B ")
    for cut in sorted({begin + 1, begin + 10, (begin + len(data)) // 2, len(data) - 1}):
        with open(path, "wb") as f:
            f.write(data[:cut])
        server.spawn().ready()
        tap.equal(server("LRANGE", "list", "0", "-1"), [b"%d" % i for i in range(199)], f"cut at {cut} of {len(data)}")
        assert re.search("torn|cut|truncat", server.log()), server.log()
        server("RPUSH", "list", "more")
        server.restart()
        tap.equal(server("LLEN", "list"), 200)
        server.stop()
        shutil.rmtree(server.dir)
        shutil.copytree(kept, server.dir)


def test_damage_is_refused():
    """A flipped byte in the middle of the log makes the start fail with the file, the offset and the remedy."""
    server = relevo.start()
    path = written(server)
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))
    digest = relevo.file_digest(path)
    server.spawn()
    tap.equal(server.await_exit(), 1, "exit status")
    text = server.log()
    assert os.path.basename(path) in text and "relevo check" in text, text
    tap.equal(relevo.file_digest(path), digest, "the damaged file was touched")
    status, out, err = relevo.run("check", server.dir)
    assert status == 1 and os.path.basename(path) in out + err, (status, out, err)


def test_check_of_good_directory():
    """relevo check finds nothing wrong with a good directory."""
    server = relevo.start()
    written(server)
    status, out, err = relevo.run("check", server.dir)
    tap.equal(status, 0, out + err)


def test_bgsave_and_rewrite():
    """BGSAVE writes dump.rdb, BGREWRITEAOF makes a new base; both while writes go on; the data is right afterwards."""
    server = relevo.start()
    load.fill(server)
    writers = load.Writers(server)
    writers.run(200)
    assert b"saving started" in server("BGSAVE")
    writers.run(500)
    relevo.wait(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "BGSAVE to end")
    tap.equal(server.info("persistence")["rdb_last_bgsave_status"], "ok")
    assert os.path.exists(os.path.join(server.dir, "dump.rdb"))
    bases = set(glob.glob(os.path.join(server.dir, "appendonlydir", "*.base.rdb")))
    server("BGREWRITEAOF")
    writers.run(500)
    relevo.wait(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0"
                and server.info("persistence")["aof_rewrite_scheduled"] == "0", "BGREWRITEAOF to end")
    assert set(glob.glob(os.path.join(server.dir, "appendonlydir", "*.base.rdb"))) - bases, "no new base"
    writers.settle()
    digest = server.digest()
    server.kill()
    server.restart()
    tap.equal(server.digest(), digest)
    writers.verify(server)


def test_expiry_survives():
    """Expiry times stand in the log as absolute times: a key that was to expire meanwhile is gone after a restart."""
    server = relevo.start()
    server("SET", "short", "x", "PX", "200")
    server("SET", "far", "x", "EX", "1000")
    server.stop()
    server.spawn().ready()
    relevo.wait(lambda: server("GET", "short") is None, "the key to expire")
    assert 900 < server("TTL", "far") <= 1000
    relevo.wait(lambda: server("DBSIZE") == 1, "the expired key to be deleted")


def test_sigterm_is_clean():
    """SIGTERM flushes the replies of what was executed, syncs the log and exits with 0."""
    for policy in ("always", "everysec", "no"):
        server = relevo.start(appendfsync=policy)
        client = server.connect()
        client.send_raw(b"*2\r\n$4\r\nINCR\r\n$1\r\nc\r\n" * 5000)
        assert client.read() == 1
        server.stop()
        replies = 1 + client.drain().count(b"\r\n")
        server.restart()
        tap.equal(int(server("GET", "c")), replies, f"executed and answered under {policy}")


def test_appendonly_no():
    """With appendonly no, SAVE writes dump.rdb and the next start reads it."""
    server = relevo.start(appendonly="no")
    load.fill(server)
    digest = server.digest()
    server("SAVE")
    server.kill()
    server.restart()
    tap.equal(server.digest(), digest)


tap.main()
