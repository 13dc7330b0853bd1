#!/bin/bash
# A policy with a small budget of check-ins: a crowd of 300 that all wait for a release, or have just got it,
# could ask 600 times a second and asks less than half as often. It still reaches everyone, through a killed server, and
# a release that kills its hosts is still stopped: growth waits for acknowledgements, tracked or not.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=300
budget=30

checkins() {
    curl -s "$url/metrics" -H "Authorization: Bearer $(cat "$site/operators/viewer.token")" |
        sed -n 's/^firebreak_checkins_total //p'
}

# Check-ins a second since $since and $begun.
rate() {
    echo $((($(checkins) - since) * 1000000 / (${EPOCHREALTIME/./} - begun)))
}

measure() {
    since=$(checkins)
    begun=${EPOCHREALTIME/./}
}

given() { # MORE THAN
    [ "$(rollout_field .counts.admitted)" -gt "$1" ]
}

judged() {
    [ "$(rollout_field '.state == "halted" or .verdict == "ask"')" = true ]
}

make_site checkin_interval=4
policy small ".fast_tick_s = 0.5 | .tick_s = 0.5 | .budget_s = $budget"
start_server
token crowd $crowd
start_crowd "{\"seed\": 21, \"tick_ms\": 500, \"soak_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"crash-at-load\", \"on_release\": \"2.0\"}]}" $crowd

step "1.0 with room for $budget check-ins a second of those that are asked every tick"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy small
wait_until 30 "somebody has it" given 0
measure
tracked=$(rollout_field .track_ppm)
# 15 in a tick, of 300: all of them stage.
assert_le "$tracked" 60000 "share that is tracked"
assert_le 45000 "$tracked" "share that is tracked"
expect 0 fb rollout explain crs
assert_contains "$out" "compared by silence" "explain"
wait_until 60 "it has grown" given 40
stop server KILL
start_server
assert_le "$(rollout_field .track_ppm)" "$tracked" "share that is tracked after a kill"
assert_le 1 "$(rollout_field .track_ppm)" "share that is tracked after a kill"
measure
wait_until 120 "1.0 is complete" rollout_is .state complete
step "$(rate) check-ins a second"
# 75 at the usual interval, 30 tracked, and those under way.
assert_le "$(rate)" 300 "check-ins a second"
wait_until 30 "all run 1.0 healthily" rollout_is .counts.healthy $crowd

step "2.0 kills its hosts"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy small
wait_until 60 "2.0 is judged" judged
step "$(rollout_field '.state + ": " + (.reasons[0].text // .stands)')"
assert_le "$(rollout_field .counts.admitted)" 5 "exposed to 2.0"
