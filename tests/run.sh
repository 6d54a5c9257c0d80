#!/usr/bin/env bash
# Installs what is missing, builds Relevo in every way that matters, and runs its tests.
#
#   tests/run.sh                  everything that CI runs
#   tests/run.sh --long           with many more rounds, seeds and commands
#   tests/run.sh unit e2e         only these suites (unit sim e2e differential tidy fuzz threads)
#
# Builds:  build-test     gcc, AddressSanitizer and UndefinedBehaviorSanitizer; all suites run on it
#          build-tsan     gcc, ThreadSanitizer; the suite `threads` runs on it
#          build-clang    clang
#          build-release  gcc, release; what is installed
# Warnings are errors in all of them. The last line is "N passed, N failed, N skipped" and counts single test cases.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1

long=no
suites=()
for argument in "$@"; do
    case $argument in
    --long) long=yes ;;
    -h | --help)
        sed -n '2,13s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    unit | sim | e2e | differential | tidy | fuzz | threads) suites+=("$argument") ;;
    *)
        echo "run.sh: unknown argument: $argument (try --help)" >&2
        exit 2
        ;;
    esac
done
everything=no
if [ ${#suites[@]} -eq 0 ]; then
    everything=yes
    suites=(unit sim fuzz tidy differential e2e)
fi
if [ "$long" = yes ]; then
    export RELEVO_TESTS=long
fi

python=/usr/bin/python3
started=$SECONDS
say() { printf '[%3d:%02d] %s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$*"; }

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
broken=0 # steps that failed outside of any test case

# step TEXT COMMAND...: runs it quietly; its output is shown only when it fails.
step()
{
    local text=$1 begun=$SECONDS
    shift
    say "$text"
    if ! "$@" >"$logs/step" 2>&1 </dev/null; then
        grep -vE '^\[[0-9]+/[0-9]+\] ' "$logs/step" | cut -c1-500 | tail -n 60
        say "FAILED: $text"
        broken=$((broken + 1))
        return 1
    fi
    [ $((SECONDS - begun)) -lt 20 ] || say "  took $((SECONDS - begun)) s"
}

# build DIRECTORY CC OPTION...
build()
{
    local directory=$1 compiler=$2
    shift 2
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" "$@" || return 1
    else
        CC=$compiler CC_LD='' meson setup "$directory" "$@" || return 1
    fi
    meson compile -C "$directory"
}

# suite DIRECTORY NAME [MULTIPLIER]: runs a meson suite and adds its cases to the tally.
suite()
{
    local directory=$1 name=$2 begun=$SECONDS multiplier=1
    [ "$long" = no ] || multiplier=0
    say "suite $name ($directory)"
    rm -f "$directory/meson-logs/testlog-$name.json"
    RELEVO_RELEASE=$top/build-release/relevo \
        meson test -C "$directory" --no-rebuild --suite "$name" --logbase "testlog-$name" -t "$multiplier" \
        --print-errorlogs >"$logs/suite" 2>&1 </dev/null
    local status=$?
    "$python" tests/lib/tally.py add "$logs/tally" "$directory/meson-logs/testlog-$name.json" "$status" "$name"
    if [ $status -ne 0 ]; then
        tail -n 150 "$logs/suite"
    fi
    say "  took $((SECONDS - begun)) s"
}

wanted() { [[ " ${suites[*]} " == *" $1 "* ]]; }

say "packages"
if ! bash deploy/install-deps.sh --tests; then
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

sanitized=no
if step "build-test: gcc, address and undefined sanitizers" \
    build build-test gcc --werror --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false; then
    sanitized=yes
fi
if [ $everything = yes ] || wanted tidy || wanted e2e; then
    step "build-release: gcc, release" build build-release gcc --werror --buildtype=release
fi
if [ $everything = yes ]; then
    step "build-clang: clang" build build-clang clang --werror --buildtype=debugoptimized
fi
if [ $everything = yes ] || wanted threads; then
    if step "build-tsan: gcc, thread sanitizer" \
        build build-tsan gcc --werror --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false; then
        suite build-tsan threads
    fi
fi
if [ $sanitized = yes ]; then
    for name in "${suites[@]}"; do
        [ "$name" = threads ] || suite build-test "$name"
    done
fi

say "done"
"$python" tests/lib/tally.py print "$logs/tally" "$broken"
