"""Snapshots and bases: who asks for them, how they are seen, and what is left when they fail."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import resp
import tap

HOUR = "3600 1000000"  # rules that are never due here


def persistence(server):
    return server.info("persistence")


def wait_idle(server):
    relevo.wait(lambda: {persistence(server)[field] for field in
                         ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")} == {"0"},
                "snapshots to end")


def dump(server):
    return os.path.join(server.dir, "dump.rdb")


def test_rules_of_save():
    """Each rule of save writes dump.rdb when it is due; CONFIG SET replaces them; an empty text means none."""
    server = relevo.start(save=f"{HOUR} 1 2")
    tap.equal(server("CONFIG", "GET", "save"), [b"save", f"{HOUR} 1 2".encode()])
    server("MSET", "a", "1", "b", "2")
    tap.equal(persistence(server)["rdb_changes_since_last_save"], "2")
    relevo.wait(lambda: persistence(server)["rdb_saves"] == "1", "the second rule to be due")
    tap.equal(persistence(server)["rdb_changes_since_last_save"], "0")
    server("CONFIG", "SET", "save", f"{HOUR} 1 5")
    server("MSET", "a", "1", "b", "2", "c", "3")
    tap.equal(persistence(server)["rdb_changes_since_last_save"], "3")
    server("MSET", "d", "1", "e", "2")
    relevo.wait(lambda: persistence(server)["rdb_saves"] == "2", "the new rule to be due")
    assert server.value("CONFIG", "SET", "save", "60") .startswith(b"ERR"), "half a rule"
    server("CONFIG", "SET", "save", "")
    tap.equal(server("CONFIG", "GET", "save"), [b"save", b""])


def test_a_stop_saves_where_rules_say_so():
    """SIGTERM writes dump.rdb if there are rules and changes, else not."""
    for rules, change, expected in ((HOUR, True, True), (HOUR, False, False), ("", True, False)):
        server = relevo.start(save=rules)
        if change:
            server("SET", "k", "v")
        server.stop()
        tap.equal(os.path.exists(dump(server)), expected, f"rules {rules!r}, change {change}")


def test_the_log_makes_its_base_when_it_has_grown():
    """auto-aof-rewrite-percentage and -min-size make a new base of the log; 0 per cent means never."""
    server = relevo.start(auto_aof_rewrite_min_size="64kb", auto_aof_rewrite_percentage="100")
    for _ in range(40):
        server("SET", "k", "v" * 4096)
    relevo.wait(lambda: int(persistence(server)["aof_rewrites"]) >= 1, "a base to be made")
    wait_idle(server)
    assert int(persistence(server)["aof_base_size"]) < 64 << 10
    server("CONFIG", "SET", "auto-aof-rewrite-percentage", "0")
    digest = server.digest()
    server.kill()
    server.restart()
    tap.equal(server.digest(), digest)


def at_once(server, *commands):
    """Send all commands in one piece, so that one turn of the loop executes them; gives the replies."""
    client = server.connect()
    client.send_raw(b"".join(map(resp.encode, commands)))
    return [client.read() for _ in commands]


def fields(reply):
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)


def test_progress_is_seen():
    """While a snapshot is written, INFO says of how many keys how many were given; and who else may be asked for one."""
    server = relevo.start()
    load.fill(server, 5, 2000)
    keys = server("DBSIZE")
    started, info, again, rewrite, text = at_once(server, ["BGSAVE"], ["INFO", "persistence"], ["BGSAVE"],
                                                  ["BGREWRITEAOF"], ["INFO", "persistence"])
    tap.equal(started, b"Background saving started")
    seen = fields(info)
    tap.equal((seen["rdb_bgsave_in_progress"], seen["aof_rewrite_in_progress"]), ("1", "0"))
    assert int(seen["current_save_keys_total"]) >= keys > int(seen["current_save_keys_processed"]), seen
    tap.equal(seen["current_cow_size"], "0")
    assert b"Background save already in progress" in again, again
    tap.equal(rewrite, b"Background append only file rewriting scheduled")
    tap.equal(fields(text)["aof_rewrite_scheduled"], "1")
    wait_idle(server)
    tap.equal({persistence(server)[f] for f in ("rdb_saves", "aof_rewrites")}, {"1"})
    tap.equal(persistence(server)["current_save_keys_total"], "0")


def test_who_waits_for_whom():
    """BGSAVE waits for a base only if told to; SAVE goes first, and the base is begun anew."""
    server = relevo.start()
    load.fill(server, 6, 2000)
    started, refused, scheduled = at_once(server, ["BGREWRITEAOF"], ["BGSAVE"], ["BGSAVE", "SCHEDULE"])
    tap.equal(started, b"Background append only file rewriting started")
    assert b"BGSAVE SCHEDULE" in refused, refused
    tap.equal(scheduled, b"Background saving scheduled")
    relevo.wait(lambda: persistence(server)["rdb_saves"] == "1", "the scheduled snapshot")
    wait_idle(server)
    before = int(server("LASTSAVE"))
    started, saved = at_once(server, ["BGREWRITEAOF"], ["SAVE"])
    tap.equal((started, saved), (b"Background append only file rewriting started", b"OK"))
    relevo.wait(lambda: persistence(server)["aof_rewrites"] == "2", "the base that gave way")
    tap.equal({persistence(server)[f] for f in ("aof_last_bgrewrite_status", "rdb_last_bgsave_status")}, {"ok"})
    assert int(server("LASTSAVE")) >= before
    digest = server.digest()
    server.kill()
    server.restart()
    tap.equal(server.digest(), digest)


def broken_dump(server):
    """Make dump.rdb something that no file can take the place of."""
    os.mkdir(dump(server))


def test_a_failed_snapshot_stops_writes():
    """With rules of save, writes get MISCONF after a failed snapshot until one succeeds, or the setting says no."""
    server = relevo.start(save=HOUR)
    server("SET", "k", "v")
    broken_dump(server)
    server("BGSAVE")
    relevo.wait(lambda: persistence(server)["rdb_last_bgsave_status"] == "err", "the snapshot to fail")
    assert "dump.rdb" in persistence(server)["relevo_last_save_error"], persistence(server)
    assert "The snapshot failed" in server.log(), server.log()
    reply = server.value("SET", "k", "w")
    assert reply.startswith(b"MISCONF") and b"stop-writes-on-bgsave-error" in reply, reply
    tap.equal(server("GET", "k"), b"v")
    server("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
    tap.equal(server("SET", "k", "w"), b"OK")
    server("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
    assert server.value("SET", "k", "x").startswith(b"MISCONF")
    server("CONFIG", "SET", "save", "")
    tap.equal(server("SET", "k", "x"), b"OK")
    server("CONFIG", "SET", "save", HOUR)
    os.rmdir(dump(server))
    tap.equal(server("SAVE"), b"OK")
    tap.equal(server("SET", "k", "y"), b"OK")
    assert "relevo_last_save_error" not in persistence(server)


def test_a_stop_that_cannot_save_is_called_off():
    """SHUTDOWN with rules of save and a snapshot that fails goes on serving; NOSAVE stops."""
    server = relevo.start(save=HOUR, stop_writes_on_bgsave_error="no")
    server("SET", "k", "v")
    broken_dump(server)
    assert b"Errors trying to SHUTDOWN" in server.value("SHUTDOWN")
    tap.equal(server("GET", "k"), b"v")
    client = server.connect()
    client.send("SHUTDOWN", "NOSAVE")
    server.await_exit(0)
    server.restart()
    tap.equal(server("GET", "k"), b"v", "the log has it")


def test_a_full_disk_leaves_the_old_files():
    """A snapshot or a base that finds no space leaves the old one, and its log; INFO says why; later ones succeed."""
    disk = relevo.small_disk()
    server = relevo.start(dir=disk, save=HOUR, stop_writes_on_bgsave_error="no")
    server("MSET", *(word for n in range(30) for word in (f"k{n}", os.urandom(30000))))
    server("SAVE")
    server("BGREWRITEAOF")
    wait_idle(server)
    old = relevo.file_digest(dump(server))
    bases = glob.glob(os.path.join(disk, "appendonlydir", "*.base.rdb"))
    with open(os.path.join(disk, "zeros"), "wb") as f:
        left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        f.write(bytes(left - (400 << 10)))
    server("SET", "more", "1")
    for ask, field, error in (("BGSAVE", "rdb_last_bgsave_status", "relevo_last_save_error"),
                              ("BGREWRITEAOF", "aof_last_bgrewrite_status", "relevo_last_rewrite_error")):
        server(ask)
        relevo.wait(lambda: persistence(server)[field] == "err", f"{ask} to fail")
        assert "No space left" in persistence(server)[error], persistence(server)
    tap.equal(relevo.file_digest(dump(server)), old)
    tap.equal(glob.glob(os.path.join(disk, "appendonlydir", "*.base.rdb")), bases)
    assert not glob.glob(os.path.join(disk, "**", "temp-*"), recursive=True), "a part of a file was left"
    digest = server.digest()
    server("CONFIG", "SET", "save", "")
    server.kill()
    server.restart()
    tap.equal(server.digest(), digest)
    os.unlink(os.path.join(disk, "zeros"))
    tap.equal(server("SAVE"), b"OK")
    server("BGREWRITEAOF")
    relevo.wait(lambda: persistence(server)["aof_rewrites"] == "1", "the base")


def test_compression():
    """rdbcompression makes files of text smaller, and redis-server reads them; "no" leaves strings as they are."""
    server = relevo.start()
    load.fill(server, 7, 500)
    for number in range(50):
        server("SET", f"text:{number}", f"all work and no play {number} " * 100)
        server("HSET", "pairs", f"field:{number}", f"{number}" * 300)
    sizes = []
    for setting in ("no", "yes"):
        server("CONFIG", "SET", "rdbcompression", setting)
        server("SAVE")
        sizes.append(os.path.getsize(dump(server)))
    assert sizes[1] < sizes[0] / 2, sizes
    rewrite = server("BGREWRITEAOF")
    assert b"started" in rewrite
    wait_idle(server)
    digest = server.digest()
    server.restart()
    tap.equal(server.digest(), digest)
    server.stop()
    tap.equal(relevo.start(relevo.REDIS, dir=server.dir).digest(), digest)


def test_fields_of_redis():
    """INFO persistence has every field that redis-server's has."""
    ours, theirs = relevo.start(), relevo.start(relevo.REDIS)
    strangers = {field for field in persistence(theirs) if field.startswith("module_fork")}
    tap.equal(sorted(set(persistence(theirs)) - set(persistence(ours)) - strangers), [])


tap.main()
