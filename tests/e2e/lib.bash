# Shared by the end-to-end stories: source it first. A story is an executable tests/e2e/NAME.sh on
# one subject; it exits 0, or says why it failed and exits 1. The runner gives it FIREBREAK_BIN
# (folder of the programs) and FIREBREAK_SOURCE (root of the sources).
#
#   #!/bin/bash
#   . "$(dirname "$0")/lib.bash"
#   start server "$FIREBREAK_BIN/firebreakd" --config "$WORK/server.conf"
#   wait_until 10 "the server has a port" test -s "$WORK/port"
#   assert_eq "$(curl -s "http://127.0.0.1:$(cat "$WORK/port")/x")" "y" "answer of /x"
#
# Ports are free ones that the server takes itself (listen=127.0.0.1:0) and writes to its port_file.
# Nothing sleeps in the hope that something has happened: wait_until polls, with a deadline.
set -euo pipefail

: "${FIREBREAK_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${FIREBREAK_BIN:=$FIREBREAK_SOURCE/build/bin}"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy

WORK=$(mktemp -d "${TMPDIR:-/tmp}/firebreak-e2e.XXXXXX") # all of a story's files
chmod 755 "$WORK"
declare -A started=() # name -> pid of what start() started and stop() has not ended
groups=()             # every group that start() made: what a killed parent left behind is in it

# Its logs are shown where the story failed; its processes, and only those, are ended.
lib_cleanup() {
    local status=$? pid log
    trap - EXIT
    # by pid too: one just started may not have its group yet
    [ ${#started[@]} -eq 0 ] || kill -KILL "${started[@]}" 2>/dev/null || true
    for pid in "${groups[@]}"; do
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    [ ${#started[@]} -eq 0 ] || wait "${started[@]}" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        for log in "$WORK"/*.log; do
            [ -s "$log" ] || continue
            echo "--- the end of $(basename "$log"):"
            tail -n 25 "$log"
        done
    fi
    if [ -n "${FIREBREAK_KEEP:-}" ]; then
        echo "kept: $WORK"
    else
        rm -rf "$WORK"
    fi
    exit "$status"
}
trap lib_cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# fail MESSAGE...: end the story.
fail() {
    echo "failed: $*"
    exit 1
}

# step MESSAGE: what the log shows as the story goes on.
step() {
    printf '[%5d s] %s\n' "$SECONDS" "$*"
}

# start NAME COMMAND...: in the background, in a group of its own, output in $WORK/NAME.log; its pid
# by pid_of.
start() {
    local name=$1
    shift
    ! running "$name" || fail "'$name' is running already"
    setsid "$@" >>"$WORK/$name.log" 2>&1 </dev/null & # no job control, so setsid does not fork
    started[$name]=$!
    groups+=($!)
}

pid_of() {
    echo "${started[$1]}"
}

running() {
    [ -n "${started[$1]:-}" ] && kill -0 "${started[$1]}" 2>/dev/null
}

# stop NAME [SIGNAL]: the process alone, not its group; waits for its end. Sets $status to its exit status.
stop() {
    local pid=${started[$1]:-}
    [ -n "$pid" ] || fail "'$1' was not started"
    kill -"${2:-TERM}" "$pid" 2>/dev/null || true
    status=0
    wait "$pid" || status=$?
    unset "started[$1]"
}

# wait_until SECONDS WHAT COMMAND...: poll every 0.05 s until the command succeeds.
wait_until() {
    local limit=$1 what=$2 deadline
    shift 2
    deadline=$((${EPOCHREALTIME/./} + limit * 1000000))
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || fail "waited $limit s in vain: $what"
        sleep 0.05
    done
}

# stays SECONDS WHAT COMMAND...: the command succeeds each time that it is asked.
stays() {
    local limit=$1 what=$2 deadline
    shift 2
    deadline=$((${EPOCHREALTIME/./} + limit * 1000000))
    while [ "${EPOCHREALTIME/./}" -lt "$deadline" ]; do
        "$@" >/dev/null 2>&1 || fail "did not last $limit s: $what"
        sleep 0.05
    done
}

# assert_eq GOT WANT WHAT
assert_eq() {
    [ "$1" = "$2" ] || fail "${3:-values differ}: got '$1', want '$2'"
}

# assert_le A B WHAT: integers.
assert_le() {
    [ "$1" -le "$2" ] || fail "${3:-too much}: $1 is more than $2"
}

# assert_contains TEXT PART WHAT
assert_contains() {
    [[ $1 == *"$2"* ]] || fail "${3:-text}: '$2' is not in '$1'"
}

# expect STATUS COMMAND...: run it; its output in $out (both streams), its exit status as told.
expect() {
    local want=$1 got=0
    shift
    out=$("$@" 2>&1 </dev/null) || got=$?
    [ "$got" -eq "$want" ] || fail "'$*' exited with $got, not $want: $out"
}

# alone COMMAND...: knows of no server, and has no network where this user may take it away: not even a loopback.
without_network=()
! unshare -n true 2>/dev/null || without_network=(unshare -n --)

alone() {
    env -u FIREBREAK_SERVER -u FIREBREAK_TOKEN_FILE "${without_network[@]}" "$@"
}
