#!/bin/bash
# A full disk: with too little room nothing is downloaded, with none at all not even the state can be written.
# Either way the old content stays whole and in use, `once` says what is wrong, and room is all it takes to go on.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

state=$WORK/one/state
mkdir -p "$state"
mount -t tmpfs -o size=24m,mode=755 none "$state" 2>/dev/null || {
    echo "needs the right to mount a file system: not run"
    exit 0
}
trap 'status=$?; set +e; umount -l "$state"; (exit $status); lib_cleanup' EXIT

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
publish 1.0
expect 0 fb rollout start crs/1.0 --policy demo
settled() {
    agent one once
    rollout_is .state complete
}
wait_until 60 "1.0 is complete" settled

current=$state/channels/crs/current
stuck() { # STATUS PART: a pass fails so, and 1.0 is as it was
    expect "$1" agent one once
    assert_contains "$out" "$2"
    assert_eq "$(cat "$current/rules.conf")" "content of 1.0" "what the consumer reads"
    expect 0 agent one verify
    assert_eq "$(endpoint_version one)" 1.0
}
leave_kib() { # of room
    rm -f "$state/ballast"
    fallocate -l "$(($(df --output=avail -k "$state" | tail -n 1) - $1))KiB" "$state/ballast"
}

publish 2.0 big.bin "$(head -c 300000 /dev/urandom | base64)"
expect 0 fb rollout start crs/2.0 --policy demo

step "too little room"
leave_kib 10240
stuck 1 "no room"
stuck 1 "no room"

step "no room at all"
leave_kib 0
stuck 1 "has no room"

step "room again"
rm "$state/ballast"
resumed() {
    agent one once
    endpoint_runs one 2.0
}
wait_until 60 "one runs 2.0" resumed
expect 0 agent one verify

step "no room while the way back is to be written: what runs goes on, and the recall is made up for"
leave_kib 0
expect 0 fb rollout halt crs/2.0 --reason "for the disk's sake"
! agent one once >/dev/null 2>&1 || fail "a pass without any room succeeded"
expect 0 agent one verify
rm "$state/ballast"
back() {
    agent one once
    endpoint_runs one 1.0
}
wait_until 30 "one is back at 1.0" back
expect 0 agent one verify
