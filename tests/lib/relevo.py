"""Real servers for tests: relevo and Debian's redis-server, each on a free loopback port with a directory of its own.

    server = relevo.start()                      # closed at the end of the running test
    server = relevo.start(appendfsync="always", replicaof="127.0.0.1 7001")
    other = relevo.start(relevo.REDIS, dir=server.dir)
    server("SET", "k", "v"); server.kill(); server.restart()

A server that dies by itself, exits with an unexpected status or leaves a sanitizer's report fails the test, and its
log is shown. Waiting is always for a condition (relevo.wait); nothing here waits for time to pass.
"""
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import resp
import tap

RELEVO, REDIS = "relevo", "redis-server"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Sanitizers and two busy cores make a server slow; a condition that is still false then never becomes true.
PATIENCE_S = 60

_REPORT = re.compile(rb"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed)")
_port_locks = []


def _die_with_the_test():
    """In a new process: be killed when the test script ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def binary():
    """The relevo binary under test."""
    path = os.environ.get("RELEVO")
    if not path:
        for directory in ("build-test", "build"):
            path = os.path.join(TOP, directory, "relevo")
            if os.path.exists(path):
                break
    if not os.path.exists(path):
        raise AssertionError(f"no relevo binary at {path}; set RELEVO to one")
    return path


def command(kind):
    """How a server is called: its arguments, and the executable if that is another than the first one."""
    if kind == RELEVO:
        return [binary(), "server"], None
    # redis-tools has the server's binary under another name and asks argv[0] what it is to be.
    return ["redis-server"], shutil.which("redis-server") or shutil.which("redis-check-rdb")


def free_port():
    """A loopback port that nobody listens on and that stays ours among concurrent test scripts. Below the range from
    which the kernel takes ports for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        lock = socket.socket(socket.AF_UNIX)
        probe = socket.socket()
        try:
            lock.bind(f"\0relevo-test-port-{port}")
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        finally:
            probe.close()
        _port_locks.append(lock)
        return port


def wait(condition, what, patience_s=PATIENCE_S):
    """Wait until condition() is true and return its value; fail saying @what was waited for."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s} s in vain for: {what() if callable(what) else what}")
        time.sleep(0.005)  # the pause between two looks, not a wait for time to pass


def temporary_directory():
    """A directory that goes at the end of the running test."""
    path = tempfile.mkdtemp(prefix="relevo-test-")
    tap.closing(lambda failed: shutil.rmtree(path, ignore_errors=True))
    return path


def small_disk():
    """An 8 MB file system that goes at the end of the running test."""
    path = temporary_directory()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "relevo-test", path], capture_output=True, check=False)
    if done.returncode:
        raise tap.Skip("a small file system cannot be mounted here")
    tap.closing(lambda failed: subprocess.run(["umount", "-l", path], check=True))
    return path


class Server:
    """One server process; settings are given with underscores. Use start()."""

    def __init__(self, kind, settings, directory=None, port=None, file=None, environment=None, wrapper=None):
        self.kind = kind
        self.dir = directory or temporary_directory()
        self.port = port or free_port()
        self.settings = settings
        self.file = file
        self.environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1",
                                TSAN_OPTIONS="halt_on_error=0")
        self.environment.update(environment or {})
        self.wrapper = wrapper or []
        self.process = None
        self.connection = None
        self.log_directory = temporary_directory()
        self.logs = []
        self.expected_to_die = False

    def arguments(self):
        """The command line, and the executable if it is not its first word."""
        words, executable = command(self.kind)
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.dir, "save": ""}
        if self.kind == REDIS:
            settings.update(enable_debug_command="yes", appendonly="yes")
        settings.update(self.settings)
        if self.file:
            words = words + [self.file]
        for name, value in settings.items():
            if value is None:
                continue
            words += ["--" + name.replace("_", "-")] + (value.split(" ") if name == "replicaof" else [str(value)])
        if self.wrapper:
            return self.wrapper + [executable or words[0]] + words[1:], None
        return words, executable

    def spawn(self):
        """Start the process without waiting for it to be ready."""
        assert self.process is None
        self.expected_to_die = False
        log = os.path.join(self.log_directory, f"{len(self.logs)}.log")
        self.logs.append(log)
        words, executable = self.arguments()
        with open(log, "wb") as out:
            self.process = subprocess.Popen(words, executable=executable, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, env=self.environment,
                                            preexec_fn=_die_with_the_test)
        return self

    def ready(self):
        """Wait until the process answers PING with PONG."""
        wait(self._answers, f"{self.kind} on port {self.port} to be ready")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.kind} ended at its start with {self.process.returncode}:\n{self.log()}")
        try:
            with resp.Connection(self.port) as c:
                reply = c.value("PING")
                if reply == b"PONG" and not self._is_own(c):
                    return False
                # Without the password a loading server cannot be told from a ready one: its log tells.
                return reply == b"PONG" or reply.startswith(b"MASTERDOWN") or \
                    reply.startswith(b"NOAUTH") and "Ready to accept connections" in self.log()
        except (OSError, resp.Closed):
            return False

    def _is_own(self, connection):
        """Whether it is this process that answers, and not another that came first on the port: ours ends then."""
        found = re.search(rb"\bprocess_id:(\d+)", bytes(connection.value("INFO", "server")))
        return bool(self.wrapper) or not found or int(found.group(1)) == self.process.pid

    def is_listening(self):
        """Whether a connection is taken now."""
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        """What the current process wrote."""
        with open(self.logs[-1], "rb") as f:
            return f.read().decode("utf-8", "replace")

    def connect(self, **options):
        """A new connection, closed at the end of the test."""
        connection = resp.Connection(self.port, **options)
        tap.closing(lambda failed: connection.close())
        return connection

    def __call__(self, *args):
        """Run a command on the server's own connection; an error reply is raised."""
        return self.own()(*args)

    def value(self, *args):
        """Run a command on the server's own connection; an error reply is a value."""
        return self.own().value(*args)

    def own(self):
        """The connection that the server object keeps for itself."""
        if self.connection is None:
            self.connection = resp.Connection(self.port)
        return self.connection

    def info(self, section="all"):
        """INFO as a dictionary of strings."""
        lines = self("INFO", section).decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def digest(self):
        """DEBUG DIGEST of the data set."""
        return bytes(self("DEBUG", "DIGEST"))

    def forget_connection(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def kill(self):
        """kill -9."""
        self._end(signal.SIGKILL)
        self.process = None

    def stop(self, expected=0):
        """SIGTERM; the exit status must be the expected one."""
        self._end(signal.SIGTERM)
        status = self.process.returncode
        self.process = None
        self.check_log()
        assert status == expected, f"{self.kind} exited with {status}, expected {expected}:\n{self.log()[-3000:]}"

    def await_exit(self, expected=None):
        """Wait for the process to end by itself; gives its exit status."""
        self.forget_connection()
        status = self.process.wait(PATIENCE_S)
        self.process = None
        self.check_log()
        if expected is not None:
            tap.equal(status, expected, "exit status")
        return status

    def _end(self, how):
        self.forget_connection()
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def restart(self):
        """Start again on the same directory and port and wait until it is ready."""
        if self.process is not None:
            self.stop()
        return self.spawn().ready()

    def check_log(self):
        """Fail if a sanitizer or an assertion reported anything in the last log."""
        with open(self.logs[-1], "rb") as f:
            text = f.read()
        if _REPORT.search(text):
            raise AssertionError(f"{self.kind} on port {self.port} reported:\n" + text.decode("utf-8", "replace")[-8000:])

    def close(self, failed):
        """End of a test: stop cleanly, and show the log if anything is wrong."""
        try:
            if self.process is not None:
                died = self.process.poll()
                if died is None:
                    self.process.send_signal(signal.SIGCONT)
                    if failed:
                        self.kill()
                    else:
                        self.stop()
                elif not self.expected_to_die:
                    self.process = None
                    self.check_log()
                    raise AssertionError(f"{self.kind} on port {self.port} ended by itself with {died}")
            self.forget_connection()
        except BaseException:
            failed = True
            raise
        finally:
            if failed and self.logs:
                tap.note(f"--- log of {self.kind} on port {self.port} (end) ---\n{self.log()[-6000:]}\n---")

    def memory(self, what="VmRSS"):
        """Resident bytes of the process."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith(what + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no such line: " + what)


def prepare(kind=RELEVO, dir=None, port=None, file=None, environment=None, wrapper=None, **settings):
    """A server that is closed at the end of the running test, but not started yet."""
    server = Server(kind, settings, dir, port, file, environment, wrapper)
    tap.closing(server.close)
    return server


def start(kind=RELEVO, **options):
    """A ready server that is closed at the end of the running test."""
    return prepare(kind, **options).spawn().ready()


def files_of(directory):
    """The digest of every file below."""
    return {os.path.join(root, name): file_digest(os.path.join(root, name)) for root, _, names in os.walk(directory)
            for name in names}


def refused(directory, *words, **settings):
    """The start ends with status 1 and one line that has all these words; no file changed."""
    before = files_of(directory)
    server = prepare(dir=directory, **settings).spawn()
    tap.equal(server.await_exit(), 1, "exit status")
    lines = [line for line in server.log().splitlines() if line.startswith("relevo: ")]
    tap.equal(len(lines), 1, server.log())
    for word in words:
        assert re.search(word, lines[0]), f"{word!r} is not in: {lines[0]}"
    tap.equal(files_of(directory), before, "files")


def run(*arguments, **options):
    """Run the relevo binary to its end; gives exit status, standard output and standard error as text."""
    done = subprocess.run([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE_S, check=False, **options)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert not _REPORT.search(done.stdout + done.stderr), out + err
    return done.returncode, out, err


def cluster_key():
    """The path of a new cluster secret file."""
    path = os.path.join(temporary_directory(), "cluster.key")
    status, out, err = run("keygen", path)
    assert status == 0, out + err
    return path


def start_replica(primary, **options):
    """A replica of @primary that has caught up once."""
    replica = start(replicaof=f"127.0.0.1 {primary.port}", **options)
    wait(lambda: replica.info("replication").get("master_link_status") == "up",
         lambda: f"the link to come up: {replica.info('replication')}")
    return replica


def freeze(server):
    """Stop the process by SIGSTOP and wait until none of its threads runs any more."""
    tasks = f"/proc/{server.process.pid}/task"

    def state(task):
        with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    server.process.send_signal(signal.SIGSTOP)
    wait(lambda: all(state(task) == "T" for task in os.listdir(tasks)), "the process to stand still")


def wait_equal_offsets(primary, *replicas):
    """Wait until the replicas have executed all that the primary has logged."""
    offset = int(primary.info("replication")["master_repl_offset"])

    def behind():
        return [r.port for r in replicas if int(r.info("replication").get("slave_repl_offset", -1)) < offset]
    wait(lambda: not behind(), lambda: f"replicas {behind()} to reach offset {offset}: "
         f"{[r.info('replication') for r in replicas]}")


def file_digest(path):
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()
