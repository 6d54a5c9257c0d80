"""What befalls the files of a server: copies, flipped bits, full disks."""
import os
import shutil

import relevo


def copy_of(directory):
    """A copy of a stopped server's directory."""
    target = os.path.join(relevo.temporary_directory(), "copy")
    shutil.copytree(directory, target)
    return target


def damage(path, at):
    """Flip a bit of the byte at @at, or of the first one of the text @at."""
    with open(path, "r+b") as f:
        if isinstance(at, bytes):
            at = f.read().index(at)
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1]))


def fill_disk(disk):
    """Leave no byte free; returns the file to be removed to have space again."""
    zeros = os.path.join(disk, "zeros")
    with open(zeros, "wb", buffering=0) as f:
        for size in (65536, 4096, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass
    return zeros
