#!/usr/bin/python3
"""A reader of Relevo's directories, written from the chapter "File formats" of replication/README.md and from nothing else.

It shares no code with the server and none with the other tests: that it agrees with both shows that the chapter says what
a stranger needs.

    reader.py DIR        checks DIR (a working directory), prints what is in it; exit code 1 if something is wrong
"""
import os
import re
import sys


class Damaged(Exception):
    """What does not agree with the chapter."""


def require(condition, what):
    if not condition:
        raise Damaged(what)


def crc_table(polynomial, bits):
    """The table of a reflected CRC."""
    reflected = int(f"{polynomial:0{bits}b}"[::-1], 2)
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (reflected if crc & 1 else 0)
        table.append(crc)
    return table


CRC32C = crc_table(0x1EDC6F41, 32)
CRC64 = crc_table(0xAD93D23594C935A9, 64)


def crc32c(data, crc=0):
    """Continued from @crc: the crc of A continued over B is the crc of AB."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def crc64(data):
    crc = 0
    for byte in data:
        crc = CRC64[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def number(text):
    require(re.fullmatch(r"0|[1-9a-f][0-9a-f]*", text), f"{text!r} is no number")
    return int(text, 16)


def fixed(text, digits):
    require(re.fullmatch(f"[0-9a-f]{{{digits}}}", text), f"{text!r} is not {digits} digits")
    return int(text, 16)


def words(line):
    """The words of a line; one with unusual characters stands in double quotes."""
    out = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        out.append(re.sub(r"\\(x[0-9a-f]{2}|.)", lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 3 else m[1], quoted)
                   if quoted else plain)
    return out


class Manifest:
    """relevo.manifest."""

    def __init__(self, data):
        end = data.rfind(b"crc ")
        require(end >= 0 and data[-1:] == b"\n", "the manifest does not end in its checksum")
        require(fixed(data[end + 4:-1].decode(), 8) == crc32c(data[:end]), "the manifest's checksum is wrong")
        lines = data[:end].decode("latin-1").splitlines()
        require(lines[0] == "relevo-manifest 1", "another version")
        self.lineage, self.epochs, self.base, self.kept, self.segments = None, [], None, [], []
        for line in lines[1:]:
            key, *rest = words(line)
            if key == "lineage":
                self.lineage = fixed(rest[0], 32)
            elif key == "epoch":
                self.epochs.append((number(rest[0]), fixed(rest[1], 16), number(rest[2]), fixed(rest[3], 8)))
            elif key in ("base", "kept-base"):
                base = (rest[0], number(rest[2]), number(rest[3]), fixed(rest[4], 8))
                if key == "base":
                    self.base = base
                else:
                    self.kept.append(base)
            elif key == "segment":
                self.segments.append((rest[0], number(rest[2]), fixed(rest[3], 8)))

    def epoch_at(self, offset):
        """A byte belongs to the last epoch that starts at or before it."""
        found = [epoch for epoch in self.epochs if epoch[2] <= offset]
        require(found, f"no epoch writes at offset {offset}")
        return found[-1]


def commands(payload):
    """How many RESP arrays of bulk strings there are, and nothing else."""
    count, at = 0, 0
    while at < len(payload):
        head = re.compile(rb"\*(\d+)\r\n").match(payload, at)
        require(head, "no command where one must be")
        at = head.end()
        for _ in range(int(head[1])):
            head = re.compile(rb"\$(\d+)\r\n").match(payload, at)
            require(head, "no argument where one must be")
            at = head.end() + int(head[1]) + 2
            require(payload[at - 2:at] == b"\r\n", "an argument of another length")
        count += 1
    return count


ANNOTATION = re.compile(rb"#B ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]{8})\r\n")


def read_batch(data, at, start, chain, manifest):
    """The batch at @at of a segment; gives its end, the chain behind it, and its number of commands. None: it is not whole."""
    line = ANNOTATION.match(data, at)
    if not line or line.end() - at >= 128:
        return None
    offset, epoch, _, length = (number(group.decode()) for group in line.groups()[:4])
    end = line.end() + length
    require(offset == start + at, f"a batch of offset {offset} at {start + at}")
    if end > len(data):
        return None
    writer, writer_id, begins, before = manifest.epoch_at(offset)
    require(epoch == writer, f"a batch of epoch {epoch} where {writer} writes")
    if begins == offset:
        require(before == chain, f"epoch {epoch} does not follow what stands before it")
        chain = crc32c(writer_id.to_bytes(8, "little"), chain)
    crc = crc32c(data[line.end():end], crc32c(data[at:line.start(5)], chain))
    require(crc == fixed(line[5].decode(), 8), f"the checksum of the batch at offset {offset} is wrong")
    return end, crc, commands(data[line.end():end])


def read_segment(path, start, chain, manifest, end):
    """All batches of a segment that holds the log from @start to @end (None: it is the last one)."""
    with open(path, "rb") as f:
        data = f.read() if end is None else f.read(end - start)
    at, batches, executed = 0, 0, 0
    while at < len(data):
        batch = read_batch(data, at, start, chain, manifest)
        if batch is None:
            break
        at, chain, count = batch
        batches, executed = batches + 1, executed + count
    require(at == len(data) or end is None, f"{path} is damaged at byte {at}")
    require(end is None or start + at == end, f"{path} ends too early")
    return start + at, chain, batches, executed, len(data) - at


def take_string(data, at):
    """A string of an RDB file, of the forms that auxiliary fields have."""
    first = data[at]
    if first < 0x40:
        at, length = at + 1, first
    elif first < 0x80:
        at, length = at + 2, (first & 0x3F) << 8 | data[at + 1]
    elif first == 0x80:
        at, length = at + 5, int.from_bytes(data[at + 1:at + 5], "big")
    else:
        require(first in (0xC0, 0xC1, 0xC2), f"no string begins with {first:#x}")
        size = 1 << (first & 3)
        return str(int.from_bytes(data[at + 1:at + 1 + size], "little", signed=True)).encode(), at + 1 + size
    return data[at:at + length], at + length


def read_base(path, manifest, base):
    """An RDB file: its marks, its checksum, and what it says of its place in the log."""
    with open(path, "rb") as f:
        data = f.read()
    require(data[:9] == b"REDIS0010" and data[-9:-8] == b"\xFF", f"{path} is no RDB file of version 10")
    require(crc64(data[:-8]) == int.from_bytes(data[-8:], "little"), f"the checksum of {path} is wrong")
    fields, at = {}, 9
    while data[at] == 0xFA:
        name, at = take_string(data, at + 1)
        fields[name], at = take_string(data, at)
    epoch, offset, crc = fields[b"relevo-position"].decode().split(" ")
    require((number(offset), number(epoch), fixed(crc, 8)) == base[1:], f"{path} stands elsewhere in the log")
    lineage, *epochs = fields[b"relevo-history"].decode().split(" ")
    require(fixed(lineage, 32) == manifest.lineage, f"{path} is of another lineage")
    told = [tuple(part.split(":")) for part in epochs]
    told = [(number(n), fixed(i, 16), number(start), fixed(crc, 8)) for n, i, start, crc in told]
    require(told == manifest.epochs[:len(told)], f"{path} tells another history")
    require(int(fields[b"relevo-time"]) > 0, "no time")


def read_directory(directory):
    """Check all; gives what was counted."""
    folder = os.path.join(directory, "appendonlydir")
    with open(os.path.join(folder, "relevo.manifest"), "rb") as f:
        manifest = Manifest(f.read())
    for base in manifest.kept + ([manifest.base] if manifest.base else []):
        read_base(os.path.join(folder, base[0]), manifest, base)
    counts = {"epochs": len(manifest.epochs), "bases": len(manifest.kept) + bool(manifest.base),
              "segments": len(manifest.segments), "batches": 0, "commands": 0, "begin": manifest.segments[0][1], "torn": 0}
    begins = [] if manifest.base else [manifest.segments[0][1]]
    for at, (name, start, chain) in enumerate(manifest.segments):
        end = manifest.segments[at + 1][1] if at + 1 < len(manifest.segments) else None
        if manifest.base and (start, chain) == (manifest.base[1], manifest.base[3]):
            begins.append(start)
        reached, crc, batches, executed, torn = read_segment(os.path.join(folder, name), start, chain, manifest, end)
        require(end is None or crc == manifest.segments[at + 1][2], f"the chain breaks behind {name}")
        counts["batches"] += batches
        counts["commands"] += executed
        counts["end"], counts["torn"] = reached, torn
    require(begins, "no segment begins at the base")
    return counts


def read_role(directory):
    """relevo.role: (the setting when it was written, the role); None: there is no such file."""
    path = os.path.join(directory, "relevo.role")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        configured, role = f.read().splitlines()
    require(configured.startswith("configured") and role.startswith("role "), "relevo.role is damaged")
    return configured[len("configured"):].strip(), role[len("role "):]


def main():
    try:
        for key, value in read_directory(sys.argv[1]).items():
            print(f"{key:10} {value}")
    except Damaged as damage:
        print(f"damaged: {damage}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
