"""Scripts and functions: redis-py's ways of calling them, BUSY and KILL, logs, snapshots, replicas, a bound on memory."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import redis
import relevo
import resp
import tap

LIBRARY = """#!lua name=counters
redis.register_function('bump', function(keys, args)
    for i = 1, tonumber(args[1]) do redis.call('INCR', keys[1]) end
    return redis.call('GET', keys[1])
end)
redis.register_function{function_name = 'look', flags = {'no-writes'},
    callback = function(keys) return redis.call('GET', keys[1]) end}
redis.register_function('loop', function() while true do end end)"""


def background(server, *words):
    """Send a request on a connection of its own and give the thread that waits for its reply, and where that goes."""
    replies = []

    def wait():
        with resp.Connection(server.port) as c:
            try:
                replies.append(c.value(*words))
            except resp.Closed:
                replies.append(None)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread, replies


def until_busy(c):
    return relevo.wait(lambda: (r := c.value("GET", "x")) and r.startswith(b"BUSY") and r, "the script is busy")


def test_redis_py():
    """python3-redis registers scripts, finds them gone after SCRIPT FLUSH, and calls functions."""
    server = relevo.start(relevo.RELEVO)
    client = redis.Redis(port=server.port)
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    tap.equal(script(keys=["n"], args=[5]), 5)
    client.script_flush()
    tap.equal(script(keys=["n"], args=[2]), 7)
    tap.equal(client.script_exists(script.sha, "0" * 40), [True, False])
    with client.pipeline() as pipe:
        script(keys=["n"], args=[1], client=pipe)
        pipe.get("n")
        tap.equal(pipe.execute(), [8, b"8"])
    tap.equal(client.function_load(LIBRARY), b"counters")
    tap.equal(client.fcall("bump", 1, "m", 3), b"3")
    tap.equal(client.fcall_ro("look", 1, "m"), b"3")


def test_busy_and_kill():
    """Others are answered BUSY while a script runs for too long; what has not written can be killed, in EXEC too."""
    server = relevo.start(relevo.RELEVO, busy_reply_threshold=50)
    with resp.Connection(server.port) as c:
        thread, replies = background(server, "EVAL", "while true do pcall(function() while true do end end) end", 0)
        tap.equal(until_busy(c), b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
        assert c.value("SHUTDOWN").startswith(b"BUSY")
        assert c.value("FUNCTION", "KILL").startswith(b"BUSY")
        tap.equal(c("SCRIPT", "KILL"), b"OK")
        thread.join()
        assert replies[0].startswith(b"ERR Script killed by user"), replies
        tap.equal(c("FUNCTION", "LOAD", LIBRARY), b"counters")
        thread, replies = background(server, "FCALL", "loop", 0)
        until_busy(c)
        tap.equal(c("FUNCTION", "STATS")[1][:4], [b"name", b"loop", b"command", [b"FCALL", b"loop", b"0"]])
        tap.equal(c("FUNCTION", "KILL"), b"OK")
        thread.join()
        assert replies[0].startswith(b"ERR Script killed by user"), replies
        with resp.Connection(server.port) as other:
            for words in (["MULTI"], ["SET", "m", 1], ["EVAL", "while true do end", 0], ["SET", "m", 2]):
                other(*words)
            other.send("EXEC")
            until_busy(c)
            tap.equal(c("SCRIPT", "KILL"), b"OK")
            reply = other.read()
            assert reply[0] == b"OK" and reply[1].startswith(b"ERR Script killed") and reply[2] == b"OK", reply
        tap.equal(c("GET", "m"), b"2")


def test_who_has_written_goes_on():
    """A script that has written cannot be killed; SHUTDOWN NOSAVE ends the server, and nothing of it is in the log."""
    server = relevo.start(relevo.RELEVO, busy_reply_threshold=50)
    with resp.Connection(server.port) as c:
        c("SET", "before", 1)
        background(server, "EVAL", "redis.call('SET', 'half', 1) while true do end", 0)
        until_busy(c)
        assert c.value("SCRIPT", "KILL").startswith(b"UNKILLABLE")
        c.send("SHUTDOWN", "NOSAVE")
        server.process.wait()
    server.restart()
    tap.equal(server("MGET", "before", "half"), [b"1", None])


def test_its_client_may_leave():
    """A busy script whose client has left goes on to its end, and its writes stay together."""
    server = relevo.start(relevo.RELEVO, busy_reply_threshold=50)
    with resp.Connection(server.port) as c:
        with resp.Connection(server.port) as leaving:
            leaving.send("EVAL", "for i = 1, 300000 do redis.call('INCR', 'n') end redis.call('SET', 'done', 1)", 0)
            until_busy(c)
        relevo.wait(lambda: c.value("GET", "done") == b"1", "the script's end")
        tap.equal(c("GET", "n"), b"300000")


def test_functions_persist_and_replicate():
    """Functions and what they wrote survive kill -9 and snapshots, reach replicas, and go to redis-server and back."""
    server = relevo.start(relevo.RELEVO, appendfsync="always")
    replica = relevo.start(relevo.RELEVO, replicaof=f"127.0.0.1 {server.port}")
    server("FUNCTION", "LOAD", LIBRARY)
    tap.equal(server("FCALL", "bump", 1, "n", 10), b"10")
    relevo.wait(lambda: replica("GET", "n") == b"10", "the replica has what the function wrote")
    tap.equal(replica("FCALL_RO", "look", 1, "n"), b"10")
    server.kill()
    server.restart()
    tap.equal(server("FCALL", "bump", 1, "n", 1), b"11")
    dump = server("FUNCTION", "DUMP")
    server("FUNCTION", "DELETE", "counters")
    relevo.wait(lambda: replica("FUNCTION", "LIST") == [], "the replica forgets the library")
    server("FUNCTION", "RESTORE", dump)
    server("BGREWRITEAOF")
    relevo.wait(lambda: b"aof_rewrite_in_progress:0" in server("INFO", "persistence"), "the base is written")
    server.kill()
    server.restart()
    tap.equal(server("FCALL_RO", "look", 1, "n"), b"11")
    other = relevo.start(relevo.REDIS)
    other("FUNCTION", "RESTORE", server("FUNCTION", "DUMP"))
    tap.equal(other("FCALL", "bump", 1, "k", 2), b"2")
    server("FUNCTION", "RESTORE", other("FUNCTION", "DUMP"), "FLUSH")
    tap.equal(server("FCALL", "bump", 1, "n", 1), b"12")


def test_effects_are_one_transaction():
    """What a script wrote stands between MULTI and EXEC in the log, as commands rather than as the script."""
    server = relevo.start(relevo.RELEVO, appendfsync="always")
    server("EVAL", "redis.call('SET', 'a', 1) redis.call('SADD', 's', 'x') redis.call('SPOP', 's') return 1", 0)
    folder = os.path.join(server.dir, "appendonlydir")
    log = b"".join(open(os.path.join(folder, n), "rb").read() for n in sorted(os.listdir(folder)) if n.endswith(".incr.aof"))
    assert b"EVAL" not in log
    words = [w for w in log.split(b"\r\n") if w in (b"MULTI", b"SET", b"SADD", b"SREM", b"EXEC", b"DEL")]
    tap.equal((words[0], words[-1], words[1:3]), (b"MULTI", b"EXEC", [b"SET", b"SADD"]))


LOOP = "while true do end"
COUNT = "local n = 0 for i = 1, 1000000 do n = n + i end return redis.call('INCR', KEYS[1])"


def test_a_change_of_role_behind_a_busy_script():
    """What stands behind a busy script in its transaction may change the role: the rest is refused, and the server lives."""
    server = relevo.start(relevo.RELEVO, busy_reply_threshold=1)
    for words in (["MULTI"], ["EVAL", COUNT, 1, "n"], ["REPLICAOF", "127.0.0.1", server.port + 1], ["EVAL_RO", COUNT.replace("INCR", "GET"), 1, "n"],
                  ["INCR", "n"]):
        server(*words)
    replies = server("EXEC")
    tap.equal(replies[:3], [1, b"OK", b"1"])
    assert replies[3].startswith(b"READONLY"), replies
    assert "Slow script" in server.log()
    server("REPLICAOF", "NO", "ONE")
    tap.equal(server("INCR", "n"), 2)


def test_all_scripts_of_a_transaction_give_way():
    """Scripts on a replica that keep more of the log waiting than it bears are ended: each one of a transaction, not the first."""
    server = relevo.start(relevo.RELEVO)
    replica = relevo.start_replica(server, busy_reply_threshold=1)
    reader = replica.connect()
    for words in (["MULTI"], ["EVAL_RO", LOOP, 0], ["EVAL_RO", LOOP, 0], ["PING"]):
        reader(*words)
    reader.send("EXEC")
    with resp.Connection(replica.port) as c:
        until_busy(c)
    for n in range(3):
        server("SET", f"big:{n}", "x" * (30 << 20))
    replies = reader.read()
    assert [b"role or data have changed" in r for r in replies[:2]] == [True, True] and replies[2] == b"PONG", replies
    relevo.wait_equal_offsets(server, replica)
    tap.equal(replica.digest(), server.digest())


def test_pushes_are_as_the_client_wants_them():
    """What is pushed to a client while its script has chosen another version of replies is of the client's own version."""
    server = relevo.start(relevo.RELEVO)
    new, old = server.connect(), server.connect()
    new("HELLO", "3")
    new("CLIENT", "TRACKING", "ON")
    new("SUBSCRIBE", "c")
    new("GET", "k")
    new.send("EVAL", "redis.call('SET', 'k', 1) return redis.call('PUBLISH', 'c', 'm')", 0)
    got = sorted(new.read_raw() for _ in range(3))
    tap.equal(got, [b":1\r\n", b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"])
    old("CLIENT", "TRACKING", "ON")
    old("GET", "k")
    tap.equal([old("EVAL", "redis.setresp(3) redis.call('SET', 'k', 2) return 7", 0), old("PING")], [7, b"PONG"])


def test_a_wait_in_a_script():
    """WAIT and WAITAOF in scripts, and in transactions with scripts, answer at once, where the reply belongs."""
    server = relevo.start(relevo.RELEVO)
    server("SET", "k", 1)
    tap.equal(len(server("EVAL", "return redis.call('WAITAOF', 0, 1, 0)", 0)), 2)
    for words in (["MULTI"], ["EVAL", "return 5", 0], ["WAIT", 1, 0], ["WAITAOF", 0, 1, 0], ["ECHO", "x"]):
        server(*words)
    replies = server("EXEC")
    tap.equal([replies[0], replies[1], replies[2][1], replies[3]], [5, 0, 0, b"x"])
    tap.equal(server("PING"), b"PONG")


def test_memory_bombs():
    """A script that wants more than script-memory-limit gets an error, and the next one runs."""
    server = relevo.start(relevo.RELEVO, script_memory_limit="8mb")
    for code in ("local t = {} while true do t[#t + 1] = {} end", "local s = 'x' while true do s = s .. s end"):
        with resp.Connection(server.port) as c:
            tap.equal(c.value("EVAL", code, 0), b"ERR the script needs more memory than script-memory-limit allows")
            tap.equal(c("EVAL", "return 1", 0), 1)


tap.main()
