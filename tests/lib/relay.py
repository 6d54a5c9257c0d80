"""A TCP relay on loopback that writes down all that passes through it: what is on the wire between two nodes.

    relay = relay.Relay(primary.port)     # closed at the end of the running test
    replica = relevo.start(replicaof=f"127.0.0.1 {relay.port}")
    assert b"secret" not in relay.seen()
"""
import socket
import threading

import tap


class Relay:
    """Connections to self.port are connected to @port; bytes of both directions are kept."""

    def __init__(self, port):
        self._to = port
        self._pieces = []
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        tap.closing(lambda failed: self.close())

    def seen(self):
        """All bytes so far, direction by direction within each piece."""
        return b"".join(self._pieces)

    def close(self):
        """Nothing passes any more."""
        for each in [self._listener] + self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._sockets += [near, far]
            pieces = [bytearray(), bytearray()]
            self._pieces += pieces
            for source, target, piece in ((near, far, pieces[0]), (far, near, pieces[1])):
                threading.Thread(target=self._pump, args=(source, target, piece), daemon=True).start()

    @staticmethod
    def _pump(source, target, piece):
        try:
            while data := source.recv(1 << 16):
                piece += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
