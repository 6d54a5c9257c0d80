"""What lies on disk is what replication/README.md says: a reader that was written from that text alone agrees."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import reader
import relevo
import tap


def agrees(directory):
    """The reader and relevo check count the same; gives the reader's counts."""
    counts = reader.read_directory(directory)
    status, out, err = relevo.run("check", directory)
    tap.equal(status, 0, out + err)
    tap.equal(sum(int(n) for n in re.findall(r"(\d+) batches", out)), counts["batches"], out)
    tap.equal(int(re.search(r"(\d+) epochs", out).group(1)), counts["epochs"], out)
    tap.equal(int(re.findall(r"log offsets \d+ to (\d+)", out)[-1]), counts["end"], out)
    return counts


def test_a_log_without_a_base():
    """A young log: one segment, all batches, the offsets that INFO tells."""
    server = relevo.start()
    for number in range(30):
        server("SET", f"key:{number}", "v" * number)
    end = int(server.info("replication")["master_repl_offset"])
    server.stop()
    counts = agrees(server.dir)
    tap.equal((counts["begin"], counts["end"], counts["bases"], counts["commands"]), (0, end, 0, 30))


def test_bases_epochs_and_a_promotion():
    """Restarts, bases that are kept, a promotion: epochs, chain and bases are as the text says, on both nodes."""
    primary = relevo.start(checkpoint_keep="2")
    load.fill(primary, 1, 500)
    load.rewrite(primary)
    primary.restart()
    load.fill(primary, 2, 300)
    load.rewrite(primary)
    replica = relevo.start_replica(primary)
    load.fill(primary, 3, 300)
    relevo.wait_equal_offsets(primary, replica)
    replica("REPLICAOF", "NO", "ONE")
    replica("SET", "promoted", "1")
    relevo.wait(lambda: primary("ROLE")[0] == b"slave", "the old primary to follow")
    relevo.wait_equal_offsets(replica, primary)
    for server in (primary, replica):
        server.stop()
        counts = agrees(server.dir)
        assert counts["epochs"] >= 3 and counts["bases"] >= 1, counts
    tap.equal(reader.read_role(primary.dir)[1], f"replica 127.0.0.1 {replica.port}")
    tap.equal(reader.read_role(replica.dir), (f"127.0.0.1 {primary.port}", "primary"))


def test_a_torn_tail():
    """After kill -9 and with half a batch at the end the reader finds what is whole, and how much is not."""
    server = relevo.start(appendfsync="always")
    for number in range(10):
        server("SET", f"key:{number}", number)
    server.kill()
    path = glob.glob(os.path.join(server.dir, "appendonlydir", "*.incr.aof"))[0]
    end = os.path.getsize(path)
    with open(path, "ab") as f:
        f.write(f"#B {end:x} 1 19a00000000 40 00000000\r\n*1".encode())
    counts = reader.read_directory(server.dir)
    tap.equal((counts["batches"], counts["end"]), (10, end))
    assert counts["torn"] > 20, counts
    server.restart()
    server.stop()
    agrees(server.dir)


def test_every_byte_counts():
    """A flipped byte anywhere in the manifest, the base or the segments does not escape the reader."""
    server = relevo.start()
    server("SET", "k", "v")
    load.rewrite(server)
    server("SET", "l", "w")
    server("SET", "m", "x")
    server.stop()
    folder = os.path.join(server.dir, "appendonlydir")
    for name in ["relevo.manifest", *map(os.path.basename, glob.glob(os.path.join(folder, "*.base.rdb")) +
                                         glob.glob(os.path.join(folder, "*.incr.aof")))]:
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            data = f.read()
        for at in range(len(data)):
            with open(path, "wb") as f:
                f.write(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
            try:
                counts = reader.read_directory(server.dir)
            except (reader.Damaged, KeyError, ValueError, IndexError, UnicodeDecodeError, OSError):
                continue
            # In the last segment it may be the beginning of a batch that was not finished.
            assert counts["torn"], f"{name}, byte {at}"
        with open(path, "wb") as f:
            f.write(data)
    agrees(server.dir)


tap.main()
