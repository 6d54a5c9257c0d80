"""Stock clients feel at home: redis-cli, python3-redis and hiredis, as Debian ships them."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import redis
import relevo
import resp
import tap


def cli(server, *words, text=None):
    """redis-cli's output."""
    done = subprocess.run(["redis-cli", "-p", str(server.port), *words], input=text, capture_output=True, text=True,
                          timeout=relevo.PATIENCE_S, check=False)
    return done.stdout


class Terminal:
    """redis-cli on a terminal: what a person sees."""

    def __init__(self, server):
        try:
            self.pid, self.fd = pty.fork()
        except OSError as error:
            raise tap.Skip(f"no terminals here: {error}") from error
        if self.pid == 0:
            os.execvpe("redis-cli", ["redis-cli", "-p", str(server.port)],
                       dict(os.environ, TERM="xterm", REDISCLI_HISTFILE="/dev/null"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.seen = ""
        tap.closing(self.close)

    def close(self, failed):
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def type(self, keys):
        self.seen = ""
        os.write(self.fd, keys.encode())

    def wait(self, text):
        """Read until @text was shown."""
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], relevo.PATIENCE_S)
            assert ready, f"redis-cli does not show {text!r} but {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")


def test_redis_cli_commands():
    """redis-cli runs commands, one by one and from standard input."""
    server = relevo.start()
    tap.equal(cli(server, "SET", "k", "v"), "OK\n")
    tap.equal(cli(server, text="GET k\nINCR c\nLPUSH l a b\nLRANGE l 0 -1\n"), "v\n1\n2\nb\na\n")
    tap.equal(sorted(cli(server, "--scan").split()), ["c", "k", "l"])
    assert "redis_version:7.2" in cli(server, "INFO", "server")


def test_redis_cli_hints():
    """On a terminal redis-cli hints at arguments, completes names and helps, all from our COMMAND DOCS."""
    terminal = Terminal(relevo.start())
    terminal.wait("> ")
    terminal.type("zrange ")
    terminal.wait("key")
    terminal.type("\x15zinc\t")
    terminal.wait("ZINCRBY")
    terminal.type("\x15help zadd\r")
    terminal.wait("summary:")
    terminal.wait("1.2.0")


def test_redis_cli_pipe():
    """redis-cli --pipe loads commands in bulk."""
    server = relevo.start()
    text = "".join(f"SET key:{i} {i}\r\n" for i in range(10000))
    out = cli(server, "--pipe", text=text)
    assert "errors: 0, replies: 10000" in out, out
    tap.equal(server("DBSIZE"), 10000)


def test_python_redis():
    """python3-redis: all five types, pipelines, scans, expiry, errors, INFO and CLIENT."""
    server = relevo.start()
    r = redis.Redis(port=server.port, decode_responses=True)
    tap.closing(lambda failed: r.close())
    assert r.ping() and r.set("k", "v", ex=100) and r.get("k") == "v" and 0 < r.ttl("k") <= 100
    tap.equal(r.hset("h", mapping={"a": 1, "b": 2}), 2)
    tap.equal(r.hgetall("h"), {"a": "1", "b": "2"})
    tap.equal(r.rpush("l", *range(5)), 5)
    tap.equal(r.lrange("l", 1, 3), ["1", "2", "3"])
    tap.equal(r.sadd("s", "x", "y"), 2)
    tap.equal(r.smembers("s"), {"x", "y"})
    tap.equal(r.zadd("z", {"a": 1, "b": 2.5}), 2)
    tap.equal(r.zrange("z", 0, -1, withscores=True), [("a", 1.0), ("b", 2.5)])
    pipeline = r.pipeline(transaction=False)
    for i in range(1000):
        pipeline.incr("c")
    tap.equal(pipeline.execute(), list(range(1, 1001)))
    tap.equal(sorted(r.scan_iter(count=3)), ["c", "h", "k", "l", "s", "z"])
    try:
        r.lpush("k", 1)
        raise AssertionError("no WRONGTYPE")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    info = r.info()
    assert info["redis_version"].startswith("7.2.") and info["role"] == "master" and info["relevo_version"], info
    r.client_setname("me")
    assert any(c["name"] == "me" for c in r.client_list())
    assert r.config_get("maxclients")["maxclients"]



def test_the_longest_command_is_told():
    """INFO names the longest command, waits included, and CONFIG RESETSTAT forgets it."""
    server = relevo.start(enable_debug_command="yes")
    server("DEBUG", "SLEEP", "0.02")
    stats = server.info("stats")
    tap.equal(stats["relevo_longest_command"], "debug")
    assert int(stats["relevo_longest_turn_usec"]) >= int(stats["relevo_longest_command_usec"]) >= 20000, stats
    assert int(stats["eventloop_duration_sum"]) >= int(stats["eventloop_duration_cmd_sum"]) >= 20000, stats
    assert float(server.info("commandstats")["cmdstat_debug"].split("usec_per_call=")[1].split(",")[0]) >= 20000
    server("CONFIG", "RESETSTAT")
    after = server.info("stats")
    assert after["relevo_longest_command"] != "debug", after
    assert 0 < int(after["eventloop_cycles"]) < int(stats["eventloop_cycles"]) + 10, (stats, after)


def test_long_pipelines():
    """Pipelines that take many turns of the loop: every reply comes, in order, to those who send little too."""
    server = relevo.start()
    server("RPUSH", "list", *range(2000))
    everything = [str(i).encode() for i in range(2000)]
    senders = [server.connect() for _ in range(3)]
    for sender in senders:
        sender.send_raw(b"".join(resp.encode(("ECHO", str(i))) + resp.encode(("LRANGE", "list", "0", "-1")) for i in range(200)))
    tap.equal(server("PING"), b"PONG", "somebody else is served")
    for sender in senders:
        for i in range(200):
            tap.equal(sender.read(), str(i).encode(), f"reply {i}")
            assert sender.read() == everything


def test_python_redis_pool():
    """Fifty connections of python3-redis at once, with database, password and client name."""
    server = relevo.start(requirepass="secret")
    clients = [redis.Redis(port=server.port, password="secret", db=3, client_name=f"c{i}") for i in range(50)]
    for i, client in enumerate(clients):
        client.set(f"k{i}", i)
    tap.equal(clients[0].dbsize(), 50)
    for client in clients:
        client.close()


def test_hello():
    """HELLO 2 describes the server, HELLO with a version that is not spoken is refused as Redis does."""
    server, theirs = relevo.start(), relevo.start(relevo.REDIS)
    fields = server("HELLO", "2")
    tap.equal(fields[0:2], [b"server", b"redis"])
    tap.equal(dict(zip(fields[::2], fields[1::2]))[b"proto"], 2)
    for words in (["4"], ["abc"], ["2", "SETNAME"], ["2", "NONSENSE", "x"]):
        tap.equal(server.value("HELLO", *words), theirs.value("HELLO", *words), str(words))


def test_hiredis():
    """hiredis: a small C program with single commands, pipelines and binary values."""
    program = os.environ.get("RELEVO_HIREDIS")
    if not program:
        raise tap.Skip("RELEVO_HIREDIS does not name the built client")
    server = relevo.start()
    done = subprocess.run([program, str(server.port)], capture_output=True, text=True, timeout=relevo.PATIENCE_S, check=False)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)


def test_client_commands():
    """CLIENT ID, SETNAME, GETNAME, LIST and KILL do what Redis does."""
    server, theirs = relevo.start(), relevo.start(relevo.REDIS)
    for words in ("SETNAME a", "GETNAME", "SETNAME 'a b'", "SETNAME", "KILL ID 99999", "KILL 1.2.3.4:5", "NOPE", "KILL ID x",
                  "LIST TYPE nonsense"):
        words = [w.replace("'", "") for w in (["SETNAME", "a b"] if "'" in words else words.split())]
        tap.equal(server.value("CLIENT", *words), theirs.value("CLIENT", *words), str(words))
    other = server.connect()
    number = other("CLIENT", "ID")
    tap.equal(server("CLIENT", "KILL", "ID", number), 1)
    tap.equal(other.drain(), b"")


tap.main()
