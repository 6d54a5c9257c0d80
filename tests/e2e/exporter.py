"""Debian's prometheus-redis-exporter scrapes Relevo and finds what it finds of redis-server."""
import os
import re
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import tap

# What redis-server 7.0 has and Relevo has not, with the reason.
ABSENT = {
    "redis_config_io_threads": "settings that mean nothing here are not listed",
}


def exporter():
    """The program, out of Debian's package; installing that would start a service."""
    folder = relevo.temporary_directory()
    done = subprocess.run(["apt-get", "download", "prometheus-redis-exporter"], cwd=folder, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise tap.Skip("Debian's package prometheus-redis-exporter cannot be fetched")
    package = [n for n in os.listdir(folder) if n.endswith(".deb")][0]
    subprocess.run(["dpkg-deb", "-x", package, "."], cwd=folder, check=True)
    return os.path.join(folder, "usr", "bin", "prometheus-redis-exporter")


def scrape(program, server):
    """Metric names with the values of those without labels."""
    port = relevo.free_port()
    process = subprocess.Popen([program, "-redis.addr", f"redis://127.0.0.1:{server.port}", "-web.listen-address",
                                f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tap.closing(lambda failed: (process.kill(), process.wait()))

    def page():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                return answer.read().decode()
        except OSError:
            return None
    text = relevo.wait(page, "the exporter's page")
    values = {}
    for line in text.splitlines():
        match = re.match(r"(redis_\w+)(\{[^}]*\})? (\S+)$", line)
        if match:
            values.setdefault(match.group(1), []).append((match.group(2) or "", match.group(3)))
    return values


def test_what_monitors_see():
    """Every metric that the exporter makes of redis-server it makes of Relevo, with the labels of commands and errors."""
    program = exporter()
    seen = []
    for kind in (relevo.RELEVO, relevo.REDIS):
        server = relevo.start(kind, maxmemory="1gb", latency_monitor_threshold="1", slowlog_log_slower_than="0")
        load.fill(server, commands=500)
        server("SET", "k", "v", "EX", "1000")
        server.value("LPUSH", "k", "x")
        server("DEBUG", "SLEEP", "0.01")
        seen.append(scrape(program, server))
    ours, theirs = seen
    tap.equal(ours["redis_up"], [("", "1")])
    tap.equal(ours.get("redis_exporter_last_scrape_error"), theirs.get("redis_exporter_last_scrape_error"))
    missing = sorted(theirs.keys() - ours.keys())
    tap.equal([name for name in missing if name not in ABSENT], [], "metrics that only redis-server gives")
    for name in ABSENT:
        assert name not in ours, f"{name} is there: its excuse is stale"
    for name in ("redis_commands_total", "redis_errors_total", "redis_db_keys", "redis_db_keys_expiring"):
        keys = [{label for label, _ in found[name]} for found in (ours, theirs)]
        if name == "redis_commands_total":
            keys = [{k for k in kinds if re.search('"(set|lpush)"', k)} for kinds in keys]
        elif name == "redis_errors_total":  # how often a start was asked for its readiness is no matter
            keys = [kinds - {'{err="LOADING"}'} for kinds in keys]
        tap.equal(keys[0], keys[1], name)


tap.main()
