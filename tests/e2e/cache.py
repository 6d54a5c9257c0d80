"""The cache helpers with python3-redis: one loader for many readers, whatever happens to it or to the server."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import redis
import relevo
import resp
import tap

READERS = 50


def client(server, **options):
    return redis.Redis(port=server.port, **options)


def get(r, key, lease=None):
    """state, value, token, ms."""
    return r.execute_command("CACHE.GET", key, *(["LEASE", lease] if lease else []))


def fill(r, key, token, value, *options):
    return r.execute_command("CACHE.FILL", key, token, value, *options)


def take(r, key, lease=600000):
    """A token; the key must be free."""
    state, _, token, ms = get(r, key, lease)
    tap.equal((state, ms), (b"load", lease))
    return token


def wait_for_lease(r, key):
    """Ask until the key may be loaded: the value that is there still, and the token."""
    answer = []

    def is_ours():
        answer[:] = get(r, key, 600000)
        return answer[0] == b"load"
    relevo.wait(is_ours, lambda: f"a lease: {answer}")
    return answer[1], answer[2]


class Readers:
    """Threads that each read one key as an application does; the source counts how often it is asked."""

    def __init__(self, server):
        self.server, self.loads, self.waits, self.values = server, 0, 0, []
        self.lock, self.together = threading.Lock(), threading.Barrier(READERS)
        self.waiting = threading.Event()

    def load(self):
        """The slow source: it answers when somebody has been told to wait."""
        with self.lock:
            self.loads += 1
        assert self.waiting.wait(relevo.PATIENCE_S)
        return b"row"

    def read(self):
        with client(self.server) as r:
            self.together.wait()
            while True:
                state, value, token, _ = get(r, "row", 600000)
                if state == b"load":
                    value = self.load()
                    tap.equal(fill(r, "row", token, value, "EX", 600), 1)
                if state == b"wait":
                    with self.lock:
                        self.waits += 1
                    self.waiting.set()
                    continue
                with self.lock:
                    self.values.append(value)
                return

    def run(self):
        threads = [threading.Thread(target=self.read) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_one_of_fifty_readers_loads():
    """Of 50 readers that miss a key at once one loads it, and all get the value."""
    server = relevo.start()
    readers = Readers(server)
    readers.run()
    tap.equal(readers.loads, 1)
    tap.equal(readers.values, [b"row"] * READERS)
    assert readers.waits > 0
    stats = server.info("stats")
    tap.equal(stats["relevo_cache_loads"], "1")
    tap.equal(stats["relevo_cache_waits"], str(readers.waits))
    tap.equal(stats["relevo_cache_fills"], "1")


def test_stale_is_served_while_one_reloads():
    """When its time is over one caller loads a value anew, and the others get the old one without waiting."""
    server = relevo.start()
    with client(server) as r:
        tap.equal(fill(r, "k", take(r, "k"), "old", "PX", 1, "STALE", 600), 1)
        value, token = wait_for_lease(r, "k")
        tap.equal(value, b"old")
        for _ in range(3):
            tap.equal(get(r, "k", 600000)[:3], [b"stale", b"old", None])
        tap.equal(fill(r, "k", token, "new", "EX", 600, "STALE", 600, "JITTER", 10), 1)
        state, value, token, ms = get(r, "k", 600000)
        tap.equal((state, value, token), (b"hit", b"new", None))
        assert 500000 < ms <= 600000, ms
        assert 1000 < r.ttl("k") <= 1200


def test_a_token_that_ran_out_stores_nothing():
    """A loader that took too long cannot overwrite what the next one stored."""
    server = relevo.start()
    with client(server) as slow, client(server) as fast:
        late = take(slow, "k", 1)
        _, token = wait_for_lease(fast, "k")
        tap.equal(fill(slow, "k", late, "late"), 0)
        tap.equal(fill(fast, "k", token, "new"), 1)
        tap.equal(fill(slow, "k", late, "late"), 0)
        tap.equal(slow.get("k"), b"new")
        tap.equal(server.info("stats")["relevo_cache_refused"], "2")


def test_an_invalidation_stops_an_older_load():
    """DEL of a key that is being loaded, and was not there, keeps the older row out."""
    server = relevo.start()
    with client(server) as r:
        token = take(r, "k")
        tap.equal(r.delete("k"), 0)
        tap.equal(fill(r, "k", token, "before the update"), 0)
        token = take(r, "k")
        tap.equal(r.execute_command("CACHE.RELEASE", "k", token), 1)
        tap.equal(fill(r, "k", take(r, "k"), "after"), 1)


def test_resp3_has_the_same_form():
    """In RESP3 the answers are arrays of the same four."""
    server = relevo.start()
    with resp.Connection(server.port) as c:
        c("HELLO", 3)
        tap.equal(c("CACHE.GET", "k"), [b"miss", None, None, 0])
        token = c("CACHE.GET", "k", "LEASE", 600000)[2]
        tap.equal(c("CACHE.FILL", "k", token, "v"), 1)
        tap.equal(c("CACHE.GET", "k"), [b"hit", b"v", None, -1])


def test_a_restart_makes_tokens_void_and_keeps_what_is_stale():
    """After kill -9 and a restart old tokens store nothing, and what was stale is stale."""
    server = relevo.start(appendfsync="always")
    with client(server) as r:
        tap.equal(fill(r, "k", take(r, "k"), "v", "PX", 1, "STALE", 600), 1)
        token = take(r, "other")
    server.kill()
    server.restart()
    with client(server) as r:
        tap.equal(get(r, "k"), [b"stale", b"v", None, 0])
        tap.equal(fill(r, "other", token, "v"), 0)
        tap.equal(fill(r, "other", take(r, "other"), "v"), 1)


def test_replicas_give_no_leases_and_a_promotion_makes_tokens_void():
    """A replica serves what is there and sends misses to the primary; once promoted, it knows no tokens but its own."""
    primary = relevo.start()
    replica = relevo.start_replica(primary)
    with client(primary) as p, client(replica) as r:
        tap.equal(fill(p, "k", take(p, "k"), "v", "PX", 1, "STALE", 600), 1)
        tap.equal(fill(p, "fresh", take(p, "fresh"), "v", "EX", 600), 1)
        token = take(p, "other")
        relevo.wait_equal_offsets(primary, replica)
        relevo.wait(lambda: get(r, "k", 1000)[0] == b"stale", "staleness")
        tap.equal(get(r, "fresh", 1000)[:2], [b"hit", b"v"])
        tap.equal(get(r, "other", 1000), [b"miss", None, None, 0])
        tap.equal(r.execute_command("REPLICAOF", "NO", "ONE"), b"OK")
        relevo.wait(lambda: replica.info("replication")["role"] == "master", "the promotion")
        tap.equal(fill(r, "other", token, "v"), 0)
        tap.equal(fill(r, "other", take(r, "other"), "v"), 1)


def test_redis_loads_what_was_filled():
    """redis-server loads the directory, and finds values with their expiry times."""
    server = relevo.start()
    with client(server) as r:
        tap.equal(fill(r, "k", take(r, "k"), "v", "EX", 600, "STALE", 600, "JITTER", 50), 1)
        ends = r.execute_command("PEXPIRETIME", "k")
    server.stop()
    other = relevo.start(relevo.REDIS, dir=server.dir)
    tap.equal(other("GET", "k"), b"v")
    tap.equal(other("PEXPIRETIME", "k"), ends)
    tap.equal(other("PEXPIRETIME", "relevo:fresh:k"), ends)


tap.main()
