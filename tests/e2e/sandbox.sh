#!/bin/bash
# Candidates that fork without end, fill the disk, eat the memory, reach for the network, the agent's keys or the
# machine: their checker runs into its sandbox's walls, they are put away, the rollout halts, and nothing of it is
# left on the machine. And a checker that writes where it likes, harmlessly, is no reason to refuse good content.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
unshare --mount --pid --net --ipc --uts --fork true 2>/dev/null || whole=no
make_endpoint one "preflight=sh \$FIREBREAK_DIR/check" preflight_deadline=3 preflight_disk_mib=8 \
    preflight_memory_mib=128 preflight_processes=40 soak=0.2 health_interval=0.1

offer() { # VERSION CHECK
    publish "$1" check "$2"
    expect 0 fb rollout start "crs/$1" --policy demo
}

runs() { # VERSION
    agent one once
    endpoint_runs one "$1"
}

settled() {
    agent one once
    rollout_is .state complete
}

refuses() { # VERSION WHAT CHECK
    step "$1: $2"
    offer "$1" "$3"
    version=$1
    put_away() {
        agent one once
        agent one --json status |
            jq -e ".channels[0].quarantine[] | select(.version == \"$version\") | .blamed" >/dev/null
    }
    wait_until 60 "$1 is put away" put_away
    assert_eq "$(endpoint_version one)" 1.0 "after $1"
    expect 0 agent one verify
    wait_until 20 "the evidence stops $1" rollout_is .state halted
}

step "1.0: its checker writes here and there, and it is good"
offer 1.0 "echo x >$WORK/by-1.0 && echo x >/tmp/by-1.0-$$ && test -r \$FIREBREAK_DIR/check"
wait_until 60 "one runs 1.0" runs 1.0
wait_until 30 "1.0 is complete" settled

if [ "${whole:-}" = no ]; then
    # Here the checkers keep the real files: only what limits and system calls stop can be shown.
    refuses 2.0 "eats memory" "python3 -c 'b = bytearray(300 << 20)'"
    refuses 2.1 "makes namespaces" "unshare -U true"
    exit 0
fi
[ ! -e "$WORK/by-1.0" ] && [ ! -e "/tmp/by-1.0-$$" ] || fail "the checker of 1.0 left something"

refuses 2.0 "eats memory" "python3 -c 'b = bytearray(300 << 20)'"
refuses 2.1 "forks without end" "f() { while :; do (setsid sleep 600 & f) & done; }; f 2>/dev/null"
refuses 2.2 "fills the disk" "head -c 50000000 /dev/zero >/var/tmp/firebreak-$$"
[ ! -e "/var/tmp/firebreak-$$" ] || fail "the disk was written"
refuses 2.3 "talks to the server" "curl -sS --max-time 5 $url/api/v1/overview"
refuses 2.4 "reads the agent's keys" "cat $WORK/one/state/identity.json"
refuses 2.5 "mounts" "mount -t tmpfs none /mnt"
refuses 2.6 "hangs with a daemon" "setsid sh -c 'echo here; exec sleep 600' & sleep 600"
refuses 2.7 "ends what runs beside it" "kill -9 $(pid_of server)"
running server || fail "the server was killed"

step "where all of the sandbox is required, and its place is taken, nothing is loaded and nobody is blamed"
sed -i 's/^preflight_deadline.*/&\npreflight_sandbox=require/' "$WORK/one/agent.conf"
rmdir "$WORK/one/state/sandbox"
: >"$WORK/one/state/sandbox"
offer 3.0 "exit 0"
refused() {
    agent one once
    agent one --json status | jq -e '.channels[0].quarantine[] | select(.version == "3.0") | .blamed == false' >/dev/null
}
wait_until 60 "3.0 is put away without blame" refused
assert_eq "$(endpoint_version one)" 1.0 "after 3.0"
