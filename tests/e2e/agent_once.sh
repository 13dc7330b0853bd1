#!/bin/bash
# `once`: each call is one whole pass; passes from a timer take a device as far as `run` does, and the exit
# status says what stood in the way.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one "preflight=test ! -e \$FIREBREAK_DIR/refuse" soak=0.3 health_interval=0.2
publish 1.0
expect 0 fb rollout start crs/1.0 --policy demo

pass() {
    agent one once
    endpoint_runs one 1.0
}
wait_until 60 "passes bring 1.0" pass
assert_eq "$(readlink "$WORK/one/state/channels/crs/good-run")" \
    "$(readlink "$WORK/one/state/channels/crs/current")" "the soak ended within the pass"
passes_complete() {
    agent one once
    rollout_is .state complete
}
wait_until 30 "1.0 is complete" passes_complete

publish 2.0 refuse ""
expect 0 fb rollout start crs/2.0 --policy demo
refused() {
    ! agent one once # a pass with a permit that came to nothing says so
}
wait_until 60 "a pass refuses 2.0" refused
assert_eq "$(endpoint_version one)" 1.0
wait_until 30 "the refusal stopped the rollout" rollout_is .state halted

stop server
expect 5 agent one once
assert_eq "$(endpoint_version one)" 1.0 "without a server"
