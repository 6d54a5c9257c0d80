"""relevo check: what lies on disk is told as it is, and mended as far as it can be."""
import glob
import os
import pty
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import tap


def copy_of(directory):
    """A copy of a stopped server's directory."""
    target = os.path.join(relevo.temporary_directory(), "copy")
    shutil.copytree(directory, target)
    return target


def rewrite(server):
    """A new base of the log, complete."""
    server("BGREWRITEAOF")
    relevo.wait(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite to end")


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
    rewrite(server)
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
    load.fill(redis, 3, 2000)
    redis("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)\n")
    redis("SAVE")
    digest = redis.digest()
    redis.stop()
    text = dumped(os.path.join(redis.dir, "dump.rdb"))
    tap.equal(fed_back(text), digest)
    assert re.search(r'^FUNCTION "LOAD" "#!lua name=lib\\n', text, re.M), text[:300]
    text = dumped(redis.dir)
    tap.equal(fed_back(text), digest)
    assert re.search(r"^# \d{4}-\d\d-\d\dT", text, re.M), text[:300]


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


tap.main()
