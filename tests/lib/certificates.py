"""Certificates for tests of TLS, made by openssl."""
import subprocess

import relevo


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make(folder):
    """An authority, a certificate of its for the server and one for a client."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("server", "client"):
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.crt")
    return folder


def settings(folder):
    """A port for TLS beside the plain one."""
    return {"tls_port": relevo.free_port(), "tls_cert_file": f"{folder}/server.crt", "tls_key_file": f"{folder}/server.key",
            "tls_ca_cert_file": f"{folder}/ca.crt", "tls_auth_clients": "no"}
