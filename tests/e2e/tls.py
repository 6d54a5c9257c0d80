"""TLS for clients: stock clients, certificates, reload, large replies, and what strangers send."""
import os
import re
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certificates
import redis
import relevo
import resp
import tap


def start(kind=relevo.RELEVO, **settings):
    """A server with a plain port and one for TLS, and the folder of its certificates."""
    folder = certificates.make(relevo.temporary_directory())
    tls = certificates.settings(folder)
    tls.update(settings)
    return relevo.start(kind, **tls), folder


class Sealed(resp.Connection):
    """A connection by TLS."""

    def __init__(self, server, folder, certificate=None, **options):
        super().__init__(server.settings["tls_port"])
        context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
        for name, value in options.items():
            setattr(context, name, value)
        if certificate:
            context.load_cert_chain(f"{folder}/{certificate}.crt", f"{folder}/{certificate}.key")
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        tap.closing(lambda failed: self.close())


def test_stock_clients():
    """redis-cli, redis-benchmark and python3-redis talk TLS; the plain port goes on beside it."""
    server, folder = start()
    cli = ["redis-cli", "-p", str(server.settings["tls_port"]), "--tls", "--cacert", f"{folder}/ca.crt"]
    tap.equal(subprocess.run([*cli, "SET", "k", "v"], check=True, capture_output=True).stdout, b"OK\n")
    r = redis.Redis(port=server.settings["tls_port"], ssl=True, ssl_ca_certs=f"{folder}/ca.crt")
    tap.equal(r.get("k"), b"v")
    with r.pipeline() as p:
        for i in range(5000):
            p.incr("n")
        tap.equal(p.execute(), list(range(1, 5001)))
    tap.equal(server("GET", "n"), b"5000")
    subprocess.run(["redis-benchmark", "-p", str(server.settings["tls_port"]), "--tls", "--cacert", f"{folder}/ca.crt",
                    "-q", "-n", "5000", "-P", "16", "-t", "set,get,lrange_100"], check=True, capture_output=True)


def test_only_tls():
    """With port 0 there is only the port for TLS; without either the server does not start."""
    server, folder = start()
    server.stop()
    only = relevo.Server(relevo.RELEVO, dict(server.settings, port=0)).spawn()
    tap.closing(lambda failed: only.stop())

    def answers():
        try:
            return Sealed(server, folder).value("PING") == b"PONG"
        except OSError:
            return False
    relevo.wait(answers, "the server that speaks only TLS")
    neither = relevo.Server(relevo.RELEVO, {"port": 0})
    done = subprocess.run(neither.arguments()[0], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "tls-port" in done.stdout + done.stderr, done


def test_both_versions_and_resumption():
    """TLS 1.2 and 1.3 are spoken, older ones are not; tls-protocols narrows that; sessions are resumed."""
    server, folder = start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        c = Sealed(server, folder, minimum_version=version, maximum_version=version)
        tap.equal(c("PING"), b"PONG")
        tap.equal(c.socket.version(), version.name.replace("_", "."))
    context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(session):
        return context.wrap_socket(socket.create_connection(("127.0.0.1", server.settings["tls_port"])),
                                   server_hostname="localhost", session=session)
    with connect(None) as first, connect(first.session) as second:
        assert second.session_reused
    server("CONFIG", "SET", "tls-protocols", "TLSv1.3")
    try:
        Sealed(server, folder, maximum_version=ssl.TLSVersion.TLSv1_2)
        raise AssertionError("TLS 1.2 was spoken")
    except ssl.SSLError:
        pass
    tap.equal(c("PING"), b"PONG")


def test_certificates_of_clients():
    """tls-auth-clients yes wants a certificate of our authority, optional takes one, no does not ask."""
    server, folder = start(tls_auth_clients="yes")
    tap.equal(Sealed(server, folder, certificate="client")("PING"), b"PONG")
    certificates.openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                         "-subj", "/CN=stranger", "-keyout", "stranger.key", "-out", "stranger.crt")
    for certificate in (None, "stranger"):
        try:
            Sealed(server, folder, certificate=certificate)("PING")
            raise AssertionError(f"served with the certificate {certificate}")
        except (OSError, resp.Closed):
            pass
    server("CONFIG", "SET", "tls-auth-clients", "optional")
    tap.equal(Sealed(server, folder)("PING"), b"PONG")
    tap.equal(Sealed(server, folder, certificate="client")("PING"), b"PONG")


def test_reload():
    """CONFIG SET takes over new files for new connections; what does not work changes nothing, and says why."""
    server, folder = start()
    old = Sealed(server, folder)
    other = certificates.make(relevo.temporary_directory())
    error = server.value("CONFIG", "SET", "tls-cert-file", f"{other}/server.crt")
    assert error.startswith(b"ERR CONFIG SET failed (possibly related to argument 'tls-cert-file')"), error
    tap.equal(server("CONFIG", "GET", "tls-cert-file")[1], f"{folder}/server.crt".encode())
    tap.equal(Sealed(server, folder)("PING"), b"PONG")
    server("CONFIG", "SET", "tls-cert-file", f"{other}/server.crt", "tls-key-file", f"{other}/server.key",
           "tls-ca-cert-file", f"{other}/ca.crt")
    tap.equal(Sealed(server, other)("PING"), b"PONG")
    tap.equal(old("PING"), b"PONG")


def test_a_key_with_a_passphrase():
    """tls-key-file-pass opens the key, and is not shown in the log."""
    folder = certificates.make(relevo.temporary_directory())
    certificates.openssl(folder, "ec", "-in", "server.key", "-aes256", "-passout", "pass:quite secret", "-out", "locked.key")
    server = relevo.start(tls_port=relevo.free_port(), tls_cert_file=f"{folder}/server.crt", tls_auth_clients="no",
                          tls_key_file=f"{folder}/locked.key", tls_key_file_pass="quite secret")
    tap.equal(Sealed(server, folder)("PING"), b"PONG")
    assert "quite secret" not in server.log()


def test_a_start_that_cannot_speak():
    """A server whose certificate is missing, or does not fit its key, does not start and names the setting."""
    folder, other = (certificates.make(relevo.temporary_directory()) for _ in range(2))
    for settings, said in (({"tls_cert_file": f"{folder}/none.crt", "tls_key_file": f"{folder}/server.key"}, "tls-cert-file"),
                           ({"tls_cert_file": f"{folder}/server.crt", "tls_key_file": f"{other}/server.key"}, "tls-key-file"),
                           ({}, "tls-port needs tls-cert-file"),
                           ({"tls_cert_file": f"{folder}/server.crt", "tls_key_file": f"{folder}/server.key"},
                            "tls-auth-clients needs")):
        server = relevo.Server(relevo.RELEVO, {"tls_port": relevo.free_port(), **settings})
        done = subprocess.run(server.arguments()[0], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and said in done.stdout + done.stderr, (done, said)


def test_large_values_and_slow_readers():
    """Values of many records go both ways; a reader that takes its time gets every byte in order; one that takes none is
    bounded by its output limit."""
    server, folder = start(client_output_buffer_limit="normal 20mb 0 0")
    c = Sealed(server, folder)
    value = os.urandom(1 << 16) * 100
    tap.equal(c("SET", "large", value), b"OK")
    assert c("GET", "large") == value
    slow = Sealed(server, folder)
    slow.send("MGET", "large", "large", "large")
    c("INCR", "n")
    assert slow.read() == [value] * 3
    for _ in range(5):
        slow.send("MGET", "large", "large")

    def bounded():
        """Closed; or, if the socket took just enough, at a stand with requests left below the limit."""
        waiting = re.search(rb"qbuf=(\d+) .* obl=(\d+) .* cmd=mget", server("CLIENT", "LIST"))
        return not waiting or (int(waiting[1]) > 0 and (10 << 20) < int(waiting[2]) <= (20 << 20))
    relevo.wait(bounded, "the slow one's end")


def test_requests_in_pieces():
    """A request whose records hold one byte each is one request; many requests in one record are many."""
    server, folder = start()
    c = Sealed(server, folder)
    for byte in resp.encode(["SET", "k", "v" * 50]):
        c.socket.sendall(bytes([byte]))
    tap.equal(c.read(), b"OK")
    c.socket.sendall(resp.encode(["INCR", "n"]) * 400)
    tap.equal([c.read() for _ in range(400)], list(range(1, 401)))
    transaction = [["MULTI"], ["INCR", "n"], ["EXEC"]]
    c.socket.sendall(b"".join(map(resp.encode, transaction)))
    tap.equal([c.read() for _ in range(3)], [b"OK", b"QUEUED", [401]])


def test_strangers():
    """Plain requests, noise, half a handshake and a broken record at the port for TLS cost the server nothing."""
    server, folder = start()
    port = server.settings["tls_port"]
    for noise in (b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x00"):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(noise)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(60)
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    silent = socket.create_connection(("127.0.0.1", port))
    tap.closing(lambda failed: silent.close())
    c = Sealed(server, folder)
    raw = socket.socket(fileno=os.dup(c.socket.fileno()))
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record whose seal is wrong
    raw.close()
    try:
        c.read()
        raise AssertionError("a forged record was taken")
    except (OSError, resp.Closed):
        pass
    relevo.wait(lambda: silent.recv(1) == b"", "the end of a connection that says nothing")
    tap.equal(Sealed(server, folder)("PING"), b"PONG")
    tap.equal(server("PING"), b"PONG")


def test_the_end_is_said():
    """QUIT is answered, and the connection ended by TLS's own word, not cut."""
    server, folder = start()
    c = Sealed(server, folder, verify_flags=ssl.VERIFY_DEFAULT)
    c.socket.sendall(b"QUIT\r\n")
    tap.equal(c.read(), b"OK")
    tap.equal(c.socket.recv(10), b"", "close_notify")  # an end without it would raise


tap.main()
