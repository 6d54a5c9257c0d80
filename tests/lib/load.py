"""Data and load for tests: random data of all types, writers whose acknowledgements are counted, redis-benchmark."""
import os
import random
import select
import subprocess
import sys

import relevo
import resp
import tap

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import generator


def rewrite(server):
    """A new base of the log, complete. It may have to wait for a save, and is begun a little later then."""
    def is_over():
        info = server.info("persistence")
        return info["aof_rewrite_in_progress"] == "0" and info["aof_rewrite_scheduled"] == "0"
    server("BGREWRITEAOF")
    relevo.wait(is_over, "the rewrite to end")
    tap.equal(server.info("persistence")["aof_last_bgrewrite_status"], "ok")


def fill(server, seed=1, commands=5000):
    """Random data of all types: what the differential generator's commands leave, long and compressible strings too."""
    known = set(generator.COMMANDS) - {"FLUSHALL", "FLUSHDB", "SWAPDB", "NOSUCHCOMMAND"}
    source = generator.Generator(seed, known)
    with resp.Connection(server.port) as c:
        pending = 0
        for number in range(commands):
            c.send(*source.next())
            pending += 1
            if pending == 200 or number == commands - 1:
                for _ in range(pending):
                    c.read_raw()
                pending = 0
        c("SELECT", "0")
        c("SET", "long:compressible", b"abcdefgh" * 5000)
        c("SET", "long:random", random.Random(seed).randbytes(30000))
        c("RPUSH", "long:list", *(b"element %06d " % i * 3 for i in range(2000)))
        c("HSET", "long:hash", *(w for i in range(1000) for w in (b"field %d" % i, b"value %d" % (i * i))))
        c("SADD", "long:set", *(b"member %d" % i for i in range(1000)))
        c("SADD", "long:intset", *range(0, 400))
        c("ZADD", "long:zset", *(w for i in range(1000) for w in (i / 7, b"member %d" % i)))
        c("SET", "long:expiring", "x", "EX", "100000")


class Writers:
    """Clients that each count up in keys of their own, one request at a time, and remember what was acknowledged.

    Each client sends INCR count:ID and RPUSH list:ID NUMBER in turn. step() serves whoever is ready."""

    def __init__(self, server, clients=8):
        self.clients = []
        for _ in range(clients):
            self.clients.append({"c": resp.Connection(server.port), "sent": 0, "acked": 0, "open": True})
        self.total = 0

    def _send(self, number):
        client = self.clients[number]
        half, odd = divmod(client["sent"], 2)
        words = ("RPUSH", f"list:{number}", half) if odd else ("INCR", f"count:{number}")
        client["sent"] += 1
        try:
            client["c"].send(*words)
        except OSError:
            client["open"] = False

    def run(self, acknowledgements):
        """Run until so many more requests were acknowledged; requests are then still under way."""
        goal = self.total + acknowledgements
        for number, client in enumerate(self.clients):
            if client["sent"] == client["acked"]:
                self._send(number)
        while self.total < goal:
            ready, _, _ = select.select([k["c"].socket for k in self.clients], [], [], 60)
            assert ready, "no reply for a minute"
            for number, client in enumerate(self.clients):
                if client["c"].socket in ready:
                    self._acknowledge(number)
                    self._send(number)

    def _acknowledge(self, number):
        client = self.clients[number]
        reply = client["c"].read()
        assert not isinstance(reply, resp.Error), reply
        client["acked"] += 1
        self.total += 1
        tap.equal(reply, (client["acked"] + 1) // 2, f"reply {client['acked']} of writer {number}")

    def finish(self):
        """The server is gone: count the acknowledgements that it had sent before."""
        for number, client in enumerate(self.clients):
            try:
                while client["sent"] > client["acked"]:
                    self._acknowledge(number)
            except (resp.Closed, OSError):
                pass
            client["c"].close()

    def settle(self):
        """Wait for all that is under way."""
        for number, client in enumerate(self.clients):
            while client["sent"] > client["acked"]:
                self._acknowledge(number)

    def verify(self, server, before=None):
        """Every acknowledged write is there, and nothing that was never sent. @before: counts from earlier runs."""
        for number, client in enumerate(self.clients):
            count = int(server("GET", f"count:{number}") or 0)
            entries = server("LRANGE", f"list:{number}", "0", "-1")
            tap.equal(entries, [b"%d" % i for i in range(len(entries))], f"list of writer {number}")
            executed = count + len(entries)
            assert client["acked"] <= executed <= client["sent"], \
                f"writer {number}: {client['acked']} acknowledged, {client['sent']} sent, {executed} found"


def benchmark(server, requests, *words, pipeline=16, clients=50, keys=100000, wait=True):
    """redis-benchmark; gives the process if it is not waited for."""
    words = words or ("SET", "key:__rand_int__", "value-of-32-bytes-for-the-replicas")
    process = subprocess.Popen(["redis-benchmark", "-p", str(server.port), "-q", "-P", str(pipeline), "-c", str(clients),
                                "-n", str(requests), "-r", str(keys), *words],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not wait:
        def close(failed):
            if process.poll() is None:
                process.kill()
            process.wait()
        tap.closing(close)
        return process
    tap.equal(process.wait(), 0, "exit status of redis-benchmark")
    return None
