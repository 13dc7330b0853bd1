#!/bin/bash
# Devices that are not believed: those of one enrolment token crash whatever good release they are given, and say it
# was the release. That halts it. With one command they are out of the evidence, over a restart, and nobody more comes
# with that token; the next release reaches everyone else.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
good=40
hostile=12

# crowd NAME TOKEN-FILE SCRIPT
crowd() {
    echo "$3" >"$WORK/$1.json"
    start "$1" "$FIREBREAK_BIN/firebreak-fleet" --script "$WORK/$1.json" --server "$url" \
        --root "$site/endpoint/root.json" --token-file "$2" --out "$WORK/$1-result.json" --ready-file "$WORK/$1-ready"
    wait_until 60 "$1 is enrolled" test -e "$WORK/$1-ready"
}

make_site
start_server
token crowd $good
who=admin expect 0 fb token create --group tills --uses $((hostile + 3)) --out "$WORK/tills.token" --json
id=$(jq -r .id <<<"$out")
crowd crowd "$WORK/crowd.token" "{\"seed\": 5, \"tick_ms\": 500, \"groups\": [
  {\"count\": $good, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}"
crash='"behaviour": "crash-at-load", "recover_share_ppm": 1000000, "recover_ticks": 2'
crowd tills "$WORK/tills.token" "{\"seed\": 6, \"tick_ms\": 500, \"groups\": [
  {\"count\": $((hostile / 2)), \"cohort\": \"linux-debian-12\", $crash, \"on_release\": \"2.0\"},
  {\"count\": $((hostile / 2)), \"cohort\": \"linux-debian-12\", $crash, \"on_release\": \"3.0\"}]}"

step "1.0 reaches everyone"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 60 "1.0 is complete" rollout_is .state complete
wait_until 20 "all run 1.0 healthily" rollout_is .counts.healthy $((good + hostile))

step "2.0 is good, but six tills say otherwise"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy quick
stopped() {
    [ "$(rollout_field '.state == "halted" or .verdict == "ask"')" = true ]
}
wait_until 60 "2.0 goes no further" stopped

step "the tills are out of the evidence"
expect 2 fb device exclude --token "$id" --group tills --reason "both"
expect 2 fb device exclude --reason "whom?"
expect 4 fb device exclude --token "$id" --reason "the tills' power supply is broken" # a releaser
who=approver-1 expect 1 fb device exclude --token 0123456789abcdef --reason "a slip"
who=approver-1 expect 0 fb device exclude --token "$id" --reason "the tills' power supply is broken" --json
assert_eq "$(jq -cS . <<<"$out")" "{\"already\":0,\"devices\":$hostile,\"uses_withdrawn\":3}"
who=approver-1 expect 0 fb device exclude --group tills --reason "again"
assert_contains "$out" "$hostile devices are out of the evidence ($hostile were before)"
stop server KILL
start_server
who=viewer expect 0 fb audit list --json --limit 20
assert_contains "$out" "power supply"

step "nobody more enrols with their token"
cp "$WORK/tills.token" "$WORK/endpoints.token"
mkdir -p "$WORK/late"
cp "$site/endpoint/root.json" "$WORK/late/"
printf '%s\n' "server=$url" root=root.json state_dir=state boot_guard=off "[channel crs]" >"$WORK/late/agent.conf"
expect 4 agent late enrol --token-file "$WORK/endpoints.token"
assert_contains "$out" "no uses left"

step "3.0 is not stopped by the other six"
rollout_is .state halted || expect 0 fb rollout halt crs/2.0 --reason "asked about the tills"
publish 3.0
expect 0 fb rollout start crs/3.0 --policy quick
# Where the only one that went first is a till, nobody who is believed has it yet, and two people are asked.
through() {
    if [ "$(rollout_field .verdict)" = ask ]; then
        who=approver-1 fb rollout promote crs/3.0 --reason "the one that went first is a till"
        who=approver-2 fb rollout promote crs/3.0 --reason "the one that went first is a till"
    fi >/dev/null 2>&1
    rollout_is .state complete
}
wait_until 90 "3.0 is complete" through
wait_until 30 "all others run 3.0 healthily" rollout_is .counts.healthy $((good + hostile / 2))
expect 0 fb rollout status crs
