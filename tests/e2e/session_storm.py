"""Many clients at once send all kinds of commands, broken off anywhere, to a server with unlikely settings: it stays well."""
import os
import random
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

CLIENTS = 24
STEPS = tap.rounds(2000, 6000)
FRESH_SEEDS = tap.rounds(1, 40)
KEPT_SEEDS = [4, 116, 142, 230, 231]  # each broke something once: the server or this script
TYPES = {"s": "string", "l": "list", "h": "hash", "z": "zset", "t": "set", "x": "stream"}
EXTREMES = ["0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e400", "nan", "-0.0", "", "2147483648", "inf", "x" * 20000]
ERRORS_OF_ENDS = (ConnectionResetError, BrokenPipeError, resp.Closed)


# ---- What is sent ----

class Words:
    """Random commands of all families; @r decides everything."""

    def __init__(self, r):
        self.r = r
        self.ids = [1]
        self.keys = r.choice([4, 100])

    def key(self, kind=None):
        return f"{kind or self.r.choice('slhztx')}{self.r.randrange(self.keys)}"

    def value(self):
        return self.r.choice(["v", "", "12", "x" * 40, "y" * self.r.randrange(3000), "\r\n$5\r\n"])

    def channel(self):
        return f"c{self.r.randrange(4)}"

    def user(self):
        return f"u{self.r.randrange(3)}"

    def data(self):
        """A command on keys."""
        r, k = self.r, self.key
        return r.choice([
            lambda: ["SET", k("s"), self.value()], lambda: ["GET", k("s")], lambda: ["GET", k()], lambda: ["INCR", k("s")],
            lambda: ["SET", k("s"), self.value(), "PX", r.choice(["1", "20", "500"])], lambda: ["MGET", k("s"), k("s"), k()],
            lambda: ["APPEND", k("s"), self.value()], lambda: ["GETDEL", k("s")], lambda: ["DEL", k(), k()], lambda: ["UNLINK", k()],
            lambda: ["PEXPIRE", k(), r.choice(["-1", "1", "30", "100000"])], lambda: ["PERSIST", k()], lambda: ["EXISTS", k(), k()],
            lambda: ["RENAME", k(), k()], lambda: ["COPY", k(), k(), "REPLACE"], lambda: ["MOVE", k(), "1"], lambda: ["TYPE", k()],
            lambda: ["RPUSH", k("l"), self.value(), "b"], lambda: ["LPOP", k("l")], lambda: ["LRANGE", k("l"), "0", "-1"],
            lambda: ["LMOVE", k("l"), k("l"), "LEFT", "RIGHT"], lambda: ["HSET", k("h"), "f", self.value(), "g", "1"],
            lambda: ["HGETALL", k("h")], lambda: ["HDEL", k("h"), "f"], lambda: ["ZADD", k("z"), "1", "m", "2", self.value()],
            lambda: ["ZPOPMIN", k("z")], lambda: ["ZRANGE", k("z"), "0", "-1", "WITHSCORES"], lambda: ["SADD", k("t"), "a", self.value()],
            lambda: ["SPOP", k("t"), "1"], lambda: ["SMEMBERS", k("t")], lambda: ["XADD", k("x"), "*", "f", self.value()],
            lambda: ["XREAD", "COUNT", "3", "STREAMS", k("x"), "0"], lambda: ["XGROUP", "CREATE", k("x"), "g", "0", "MKSTREAM"],
            lambda: ["XREADGROUP", "GROUP", "g", "c", "STREAMS", k("x"), ">"], lambda: ["XTRIM", k("x"), "MAXLEN", "3"],
            lambda: ["DBSIZE"], lambda: ["RANDOMKEY"], lambda: ["SCAN", "0"], lambda: ["SORT", k("l"), "ALPHA", "STORE", k("l")],
            lambda: ["GETEX", k("s"), "PX", "10"], lambda: ["SETRANGE", k("s"), str(r.randrange(9999)), "z"],
            lambda: ["OBJECT", "ENCODING", k()], lambda: ["DUMP", k()], lambda: ["SELECT", r.choice("0001")], lambda: ["TOUCH", k()],
            lambda: ["CACHE.GET", k("s"), "LEASE", "50"], lambda: ["CACHE.FILL", k("s"), "token", "v"], lambda: ["MEMORY", "USAGE", k()],
        ])()

    def blocking(self):
        r, k = self.r, self.key
        seconds, ms = r.choices(["0.01", "0.05", "0.2", "0"], [9, 5, 2, 1])[0], r.choice(["1", "30", "100"])
        return r.choice([
            lambda: ["BLPOP", k("l"), k("l"), k(), seconds], lambda: ["BRPOP", k("l"), seconds], lambda: ["BLMOVE", k("l"), k("l"), "LEFT", "RIGHT", seconds],
            lambda: ["BRPOPLPUSH", k("l"), k("l"), seconds], lambda: ["BZPOPMIN", k("z"), k("z"), seconds], lambda: ["BZPOPMAX", k("z"), seconds],
            lambda: ["BLMPOP", seconds, "2", k("l"), k("l"), "LEFT"], lambda: ["BZMPOP", seconds, "1", k("z"), "MAX", "COUNT", "2"],
            lambda: ["XREAD", "BLOCK", ms, "STREAMS", k("x"), "$"], lambda: ["XREADGROUP", "GROUP", "g", "c", "BLOCK", ms, "STREAMS", k("x"), ">"],
            lambda: ["WAIT", "1", ms], lambda: ["WAITAOF", "1", "0", ms], lambda: ["WAIT", "5", "1"],
            lambda: ["CLIENT", "UNBLOCK", r.choice(self.ids), r.choice(["TIMEOUT", "ERROR"])],
        ])()

    def session(self):
        r, k = self.r, self.key
        return r.choice([
            lambda: ["MULTI"], lambda: ["EXEC"], lambda: ["EXEC"], lambda: ["DISCARD"], lambda: ["WATCH", k(), k()], lambda: ["UNWATCH"],
            lambda: ["HELLO", r.choice("23")], lambda: ["RESET"], lambda: ["CLIENT", "REPLY", r.choice(["ON", "ON", "SKIP", "OFF"])],
            lambda: ["CLIENT", "KILL", "ID", r.choice(self.ids), "SKIPME", "no"], lambda: ["CLIENT", "PAUSE", r.choice(["1", "20", "60"]), r.choice(["WRITE", "ALL"])],
            lambda: ["CLIENT", "UNPAUSE"], lambda: ["CLIENT", "LIST"], lambda: ["CLIENT", "INFO"], lambda: ["CLIENT", "NO-EVICT", r.choice(["on", "off"])],
            lambda: ["CLIENT", "NO-TOUCH", r.choice(["on", "off"])], lambda: ["CLIENT", "SETNAME", "n"], lambda: ["MONITOR"],
            lambda: ["AUTH", self.user(), "p"], lambda: ["AUTH", "default", ""], lambda: ["AUTH", self.user(), "wrong"],
            lambda: ["CLIENT", "TRACKING", "ON"], lambda: ["CLIENT", "TRACKING", "OFF"], lambda: ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", r.choice(["s", "l1", ""])],
            lambda: ["CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP"], lambda: ["CLIENT", "TRACKING", "ON", "REDIRECT", r.choice(self.ids)],
            lambda: ["CLIENT", "TRACKING", "ON", "OPTIN"], lambda: ["CLIENT", "CACHING", "YES"], lambda: ["CLIENT", "TRACKINGINFO"],
            lambda: ["QUIT"] if r.random() < 0.2 else ["PING"], lambda: ["COMMAND", "COUNT"], lambda: ["NOSUCH", "x"], lambda: ["GET"],
        ])()

    def messages(self):
        r, c = self.r, self.channel
        return r.choice([
            lambda: ["SUBSCRIBE", c(), c()], lambda: ["UNSUBSCRIBE", c()], lambda: ["UNSUBSCRIBE"], lambda: ["PSUBSCRIBE", "c*"],
            lambda: ["PSUBSCRIBE", "__key*__:*"], lambda: ["PUNSUBSCRIBE"], lambda: ["SSUBSCRIBE", c()], lambda: ["SUNSUBSCRIBE"],
            lambda: ["SUBSCRIBE", "__redis__:invalidate"], lambda: ["PUBLISH", c(), self.value()], lambda: ["PUBLISH", c(), self.value()],
            lambda: ["SPUBLISH", c(), "m"], lambda: ["PUBSUB", "CHANNELS"], lambda: ["PUBSUB", "NUMSUB", c()],
        ])()

    def scripts(self):
        r, k = self.r, self.key
        inner = [w.replace("\\", "") for w in (self.data() if r.random() < 0.7 else r.choice([self.session, self.messages, self.blocking])())]
        return r.choice([
            lambda: ["EVAL", "return redis.call(unpack(ARGV))", "0", *inner],
            lambda: ["EVAL", "redis.setresp(3); redis.pcall('SET', KEYS[1], 'v'); return redis.pcall(unpack(ARGV))", "1", k("s"), *inner],
            lambda: ["EVAL", "for i = 1, 30 do redis.call('RPUSH', KEYS[1], i) end return {1, {2, 'x'}, false}", "1", k("l")],
            lambda: ["EVAL", "local n = 0; for i = 1, 300000 do n = n + i end redis.call('INCR', KEYS[1]) return redis.pcall(unpack(ARGV))", "1", k("s"), *inner],
            lambda: ["EVAL", "redis.call('SET', KEYS[1], 'v') for i = 1, 300000 do local n = i end return redis.call('GET', KEYS[1])", "1", k("s")],
            lambda: ["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", k("s")], lambda: ["SCRIPT", "FLUSH"], lambda: ["SCRIPT", "KILL"],
            lambda: ["FUNCTION", "LOAD", "REPLACE", "#!lua name=l\nredis.register_function('f', function(k, a) return redis.call(unpack(a)) end)"],
            lambda: ["FCALL", "f", "0", *inner], lambda: ["FUNCTION", "FLUSH"], lambda: ["FUNCTION", "LIST"], lambda: ["FUNCTION", "DUMP"],
        ])()

    def setting(self):
        r = self.r
        return r.choice([
            lambda: ("appendfsync", r.choice(["always", "everysec", "no"])), lambda: ("maxmemory", r.choice(["0", "0", "3mb", "8mb"])),
            lambda: ("busy-reply-threshold", r.choice(["1", "5", "5000"])), lambda: ("script-memory-limit", r.choice(["4mb", "64mb"])),
            lambda: ("maxmemory-policy", r.choice(["noeviction", "allkeys-lru", "volatile-ttl", "allkeys-random", "allkeys-lfu"])),
            lambda: ("tracking-table-max-keys", r.choice(["0", "1", "3", "1000"])), lambda: ("maxmemory-clients", r.choice(["0", "0", "200kb", "10%"])),
            lambda: ("notify-keyspace-events", r.choice(["", "KEA", "Kx", "AKE", "Eg$"])), lambda: ("slowlog-log-slower-than", r.choice(["-1", "0", "100"])),
            lambda: ("slowlog-max-len", r.choice(["0", "2", "128"])), lambda: ("latency-monitor-threshold", r.choice(["0", "1"])),
            lambda: ("client-output-buffer-limit", r.choice(["normal 0 0 0", "pubsub 20kb 0 0", "normal 60kb 0 0", "pubsub 32mb 8mb 60"])),
            lambda: ("latency-tracking", r.choice(["yes", "no"])), lambda: ("hz", r.choice(["1", "10", "500"])), lambda: ("acllog-max-len", r.choice("01")),
            lambda: ("log-unsynced-max-ms", r.choice(["0", "1", "2000"])), lambda: ("list-max-listpack-size", r.choice(["1", "-2", "5"])),
            lambda: ("hash-max-listpack-entries", r.choice(["0", "1", "128"])), lambda: ("proto-max-bulk-len", r.choice(["1mb", "512mb"])),
            lambda: ("acl-pubsub-default", r.choice(["allchannels", "resetchannels"])), lambda: ("timeout", r.choice("001")),
            lambda: ("lazyfree-lazy-user-flush", r.choice(["yes", "no"])), lambda: ("maxclients", r.choice(["30", "1000"])),
            lambda: ("client-query-buffer-limit", r.choice(["1mb", "1gb"])), lambda: ("replica-read-only", "yes"),
        ])()

    def operator(self):
        r = self.r
        rules = r.choice(["allkeys allcommands allchannels", "-@all +get +ping", "resetkeys ~s*", "off", "resetchannels &c1", "+@all -@dangerous", "(+get ~l*)",
                          "clearselectors", "reset", "-multi", "%R~s*"])
        return r.choice([
            lambda: ["ACL", "SETUSER", self.user(), "on", ">p", *rules.split()], lambda: ["ACL", "DELUSER", self.user()],
            lambda: ["ACL", "SETUSER", self.user(), "on", ">p", "~*", "&*", "+@all"], lambda: ["ACL", "WHOAMI"], lambda: ["ACL", "LIST"],
            lambda: ["ACL", "LOG"], lambda: ["ACL", "DRYRUN", self.user(), "get", "s1"], lambda: [r.choice(["FLUSHALL", "FLUSHDB"]), r.choice(["SYNC", "ASYNC"])] if r.random() < 0.3 else ["TIME"],
            lambda: ["SWAPDB", "0", "1"], lambda: ["BGSAVE"], lambda: ["BGREWRITEAOF"], lambda: ["DEBUG", "RELOAD"], lambda: ["DEBUG", "LOADAOF"],
            lambda: ["CONFIG", "SET", *self.setting()], lambda: ["CONFIG", "SET", *self.setting(), *self.setting()], lambda: ["CONFIG", "SET", *self.setting()],
            lambda: ["CONFIG", "RESETSTAT"], lambda: ["SLOWLOG", "GET"], lambda: ["SLOWLOG", "RESET"], lambda: ["LATENCY", "LATEST"], lambda: ["LATENCY", "RESET"],
            lambda: ["INFO", "everything"], lambda: ["MEMORY", "STATS"], lambda: ["CONFIG", "GET", "*"], lambda: ["LATENCY", "HISTOGRAM"],
            lambda: ["DEBUG", "SET-ACTIVE-EXPIRE", r.choice("01")], lambda: ["DEBUG", "DIGEST"], lambda: ["LASTSAVE"], lambda: ["ROLE"],
        ])()

    def command(self):
        family = self.r.choices([self.data, self.session, self.messages, self.blocking, self.scripts, self.operator], [50, 20, 8, 8, 8, 8])[0]
        words = [str(word) for word in family()]
        if self.r.random() < 0.04 and words[:2] != ["CLIENT", "PAUSE"] and words[0] != "CONFIG":
            words[self.r.randrange(len(words))] = self.r.choice(EXTREMES)
        if self.r.random() < 0.02:
            del words[self.r.randrange(len(words))]
        return words or ["PING"]


# ---- Who sends ----

class Client:
    """One connection: what it still has to send, what came, and the marks by which the order of replies is seen."""

    def __init__(self, number, server):
        self.server = server
        self.number = number
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setblocking(False)
        self.to_send, self.came, self.at = bytearray(), bytearray(), 0
        self.sent = self.seen = 0
        self.half_closed = self.dead = self.refused = False

    def mark(self):
        """A request whose reply is told from all others."""
        self.sent += 1
        return resp.encode(["PING", f"mark:{self.number}:{self.sent}"])

    def write(self):
        while self.to_send and not self.dead:
            try:
                del self.to_send[:self.socket.send(self.to_send[:1 << 16])]
            except BlockingIOError:
                return
            except ERRORS_OF_ENDS:
                self.to_send.clear()  # what it was told before may still be read

    def read(self):
        try:
            piece = self.socket.recv(1 << 17)
        except BlockingIOError:
            return
        except ERRORS_OF_ENDS:
            piece = b""
        if not piece:
            self.end()
        self.came += piece
        self.parse()

    def parse(self):
        while (end := resp.reply_end(self.came, self.at)) >= 0:
            self.look(resp.decode(self.came, self.at)[0])
            self.at = end
        if self.at > 1 << 16:
            del self.came[:self.at]
            self.at = 0

    def look(self, reply):
        mine = b"mark:%d:" % self.number
        self.refused = isinstance(reply, resp.Error) and reply.startswith(b"BUSY")
        for item in [reply, *reply] if isinstance(reply, list) else [reply]:
            if type(item) is bytes and item.startswith(mine):
                number = int(item[len(mine):])
                assert number > self.seen, f"client {self.number}: mark {number} came behind {self.seen}"
                self.seen = number

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
            self.half_closed = True
        except OSError:
            self.end()

    def end(self):
        self.dead = True
        self.to_send.clear()
        self.socket.close()

    def finish(self):
        """Back to a state in which everything is answered."""
        self.to_send += resp.encode(["RESET"]) + resp.encode(["AUTH", "default", "x"]) + self.mark()


class Storm:
    """The clients of one server, and what they do."""

    def __init__(self, servers, r):
        self.servers, self.r, self.words = servers, r, Words(r)
        self.clients, self.count = [], 0

    def renew(self, place):
        self.count += 1
        try:
            client = Client(self.count, self.servers[0 if self.r.random() < 0.85 else -1])
        except ConnectionRefusedError as e:
            raise AssertionError("a server does not listen") from e
        if place == len(self.clients):
            self.clients.append(client)
        else:
            self.clients[place] = client
        self.words.ids = [str(n) for n in range(max(1, self.count - CLIENTS), self.count + 8)]
        return client

    def pipeline(self, client):
        out = bytearray(self.r.choice([b"", b"", b"", b"RESET\r\n", b"RESET\r\nHELLO 3\r\n"]))
        for _ in range(self.r.choice([1, 2, 5, 12])):
            out += resp.encode(self.words.command())
            if self.r.random() < 0.25:
                out += client.mark()
        return out

    def step(self):
        r = self.r
        place = r.randrange(CLIENTS)
        client = self.clients[place]
        if client.dead or r.random() < 0.02:
            client.dead or client.end()
            client = self.renew(place)
        what = r.random()
        if client.half_closed:
            pass
        elif what < 0.9:
            if len(client.to_send) < 1 << 18:
                client.to_send += self.pipeline(client)
        elif what < 0.94:  # broken off at any byte
            out = self.pipeline(client)
            client.to_send += out[:r.randrange(len(out) + 1)]
            client.write()
            client.end()
        elif what < 0.96:
            client.to_send += b"*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n" + r.randbytes(r.randrange(1, 60)) + b"\r\n"
        elif what < 0.98 and not client.to_send:
            client.half_close()
        self.turn(r.random() < 0.3)

    def turn(self, few):
        """Write and read what can be; now and then only few of the clients read."""
        live = [c for c in self.clients if not c.dead]
        for c in live:
            c.write()
        live = [c for c in live if not c.dead]
        watched = live[:len(live) // 2] if few else live
        readable = select.select(watched, [], [], 0.001)[0] if watched else []
        for c in readable:
            c.read()

    def waiting(self):
        return [c for c in self.clients if not (c.dead or c.half_closed or c.seen == c.sent)]

    def settle(self):
        """Every connection that lives answers its last mark."""
        for c in self.clients:
            if not c.dead and not c.half_closed:
                c.finish()

        def done():
            self.turn(False)
            for server in self.servers:
                unblock(server)
            for c in self.waiting():
                if c.refused:
                    c.refused = False
                    c.finish()
            return not self.waiting()
        relevo.wait(done, lambda: f"marks: {[(c.number, c.seen, c.sent, bytes(c.came[-300:])) for c in self.waiting()]}\n"
                    f"{[server('CLIENT', 'LIST').decode() for server in self.servers]}")
        for c in self.clients:
            if not c.dead:
                c.end()


Client.fileno = lambda self: self.socket.fileno()


# ---- What must hold ----

def unblock(server):
    """Nobody waits any more. This connection, too, may be killed by what the others still send."""
    try:
        unblock_all(server)
    except (resp.ReplyError, *ERRORS_OF_ENDS) as e:
        assert not isinstance(e, resp.ReplyError) or "BUSY" in str(e), e
        server.forget_connection()


def unblock_all(server):
    for line in server("CLIENT", "LIST").decode().splitlines():
        fields = dict(field.split("=", 1) for field in line.split(" "))
        if "b" in fields["flags"]:
            server("CLIENT", "UNBLOCK", fields["id"])


SETTINGS_AFTER = {"maxmemory": "0", "maxmemory-clients": "0", "client-output-buffer-limit": "normal 0 0 0 pubsub 0 0 0", "timeout": "0", "maxclients": "1000",
                  "appendfsync": "everysec", "hz": "100", "log-unsynced-max-ms": "0", "latency-tracking": "yes", "client-query-buffer-limit": "1gb",
                  "proto-max-bulk-len": "512mb"}


def calm(server):
    """An administrator's connection: what the storm set no longer disturbs."""
    server.forget_connection()

    def own():
        try:
            for words in [["CLIENT", "UNPAUSE"], *[["CONFIG", "SET", *pair] for pair in SETTINGS_AFTER.items()], ["DEBUG", "SET-ACTIVE-EXPIRE", "1"]]:
                server(*words)
            return True
        except (OSError, resp.Closed, resp.ReplyError):
            assert server.process.poll() is None, f"the server died:\n{server.log()[-8000:]}"
            server.forget_connection()
            return False
    relevo.wait(own, "the administrator to be heard")


def check_nothing_left(server):
    relevo.wait(lambda: server.info("clients")["connected_clients"] == "1", lambda: f"the others to be gone: {server('CLIENT', 'LIST').decode()}")
    clients, stats = server.info("clients"), server.info("stats")
    for name in ("blocked_clients", "pubsub_clients", "tracking_clients", "clients_in_timeout_table"):
        tap.equal(clients.get(name), "0", name)
    for name in ("tracking_total_keys", "tracking_total_items", "tracking_total_prefixes", "pubsub_channels", "pubsub_patterns"):
        tap.equal(stats.get(name), "0", name)


def full(server):
    return bytes(server("DEBUG", "DIGEST-FULL"))


def storm(seed, settings):
    tap.note(f"seed {seed}: {settings}")
    server = relevo.start(enable_debug_command="yes", **settings)
    follower = relevo.start_replica(server, enable_debug_command="yes")
    servers = [server, follower]
    storms = Storm(servers, random.Random(seed))
    for place in range(CLIENTS):
        storms.renew(place)
    for _ in range(STEPS):
        storms.step()
        for each in servers:
            assert each.process.poll() is None, f"the server died:\n{each.log()[-8000:]}"
    for each in servers:
        calm(each)
    storms.settle()
    for each in servers:
        calm(each)
    for each in servers:
        check_nothing_left(each)
    relevo.wait_equal_offsets(server, follower)
    relevo.wait(lambda: full(server) == full(follower), "the replica to hold the same data")
    for database in "01":  # what is compared now shall not expire meanwhile
        server("SELECT", database)
        for key in server("KEYS", "*"):
            server("PEXPIRE", key, "100000000", "XX")
    kept = full(server)
    server.restart()
    tap.equal(full(server), kept, "data after a restart")
    for each in servers:
        each.stop()


def random_settings(r):
    chosen = {"appendfsync": r.choice(["always", "everysec"]), "notify_keyspace_events": r.choice(["", "KEA"]),
              "slowlog_log_slower_than": "0", "latency_monitor_threshold": r.choice(["0", "1"])}
    if r.random() < 0.5:
        chosen["maxmemory_clients"] = "1mb"
    if r.random() < 0.5:
        chosen.update(maxmemory="4mb", maxmemory_policy="allkeys-lru")
    if r.random() < 0.6:
        chosen["busy_reply_threshold"] = "1"
    if r.random() < 0.5:
        chosen["tracking_table_max_keys"] = "3"
    return chosen


def storm_of(seed):
    storm(seed, random_settings(random.Random(seed)))


def test_kept_seeds():
    """Storms that once broke something pass: replies stay whole and in order, nothing is left behind, data are kept."""
    for seed in KEPT_SEEDS:
        storm_of(seed)


def test_fresh_seeds():
    """So do storms that nobody has seen before; the seed is printed, and STORM_SEED repeats it."""
    for _ in range(FRESH_SEEDS):
        storm_of(int(os.environ.get("STORM_SEED") or random.SystemRandom().randrange(1 << 31)))


tap.main()
