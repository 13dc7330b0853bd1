#!/bin/bash
# A permit is good for one device, channel, release, nonce and snapshot, signed by the node: altered on the
# way or kept from an earlier check-in it is refused with its reason, told to the server, and nothing is switched.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/hostile.bash"

make_site
start_server
start_hostile
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one "preflight=echo \$FIREBREAK_VERSION >>$WORK/preflights" preflight_sandbox=off soak=0.2 health_interval=0.1
through one
publish 1.0
expect 0 fb rollout start crs/1.0 --policy demo
wait_until 60 "one runs 1.0" passes_bring one 1.0
settled() {
    agent one once
    rollout_is .state complete
}
wait_until 30 "1.0 is complete" settled
assert_eq "$(wc -l <"$WORK/preflights")" 1 "preflights of 1.0"

publish 2.0
expect 0 fb rollout start crs/2.0 --policy demo
zeros=$(printf '0%.0s' {1..64})

# refused WHY ORDER: passes go on until one was permitted; that permit does nothing, for this reason
refused() {
    local passes why=$1
    orders "POST permit $2"
    : >"$hostile/permitted"
    pass() {
        passes=$(agent one once 2>&1) || true
        test -s "$hostile/permitted"
    }
    wait_until 30 "a permit comes: $2" pass
    orders
    assert_contains "$passes" "$why" "$2"
    assert_eq "$(endpoint_version one)" 1.0 "after $2"
    assert_eq "$(wc -l <"$WORK/preflights")" 1 "preflights after $2"
    assert_eq "$(agent one --json status | jq -c '.channels[0] | [.pending, .staged, .quarantine]')" '[null,true,[]]' "after $2"
}

step "altered on the way"
refused "valid" 'nonce "00000000000000000000000000000000"'
refused "valid" "digest \"$zeros\""
refused "valid" 'snapshot_version 1'
refused "valid" 'valid_s 100000'
refused "valid" 'kind "baseline"'
refused "valid" "unsigned"

step "kept from the check-in before"
refused "another nonce" "replay"

step "the genuine one"
wait_until 60 "one runs 2.0" passes_bring one 2.0
assert_eq "$(tail -n 1 "$WORK/preflights")" 2.0 "preflight of 2.0"
assert_eq "$(wc -l <"$WORK/preflights")" 2 "preflights"
assert_eq "$(rollout_field .counts.admitted)" 1 "exposures of one device, however often it was permitted"
