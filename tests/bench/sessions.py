#!/usr/bin/python3
"""What a session costs: Relevo beside Debian's redis-server, in the same run.

    tests/bench/sessions.py [--relevo BINARY] [--before BINARY] [--rows plain-p16-get,idle,...] [--rounds N] [--scale F] [--json]

rows.py says how rounds become figures. CPU is that of the server, all threads, user and system time, in microseconds for one
request (of redis-benchmark, 50 clients unless said otherwise). --scale makes the runs shorter, for a first look.

    plain-*      P1 and P16 GET and SET of clients that use nothing else, beside --before: an earlier binary, from before there
                 were sessions (e1be0bf), so that nobody pays for what others use
    steps-*      the same counted in instructions of the process, without the kernel's: by callgrind, one client, so that
                 hardly anything but the code makes a difference. No target: they explain
    eval-*       P1 and P16 EVAL of a script that returns a number, and of one that calls GET
    publish-*    PUBLISH of 64 bytes to 100 subscribers of RESP2, who read as fast as they can: 50 publishers, P1 and P16
    tls-get      P1 GET and SET by TLS, with the same certificate
    tls-set
    idle         resident memory for each of 10,000 connections which have said PING and CLIENT SETNAME once and then nothing
    active       P1 GET of 5,000 connections at once
"""
import multiprocessing
import os
import re
import resource
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certificates
import cpu
import relevo
import resp
import rows
import tap
from rows import OURS, THEIRS, Row, alternating

BEFORE = "before"
KEYS = 100000
IDLE, ACTIVE, SUBSCRIBERS = 10000, 5000, 100
SETTLE_S = 4  # both take back within it what an idle connection does not need
GET, SET = ("GET", "key:__rand_int__"), ("SET", "key:__rand_int__", "xxx")
SCRIPT = "return redis.call('GET', KEYS[1])"


def start(kind, binary=None, **settings):
    """A server without a log, that has the keys."""
    ours = os.environ["RELEVO"]
    os.environ["RELEVO"] = binary or ours
    server = relevo.start(relevo.REDIS if kind == THEIRS else relevo.RELEVO, **dict(cpu.LOG_OFF, **settings))
    os.environ["RELEVO"] = ours
    return server


def pair(**settings):
    return {kind: start(kind, **settings) for kind in (OURS, THEIRS)}


def fill(server, command="SET key:%012d xxx"):
    cpu.memory.fill(server, ((command % i).encode().split() for i in range(KEYS)))


def benchmark(server, requests, pipeline, *words, clients=50, extra=()):
    """CPU of the server in microseconds for a request of redis-benchmark's."""
    begun = cpu.cpu_seconds(server.process.pid)
    subprocess.run(["redis-benchmark", "-p", str(server.port), "-c", str(clients), "-P", str(pipeline), "-n", str(requests),
                    "-r", str(KEYS), "-q", *extra, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (cpu.cpu_seconds(server.process.pid) - begun) * 1e6 / requests


def compare(servers, options, rounds, requests, pipeline, *words, **how):
    for number in range(rounds):
        yield {kind: benchmark(servers[kind], int(requests * options.scale), pipeline, *words, **how)
               for kind in alternating(servers, number)}


def requests_of(pipeline):
    return 200000 if pipeline == 1 else 2000000


# ---- Those who use nothing ----

def plain(pipeline, words):
    def measure(options, rounds):
        servers = {OURS: start(OURS)}
        if options.before:
            servers[BEFORE] = start(BEFORE, options.before)
        for server in servers.values():
            fill(server)
        yield from compare(servers, options, rounds, requests_of(pipeline), pipeline, *words)
    return measure


def instructions(binary, pipeline, requests, words):
    """All that the process executes from its start to its end."""
    folder = relevo.temporary_directory()
    wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
    server = start(OURS, binary, wrapper=wrapper)
    batch = resp.encode([word.replace("__rand_int__", "1") for word in words]) * pipeline
    server("SET", "key:1", "xxx")
    for _ in range(requests // pipeline):
        server.own().send_raw(batch)
        for _ in range(pipeline):
            server.own().read_raw()
    server.stop()
    with open(f"{folder}/out", encoding="ascii", errors="replace") as f:
        return int(re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M).group(1))


def steps(pipeline, words):
    def measure(options, _):
        n = max(pipeline, int(20000 * options.scale) // pipeline * pipeline)
        binaries = {OURS: os.environ["RELEVO"]}
        if options.before:
            binaries[BEFORE] = options.before
        yield {kind: (instructions(binary, pipeline, 2 * n, words) - instructions(binary, pipeline, n, words)) / n
               for kind, binary in binaries.items()}
    return measure


# ---- Those who use it ----

def evaluate(pipeline, *words):
    def measure(options, rounds):
        servers = pair()
        for server in servers.values():
            fill(server)
        yield from compare(servers, options, rounds, requests_of(pipeline) // 2, pipeline, "EVAL", *words)
    return measure


def read_all(port, ready):
    """A process of its own: subscribers that read and forget."""
    poll, sockets = select.epoll(), {}
    for _ in range(SUBSCRIBERS):
        c = resp.Connection(port)
        c("SUBSCRIBE", "channel")
        sockets[c.socket.fileno()] = c.socket
        poll.register(c.socket, select.EPOLLIN)
    ready.set()
    while sockets:
        for fd, _ in poll.poll():
            if not sockets[fd].recv(65536):
                poll.unregister(fd)
                del sockets[fd]


def subscribe(server):
    ready = multiprocessing.Event()
    reader = multiprocessing.Process(target=read_all, args=(server.port, ready), daemon=True)
    reader.start()
    ready.wait()
    tap.closing(lambda failed: reader.kill())


def publish(pipeline):
    def measure(options, rounds):
        servers = pair()
        for server in servers.values():
            subscribe(server)
        yield from compare(servers, options, rounds, 20000 if pipeline == 1 else 60000, pipeline, "PUBLISH", "channel", "x" * 64)
    return measure


def tls(words):
    def measure(options, rounds):
        folder = certificates.make(relevo.temporary_directory())
        servers = {}
        for kind in (OURS, THEIRS):
            servers[kind] = start(kind, **certificates.settings(folder))
            fill(servers[kind])
            servers[kind].port = servers[kind].settings["tls_port"]
            servers[kind].forget_connection()
        yield from compare(servers, options, rounds, 100000, 1, *words, extra=("--tls", "--cacert", f"{folder}/ca.crt"))
    return measure


# ---- Many ----

def may_open(files):
    """Let this process, and the servers that it starts, have so many files open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < files:
        sys.exit(f"sessions.py: the kernel allows {hard} open files, and this needs {files}: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def idle_bytes(kind, connections):
    server = start(kind, maxclients=connections + 100)
    server("PING")
    before, open_ones = server.memory(), []
    for number in range(connections):
        open_ones.append(resp.Connection(server.port))
        open_ones[-1]("PING")
        open_ones[-1]("CLIENT", "SETNAME", f"connection-{number}")
    time.sleep(SETTLE_S)
    used = (server.memory() - before) / connections
    for connection in open_ones:
        connection.close()
    server.kill()
    return used


def idle(options, rounds):
    connections = int(IDLE * options.scale)
    may_open(connections + 1000)
    for number in range(rounds):
        yield {kind: idle_bytes(kind, connections) for kind in alternating((OURS, THEIRS), number)}


def active(options, rounds):
    may_open(2 * ACTIVE)
    servers = pair(maxclients=ACTIVE + 100)
    for server in servers.values():
        fill(server)
    yield from compare(servers, options, rounds, 200000, 1, *GET, clients=ACTIVE)


PLAIN = [(f"p{pipeline}-{words[0].lower()}", f"P{pipeline} {words[0]}", pipeline, words)
         for pipeline in (1, 16) for words in (GET, SET)]
ROWS = [
    *(Row(f"plain-{name}", f"CPU per plain request, {what}", "us", 1.03, "ratio less", plain(p, words), beside=BEFORE)
      for name, what, p, words in PLAIN),
    *(Row(f"steps-{name}", f"instructions per plain request, {what}", "count", None, "ratio less", steps(p, words), 1,
          beside=BEFORE) for name, what, p, words in PLAIN),
    *(Row(f"eval-p{p}-{name}", f"CPU per EVAL, P{p}, {what}", "us", 0.9, "ratio less", evaluate(p, *words))
      for p in (1, 16) for name, what, words in (("number", "return 1", ("return 1", "0")),
                                                 ("get", "one GET", (SCRIPT, "1", "key:__rand_int__")))),
    *(Row(f"publish-p{p}", f"CPU per PUBLISH to {SUBSCRIBERS} subscribers, P{p}", "us", 0.8, "ratio less", publish(p))
      for p in (1, 16)),
    *(Row(f"tls-{words[0].lower()}", f"CPU per request by TLS, P1 {words[0]}", "us", 1.0, "ratio less", tls(words))
      for words in (GET, SET)),
    Row("idle", f"memory per connection, {IDLE:,} idle", "bytes", 0.6, "ratio less", idle, 2),
    Row("active", f"CPU per request, P1 GET, {ACTIVE:,} connections", "us", None, "ratio less", active),
]


def main():
    parser = rows.parser(__doc__, ROWS)
    parser.add_argument("--before", help="an earlier binary, for plain-* and steps-*")
    options = rows.parse(parser, ROWS)
    options.before = options.before and os.path.abspath(options.before)
    rows.run(ROWS, options)


if __name__ == "__main__":
    main()
