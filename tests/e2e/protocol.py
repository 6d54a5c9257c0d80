"""Hostile and unusual input gets Redis's answers, never a crash, never unbounded memory."""
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

MB = 1 << 20


def answer(port, data):
    """All that a server says to these bytes until it closes, or until it answers a PING sent behind them."""
    with resp.Connection(port) as c:
        try:
            c.send_raw(data)
            c.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return c.drain()


# Requests of the engine, behind which the next one is parsed before they are executed.
BEFORE = b"".join(resp.encode(words.split()) for words in (b"SET k v", b"GET k", b"INCR k", b"SELECT 1", b"GET k"))

BAD = {
    "a bulk length of 2^63": b"*1\r\n$9223372036854775808\r\n",
    "a bulk length beyond the limit": b"*1\r\n$536870913\r\n",
    "a negative bulk length": b"*1\r\n$-1\r\n",
    "a bulk length that is no number": b"*1\r\n$abc\r\n",
    "an array of more than a million": b"*1048577\r\n",
    "an array length of 2^63": b"*9223372036854775808\r\n",
    "an array length that is no number": b"*abc\r\n$4\r\nPING\r\n",
    "another sign where a bulk string must be": b"*1\r\n:4\r\nPING\r\n",
    "no sign at all": b"*2\r\n$4\r\nECHO\r\nhello\r\n",
    "unbalanced quotes": b"SET k \"abc\r\n",
    "an unclosed quote before a word": b"GET 'a'b\r\n",
}

GOOD = {
    "an empty array": b"*0\r\nPING\r\n",
    "a negative array": b"*-1\r\nPING\r\n",
    "empty lines": b"\r\n\r\nPING\r\n",
    "a bare newline": b"PING\n",
    "an inline command with quotes": b"ECHO \"a\\x41\\n b\"\r\n",
    "an inline command with single quotes": b"ECHO 'it\\'s'\r\n",
    "spaces around words": b"   ECHO    hi   \r\n",
    "mixed pipelines": b"PING\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n",
    "an unknown command": b"FOO bar baz\r\n",
    "an unknown command with a long argument": b"*2\r\n$3\r\nFOO\r\n$200\r\n" + b"x" * 200 + b"\r\n",
    "a wrong number of arguments": b"GET\r\n",
    "binary arguments": b"*2\r\n$4\r\nECHO\r\n$4\r\n\x00\r\n\xff\r\n",
    "half a command": b"*2\r\n$4\r\nECHO\r\n$10\r\nabc",
    "QUIT and what follows": b"QUIT\r\nPING\r\n",
}


def test_errors_as_redis():
    """Malformed requests get the very bytes that redis-server sends."""
    ours, theirs = relevo.start(), relevo.start(relevo.REDIS)
    for what, data in BAD.items():
        tap.equal(answer(ours.port, data), answer(theirs.port, data), what)
        tap.equal(answer(ours.port, BEFORE + data), answer(theirs.port, BEFORE + data), what + " behind good requests")


def test_odd_but_good():
    """Unusual but valid requests get the very bytes that redis-server sends."""
    ours, theirs = relevo.start(), relevo.start(relevo.REDIS)
    for what, data in GOOD.items():
        for whole in data, BEFORE + data:
            tap.equal(answer(ours.port, whole), answer(theirs.port, whole), what)


def test_too_long_lines():
    """A line without end is refused at 64 KB, inline or header."""
    server = relevo.start()
    for data in (b"A" * (1 << 20), b"*" + b"1" * (1 << 20), b"*1\r\n$" + b"1" * (1 << 20)):
        reply = answer(server.port, data)
        assert reply == b"" or reply.startswith(b"-ERR Protocol error"), reply[:100]
    tap.equal(server("PING"), b"PONG")


def test_byte_by_byte():
    """Requests that arrive one byte at a time are understood."""
    server = relevo.start()
    client = server.connect()
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\nGET k\r\n":
        client.send_raw(bytes([byte]))
    tap.equal(client.read(), b"OK")
    tap.equal(client.read(), b"hello")


def test_long_pipeline():
    """A pipeline of 100,000 commands is answered completely and in order."""
    server = relevo.start()
    client = server.connect()
    for begin in range(0, 100000, 1000):
        client.send_raw(b"".join(resp.encode(["ECHO", i]) for i in range(begin, begin + 1000)))
        for i in range(begin, begin + 1000):
            assert client.read() == b"%d" % i


def test_large_values():
    """A value of 64 MB goes in and comes out."""
    server = relevo.start(appendonly="no")
    value = random.Random(3).randbytes(MB) * 64
    server("SET", "k", value)
    assert server("GET", "k") == value
    tap.equal(server("STRLEN", "k"), 64 * MB)


def test_promised_memory_is_not_taken():
    """Headers that promise a lot cost no memory before the bytes are there."""
    server = relevo.start(appendonly="no")
    server("PING")
    before = server.memory()
    clients = [server.connect() for _ in range(100)]
    for c in clients:
        c.send_raw(b"*1000000\r\n$536870912\r\nabc")
    server("PING")
    grown = server.memory() - before
    assert grown < 64 * MB, f"{grown / MB:.0f} MB for 100 clients that sent 30 bytes each"


def test_half_commands_cost_their_bytes():
    """Clients that stop in the middle of a command cost what they sent, and give it back when they go."""
    server = relevo.start(appendonly="no")
    server("PING")
    before = server.memory()
    clients = [resp.Connection(server.port) for _ in range(50)]
    for c in clients:
        c.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"x" * 100000)
    server("PING")
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 51, "the clients to be seen")
    grown = server.memory() - before
    assert grown < 200 * MB, f"{grown / MB:.0f} MB for 5 MB of half commands"
    for c in clients:
        c.close()
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 1, "the clients to be forgotten")


def test_noise():
    """Binary noise neither crashes the server nor keeps it busy."""
    server = relevo.start()
    chance = random.Random(5)
    for number in range(200):
        noise = chance.randbytes(chance.randrange(1, 3000))
        if number % 3 == 0:
            noise = b"*%d\r\n" % chance.randrange(-2, 5) + noise
        answer(server.port, noise)
    tap.equal(server("PING"), b"PONG")
    tap.equal(server("DBSIZE"), 0)


def test_slow_reader_is_bounded():
    """A client that does not read is closed at its output limit; others go on."""
    server = relevo.start(appendonly="no", client_output_buffer_limit="normal 33554432 0 0")
    server("SET", "k", b"x" * MB)
    before = server.memory()
    client = server.connect()
    client.send_raw(resp.encode(["GET", "k"]) * 400)
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 1, "the slow reader to be closed")
    assert server.memory() - before < 300 * MB
    tap.equal(server("PING"), b"PONG")


def test_slow_reader_gets_everything():
    """Replies that exceed the socket's buffer come whole and in order to a reader that comes late."""
    server = relevo.start(appendonly="no")
    for i in range(20):
        server("SET", f"k{i}", bytes([65 + i]) * MB)
    client = server.connect()
    client.send_raw(b"".join(resp.encode(["GET", f"k{i}"]) for i in range(20)))
    server("PING")
    for i in range(20):
        assert client.read() == bytes([65 + i]) * MB


def test_maxclients():
    """Clients beyond maxclients are told so and closed; the others stay."""
    server = relevo.start(maxclients="10")
    clients = [server.connect() for _ in range(9)]
    for c in clients:
        tap.equal(c("PING"), b"PONG")
    server("PING")
    late = server.connect()
    reply = late.drain()
    tap.equal(reply, b"-ERR max number of clients reached\r\n")
    tap.equal(clients[0]("PING"), b"PONG")


tap.main()
