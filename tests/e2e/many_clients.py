"""Many clients, and bad ones: thousands idle and thousands active, storms of connections, half-closed sockets, slow readers."""
import os
import resource
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

IDLE, ACTIVE = 10000, 1000
PING = resp.encode(["PING"])
MB = 1 << 20
GIVE_BACK = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=0"}  # that memory is measured, not the sanitizer's


def may_open(files):
    """Let this process, and the servers that it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise tap.Skip(f"the kernel allows {hard} open files, and this needs {files}")
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def open_many(server, count):
    """Sockets, closed at the end of the test."""
    sockets = [socket.create_connection(("127.0.0.1", server.port), timeout=relevo.PATIENCE_S) for _ in range(count)]
    tap.closing(lambda failed: [one.close() for one in sockets])
    return sockets


def exchange(sockets, request, reply):
    """All of them send, then all must have the reply."""
    for one in sockets:
        one.sendall(request)
    for number, one in enumerate(sockets):
        got = b""
        while len(got) < len(reply):
            more = one.recv(len(reply) - len(got))
            assert more, f"connection {number} was closed after {got!r}"
            got += more
        tap.equal(got, reply, f"reply of connection {number}")


def clients(server, field="connected_clients"):
    return int(server.info("clients")[field])


def test_ten_thousand_idle():
    """10,000 idle connections stay open and are served while 1,000 others work."""
    may_open(IDLE + ACTIVE + 1000)
    server = relevo.start(maxclients=IDLE + ACTIVE + 100)
    idle = open_many(server, IDLE)
    exchange(idle, PING, b"+PONG\r\n")
    active = open_many(server, ACTIVE)
    exchange(active, PING, b"+PONG\r\n")
    tap.equal(clients(server), IDLE + ACTIVE + 1)
    for turn in range(5):
        exchange(active, resp.encode(["INCRBY", "counter", "0"]) + resp.encode(["STRLEN", "none"]) * 20,
                 b":%d\r\n" % turn + b":0\r\n" * 20)
        server("INCR", "counter")
    exchange(idle, PING, b"+PONG\r\n")
    for one in active:
        one.close()
    relevo.wait(lambda: clients(server) == IDLE + 1, "the server to see that the active ones went")


def test_five_thousand_active():
    """5,000 connections that all have requests under way get every reply, in order."""
    may_open(7000)
    server = relevo.start(maxclients=6000)
    sockets = open_many(server, 5000)
    for turn in range(3):
        for number, one in enumerate(sockets):
            text = f"{number}-{turn}"
            one.sendall(resp.encode(["SET", f"key:{number}", text]) + resp.encode(["GET", f"key:{number}"]))
        for number, one in enumerate(sockets):
            text = f"{number}-{turn}"
            exchange([one], b"", b"+OK\r\n$%d\r\n%s\r\n" % (len(text), text.encode()))
    tap.equal(server("DBSIZE"), 5000)


def test_a_storm_of_connections():
    """Thousands that connect, say something or nothing or half of a request, and vanish, leave nothing behind."""
    may_open(2000)
    server = relevo.start()
    server("SET", "k", "v")
    before = int(server.info("stats")["total_connections_received"])
    for _ in range(10):
        sockets = open_many(server, 500)
        for number, one in enumerate(sockets):
            one.sendall([b"", PING, PING[:7], resp.encode(["GET", "k"]) * 50][number % 4])
        for number, one in enumerate(sockets):
            if number % 3 == 0:  # a reset instead of an end
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.close()
    relevo.wait(lambda: clients(server) == 1, "all of them to be forgotten")
    tap.equal(int(server.info("stats")["total_connections_received"]) - before, 5000)
    tap.equal(server("GET", "k"), b"v")


def test_half_closed():
    """Who ends its sending gets every reply to what it sent before the connection ends."""
    server = relevo.start()
    server("SET", "k", "x" * 1000)
    for number in range(50):
        one = server.connect()
        one.send_raw(resp.encode(["GET", "k"]) * 2000 + resp.encode(["ECHO", number]) + PING[:5])
        one.socket.shutdown(socket.SHUT_WR)
        for _ in range(2000):
            tap.equal(len(one.read()), 1000)
        tap.equal(one.read(), b"%d" % number)
        tap.equal(one.drain(), b"")
    relevo.wait(lambda: clients(server) == 1, "all of them to be forgotten")


def test_slow_readers_are_bounded():
    """Subscribers that do not read cost no more than their output limit each, and are then closed; who reads gets everything."""
    server = relevo.start(client_output_buffer_limit="pubsub 1mb 0 0", environment=GIVE_BACK)
    slow = [server.connect() for _ in range(20)]
    good = server.connect()
    for one in slow + [good]:
        one("SUBSCRIBE", "channel")
    server("PING")
    most, sent, before = 0, 0, server.memory()
    while clients(server, "pubsub_clients") > 1:
        for _ in range(10):
            server("PUBLISH", "channel", b"x" * 50000)
            tap.equal(good.read(), [b"message", b"channel", b"x" * 50000])
        sent += 10
        most = max(most, server.memory() - before)
        assert sent < 2000, "nobody is closed"
    tap.note(f"{most / len(slow):.0f} bytes for each slow reader")
    assert most < len(slow) * 3 * MB, f"{len(slow)} slow readers took {most} bytes"
    tap.equal(int(server.info("stats")["client_output_buffer_limit_disconnections"]), len(slow))


def test_who_asks_and_does_not_read():
    """Who sends requests without reading replies is not executed further than a quarter of a gigabyte; then it gets all that is due."""
    server = relevo.start(environment=GIVE_BACK)
    server("SET", "k", "x" * 100000)
    server("PING")
    before, count = server.memory(), 15000  # one and a half gigabytes of replies
    one = server.connect()
    one.send_raw(resp.encode(["GET", "k"]) * count)
    server("PING")
    relevo.wait(lambda: int(server.info("commandstats")["cmdstat_get"].split("calls=")[1].split(",")[0]) >= 2600,
                "some to be executed")
    assert server.memory() - before < 800 * MB, server.memory() - before
    for _ in range(count):
        tap.equal(len(one.read()), 100000)


def test_maxclients():
    """Above maxclients a connection is told so and closed; when somebody went there is room again."""
    server = relevo.start(maxclients=100)
    server("PING")
    sockets = open_many(server, 99)
    exchange(sockets, PING, b"+PONG\r\n")
    for _ in range(20):
        refused = open_many(server, 1)
        exchange(refused, b"", b"-ERR max number of clients reached\r\n")
        tap.equal(refused[0].recv(1), b"")
    tap.equal(server.info("stats")["rejected_connections"], "20")
    sockets[0].close()
    relevo.wait(lambda: clients(server) < 100, "the server to see that one went")
    exchange(open_many(server, 1), PING, b"+PONG\r\n")
    server("CONFIG", "SET", "maxclients", "200")
    exchange(open_many(server, 100), PING, b"+PONG\r\n")


def test_idle_ones_are_closed():
    """With a timeout those who say nothing are closed; subscribers, and who waits for a key, are not."""
    server = relevo.start()
    subscriber, waiting = server.connect(), server.connect()
    subscriber("SUBSCRIBE", "channel")
    waiting.send("BLPOP", "list", "0")
    silent = open_many(server, 500)
    exchange(silent, PING, b"+PONG\r\n")
    relevo.wait(lambda: clients(server, "blocked_clients") == 1, "one to wait")
    server("CONFIG", "SET", "timeout", "1")
    left = set(silent)
    while left:
        server("PING")
        for one in select.select(left, [], [], 0.2)[0]:
            tap.equal(one.recv(1), b"")
            left.discard(one)
    server("RPUSH", "list", "v")
    server("PUBLISH", "channel", "m")
    tap.equal(waiting.read(), [b"list", b"v"])
    tap.equal(subscriber.read(), [b"message", b"channel", b"m"])


tap.main()
