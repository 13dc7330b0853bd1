#!/bin/bash
# Metadata that nobody renews any more: somebody goes on to serve what was valid once. When it expires updates
# stop, with a reason; a release that is staged and promised stays where it is, content and commands go on, and fresh
# metadata is all it takes to go on.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/hostile.bash"

make_site timestamp_life=4
start_server
start_hostile
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
through one
publish 1.0
expect 0 fb rollout start crs/1.0 --policy demo
settled() {
    agent one once
    rollout_is .state complete
}
wait_until 60 "1.0 is complete" settled

step "2.0 is staged, and from then on time stands still"
publish 2.0
orders "POST status 503 {}" # no answer: no permit yet
expect 0 fb rollout start crs/2.0 --policy demo
staged() {
    agent one once || true
    agent one --json status | jq -e '.channels[0] | .staged and .wants == "2.0"'
}
wait_until 30 "2.0 is staged" staged
expired() {
    ! out=$(agent one once 2>&1) && [[ $out == *expired* ]]
}
orders "/timestamp.json last" "POST status 503 {}"
wait_until 20 "the timestamp expires" expired
orders "/timestamp.json last"
: >"$hostile/permitted"
expect 3 agent one once
assert_contains "$out" "expired"
stays 3 "nothing new without fresh metadata" eval '! agent one once && endpoint_runs one 1.0'
[ ! -s "$hostile/permitted" ] || fail "a permit was asked for with stale metadata"
expect 0 agent one verify
expect 0 agent one hold
expect 0 agent one resume

step "fresh metadata"
orders
wait_until 30 "one runs 2.0" passes_bring one 2.0
