#!/bin/bash
# The gate on a fleet's telemetry without a release: 300 endpoints that reboot, crash and fall silent as they
# always do. Rounds end without a halt, the rates found are those that were played, nobody gets anything, a
# killed server goes on with what it had, and a rollout of the channel starts at once.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=300
# A minute of the crowd's life is a second: per device and hour of it, that is 60 s, 0.06 crashes (unclean boots), 0.3
# announced reboots, 0.12 silences of 6 to 14 s.
life='{"minute_ms": 1000, "crashes_ppm_h": 60000, "reboots_ppm_h": 300000, "silences_ppm_h": 120000}'

calibration() { # JQ
    fb --json calibrate status crs | jq -r "$1"
}

calibration_is() { # JQ VALUE
    [ "$(calibration "$1")" = "$2" ]
}

# within WHAT VALUE FROM TO
within() {
    [ "$(jq -n "$2 >= $3 and $2 <= $4")" = true ] || fail "$1: $2, not in $3 to $4"
}

plan() {
    fb --json rollout status crs | jq .snapshot_version
}

make_site checkin_interval=5
# Rings of some length, so that a round sees something; a fleet of this life needs its tau.
policy calm '.tau = 0.02 | .tau_rb = 0.01 | .rings |= map(if .bake_s then .bake_s = 4 else . end)'
start_server
token crowd $crowd
start_crowd "{\"seed\": 9, \"tick_ms\": 1000, \"groups\": [
  {\"count\": 200, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"},
  {\"count\": 100, \"cohort\": \"linux-rhel-9\", \"behaviour\": \"healthy\"}], \"life\": $life}" $crowd

step "1.0 reaches everyone"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 90 "1.0 is complete" rollout_is .state complete
wait_until 60 "nearly all run it" rollout_is ".counts.healthy > $((crowd * 9 / 10))" true

step "who may do what"
expect 1 fb calibrate status crs
assert_contains "$out" "has had no calibration" "none yet"
who=viewer expect 4 fb calibrate start crs --policy calm
expect 1 fb calibrate start crs --policy none
expect 2 fb calibrate start crs --rounds 0
who=releaser

step "rounds of nothing"
expect 0 fb calibrate start crs --policy calm --rounds 6 --lanes 3
step "  $out"
expect 1 fb calibrate start crs --policy calm
assert_contains "$out" "a calibration runs" "one at a time"
wait_until 120 "three rounds are over" calibration_is '.rounds.finished >= 3' true
finished=$(calibration .rounds.finished)
stop server KILL
start_server
assert_eq "$(calibration ".restarts == 1 and .rounds.finished >= $finished and .state == \"running\"")" true "after a restart"
snapshot=$(plan)
wait_until 120 "six are over" calibration_is .state done
who=viewer expect 0 fb calibrate status crs
printf '%s\n' "$out"
calibration . >"$WORK/calibration.json"
assert_eq "$(calibration .rounds.halted)" 0 "rounds that halted"
assert_eq "$(calibration .false_alarms.rounds)" 6 "rounds"
within "bound of the false alarms" "$(calibration .false_alarms.high)" 0.39 0.40

step "the rates are those that were played"
within "crashes per hour of 60 s" "$(calibration '.metrics.CR.failures / .metrics.CR.trials * 60')" 0.03 0.12
within "reboots of the life" "$(calibration '.life.reboots_h / 60')" 0.15 0.6
# SF: a silence of 6 s or more in the next three check-ins
within "missed check-ins" "$(calibration .metrics.SF.rate)" 0.0005 0.02
assert_eq "$(calibration '.metrics.SF.low <= .metrics.SF.rate and .metrics.SF.rate <= .metrics.SF.high')" true "interval"
assert_eq "$(calibration '.metrics.SF.cohorts | keys | join(" ")')" "linux-debian-12 linux-rhel-9" "cohorts"
within "suggested tau" "$(calibration .suggestion.tau)" 0.001 0.05

step "the simulator takes them"
jq '{name: "mine", description: "as calibrated", fleet: 100000, life}' "$WORK/calibration.json" >"$WORK/mine.json"
expect 0 "$FIREBREAK_BIN/firebreak-sim" run --scenario "$WORK/mine.json" --seeds 2 --json

step "nobody was given anything"
assert_le "$(rollout_field .counts.admitted)" "$crowd" "admitted"
assert_eq "$(plan)" "$snapshot" "the plan's snapshot"

step "a rollout goes first"
publish 2.0
expect 0 fb calibrate start crs --policy calm --rounds 50
expect 0 fb rollout start crs/2.0 --policy quick
assert_eq "$(calibration .state)" superseded "the calibration"
expect 1 fb calibrate start crs --policy calm
assert_contains "$out" "a rollout of 2.0 runs" "while it runs"
wait_until 90 "2.0 is complete" rollout_is .state complete
who=viewer expect 0 fb --json audit list --limit 1000
assert_eq "$(jq -r '[.. | objects | .action? // empty | select(startswith("calibration."))] | join(" ")' <<<"$out")" \
    "calibration.start calibration.done calibration.start calibration.superseded" "audit rows"
stop crowd
