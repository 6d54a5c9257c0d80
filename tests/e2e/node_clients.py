"""Clients of Node.js, as the package registry has them: ioredis, redis and the job queue bullmq."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import tap

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")


def scripts():
    """A folder with the scripts and their packages."""
    if not shutil.which("npm"):
        raise tap.Skip("npm is missing: deploy/install-deps.sh --tests")
    folder = relevo.temporary_directory()
    for name in os.listdir(HERE):
        shutil.copy(os.path.join(HERE, name), folder)
    done = subprocess.run(["npm", "install", "--no-package-lock", "--omit=optional", "--no-audit", "--no-fund",
                           "--ignore-scripts", "--fetch-timeout=30000", "--fetch-retries=1"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        if any(word in done.stderr for word in ("ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN", "network")):
            raise tap.Skip("the package registry cannot be reached")
        raise AssertionError(done.stderr)
    return folder


def run(script, *words, **settings):
    """Run a script against a server of its own."""
    folder = scripts()
    server = relevo.start(**settings)
    done = subprocess.run(["node", script, str(server.port), *words], cwd=folder, capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return server


def test_ioredis():
    """ioredis: commands, pipelines, transactions, scripts, messages, key events, blocking reads."""
    run("ioredis.js")


def test_node_redis():
    """redis: commands, transactions, scripts and functions, messages, blocking reads, streams."""
    run("node_redis.js")


def test_a_job_queue():
    """bullmq: 10,000 jobs done once each, retries, delays, priorities, flows; the data survive a kill."""
    server = run("bullmq.js", str(tap.rounds(10000, 50000)))
    digest = server("DEBUG", "DIGEST-FULL")
    server.kill()
    server.restart()
    tap.equal(server("DEBUG", "DIGEST-FULL"), digest)


tap.main()
