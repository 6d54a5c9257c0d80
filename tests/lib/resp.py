"""A connection, of RESP2 unless it says HELLO 3, that hides nothing: replies as values or as the very bytes that came."""
import socket


class ReplyError(Exception):
    """An error reply that the caller did not expect."""


class Status(bytes):
    """A simple-string reply."""

    def __repr__(self):
        return "+" + self.decode("latin-1")


class Error(bytes):
    """An error reply, as a value."""

    def __repr__(self):
        return "-" + self.decode("latin-1")


class Closed(Exception):
    """The peer closed the connection."""


def encode(args):
    """One request as an array of bulk strings."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        if isinstance(arg, str):
            arg = arg.encode()
        elif not isinstance(arg, bytes):
            arg = str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


def reply_end(data, at):
    """Where the reply that starts at @at ends, or -1 if it is not whole."""
    left = 1
    while left:
        eol = data.find(b"\r\n", at)
        if eol < 0:
            return -1
        kind = data[at]
        if kind in b"$=":
            length = int(data[at + 1:eol])
            at = eol + 2 + (length + 2 if length >= 0 else 0)
            if at > len(data):
                return -1
        elif kind in b"*~>%":
            left += max(int(data[at + 1:eol]), 0) * (2 if kind == 37 else 1)
            at = eol + 2
        elif kind in b"+-:_#,(":
            at = eol + 2
        else:
            raise ValueError(f"not a reply: {bytes(data[at:at + 40])!r}")
        left -= 1
    return at


def decode(data, at=0):
    """The value of a whole reply, and where it ends."""
    eol = data.index(b"\r\n", at)
    kind, line = data[at:at + 1], bytes(data[at + 1:eol])
    at = eol + 2
    if kind == b"+":
        return Status(line), at
    if kind == b"-":
        return Error(line), at
    if kind == b":":
        return int(line), at
    if kind == b"_":
        return None, at
    if kind in (b"#", b",", b"("):
        return line, at
    if kind in (b"$", b"="):
        length = int(line)
        if length < 0:
            return None, at
        return bytes(data[at:at + length]), at + length + 2
    if kind in (b"*", b"~", b">", b"%"):
        count = int(line) * (2 if kind == b"%" else 1)
        if count < 0:
            return None, at
        items = []
        for _ in range(count):
            item, at = decode(data, at)
            items.append(item)
        return items, at
    raise ValueError(f"not a reply: {bytes(data[:40])!r}")


class Connection:
    """One client. connection("GET", "k") sends and waits; send() and read() do it apart, for pipelines."""

    def __init__(self, port, host="127.0.0.1", timeout=60):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.at = 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *args):
        self.socket.sendall(encode(args))

    def _fill(self):
        if self.at > 1 << 20:
            del self.data[:self.at]
            self.at = 0
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise Closed()
        self.data += piece

    def read_raw(self):
        """The bytes of the next reply."""
        while True:
            end = reply_end(self.data, self.at)
            if end >= 0:
                raw = bytes(self.data[self.at:end])
                self.at = end
                return raw
            self._fill()

    def read(self):
        """The next reply as a value; errors are values too."""
        return decode(self.read_raw())[0]

    def __call__(self, *args):
        """Send one request and give its reply; an error reply is raised."""
        self.send(*args)
        reply = self.read()
        if isinstance(reply, Error):
            raise ReplyError(f"{args!r}: {reply.decode('latin-1')}")
        return reply

    def value(self, *args):
        """Send one request and give its reply, errors as values."""
        self.send(*args)
        return self.read()

    def drain(self):
        """All bytes until the peer closes."""
        out = bytes(self.data[self.at:])
        self.data.clear()
        self.at = 0
        while True:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return out
            if not piece:
                return out
            out += piece
