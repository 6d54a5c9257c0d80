"""A gate before the syncs of a server: a preloaded library (syscall_shim.c) holds every sync back while a file is there."""
import os
import select
import shutil

import relevo
import tap


class Gate:
    """Holds syncs back while it is shut."""

    def __init__(self):
        self.path = os.path.join(relevo.temporary_directory(), "gate")

    def shut(self):
        with open(self.path, "w", encoding="ascii"):
            pass

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


def gated(**settings):
    """A server, and the gate before its syncs; it is open when the test ends."""
    shim = os.environ.get("RELEVO_SHIM")
    if not shim:
        raise tap.Skip("RELEVO_SHIM does not name the built library")
    gate = Gate()
    shim = shutil.copy(shim, os.path.dirname(gate.path))  # the loader takes a space in a path for the end of it
    environment = {"LD_PRELOAD": shim, "SHIM_SYNC_GATE": gate.path, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    server = relevo.start(environment=environment, **settings)
    tap.closing(lambda failed: gate.open())
    return server, gate


def has_answer(connection):
    """Whether bytes have come. What a turn of the server's loop has released stands there before the next turn's."""
    return bool(select.select([connection.socket], [], [], 0)[0])


def calls(server, word):
    """How many of a command the server has executed."""
    return int(server.info("commandstats").get("cmdstat_" + word.lower(), "calls=0").split(",")[0].split("=")[1])


def ask(server, connection, *words):
    """Send a request, and wait until the server has executed it."""
    before = calls(server, words[0])
    connection.send(*words)
    relevo.wait(lambda: calls(server, words[0]) > before, f"{words} to be executed")
    return connection


def asked(server, *words):
    """The same on a connection of its own."""
    return ask(server, server.connect(), *words)
