#!/usr/bin/env bash
# Names every Debian package that Relevo needs, once, and installs those that are missing.
#
#   deploy/install-deps.sh           what building and the quickstart need
#   deploy/install-deps.sh --tests   and what the tests need
#   deploy/install-deps.sh --list    only print the names (with --tests: of both sets)
#
# Does nothing, quickly, when everything is there. No package in these sets starts a service: Debian's Redis server, which
# the tests compare with, is a binary of redis-tools that goes by its first argument's name.
set -euo pipefail

build_packages=(
    gcc libc6-dev pkg-config meson ninja-build   # toolchain
    libuv1-dev                                   # event loops of server/ and of the link
    libsodium-dev                                # encryption between nodes, keyed hashing
    libprotobuf-c-dev protobuf-c-compiler        # headers on the wire
    libjemalloc-dev                              # allocator
    libisal-dev                                  # CRC-32C of the log, CRC-64 of RDB files
    libmd-dev                                    # SHA-1 of DEBUG DIGEST
    liblzf-dev                                   # compressed strings in RDB files
    liblua5.1-0-dev lua-cjson-dev lua-bitop-dev  # scripts, and libraries that they find
    libssl-dev                                   # TLS for clients
    redis-tools                                  # redis-cli: the client of the quickstart
)
test_packages=(
    git                                          # tests/tidy asks it which files are ours
    clang libclang-rt-14-dev clang-format        # second compiler, fuzzer runtime, style check
    libcriterion-dev                             # unit tests
    libhiredis-dev python3 python3-redis         # stock clients of the e2e tests
    binutils                                     # nm, for tests/tidy
    openssl                                      # certificates for the tests of TLS
    procps                                       # ps and free, for tests/bench
)

fail()
{
    echo "install-deps: $*" >&2
    exit 1
}

packages=("${build_packages[@]}")
list=no
for argument in "$@"; do
    case $argument in
    --tests)
        packages+=("${test_packages[@]}")
        # Other builds of Node.js bring npm along, and refuse Debian's beside it.
        command -v npm >/dev/null || packages+=(nodejs npm)
        ;;
    --list) list=yes ;;
    -h | --help)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "install-deps: unknown argument: $argument (try --help)" >&2
        exit 2
        ;;
    esac
done

if [ "$list" = yes ]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi

command -v dpkg-query >/dev/null || fail "this is not a Debian system; install the equivalents of: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        fail "packages are missing, and this is neither root nor has sudo. As root: apt-get install ${missing[*]}"
    if ! sudo -n true 2>/dev/null; then
        [ -t 0 ] || fail "packages are missing, and sudo wants a password. As root: apt-get install ${missing[*]}"
        echo "install-deps: sudo is needed to install ${#missing[@]} packages"
        sudo -v || fail "sudo was refused. As root: apt-get install ${missing[*]}"
    fi
    as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt()
{
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null >"$log" 2>&1 &
    local pid=$! waited=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        [ $((waited % 10)) -ne 0 ] || echo "  ... $waited s: $(tail -n 1 "$log" | cut -c1-100)"
    done
    wait "$pid" && return 0
    tail -n 20 "$log" >&2
    return 1
}

echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
apt update || fail "apt-get update failed (see above)"
apt install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed (see above): ${missing[*]}"
