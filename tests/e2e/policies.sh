#!/bin/bash
# A policy that cannot work is refused with file, line and reason by whatever meets it: the check without a
# server, the server's own check of its configuration, a rollout that would start with it, the simulator.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
cat >"$WORK/policies/broken.json" <<'END'
{
  "name": "broken",
  "version": 1,
  "rings": [
    {"share_ppm": 100000, "bake_s": 60},
    {"share_ppm": 10000, "bake_s": 60},
    {"share_ppm": 1000000}
  ]
}
END
why="broken.json: line 6: ring 2 (1 %) does not grow over ring 1"

step "checked without a server"
expect 0 alone "$FIREBREAK_BIN/firebreak" policy check "$FIREBREAK_SOURCE"/canary/policies/*.json
assert_contains "$out" "standard, version 1: the canary group, 2,000 devices, 1 %, 10 %, 95 %, 100 %" "what is good"
expect 3 alone "$FIREBREAK_BIN/firebreak" policy check "$WORK/policies/quick.json" "$WORK/policies/broken.json"
assert_contains "$out" "$why" "what is not"
cp "$WORK/policies/quick.json" "$WORK/other.json"
expect 3 alone "$FIREBREAK_BIN/firebreak" policy check "$WORK/other.json"
assert_contains "$out" "names itself 'quick'" "another name"
expect 3 "$FIREBREAK_BIN/firebreak-sim" run --scenario S1 --seeds 1 --policy "$WORK/policies/broken.json"
assert_contains "$out" "$why" "the simulator"
expect 3 "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf" --check-config
assert_contains "$out" "$why" "the configuration's check"

step "a server that has it"
start_server
publish 1.0
who=viewer expect 0 fb policy list
assert_contains "$out" "$why" "the list"
assert_contains "$out" "quick" "the others in it"
who=viewer expect 0 fb --json policy list
assert_eq "$(jq -r '.policies[] | select(.name == "broken") | .refused' <<<"$out" | grep -c "line 6")" 1 "refused in JSON"
assert_eq "$(jq '.policies[] | select(.name == "quick") | .fast_tick_s == 0.5' <<<"$out")" true "quick in JSON"
token crowd 1
expect 3 fb rollout start crs/1.0 --policy broken
assert_contains "$out" "$why" "a rollout that would start with it"

step "mended"
jq '.rings[1].share_ppm = 200000' "$WORK/policies/broken.json" >"$WORK/mended" && mv "$WORK/mended" "$WORK/policies/broken.json"
expect 0 fb policy check "$WORK/policies/broken.json"
expect 0 "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf" --check-config
expect 1 fb rollout start crs/1.0 --policy broken # no devices: the policy is no obstacle any more
assert_contains "$out" "enrol devices first" "what is missing now"
