#!/usr/bin/python3
"""Rules about the tree itself: layers, sizes, names of things that must not be there.

Environment: RELEVO_BUILD is the build directory whose unit tests and libraries are looked at, RELEVO_RELEASE a release
build of the binary beside whose objects global variables are looked for (default: the same directory).
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RELEVO_BUILD", os.path.join(TOP, "build-test"))
RELEASE = os.path.dirname(os.environ.get("RELEVO_RELEASE", os.path.join(BUILD, "relevo")))

# Who may include whose headers.
LAYERS = {
    "server": {"server", "replication", "common"},
    "replication": {"replication", "common", "proto"},
    "proto": {"proto"},
    "common": {"common"},
}
TOP_LEVEL = {"server", "replication", "proto", "common", "tests", "deploy", "meson.build", "README.md", "LICENSE"}

# What a library that knows no event loop, socket, file, clock or thread cannot call.
WORLD = re.compile(r"^(uv_\w+|socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|open|open64|"
                   r"openat|fopen|fopen64|read|write|writev|pread64|pwrite64|fsync|fdatasync|rename|unlink|stat|time|"
                   r"gettimeofday|clock_gettime|pthread_create|sleep|usleep|nanosleep|poll|select|epoll_\w+|system|popen|"
                   r"rand|random|srand|srandom|getenv)$")
MAX_FUNCTION_LINES, MAX_FILE_LINES = 70, 800


def run(*words):
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def tracked():
    """The paths of the tree: those that git knows or would add; without git, all but build directories."""
    status, out, _ = run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    if status == 0:
        return sorted(p for p in set(out.splitlines()) if os.path.exists(os.path.join(TOP, p)))
    paths = []
    for root, folders, files in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith(("build", ".", "__pycache__"))]
        paths += [os.path.relpath(os.path.join(root, f), TOP) for f in files]
    return sorted(paths)


FILES = tracked()


def sources(*extensions):
    return [p for p in FILES if p.endswith(extensions)]


def lines_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read().splitlines()


def none(offences, what):
    """Fail listing the offences, if there are any."""
    assert not offences, f"{what}:\n  " + "\n  ".join(offences)


def test_layers():
    """Headers are included only from the same layer or from one below."""
    offences = []
    for path in sources(".c", ".h"):
        layer = path.split("/")[0]
        if layer not in LAYERS:
            continue
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1)
            if target.endswith(".pb-c.h"):  # generated out of proto/
                target = "proto/" + target
            if "/" not in target:
                offences.append(f"{path}:{number}: name the folder of {target}")
            elif target.split("/")[0] not in LAYERS[layer]:
                offences.append(f"{path}:{number}: {layer}/ must not include {target}")
    none(offences, "includes that point up or sideways")


def test_libuv_only_in_shells():
    """<uv.h> is included only by replication/uv_* and by server/."""
    offences = []
    for path in sources(".c", ".h"):
        allowed = path.startswith(("server/", "replication/uv_", "tests/unit/test_uv_"))
        for number, line in enumerate(lines_of(path), 1):
            if re.match(r"\s*#\s*include\s*<uv", line) and not allowed:
                offences.append(f"{path}:{number}")
    none(offences, "files that include <uv.h>")


def test_unit_tests_without_libuv():
    """The unit tests of common/ and of the pure cores link without libuv."""
    folder = os.path.join(BUILD, "tests", "unit")
    binaries = [n for n in sorted(os.listdir(folder)) if n.startswith("unit_") and "." not in n]
    assert binaries, "no unit tests in " + folder
    offences = []
    for name in binaries:
        status, out, err = run("readelf", "-d", os.path.join(folder, name))
        assert status == 0, err
        if "libuv" in out and not name.startswith("unit_uv_"):
            offences.append(name)
    none(offences, "unit tests that link libuv")


def test_common_knows_no_world():
    """The library common/ calls no event loop, socket, file, clock or thread."""
    status, out, err = run("nm", "-u", "-A", os.path.join(BUILD, "common", "libcommon.a"))
    assert status == 0, err
    offences = []
    for line in out.splitlines():
        symbol = line.split()[-1].split("@")[0]
        if WORLD.match(symbol):
            offences.append(line)
    none(offences, "calls into the world")


def test_every_unit_test_is_built():
    """Every tests/unit/test_*.c is built and run."""
    built = set(os.listdir(os.path.join(BUILD, "tests", "unit")))
    none([p for p in sources(".c") if p.startswith("tests/unit/test_")
          and "unit_" + os.path.basename(p)[5:-2] not in built], "unit tests that meson does not know")


def test_functions_fit_a_screen():
    """No function is longer than 70 lines."""
    offences = []
    for path in sources(".c", ".h"):
        begun, signature = None, ""
        for number, line in enumerate(lines_of(path), 1):
            if line == "{":
                begun = number
            elif line.startswith("}") and begun:
                if number - begun - 1 > MAX_FUNCTION_LINES:
                    offences.append(f"{path}:{begun}: {number - begun - 1} lines: {signature}")
                begun = None
            elif re.match(r"[A-Za-z_].*\(", line):
                signature = line
    none(offences, "functions longer than a screen")


def test_files_have_one_noun():
    """No source file is longer than 800 lines."""
    none([f"{p}: {n}" for p in sources(".c", ".h", ".py", ".sh", ".proto") if (n := len(lines_of(p))) > MAX_FILE_LINES],
         "files that are too long")


def test_no_unfinished_work():
    """No mark of unfinished work stands in the tree."""
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "not (yet )?imple" + "mented", "place" + "holder"]
    marks = re.compile(r"\b(" + "|".join(words) + r")\b")
    offences = []
    for path in sources(".c", ".h", ".py", ".sh", ".proto", ".md", "meson.build"):
        offences += [f"{path}:{n}: {line.strip()}" for n, line in enumerate(lines_of(path), 1) if marks.search(line)]
    none(offences, "marks of unfinished work")


def test_no_mutable_globals():
    """No object file of the product has a mutable global or static variable."""
    offences, seen = [], 0
    for root, _, files in os.walk(RELEASE):
        inside = os.path.relpath(root, RELEASE)
        if inside.startswith("tests") or "meson-" in inside:
            continue
        for name in files:
            if not name.endswith(".o"):
                continue
            status, out, err = run("objdump", "-t", os.path.join(root, name))
            assert status == 0, err
            if "__asan_" in out or "__tsan_" in out:
                raise tap.Skip("a sanitizer's build has variables of its own; set RELEVO_RELEASE")
            seen += 1
            for line in out.splitlines():
                match = re.match(r"\S+ (.{7}) (\S+)\s+(\S+) (?:\.hidden )?(\S+)$", line)
                if match and "O" in match.group(1) and re.match(
                        r"(\.data(?!\.rel\.ro)|\.bss|\.tbss|\.tdata|\*COM\*)", match.group(2)):
                    offences.append(f"{os.path.join(inside, name)}: {match.group(4)} in {match.group(2)}")
    assert seen, "no object files below " + RELEASE
    none(offences, "mutable globals")


def test_every_folder_has_a_readme():
    """Every folder has a README.md."""
    folders = set()
    for path in FILES:
        folder = os.path.dirname(path)
        while folder:
            folders.add(folder)
            folder = os.path.dirname(folder)
    # A folder of data has no visitors; one of notes explains itself.
    none([f for f in sorted(folders) if f + "/README.md" not in FILES and not f.startswith(".")
          and not re.search(r"/(corpus|data|notes)\b", f)], "folders without README.md")


def test_top_level():
    """The top level holds exactly the agreed folders and files."""
    found = {p.split("/")[0] for p in FILES if not p.startswith(".")}
    tap.equal(sorted(found), sorted(TOP_LEVEL), "top level")


def test_formatted():
    """clang-format would change nothing."""
    files = sources(".c", ".h")
    _, _, err = run("clang-format", "--dry-run", *files)
    places = [m.group(1) for m in re.finditer(r"^(\S+?):\d+:\d+: (?:warning|error)", err, re.MULTILINE)]
    none(sorted({f"{p}: {places.count(p)} places" for p in places}), "files that clang-format would change")


def test_no_machine_paths():
    """No path of a developer's machine and no host of a package mirror stands in the tree."""
    words = ["/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/"]
    parent = os.path.dirname(TOP)
    if parent not in ("/", "/tmp"):
        words.append(parent + "/")
    hosts = re.compile(r"://(deb|security|registry|mirror)[.]")
    offences = []
    for path in FILES:
        if "/corpus/" in path:
            continue
        with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
            for number, line in enumerate(f, 1):
                if any(w in line for w in words) or hosts.search(line):
                    offences.append(f"{path}:{number}: {line.strip()[:100]}")
    none(offences, "paths or hosts of one machine")


def test_text_files_are_tidy():
    """Text files end in a newline and have neither trailing blanks nor tabs nor carriage returns."""
    offences = []
    for path in sources(".c", ".h", ".py", ".sh", ".proto", ".md", "meson.build", ".ci/run"):
        with open(os.path.join(TOP, path), encoding="utf-8") as f:
            text = f.read()
        if text and not text.endswith("\n") or re.search(r"[ \t\r]$", text, re.MULTILINE) or "\t" in text:
            offences.append(path)
    none(offences, "untidy text files")


def test_scripts_parse():
    """Shell scripts and Python files parse, and shell scripts may be executed."""
    offences = []
    for path in sources(".sh") + [p for p in FILES if p == ".ci/run"]:
        status, _, err = run("bash", "-n", path)
        if status != 0 or not os.access(os.path.join(TOP, path), os.X_OK):
            offences.append(f"{path}: {err.strip() or 'not executable'}")
    for path in sources(".py"):
        try:
            compile("\n".join(lines_of(path)) + "\n", path, "exec")
        except SyntaxError as error:
            offences.append(f"{path}: {error}")
    none(offences, "scripts that cannot run")


tap.main()
