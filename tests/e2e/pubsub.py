"""Pub/Sub: who gets which messages, in which order, on this node and on replicas, and what slow subscribers cost."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import disk_gate
import redis
import relevo
import resp
import tap


def subscriber(server, *channels, command="SUBSCRIBE", protocol=2):
    """A connection that listens; its confirmations are read."""
    connection = server.connect()
    if protocol == 3:
        connection("HELLO", 3)
    connection.send(command, *channels)
    for i, channel in enumerate(channels):
        tap.equal(connection.read(), [command.lower().encode(), channel.encode(), i + 1])
    return connection


def nothing_more(connection):
    """Nothing came before the answer to a PING (of RESP2)."""
    tap.equal(connection("PING", "end"), [b"pong", b"end"])


def test_messages_reach_channels_patterns_and_shards():
    """A message goes to its channel, to each matching pattern, and only SPUBLISH's to shard channels."""
    server = relevo.start()
    plain, shard = subscriber(server, "news.a"), subscriber(server, "news.a", command="SSUBSCRIBE")
    pattern = subscriber(server, "news.*", "*.a", command="PSUBSCRIBE")
    tap.equal(server("PUBLISH", "news.a", "1"), 3)
    tap.equal(server("PUBLISH", "news.b", "2"), 1)
    tap.equal(server("PUBLISH", "other", "3"), 0)
    tap.equal(server("SPUBLISH", "news.a", "4"), 1)
    tap.equal(plain.read(), [b"message", b"news.a", b"1"])
    tap.equal([pattern.read(), pattern.read(), pattern.read()],
              [[b"pmessage", b"news.*", b"news.a", b"1"], [b"pmessage", b"*.a", b"news.a", b"1"],
               [b"pmessage", b"news.*", b"news.b", b"2"]])
    tap.equal(shard.read(), [b"smessage", b"news.a", b"4"])
    for connection in (plain, pattern, shard):
        nothing_more(connection)
    tap.equal(server("PUBSUB", "NUMSUB", "news.a", "x"), [b"news.a", 1, b"x", 0])
    tap.equal(server("PUBSUB", "SHARDNUMSUB", "news.a"), [b"news.a", 1])
    tap.equal(server("PUBSUB", "NUMPAT"), 2)
    stats = server.info("stats")
    tap.equal([stats[n] for n in ("pubsub_channels", "pubsub_patterns", "pubsubshard_channels")], ["1", "2", "1"])
    tap.equal(server.info("clients")["pubsub_clients"], "3")
    lines = server("CLIENT", "LIST", "TYPE", "pubsub").decode().splitlines()
    tap.equal([" ".join(w for w in l.split() if w.startswith(("flags", "sub", "psub", "ssub"))) for l in lines],
              ["flags=P sub=1 psub=0 ssub=0", "flags=P sub=0 psub=0 ssub=1", "flags=P sub=0 psub=2 ssub=0"])


def test_a_closed_or_reset_subscriber_is_forgotten():
    """RESET and the end of a connection end its subscriptions."""
    server = relevo.start()
    reset, closed = subscriber(server, "a", "b"), subscriber(server, "a")
    tap.equal(server("PUBLISH", "a", "x"), 2)
    tap.equal(reset.read(), [b"message", b"a", b"x"])
    tap.equal(reset("RESET"), b"RESET")
    tap.equal(reset("ECHO", "free"), b"free")
    closed.close()
    relevo.wait(lambda: server("PUBLISH", "a", "x") == 0, "the closed connection to be noticed")
    tap.equal(server("PUBSUB", "CHANNELS"), [])


def test_a_subscriber_of_its_own_messages_gets_them_behind_the_reply():
    """In RESP3 one connection publishes and listens: no message stands inside a reply, all stand behind the one they came with."""
    server = relevo.start()
    both = subscriber(server, "a", protocol=3)
    both.send("PUBLISH", "a", "1")
    tap.equal([both.read(), both.read_raw()], [1, b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n"])
    for words in (["MULTI"], ["PUBLISH", "a", "2"], ["SET", "k", "v"], ["PUBLISH", "a", "3"], ["EXEC"]):
        both.send(*words)
    tap.equal([both.read() for _ in range(5)], [b"OK", b"QUEUED", b"QUEUED", b"QUEUED", [1, b"OK", 1]])
    tap.equal([both.read(), both.read()], [[b"message", b"a", b"2"], [b"message", b"a", b"3"]])


def test_ten_thousand_subscriptions_of_one_client():
    """One client listens to 10,000 channels and 1,000 patterns, and leaves them all with two words."""
    server = relevo.start()
    many = server.connect()
    many.send("SUBSCRIBE", *(f"channel:{i}" for i in range(10000)))
    tap.equal([many.read() for _ in range(10000)][-1], [b"subscribe", b"channel:9999", 10000])
    many.send("PSUBSCRIBE", *(f"pattern:{i}:*" for i in range(1000)))
    tap.equal([many.read() for _ in range(1000)][-1], [b"psubscribe", b"pattern:999:*", 11000])
    tap.equal(server("PUBLISH", "channel:7777", "x"), 1)
    tap.equal(server("PUBLISH", "pattern:77:y", "x"), 1)
    tap.equal([many.read(), many.read()],
              [[b"message", b"channel:7777", b"x"], [b"pmessage", b"pattern:77:*", b"pattern:77:y", b"x"]])
    many.send("UNSUBSCRIBE")
    tap.equal([many.read() for _ in range(10000)][-1][2], 1000)
    many.send("PUNSUBSCRIBE")
    tap.equal([many.read() for _ in range(1000)][-1][2], 0)
    tap.equal(many("ECHO", "free"), b"free")
    tap.equal([server("PUBSUB", "CHANNELS"), server("PUBSUB", "NUMPAT")], [[], 0])


def test_a_subscriber_that_does_not_read_is_closed_at_its_limit():
    """Who reads nothing costs no more than the output limit of its class, and then is closed; others get everything."""
    server = relevo.start()
    server("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
    slow, quick = subscriber(server, "a"), subscriber(server, "a")
    message = "x" * 100000
    sent, most = 0, 0
    while server("PUBSUB", "NUMSUB", "a")[1] == 2 and sent < 1000:  # the kernel's buffers take some as well
        server("PUBLISH", "a", message)
        tap.equal(len(quick.read()[2]), len(message))
        sent += 1
        most = max(most, int(server.info("clients")["client_recent_max_output_buffer"]))
    tap.equal(server("PUBSUB", "NUMSUB", "a")[1], 1)
    tap.equal(server.info("stats")["client_output_buffer_limit_disconnections"], "1")
    assert 0 < most <= 1 << 20, most
    slow.drain()
    tap.equal(server("PUBLISH", "a", "still there"), 1)
    tap.equal(quick.read()[2], b"still there")


def test_replicas_and_their_replicas_deliver():
    """A message reaches the subscribers of a replica and of a replica's replica, once; one published there stays there."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    last = relevo.start_replica(replica)
    near, far = subscriber(replica, "a"), subscriber(last, "a", command="SSUBSCRIBE")
    far_pattern = subscriber(last, "*", command="PSUBSCRIBE")
    tap.equal(primary("PUBLISH", "a", "1"), 0, "counted are the subscribers here")
    tap.equal(primary("SPUBLISH", "a", "2"), 0)
    tap.equal(near.read(), [b"message", b"a", b"1"])
    tap.equal(far_pattern.read(), [b"pmessage", b"*", b"a", b"1"])
    tap.equal(far.read(), [b"smessage", b"a", b"2"])
    tap.equal(replica("PUBLISH", "a", "here"), 1)
    tap.equal(near.read(), [b"message", b"a", b"here"])
    long = "y" * 1000000
    primary("PUBLISH", "a", long)
    tap.equal(near.read()[2], long.encode())
    tap.equal(far_pattern.read()[3], long.encode(), "and not what the replica published")
    stats = primary.info("stats")
    tap.equal([stats["relevo_messages_forwarded"], stats["relevo_messages_not_forwarded"]], ["3", "0"])


def test_a_replica_delivers_behind_the_write_that_came_before():
    """Whoever hears of a change on a replica reads the change there."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    listener = subscriber(replica, "changed")
    writer = primary.connect()
    for i in range(tap.rounds(500, 5000)):
        writer.send_raw(resp.encode(["SET", "k", i]) + resp.encode(["PUBLISH", "changed", i]))
        tap.equal(int(listener.read()[2]), i)
        assert int(replica("GET", "k")) >= i
        writer.read()
        writer.read()


def test_a_message_waits_for_the_disk_with_what_it_stems_from():
    """Under appendfsync always nobody hears of a write, by message or notification, that a power cut could still take."""
    server, gate = disk_gate.gated(appendfsync="always", notify_keyspace_events="EA")
    listener = subscriber(server, "a", "__keyevent@0__:set")
    gate.shut()
    transaction = server.connect()
    for words in (["MULTI"], ["PUBLISH", "a", "first"], ["SET", "k", "v"], ["EXEC"]):
        transaction.send(*words)
    tap.equal([transaction.read() for _ in range(3)], [b"OK", b"QUEUED", b"QUEUED"])
    relevo.wait(lambda: disk_gate.calls(server, "EXEC"), "EXEC to be executed")
    tap.equal(server("PING"), b"PONG")
    tap.equal(disk_gate.has_answer(listener), False)
    gate.open()
    tap.equal([listener.read(), listener.read()], [[b"message", b"a", b"first"], [b"message", b"__keyevent@0__:set", b"k"]])
    tap.equal(transaction.read(), [1, b"OK"])
    tap.equal(server("PUBLISH", "a", "nothing to wait for"), 1)
    tap.equal(listener.read()[2], b"nothing to wait for")


def test_idle_subscribers_are_not_closed():
    """`timeout` closes idle clients, but not subscribers, who only listen."""
    server = relevo.start()
    listener, idle = subscriber(server, "a"), server.connect()
    idle("PING")
    server("CONFIG", "SET", "timeout", "1")
    relevo.wait(lambda: server.info("stats").get("pubsub_channels") == "1" and
                len(server("CLIENT", "LIST").splitlines()) == 2, "the idle client to be closed")
    tap.equal(server("PUBLISH", "a", "x"), 1)
    tap.equal(listener.read()[2], b"x")


def test_python_redis_listens():
    """python3-redis subscribes, gets messages, and unsubscribes, in its own words."""
    server = relevo.start()
    client = redis.Redis(port=server.port)
    listener = client.pubsub()
    listener.subscribe("a")
    listener.psubscribe("b*")
    tap.equal([listener.get_message(timeout=10)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
    tap.equal(client.publish("a", "1"), 1)
    tap.equal(client.publish("bc", "2"), 1)
    got = [listener.get_message(timeout=10) for _ in range(2)]
    tap.equal([(m["type"], m["pattern"], m["channel"], m["data"]) for m in got],
              [("message", None, b"a", b"1"), ("pmessage", b"b*", b"bc", b"2")])
    listener.unsubscribe()
    listener.punsubscribe()
    tap.equal([listener.get_message(timeout=10)["type"] for _ in range(2)], ["unsubscribe", "punsubscribe"])
    tap.equal(client.pubsub_numpat(), 0)
    listener.close()


tap.main()
