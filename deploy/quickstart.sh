#!/usr/bin/env bash
# Shows Relevo at work on this machine: a primary and a replica, real data, a crash, a promotion.
#
#   deploy/quickstart.sh          installs what is missing, builds, plays, cleans up
#   deploy/quickstart.sh --keep   leaves the nodes running and says how to connect
#
# Everything runs on free loopback ports below a temporary directory. The data is this machine's own package database.
set -euo pipefail
export LC_ALL=C
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

keep=no
for argument in "$@"; do
    case $argument in
    --keep) keep=yes ;;
    -h | --help)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "quickstart: unknown argument: $argument (try --help)" >&2
        exit 2
        ;;
    esac
done

# What one sees.

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
number=0

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# seconds MS: 1234 -> 1.2
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

step()
{
    number=$((number + 1))
    begun=$(now_ms)
    printf '\n%s%2d  %s%s\n' "$bold" "$number" "$1" "$plain"
}

say() { printf '    %s\n' "$*"; }

# The last line of a step, with its time.
finish() { printf '    %-66s%s%6s s%s\n' "$1" "$dim" "$(seconds $(($(now_ms) - begun)))" "$plain"; }

# A line that is overwritten by the next one; without a terminal, one line now and then.
shown_ms=0
progress()
{
    if [ -t 1 ]; then
        printf '\r\e[K    %s%s%s' "$dim" "$1" "$plain"
    elif [ $(($(now_ms) - shown_ms)) -gt 5000 ]; then
        shown_ms=$(now_ms)
        say "$1"
    fi
}

progress_end() { [ ! -t 1 ] || printf '\r\e[K'; }

fail()
{
    progress_end
    printf 'quickstart: %s\n' "$1" >&2
    [ -z "${2:-}" ] || tail -n 15 "$2" >&2
    exit 1
}

# The nodes.

work=$(mktemp -d "${TMPDIR:-/tmp}/relevo-quickstart.XXXXXX")
declare -A pids=()

clean()
{
    local pid
    for pid in "${pids[@]}"; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

free_port()
{
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# start NAME PORT SETTING...
start()
{
    local name=$1 port=$2
    shift 2
    mkdir -p "$work/$name"
    "$relevo" server --port "$port" --dir "$work/$name" --cluster-secret-file "$work/cluster.key" "$@" \
        >"$work/$name.log" 2>&1 </dev/null &
    pids[$name]=$!
    disown
}

ask()
{
    local port=$1
    shift
    redis-cli -p "$port" "$@" 2>&1
}

info() { ask "$1" INFO "$2" | tr -d '\r' | sed -n "s/^$3://p"; }

# until_true TEXT LOG CONDITION...: looks again and again, half a minute at most.
until_true()
{
    local text=$1 log=$2 limit
    shift 2
    limit=$(($(now_ms) + 30000))
    until "$@"; do
        [ "$(now_ms)" -lt $limit ] || fail "waited half a minute for $text" "$log"
        [ $(($(now_ms) - begun)) -lt 1000 ] || progress "waiting for $text"
        sleep 0.02
    done
    progress_end
}

answers() { [ "$(ask "$1" PING)" = PONG ]; }
follows() { [ "$(info "$1" replication master_link_status)" = up ]; }
caught_up() { [ "$(info "$1" replication master_repl_offset)" = "$(info "$2" replication slave_repl_offset)" ]; }

# The play.

printf '%sRelevo quickstart%s: a primary, a replica, a crash and a hand-over\n' "$bold" "$plain"

step "Debian packages"
bash "$top/deploy/install-deps.sh" | sed 's/^/    /'
finish "all there"

step "Build (release)"
build=$top/build-release relevo=$top/build-release/relevo
if [ ! -f "$build/build.ninja" ]; then
    progress "meson setup"
    meson setup "$build" "$top" --buildtype=release >"$work/build.log" 2>&1 </dev/null || fail "meson setup failed" "$work/build.log"
fi
{ ninja -C "$build" relevo 2>&1 </dev/null && echo built >"$work/built"; } | tee "$work/build.log" | while read -r line; do
    [[ $line != \[* ]] || progress "compiling ${line%% *}"
done
progress_end
[ -f "$work/built" ] || fail "the build failed" "$work/build.log"
finish "build-release/relevo"

step "Two nodes with a fresh cluster key"
"$relevo" keygen "$work/cluster.key" >/dev/null || fail "relevo keygen failed"
primary=$(free_port)
start primary "$primary"
until_true "the primary" "$work/primary.log" answers "$primary"
replica=$(free_port)
start replica "$replica" --replicaof 127.0.0.1 "$primary"
until_true "the replica" "$work/replica.log" answers "$replica"
until_true "the link between the nodes" "$work/replica.log" follows "$replica"
finish "primary on 127.0.0.1:$primary, replica on 127.0.0.1:$replica, link encrypted"

step "Load this machine's package database into the primary"
# One line per package: name, version, section, installed size in KB, architecture, summary.
dpkg-query -W -f='${Package}\t${Version}\t${Section}\t${Installed-Size}\t${Architecture}\t${binary:Summary}\n' |
    awk -F'\t' '!seen[$1]++ && $4 > 0' >"$work/packages"
awk -F'\t' '
    function command(   i, text) {
        text = "*" n "\r\n"
        for (i = 1; i <= n; i++) text = text "$" length(a[i]) "\r\n" a[i] "\r\n"
        printf "%s", text
        n = 0
    }
    function add(word) { a[++n] = word "" }
    {
        add("HSET"); add("package:" $1); add("version"); add($2); add("section"); add($3); add("size"); add($4)
        add("architecture"); add($5); add("summary"); add($6); command()
        add("SADD"); add("section:" $3); add($1); command()
        add("ZADD"); add("packages:by-size"); add($4); add($1); command()
        add("RPUSH"); add("packages:" substr($1, 1, 1)); add($1); command()
        add("INCR"); add("count:" $3); command()
        add("INCRBY"); add("size:total"); add($4); command()
    }' "$work/packages" >"$work/commands"
packages=$(wc -l <"$work/packages")
redis-cli -p "$primary" --pipe <"$work/commands" >"$work/pipe.log" 2>&1 || fail "loading failed" "$work/pipe.log"
grep -q 'errors: 0' "$work/pipe.log" || fail "the primary refused commands" "$work/pipe.log"
finish "$packages packages: $((packages * 6)) commands, $(ask "$primary" DBSIZE) keys"

step "Ask the replica the same questions"
until_true "the replica to catch up" "$work/replica.log" caught_up "$primary" "$replica"
questions=("ZREVRANGE packages:by-size 0 2 WITHSCORES" "HGET package:dpkg version" "SCARD section:libs" "GET size:total"
    "LRANGE packages:d 0 3" "DEBUG DIGEST")
for question in "${questions[@]}"; do
    read -ra words <<<"$question"
    ours=$(ask "$primary" "${words[@]}" | tr '\n' ' ')
    theirs=$(ask "$replica" "${words[@]}" | tr '\n' ' ')
    [ "$ours" = "$theirs" ] || fail "the nodes disagree on $question: $ours / $theirs"
    say "$(printf '%-44s %.60s' "$question" "$theirs")"
done
finish "equal answers, equal data; lag $(($(info "$primary" replication master_repl_offset) - $(info "$replica" replication slave_repl_offset))) bytes"

step "Count up on the primary, each step confirmed by the replica; then kill -9"
while :; do printf 'INCR ticks\nWAIT 1 1000\n'; done 2>/dev/null |
    redis-cli -p "$primary" >"$work/ticks" 2>/dev/null &
pids[writer]=$!
disown
counted() { [ "$(wc -l <"$work/ticks")" -ge 40000 ] || [ "$(now_ms)" -gt $((begun + 3000)) ]; }
until counted; do
    progress "$(($(wc -l <"$work/ticks") / 2)) writes confirmed"
    sleep 0.1
done
kill -9 "${pids[primary]}"
killed=$(now_ms)
wait "${pids[primary]}" 2>/dev/null || true
unset 'pids[primary]'
kill "${pids[writer]}" 2>/dev/null || true
unset 'pids[writer]'
progress_end
# Lines come in pairs: the count, and how many replicas had it when WAIT answered.
confirmed=$(awk 'NR % 2 == 1 { n = $1 } NR % 2 == 0 && $1 == 1 && n ~ /^[0-9]+$/ { c = n } END { print c + 0 }' "$work/ticks")
[ "$confirmed" -gt 0 ] || fail "no write was confirmed" "$work/ticks"
finish "$confirmed writes acknowledged and received; the primary is gone"

step "Promote the replica"
"$relevo" promote "127.0.0.1:$replica" >"$work/promote.log" 2>&1 || fail "the promotion failed" "$work/promote.log"
[ "$(ask "$replica" SET promoted yes)" = OK ] || fail "the new primary takes no writes" "$work/replica.log"
handover=$(($(now_ms) - killed))
sed 's/^/    /' "$work/promote.log"
finish "takes writes $handover ms after the kill"

step "Is anything missing?"
ticks=$(ask "$replica" GET ticks)
[ "$ticks" -ge "$confirmed" ] || fail "$((confirmed - ticks)) confirmed writes are missing"
say "writes: $confirmed confirmed, $ticks there"
cut -f2 "$work/packages" >"$work/expected"
sed 's/\t.*//; s/.*/HGET package:& version/' "$work/packages" | redis-cli -p "$replica" >"$work/found"
cmp -s "$work/expected" "$work/found" || fail "packages differ from the package database"
say "packages: $packages of $packages with the version that dpkg knows"
finish "nothing is missing"

step "Write to the new primary"
ask "$replica" HSET package:relevo version "$("$relevo" --version | awk '{ print $2 }')" section database size 1 >/dev/null
ask "$replica" ZADD packages:by-size 1 relevo >/dev/null
[ "$(ask "$replica" ZRANK packages:by-size relevo)" -ge 0 ] || fail "the write is not there"
finish "package:relevo $(ask "$replica" HGET package:relevo version)"

if [ "$keep" = yes ]; then
    step "Kept running (--keep)"
    second=$(free_port)
    start second "$second" --replicaof 127.0.0.1 "$replica"
    until_true "the second replica" "$work/second.log" answers "$second"
    until_true "its link" "$work/second.log" follows "$second"
    say "primary   redis-cli -p $replica        pid ${pids[replica]}"
    say "replica   redis-cli -p $second        pid ${pids[second]}"
    say "try       redis-cli -p $second ZREVRANGE packages:by-size 0 9 WITHSCORES"
    say "          $relevo status 127.0.0.1:$replica 127.0.0.1:$second"
    say "stop      kill ${pids[replica]} ${pids[second]} && rm -r $work"
    finish "files and logs in $work"
    trap - EXIT
fi

printf '\n%sShown:%s %d packages on two nodes, primary killed with -9, replica promoted in %d ms, %d of %d confirmed writes there, new writes taken.\n' \
    "$bold" "$plain" "$packages" "$handover" "$confirmed" "$confirmed"
