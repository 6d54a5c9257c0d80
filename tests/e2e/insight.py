"""What the server tells about itself, beside redis-server: slow log, latency, MONITOR, memory; and that it tells no secret."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap


def both(**settings):
    """Relevo and redis-server with the same settings."""
    return relevo.start(enable_debug_command="yes", **settings), relevo.start(relevo.REDIS, **settings)


def shape(value):
    """A reply with its numbers and addresses taken out: what a client's parser sees."""
    if isinstance(value, list):
        return [shape(v) for v in value]
    if isinstance(value, int):
        return int
    if isinstance(value, bytes) and re.fullmatch(rb"127\.0\.0\.1:\d+", value):
        return "address"
    if isinstance(value, bytes) and re.fullmatch(rb"[\d.]+", value):
        return "number"
    return value


def same_shape(ours, theirs, *command):
    a, b = shape(ours.value(*command)), shape(theirs.value(*command))
    tap.equal(a, b, " ".join(map(str, command)))


def test_slow_log_as_redis():
    """SLOWLOG GET tells of the same commands in the same form, cut alike, without passwords."""
    ours, theirs = both(slowlog_log_slower_than=0)
    for server in (ours, theirs):
        server("SLOWLOG", "RESET")
        server("CLIENT", "SETNAME", "somebody")
        server("SET", "k", "v" * 300)
        server("RPUSH", "l", *range(100))
        server.value("AUTH", "bob", "secret")
        server.value("HELLO", 2, "AUTH", "default", "secret", "SETNAME", "other")
        server("CONFIG", "SET", "masterauth", "secret", "maxmemory", 0)
        server.value("GET")
        server.value("NOSUCH", "secret")
        server("MULTI")
        server("GET", "k")
        server("EXEC")
    same_shape(ours, theirs, "SLOWLOG", "GET", -1)
    same_shape(ours, theirs, "SLOWLOG", "GET", 2)
    assert b"secret" not in repr(ours("SLOWLOG", "GET", -1)).encode()
    for command in (["SLOWLOG", "GET", -2], ["SLOWLOG", "GET", "x"], ["SLOWLOG", "LEN"], ["SLOWLOG", "RESET"],
                    ["SLOWLOG", "LEN"], ["SLOWLOG", "GET", 0], ["CONFIG", "SET", "slowlog-max-len", -1],
                    ["CONFIG", "SET", "slowlog-log-slower-than", -2], ["CONFIG", "GET", "slowlog-max-*"]):
        same_shape(ours, theirs, *command)


def test_slow_log_obeys_its_settings():
    """Its length is bounded at once when it is set, and -1 turns it off."""
    server = relevo.start(slowlog_log_slower_than=0)
    for _ in range(20):
        server("PING")
    assert server("SLOWLOG", "LEN") >= 20
    server("CONFIG", "SET", "slowlog-max-len", 5)
    tap.equal(len(server("SLOWLOG", "GET", -1)), 5)
    server("CONFIG", "SET", "slowlog-log-slower-than", -1)
    server("SLOWLOG", "RESET")
    server("PING")
    tap.equal(server("SLOWLOG", "LEN"), 0)
    server("CONFIG", "SET", "slowlog-log-slower-than", 20000, "latency-monitor-threshold", 0)
    server("PING")
    server("DEBUG", "SLEEP", "0.03")
    tap.equal([e[3] for e in server("SLOWLOG", "GET", -1)], [[b"DEBUG", b"SLEEP", b"0.03"]])


def test_latency_monitor_as_redis():
    """LATENCY LATEST, HISTORY and RESET have the form of redis-server's, and tell of a slow command."""
    ours, theirs = both(latency_monitor_threshold=10)
    for server in (ours, theirs):
        server("LATENCY", "RESET")
        server("DEBUG", "SLEEP", "0.05")
    for command in (["LATENCY", "LATEST"], ["LATENCY", "HISTORY", "command"], ["LATENCY", "HISTORY", "nosuch"],
                    ["LATENCY", "GRAPH", "nosuch"], ["LATENCY", "RESET", "nosuch"], ["LATENCY", "RESET", "command"],
                    ["LATENCY", "LATEST"], ["LATENCY", "RESET"], ["LATENCY", "NOSUCH"], ["LATENCY", "LATEST", "x"]):
        same_shape(ours, theirs, *command)
    ours("DEBUG", "SLEEP", "0.05")
    (name, _, last, longest), = ours("LATENCY", "LATEST")
    tap.equal(name, b"command")
    assert last >= 50 and longest >= last, (last, longest)
    assert b"command - high" in ours("LATENCY", "GRAPH", "command")
    assert b"SLOWLOG GET" in ours("LATENCY", "DOCTOR")
    tap.equal(ours("LATENCY", "RESET"), 1)


def test_histograms_as_redis():
    """LATENCY HISTOGRAM and INFO latencystats have the form of redis-server's, in RESP2 and RESP3."""
    ours, theirs = both()
    for server in (ours, theirs):
        server("CONFIG", "RESETSTAT")
        server("SET", "k", 1)
        for _ in range(10):
            server("GET", "k")
        server("CONFIG", "GET", "port")
        for protocol in (2, 3):
            server("HELLO", protocol)
            name, row = server("LATENCY", "HISTOGRAM", "get", "nosuch", "config|nosuch")
            tap.equal((name, row[:3]), (b"get", [b"calls", 10, b"histogram_usec"]))
            steps = row[3]
            tap.equal(steps[-1], 10)
            assert steps[1::2] == sorted(steps[1::2]) and steps[::2] == sorted(set(steps[::2])), steps
        tap.equal(sorted(server("LATENCY", "HISTOGRAM", "config")[::2]), [b"config|get", b"config|resetstat"])
        tap.equal(server("LATENCY", "HISTOGRAM", "config|get")[::2], [b"config|get"])
        text = server("INFO", "latencystats").decode()
        assert re.search(r"^latency_percentiles_usec_get:p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+\r$", text, re.M), text
        server("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50.5 100")
        text = server("INFO", "latencystats").decode()
        assert re.search(r"^latency_percentiles_usec_get:p0=[\d.]+,p50\.5=[\d.]+,p100=[\d.]+\r$", text, re.M), text
        server("CONFIG", "SET", "latency-tracking", "no")
        server("CONFIG", "RESETSTAT")
        server("GET", "k")
        assert b"usec_get" not in server("INFO", "latencystats")
    for words in ("101", "x", "-1", "50 99"):
        same_shape(ours, theirs, "CONFIG", "SET", "latency-tracking-info-percentiles", words)


def monitored(server, commands, last):
    """The lines that a monitor is sent for commands of another connection, up to the one that holds @last."""
    with resp.Connection(server.port) as monitor, resp.Connection(server.port) as c:
        tap.equal(monitor("MONITOR"), b"OK")
        for command in commands:
            c.value(*command)
        lines = []
        while not lines or last not in lines[-1]:
            lines.append(monitor.read())
        lines = [re.sub(rb"127\.0\.0\.1:\d+\]", b"ADDR]", line, count=1) for line in lines]
        return [re.sub(rb"^\d+\.\d{6} ", b"TIME ", line) for line in lines]


def test_monitor_as_redis():
    """MONITOR tells of the same commands in the same order and the same words, and of no password."""
    commands = [["SET", "k", "v"], ["GET"], ["NOSUCH"], ["AUTH", "secret"], ["AUTH", "bob", "secret"],
                ["HELLO", 3, "AUTH", "default", "secret", "SETNAME", "x"], ["CONFIG", "SET", "masterauth", "secret"],
                ["CONFIG", "GET", "port"], ["MULTI"], ["SET", b'q"\\\x00\r\n\xff', ""], ["GET", "k"], ["EXEC"],
                ["EVAL", "redis.call('SET', KEYS[1], 1); return redis.pcall('GET', 'k')", 1, "s"], ["EVAL", "return 1 +", 0],
                ["SLOWLOG", "LEN"], ["SELECT", 3], ["LPUSH", "k", 1], ["get", "k"], ["COMMAND", "COUNT"], ["RESET"],
                ["ECHO", "the end"]]
    ours, theirs = both()
    a, b = (monitored(s, commands, b"the end") for s in (ours, theirs))
    tap.equal(a, b)
    assert not any(b"secret" in line for line in a), a


def test_monitors_end():
    """A monitor that is reset is told no more, one that does not read is closed at its limit, and CLIENT LIST shows it."""
    server = relevo.start(client_output_buffer_limit="pubsub 1000000 0 0")
    with resp.Connection(server.port) as monitor, resp.Connection(server.port) as other:
        tap.equal(monitor("MONITOR"), b"OK")
        assert re.search(rb"flags=O[^\n]* cmd=monitor", other("CLIENT", "LIST"))
        tap.equal(monitor("RESET"), b"RESET")
        other("SET", "k", "v")
        tap.equal(monitor("PING"), b"PONG")
        tap.equal(monitor("MONITOR"), b"OK")
        before = int(server.info("stats")["client_output_buffer_limit_disconnections"])
        for _ in range(20):
            other("SET", "k", "v" * 900000)
        relevo.wait(lambda: int(server.info("stats")["client_output_buffer_limit_disconnections"]) > before,
                    "the monitor to be closed")
        tap.equal(other("GET", "k"), b"v" * 900000)


def test_memory_as_redis():
    """MEMORY STATS has redis-server's fields in their order and kinds, INFO memory those that are not about scripts."""
    ours, theirs = both()
    for server in (ours, theirs):
        server("SET", "k", "v")
        server("SELECT", 3)
        server("SET", "k", "v")
    lists = [s("MEMORY", "STATS") for s in (ours, theirs)]
    names = [[n for n in reply[::2] if not n.startswith(b"lua.")] for reply in lists]
    tap.equal(*names)
    for name, a, b in zip(lists[0][::2], lists[0][1::2], lists[1][1::2]):
        tap.equal(type(a), type(b), name)
    for command in (["MEMORY", "PURGE"], ["MEMORY", "DOCTOR", "x"], ["MEMORY", "NOSUCH"], ["MEMORY", "USAGE"],
                    ["MEMORY", "USAGE", "nosuch"], ["MEMORY", "USAGE", "k", "SAMPLES"]):
        same_shape(ours, theirs, *command)
    assert ours("MEMORY", "MALLOC-STATS") and ours("MEMORY", "DOCTOR")
    missing = theirs.info("memory").keys() - ours.info("memory").keys()
    tap.equal([f for f in missing if not any(word in f for word in ("script", "lua", "vm", "functions", "libraries"))], [])


def test_memory_figures():
    """What keys take is data, what clients and tables take is overhead, and the peak stays."""
    server = relevo.start(appendonly="no")
    before = server.info("memory")
    for i in range(20):
        server("SET", f"k{i}", "v" * 1000000)
    info = server.info("memory")
    assert int(info["used_memory_dataset"]) - int(before["used_memory_dataset"]) > 19000000, info
    server("FLUSHALL", "SYNC")
    after = server.info("memory")
    assert int(after["used_memory_peak"]) >= int(info["used_memory"]) > 20000000 > int(after["used_memory"])
    assert b"- Peak" in server("MEMORY", "DOCTOR") or int(after["used_memory"]) < 5 << 20


def test_key_sizes():
    """INFO keysizes counts keys by type and size, in steps that double; of many keys it says how many it looked at."""
    server = relevo.start(appendonly="no")
    for i, length in enumerate((0, 1, 3, 3, 600, 1024, 5000)):
        server("SET", f"s{i}", "v" * length)
    server("RPUSH", "l", *range(600))
    server("SELECT", 2)
    server("SADD", "t", *range(3))
    sizes = {name: value for name, value in server.info("keysizes").items()}
    tap.equal(sizes, {"db0_distrib_strings_sizes": "0=1,1=1,2=2,512=1,1K=1,4K=1", "db0_distrib_lists_items": "512=1",
                      "db2_distrib_sets_items": "2=1"})
    tap.equal("distrib" in server("INFO").decode(), False)
    for i in range(12000):
        server.own().send("SET", f"n{i}", "abc")
    for i in range(12000):
        server.own().read()
    sizes = server.info("keysizes")
    assert 3000 < int(sizes["db2_distrib_sampled_keys"]) < 9000, sizes
    assert abs(int(sizes["db2_distrib_strings_sizes"].split("=")[1]) - 12000) < 300, sizes


def test_lolwut():
    """LOLWUT shows a picture and the version, whatever version is asked for."""
    server = relevo.start()
    for words in ([], ["VERSION", 5], ["VERSION", 6, 10, 1], ["x"]):
        text = server("LOLWUT", *words).decode()
        assert text.splitlines()[-1].endswith("Relevo ver. " + server.info("server")["relevo_version"]), text
        tap.equal(len({len(line) for line in text.splitlines()[:12]}), 1)
    assert isinstance(server.value("LOLWUT", "VERSION", "x"), resp.Error)


tap.main()
