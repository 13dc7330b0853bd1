#!/bin/bash
# A whole fleet vanishes in the middle of a rollout: thirty devices, two of them real endpoints, are gone at once, as with a
# network that is cut. The rollout waits, past a restart of the server, without opening a ring; when they are back it goes
# on and completes.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=28
fleet=$((crowd + 2))

make_site
start_server
token endpoints 2
token crowd $crowd
for name in one two; do
    make_endpoint $name soak=0.5 health_interval=0.5
done
begin() {
    local name
    for name in one two; do
        running $name || start_endpoint $name
    done
}
begin
start_crowd "{\"seed\": 5, \"tick_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}" $crowd

# One healthy and nobody else: rings of one, three and all but two devices, by the demonstration's policy.
healthy() {
    [ "$(rollout_field .counts.healthy)" -ge "$1" ]
}
waits() {
    rollout_field .state | grep -qx -e running -e paused
}
opened() { # how many rings did open
    who=viewer fb audit list --json --limit 200 | jq -s '[.. | objects | select(.action? == "rollout.ring-opened")] | length'
}

step "1.0 begins"
policy slow '.rings[:-1][].bake_s = 4'
stop server
start_server
publish 1.0
expect 0 fb rollout start crs/1.0 --policy slow
wait_until 30 "somebody is healthy" healthy 1

step "all are gone, $(rollout_field .counts.admitted) of $fleet admitted"
for name in one two; do
    stop $name KILL
done
kill -STOP "$(pid_of crowd)"
who=viewer expect 0 fb rollout status crs
admitted=$(rollout_field .counts.admitted)
assert_le "$admitted" $((fleet / 2)) "admitted when all vanished"
wait_until 20 "the rollout pauses" rollout_is .state paused
rings=$(opened)
stays 10 "it waits" waits
step "$(rollout_field .stands)"
stop server KILL
start_server
stays 10 "it waits past a restart" waits
step "$(rollout_field .stands)"
assert_eq "$(opened)" "$rings" "rings that opened meanwhile"
assert_eq "$(rollout_field .counts.admitted)" "$admitted" "admitted meanwhile"

step "they are back"
kill -CONT "$(pid_of crowd)"
begin
wait_until 90 "1.0 completes" rollout_is .state complete
wait_until 30 "all run 1.0 healthily" rollout_is .counts.healthy $fleet
for name in one two; do
    wait_until 20 "$name runs 1.0" endpoint_runs $name 1.0
done
expect 0 fb --json rollout explain crs
assert_eq "$(jq -r '[.history[].verdict | select(. == "halt")] | length' <<<"$out")" 0 "halts in $out"
who=viewer expect 0 fb audit verify
stop crowd
