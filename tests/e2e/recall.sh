#!/bin/bash
# A person halts a release that does well: permits cease at once, whoever has it goes back by itself, real
# endpoints too, and says so; the next release reaches everyone, also an endpoint that had the recalled one and
# was off meanwhile.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=60
fleet=$((crowd + 3))

# devices that run this digest, as they last said
devices_on() {
    curl -sf -H "Authorization: Bearer $(cat "$site/operators/viewer.token")" "$url/api/v1/overview" |
        jq -r --arg d "$1" '[.channels[0].running[] | select(.digest == $d) | .n] | add // 0'
}

only_off_runs() { # as it last said
    [ "$(devices_on "$1")" = 1 ]
}

some_are_healthy() {
    [ "$(rollout_field '.counts.healthy')" -ge 10 ]
}

make_site
start_server
token endpoints 3
token crowd $crowd
for name in one two three; do # two of three canaries go first
    ring=canary make_endpoint $name soak=1 health_interval=1
    start_endpoint $name
done
start_crowd "{\"seed\": 13, \"tick_ms\": 500, \"soak_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}" $crowd

step "1.0 reaches everyone"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 90 "1.0 is complete" rollout_is .state complete
wait_until 30 "all run 1.0 healthily" rollout_is .counts.healthy $fleet
for name in one two three; do
    wait_until 20 "$name runs 1.0" endpoint_runs $name 1.0
done

step "2.0 does well with the first ones"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy quick
digest=$(rollout_field .release.digest)
wait_until 60 "some are healthy on 2.0" some_are_healthy
holders=()
for name in one two three; do
    ! endpoint_runs $name 2.0 || holders+=($name)
done
[ ${#holders[@]} -ge 2 ] || fail "canaries on 2.0: ${holders[*]}"
on=${holders[0]} off=${holders[1]}
stop "$off"

step "a person halts it; '$on' and '$off' have it, '$off' is off"
expect 2 fb rollout halt crs/2.0 # why?
expect 0 fb rollout halt crs/2.0 --reason "blocks a customer's login page"
sleep 1 # the promise
exposed=$(rollout_field .counts.admitted)
expect 0 fb rollout halt crs/2.0 --reason "again" # nothing more to do
assert_contains "$(rollout_field .stands)" "blocks a customer's login page" "what it stands for"
wait_until 15 "nobody else runs 2.0" only_off_runs "$digest"
wait_until 15 "$on is back on 1.0" endpoint_runs "$on" 1.0
stays 3 "no new permits" rollout_is .counts.admitted "$exposed"
assert_le "$exposed" $((fleet - 1)) "exposed to 2.0: it was still on its way"
# without the one that is off; an endpoint that held a permit and was not through with it may refuse instead
assert_le $((exposed - 2)) "$(rollout_field .counts.recalled)" "recalled, as told by the devices"
expect 0 agent "$on" verify
expect 6 fb rollout start crs/2.0 --policy quick

step "3.0 follows"
publish 3.0
expect 0 fb rollout start crs/3.0 --policy quick
wait_until 90 "3.0 is complete" rollout_is .state complete
wait_until 30 "all that are on run 3.0" rollout_is .counts.healthy $((fleet - 1))
wait_until 20 "$on runs 3.0" endpoint_runs "$on" 3.0
endpoint_runs "$off" 2.0 || fail "$off has lost 2.0 while it was off"
start_endpoint "$off"
for name in one two three; do
    wait_until 30 "$name runs 3.0" endpoint_runs $name 3.0
done
wait_until 30 "all are acknowledged" rollout_is .counts.healthy $fleet
assert_eq "$(devices_on "$digest")" 0 "still on 2.0"
who=viewer expect 0 fb audit verify
stop crowd
assert_eq "$(jq '.by_release["3.0"].running' "$WORK/crowd-result.json")" $crowd "the crowd on 3.0"
