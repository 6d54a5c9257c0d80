"""DEBUG: what tools and test suites ask for."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import resp
import tap

TYPES = "string integer double null array set map attrib push verbatim true false bignum".split()


def raw(connection, *words):
    """All bytes that come back up to the answer to a PING."""
    connection.send_raw(resp.encode(words) + resp.encode(["PING"]))
    answer = b""
    while not answer.endswith(b"+PONG\r\n"):
        answer += connection.socket.recv(4096)
    return answer


def test_protocol():
    """DEBUG PROTOCOL replies a value of each type with redis-server's very bytes, in RESP2 and RESP3."""
    answers = []
    for kind in (relevo.RELEVO, relevo.REDIS):
        server = relevo.start(kind)
        second, third = server.connect(), server.connect()
        third("HELLO", "3")
        mine = {(name, which): raw(c, "DEBUG", "PROTOCOL", name) for name in TYPES for which, c in ((2, second), (3, third))}
        answers.append(mine)
    tap.equal(answers[0], answers[1])


def test_reload():
    """DEBUG RELOAD and LOADAOF give the same data again, expiry times and functions included, and the server goes on: what is
    written behind them is there after a restart."""
    server = relevo.start()
    load.fill(server)
    server("SET", "soon", "v", "EX", "1000")
    server("XADD", "stream", "*", "f", "v")
    digest = server("DEBUG", "DIGEST-FULL")
    for how in ("RELOAD", "LOADAOF", "RELOAD"):
        tap.equal(server("DEBUG", how), b"OK", how)
        tap.equal(server("DEBUG", "DIGEST-FULL"), digest, how)
    server("SET", "more", "v")
    server("BGREWRITEAOF")
    relevo.wait(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0", "the new base")
    server("SET", "evenmore", "v")
    digest = server("DEBUG", "DIGEST-FULL")
    tap.equal(server("DEBUG", "LOADAOF"), b"OK")
    tap.equal(server("DEBUG", "DIGEST-FULL"), digest)
    server.kill()
    server.restart()
    tap.equal(server("DEBUG", "DIGEST-FULL"), digest)
    without = relevo.start(appendonly="no")
    assert b"no log on disk" in without.value("DEBUG", "LOADAOF")


def test_expiry_can_rest():
    """Behind SET-ACTIVE-EXPIRE 0, and behind PAUSE-CRON 1, a key that has expired stays until it is looked at."""
    for stop, go in ((("SET-ACTIVE-EXPIRE", "0"), ("SET-ACTIVE-EXPIRE", "1")), (("PAUSE-CRON", "1"), ("PAUSE-CRON", "0"))):
        server = relevo.start(hz="100")
        tap.equal(server("DEBUG", *stop), b"OK")
        server("MSET", "a", "1", "b", "2")
        server("PEXPIRE", "a", "1")
        server("PEXPIRE", "b", "1")
        relevo.wait(lambda: server("GET", "a") is None, "the key to expire")
        tap.equal(server("DBSIZE"), 1, stop)
        server("DEBUG", *go)
        relevo.wait(lambda: server("DBSIZE") == 0, "the other one to be deleted")


def test_what_is_said_of_a_value():
    """DEBUG OBJECT tells the fields that redis-server tells; lengths of plain strings are equal."""
    said = []
    for kind in (relevo.RELEVO, relevo.REDIS):
        server = relevo.start(kind)
        server("SET", "k", "hello")
        line = server("DEBUG", "OBJECT", "k").decode()
        said.append(re.sub(r"at:\w+|lru:\d+|idle:\d+", "", line))
        assert server.value("DEBUG", "OBJECT", "none") == b"ERR no such key"
    tap.equal(said[0], said[1])


def test_small_ones():
    """ERROR, LOG, STRINGMATCH-LEN, HELP, and what there is not."""
    server = relevo.start()
    assert server.value("DEBUG", "ERROR", "MINE is an error") == b"MINE is an error"
    tap.equal(server("DEBUG", "LOG", "a line for the log"), b"OK")
    relevo.wait(lambda: "DEBUG LOG: a line for the log" in server.log(), "the line")
    tap.equal(server("DEBUG", "STRINGMATCH-LEN", "10000", "a*a*a*b"), b"OK")
    assert any(line.startswith(b"RELOAD") for line in server("DEBUG", "HELP"))
    for words in (("SEGFAULT",), ("SLEEP",), ("DIGEST", "x"), ("ERROR", "a\r\nb"), ("STRINGMATCH-LEN", "-1", "a")):
        assert isinstance(server.value("DEBUG", *words), resp.Error), words


tap.main()
