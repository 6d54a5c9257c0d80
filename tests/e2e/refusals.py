"""A start that cannot be right is refused in one line that says what, where and what to do; and no file is touched."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harm
import load
import reader
import relevo
import tap


def a_life(**settings):
    """A stopped server with a base and two segments behind it, the second of which is open."""
    server = relevo.start(checkpoint_keep="1", **settings)
    load.fill(server, 1, 200)
    load.rewrite(server)
    for number in range(20):
        server("SET", f"key:{number}", number)
    load.rewrite(server)
    for number in range(20):
        server("SET", f"more:{number}", number)
    server.stop()
    return server


def path_of(directory, kind):
    """The newest base or segment."""
    return max(glob.glob(os.path.join(directory, "appendonlydir", f"*.{kind}")), key=lambda f: int(f.split(".")[-3]))


def test_damage_in_the_log():
    """Damage in the middle: the file, the byte, the offset, what is whole before and behind it, and the remedy."""
    server = a_life()
    path = path_of(server.dir, "incr.aof")
    with open(path, "rb") as f:
        data = f.read()
    begin = data.rindex(b"#B ", 0, data.index(b"more:7"))
    resume = data.index(b"#B ", begin + 1)
    start = int(data.split(b" ")[1], 16)
    harm.damage(path, b"more:7")
    relevo.refused(server.dir, os.path.basename(path), rf"at byte {begin} \(log offset {start + begin}\)",
                   "All before is whole", rf"log offset {start + resume}\b", "relevo check --fix", "replica")


def test_damage_in_a_base():
    """A damaged base: the file, the place and the remedy."""
    server = a_life()
    path = path_of(server.dir, "base.rdb")
    harm.damage(path, os.path.getsize(path) // 2)
    relevo.refused(server.dir, os.path.basename(path), "at offset [0-9]+", "relevo check --fix .*--from HOST:PORT")


def test_manifests():
    """A damaged manifest, ours or Redis's, and one of a later version: named, with the remedy where there is one."""
    server = a_life()
    for name, words in (("relevo.manifest", ("checksum", "relevo check --fix")),
                        ("appendonly.aof.manifest", ("is damaged", "line [0-9]+"))):
        directory = harm.copy_of(server.dir)
        harm.damage(os.path.join(directory, "appendonlydir", name), b"e ")
        relevo.refused(directory, name, *words)
    path = os.path.join(server.dir, "appendonlydir", "relevo.manifest")
    with open(path, "rb") as f:
        text = f.read()
    text = text[:text.rindex(b"crc ")].replace(b"relevo-manifest 1", b"relevo-manifest 2")
    with open(path, "wb") as f:
        f.write(text + b"crc %08x\n" % reader.crc32c(text))
    relevo.refused(server.dir, "relevo.manifest", "another version", "relevo-manifest 2")
    status, out, _ = relevo.run("check", "--fix", server.dir)
    assert status == 1 and "later version" in out, out


def test_missing_files():
    """A missing segment, a missing base: the file, the part of the log that it held, and the remedy."""
    server = a_life()
    for kind, words in (("incr.aof", r"from offset [0-9]+ on, is missing"), ("base.rdb", "base .* is missing")):
        directory = harm.copy_of(server.dir)
        path = path_of(directory, kind)
        os.unlink(path)
        relevo.refused(directory, os.path.basename(path), words, "backup", "relevo check --fix .*--from HOST:PORT")


def test_a_disk_that_fails():
    """A disk that cannot read, write or sync a file that a start needs: the file and the reason; all is there when it can."""
    server = a_life()
    digest = server.spawn().ready().digest()
    server.stop()
    shim = os.environ.get("RELEVO_SHIM")
    if not shim:
        raise tap.Skip("RELEVO_SHIM does not name the built library")
    shim = shutil.copy(shim, relevo.temporary_directory())  # the loader takes a space in a path for the end of it
    base, segment = (os.path.basename(path_of(server.dir, kind)) for kind in ("base.rdb", "incr.aof"))
    for call, name in (("read", base), ("read", segment), ("read", "relevo.manifest"), ("read", "appendonly.aof.manifest"),
                       ("write", "relevo.manifest"), ("sync", "relevo.manifest"), ("sync", segment)):
        environment = {"LD_PRELOAD": shim, "SHIM_FAIL": f"{call} {name}",
                       "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        relevo.refused(server.dir, re.escape(name), "Input/output error", environment=environment)
    tap.equal(server.spawn().ready().digest(), digest)


def test_files_of_others():
    """A file that is no log, a base of a later Redis, garbage in the middle of a Redis's append-only file."""
    server = a_life()
    directory = harm.copy_of(server.dir)
    path = path_of(directory, "base.rdb")
    with open(path, "r+b") as f:
        f.write(b"REDIS0012")
    relevo.refused(directory, os.path.basename(path), "RDB version 12", "Redis 7.4")
    redis = relevo.start(relevo.REDIS)
    for number in range(50):
        redis("SET", f"key:{number}", number)
    redis.stop()
    path = path_of(redis.dir, "incr.aof")
    with open(path, "rb") as f:
        at = f.read().index(b"*3", 500)
    harm.damage(path, at)
    relevo.refused(redis.dir, os.path.basename(path), rf"at byte {at}\b")


def test_a_read_only_file_system():
    """A directory that cannot be written to: said so, also for one that was fine before."""
    disk = relevo.small_disk()
    server = relevo.start(dir=disk)
    server("SET", "k", "v")
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    relevo.refused(disk, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    server.spawn().ready()
    tap.equal(server("GET", "k"), b"v")


def test_a_full_disk():
    """A start on a full disk: said so, and with space again all is there."""
    disk = relevo.small_disk()
    server = relevo.start(dir=disk)
    load.fill(server, 2, 300)
    digest = server.digest()
    server.stop()
    zeros = harm.fill_disk(disk)
    relevo.refused(disk, "No space left on device", "relevo.manifest|appendonly")
    os.unlink(zeros)
    server.spawn().ready()
    tap.equal(server.digest(), digest)


def test_a_directory_in_use():
    """A second server on a directory: said so."""
    server = relevo.start()
    server("SET", "k", "v")
    second = relevo.prepare(dir=server.dir).spawn()
    tap.equal(second.await_exit(), 1)
    assert f"{server.dir} is in use by another process" in second.log(), second.log()
    tap.equal(server("GET", "k"), b"v")


tap.main()
