"""Who has no key, a wrong key or only noise gets nothing, and costs little."""
import base64
import os
import random
import socket
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relay
import relevo
import resp
import tap


HELLO = b"\xf5"  # the first byte of a node's hello


def refused(primary, replica, patience="refus"):
    """The replica tried and got nothing."""
    relevo.wait(lambda: "relevo" in replica.kind and patience in replica.log().lower(),
                lambda: "a refused link in the log: " + replica.log()[-1500:])
    tap.equal(replica.info("replication")["master_link_status"], "down")
    tap.equal(replica("DBSIZE"), 0)
    tap.equal(primary.info("replication")["connected_slaves"], "0")


MARKERS = (b"name-in-the-snapshot", b"value-in-the-snapshot", b"name-in-the-log", b"value-in-the-log", b"SET")


def on_the_wire(kind, **settings):
    """All that passes between a primary and a replica that takes a snapshot and then the log, and what of it is in clear."""
    primary = relevo.start(kind, **settings)
    primary("SET", MARKERS[0], MARKERS[1])
    between = relay.Relay(primary.port)
    replica = relevo.start(kind, replicaof=f"127.0.0.1 {between.port}", **settings)
    relevo.wait(lambda: replica.info("replication")["master_link_status"] == "up", "the link to come up")
    primary("SET", MARKERS[2], MARKERS[3])
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(replica("GET", MARKERS[0]), MARKERS[1])
    tap.equal(replica("GET", MARKERS[2]), MARKERS[3])
    seen = between.seen()
    return seen, [m for m in MARKERS if m in seen]


def test_one_key():
    """Nodes with the same key work together, encrypted: no name, value or key crosses the wire in clear."""
    path = relevo.cluster_key()
    seen, clear = on_the_wire(relevo.RELEVO, cluster_secret_file=path)
    tap.equal(clear, [])
    with open(path, "rb") as f:
        encoded = f.read().split()[2]
    secret = base64.b64decode(encoded)
    assert len(secret) == 32 and len(seen) > 500, (len(secret), len(seen))
    for text in (encoded, secret, secret[:16], secret[16:], secret.hex().encode()):
        assert text not in seen, "the key itself"


def test_what_redis_shows():
    """Between two servers of Redis the same relay sees all in clear: what the test before looks for would be found."""
    _, clear = on_the_wire(relevo.REDIS, repl_diskless_sync_delay=0, appendonly="no")
    tap.equal(clear, list(MARKERS))


def test_wrong_key():
    """A node with another key gets nothing."""
    primary = relevo.start(cluster_secret_file=relevo.cluster_key())
    primary("SET", "k", "v")
    replica = relevo.start(cluster_secret_file=relevo.cluster_key(), replicaof=f"127.0.0.1 {primary.port}")
    refused(primary, replica)


def test_no_key():
    """A node without a key gets nothing from a primary that has one."""
    primary = relevo.start(cluster_secret_file=relevo.cluster_key())
    primary("SET", "k", "v")
    refused(primary, relevo.start(replicaof=f"127.0.0.1 {primary.port}"))


def test_primary_without_key():
    """A node with a key does not follow a primary without one."""
    primary = relevo.start()
    primary("SET", "k", "v")
    refused(primary, relevo.start(cluster_secret_file=relevo.cluster_key(), replicaof=f"127.0.0.1 {primary.port}"))


def test_keygen():
    """relevo keygen writes a key of mode 0600, and does not overwrite one."""
    path = relevo.cluster_key()
    tap.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    with open(path, encoding="ascii") as f:
        text = f.read()
    assert text.startswith("relevo-cluster-key-v1 "), text
    status, _, err = relevo.run("keygen", path)
    assert status == 1 and err.count("\n") == 1, err
    with open(path, encoding="ascii") as f:
        tap.equal(f.read(), text)


def test_open_key_file_is_refused():
    """A key file that others may read is refused with one line."""
    path = relevo.cluster_key()
    os.chmod(path, 0o644)
    server = relevo.prepare(cluster_secret_file=path).spawn()
    tap.equal(server.await_exit(), 1)
    assert path in server.log(), server.log()


# What no client sends: the first byte of a node's hello, then nothing good.
def test_noise_at_the_node_port():
    """Noise that looks like a node's hello is closed without an answer of use, and costs no memory."""
    server = relevo.start(cluster_secret_file=relevo.cluster_key())
    server("SET", "k", "v")
    before = server.memory()
    chance = random.Random(8)
    for first in list(range(0x80, 0x100, 4)) + [HELLO[0], 0, 1, 0x16]:
        for length in (1, 50, 3000):
            with resp.Connection(server.port) as c:
                try:
                    c.send_raw(bytes([first]) + chance.randbytes(length) + b"\r\n" + chance.randbytes(length))
                    c.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = c.drain()
                assert b"$1\r\nv" not in answer and len(answer) < 1000, answer
    tap.equal(server("PING"), b"PONG")
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 1, "strangers to be forgotten")
    assert server.memory() - before < 64 << 20
    tap.equal(server.info("replication")["connected_slaves"], "0")


def test_silent_strangers_are_closed():
    """Strangers who begin a hello and fall silent neither block nodes with the key nor stay for long."""
    key = relevo.cluster_key()
    primary = relevo.start(cluster_secret_file=key)
    strangers = [primary.connect() for _ in range(50)]
    for stranger in strangers:
        stranger.send_raw(HELLO + b"relevo")
    replica = relevo.start_replica(primary, cluster_secret_file=key)
    primary("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(len(primary("CLIENT", "LIST").splitlines()), 1, "strangers that were taken for clients")
    for stranger in strangers:
        tap.equal(stranger.drain(), b"", "what a stranger was told")  # returns when the primary has closed
    tap.equal(primary.info("replication")["connected_slaves"], "1")


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            raise tap.Skip("this machine has no address but loopback") from None
        return s.getsockname()[0]


def test_silent_strangers_in_protected_mode():
    """In protected mode a connection from afar may still be a node's, but not for long if it says nothing."""
    address = own_address()
    server = relevo.start(cluster_secret_file=relevo.cluster_key(), bind="127.0.0.1 " + address)
    strangers = [resp.Connection(server.port, address) for _ in range(20)]
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 21, "the strangers to be connected")
    with resp.Connection(server.port, address) as speaker:
        assert speaker.value("PING").startswith(b"DENIED"), "a client from afar"
    for stranger in strangers:
        tap.equal(stranger.drain(), b"")
        stranger.close()
    relevo.wait(lambda: len(server("CLIENT", "LIST").splitlines()) == 1, "the strangers to be forgotten")


def test_requirepass():
    """With requirepass nothing but AUTH is answered before the password, with Redis's errors."""
    server, redis = relevo.start(requirepass="secret"), relevo.start(relevo.REDIS, requirepass="secret")
    for words in (["GET", "k"], ["AUTH", "wrong"], ["AUTH", "default", "wrong"], ["AUTH", "nobody", "secret"], ["PING"],
                  ["HELLO", "2", "AUTH", "default", "wrong"], ["AUTH"], ["AUTH", "a", "b", "c"], ["AUTH", "secret"],
                  ["GET", "k"]):
        tap.equal(server.value(*words), redis.value(*words), " ".join(words))


def test_unauthenticated_limits():
    """Before AUTH long requests are refused with Redis's protocol errors."""
    server, redis = relevo.start(requirepass="secret"), relevo.start(relevo.REDIS, requirepass="secret")
    for data in (b"*11\r\n", b"*1\r\n$16385\r\n", b"*10\r\n$16384\r\n"):
        replies = []
        for s in (server, redis):
            with resp.Connection(s.port) as c:
                c.send_raw(data)
                c.socket.shutdown(socket.SHUT_WR)
                replies.append(c.drain())
        tap.equal(replies[0], replies[1], repr(data))


def test_masterauth():
    """A replica joins a primary with requirepass, masterauth set as in Redis."""
    primary = relevo.start(requirepass="secret")
    primary("AUTH", "secret")
    primary("SET", "k", "v")
    replica = relevo.start(replicaof=f"127.0.0.1 {primary.port}", masterauth="secret")
    relevo.wait(lambda: replica("GET", "k") == b"v", lambda: f"the data to come: {replica.log()[-1000:]}")


tap.main()
