"""Settings, the command line, and what goes wrong at a start: one clear line, the right exit code, nothing damaged."""
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import tap


def fails(code, *arguments):
    """relevo ends with @code and one line on stderr, which is given back."""
    status, out, err = relevo.run(*arguments)
    tap.equal(status, code, f"exit status of relevo {' '.join(map(str, arguments))}: {out}{err}")
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1 if code == 1 else lines, f"stderr of relevo {arguments}: {err!r}"
    return lines[0]


def server_fails(*arguments):
    directory = relevo.temporary_directory()
    line = fails(1, "server", "--port", relevo.free_port(), "--dir", directory, *arguments)
    tap.equal(os.listdir(directory), [], "what a failed start left")
    return line


def test_help_and_version():
    """--help and --version work everywhere and exit with 0."""
    for words in ([], ["server"], ["promote"], ["status"], ["check"], ["keygen"]):
        status, out, err = relevo.run(*words, "--help")
        assert status == 0 and "relevo" in out and not err, (words, status, out, err)
        status, out, err = relevo.run(*words, "--version")
        assert status == 0 and out.lower().startswith("relevo ") and not err, (words, status, out, err)


def test_usage_errors():
    """Wrong usage exits with 2."""
    for words in (["nonsense"], ["promote"], ["status"], ["check"], ["promote", "nowhere"], ["keygen", "a", "b"],
                  ["promote", "127.0.0.1:1", "--nonsense"], []):
        fails(2, *words)


def test_unknown_setting():
    """An unknown setting is one line on stderr that names it, exit code 1."""
    assert "no-such-setting" in server_fails("--no-such-setting", "1")


def test_bad_values():
    """A bad value is one line that names setting and value."""
    for name, value in (("port", "abc"), ("port", "70000"), ("appendfsync", "sometimes"), ("appendonly", "maybe"),
                        ("databases", "0"), ("loglevel", "loud"), ("maxclients", "-1"), ("timeout", "x"),
                        ("save", "1 2 3")):
        line = server_fails("--" + name, value)
        assert name in line, line


def test_bad_file():
    """A mistake in the configuration file is reported with file and line."""
    path = os.path.join(relevo.temporary_directory(), "relevo.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("# comment\nappendonly yes\nport abc\n")
    status, _, err = relevo.run("server", path, "--dir", os.path.dirname(path))
    assert status == 1 and "relevo.conf" in err and "3" in err and "port" in err, err
    assert "no-such-file" in fails(1, "server", path.replace("relevo.conf", "no-such-file"))


def test_port_in_use():
    """A port in use is one line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", relevo.free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        directory = relevo.temporary_directory()
        assert str(port) in fails(1, "server", "--port", port, "--dir", directory)
        tap.equal(os.listdir(directory), [], "what a failed start left")


def test_unusable_directory():
    """A directory that is not there or cannot be written is one line that names it."""
    path = os.path.join(relevo.temporary_directory(), "missing")
    assert path in fails(1, "server", "--port", relevo.free_port(), "--dir", path)
    with open(path, "w", encoding="ascii"):
        pass
    assert path in fails(1, "server", "--port", relevo.free_port(), "--dir", path)
    assert "/proc" in fails(1, "server", "--port", relevo.free_port(), "--dir", "/proc")


def test_directory_in_use():
    """A second server on the same directory is refused, and the first goes on."""
    server = relevo.start()
    server("SET", "k", "v")
    line = fails(1, "server", "--port", relevo.free_port(), "--dir", server.dir)
    assert server.dir in line, line
    server.kill()
    server.restart()
    tap.equal(server("GET", "k"), b"v")


def test_file_and_command_line():
    """Settings come from the file; the command line overrules them; CONFIG GET shows them."""
    path = os.path.join(relevo.temporary_directory(), "relevo.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("maxclients 100\ntimeout 17\n# a comment\n\nrequirepass \"two words\"\n")
    server = relevo.start(file=path, maxclients="200")
    server("AUTH", "two words")
    tap.equal(server("CONFIG", "GET", "maxclients"), [b"maxclients", b"200"])
    tap.equal(server("CONFIG", "GET", "timeout"), [b"timeout", b"17"])


def test_config_set_and_rewrite():
    """CONFIG SET changes, CONFIG REWRITE keeps it in the file, comments included, and a restart reads it."""
    path = os.path.join(relevo.temporary_directory(), "relevo.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("# my comment\ntimeout 17\n")
    server = relevo.start(file=path)
    tap.equal(server("CONFIG", "SET", "timeout", "18", "appendfsync", "always"), b"OK")
    tap.equal(server("CONFIG", "REWRITE"), b"OK")
    with open(path, encoding="ascii") as f:
        text = f.read()
    assert "# my comment" in text and "timeout 18" in text and "appendfsync always" in text, text
    server.restart()
    tap.equal(server("CONFIG", "GET", "timeout"), [b"timeout", b"18"])
    tap.equal(server("CONFIG", "GET", "appendfsync"), [b"appendfsync", b"always"])


def test_config_errors_as_redis():
    """CONFIG's errors are Redis's."""
    server, redis = relevo.start(), relevo.start(relevo.REDIS)
    for words in (["SET", "nonsense", "1"], ["SET", "port"], ["SET", "timeout", "abc"], ["GET"], ["GET", "no*such"], ["NOPE"],
                  ["REWRITE"], ["SET", "appendfsync", "sometimes"], ["SET", "timeout", "1", "timeout", "2"]):
        tap.equal(server.value("CONFIG", *words), redis.value("CONFIG", *words), " ".join(words))


def test_landmarks_in_the_log():
    """The log has the lines that supervisors wait for."""
    server = relevo.start()
    log = server.log()
    for text in (r"^\d+:M .* Server initialized", r"^\d+:M .* Ready to accept connections"):
        assert re.search(text, log, re.MULTILINE), log


def test_shutdown():
    """SHUTDOWN and SIGINT end the server with 0."""
    server = relevo.start()
    server.own().send("SHUTDOWN")
    server.await_exit(0)
    server.spawn().ready()
    server.process.send_signal(2)
    server.await_exit(0)


tap.main()
