#!/bin/bash
# Content that kills its host at load, on every host, without a word: the server hears nothing but silence.
# Three go first in a fleet of 300; nobody follows them, silence halts the rollout (or it stands still and
# asks), the controls stay on what they have. A server killed before the verdict comes to the same.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=300

judged() {
    [ "$(rollout_field '.state == "halted" or .verdict == "ask"')" = true ]
}

gone() {
    [ "$(rollout_field .counts.admitted)" -ge "$1" ]
}

make_site
start_server
token crowd $crowd
start_crowd "{\"seed\": 11, \"tick_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"silent\", \"on_release\": \"2.0\"}]}" $crowd

step "1.0 reaches everyone"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 60 "1.0 is complete" rollout_is .state complete
wait_until 20 "all run 1.0 healthily" rollout_is .counts.healthy $crowd

step "2.0 silences whoever loads it"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy quick
wait_until 20 "the first ones have it" gone 3
stop server KILL
start_server
step "the server is back after a kill, $(rollout_field .counts.admitted) exposed"
wait_until 30 "2.0 is judged" judged
exposed=$(rollout_field .counts.admitted)
step "$(rollout_field '.state + ": " + (.reasons[0].text // .stands)')"
# Three by the pacing of 300 devices; one that came late to its first question may let another one in.
assert_le "$exposed" 5 "exposed to 2.0"
assert_eq "$(rollout_field .counts.acknowledged)" 0 "acknowledged"
if rollout_is .state halted; then
    # The first check-in (SF), or five intervals (SA) where the crowd came back too late for the first after the kill.
    assert_contains "SF SA" "$(rollout_field '.reasons[0].metric')" "what halted it"
    assert_contains "$(rollout_field '.reasons[0].text')" "silent, " "the verdict"
    assert_eq "$(rollout_field '.reasons[0] | .log_e >= .threshold')" true "log E is past its threshold"
    expect 6 fb rollout status crs
    who=viewer expect 0 fb audit list --json --limit 100
    assert_contains "$out" '"rollout.halt"' "the audit log"
fi
stays 3 "nobody follows" rollout_is .counts.admitted "$exposed"
who=viewer expect 0 fb audit verify

stop crowd
assert_eq "$(jq '.by_release["2.0"].dead' "$WORK/crowd-result.json")" "$exposed" "dead of 2.0"
assert_eq "$(jq '.by_release["1.0"].running' "$WORK/crowd-result.json")" $((crowd - exposed)) "controls still on 1.0"
