#!/bin/bash
# Content that kills its consumer on one platform only, a fifth of the fleet: that platform is halted and
# goes back, told so by the signed plan; the others get the release if their own evidence says nothing else.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
good=160
bad=40
crowd=$((good + bad))

halted_there() {
    [ "$(rollout_field '.state == "halted" or (.cohorts[] | select(.name == "linux-rhel-9") | .halted)')" = true ]
}

# The plan as any TUF client finds it: timestamp, snapshot, the role's metadata, its target.
read_plan() {
    python3 - "$url/repo" <<'PY'
import json, sys, urllib.request
base = sys.argv[1]
get = lambda path: json.load(urllib.request.urlopen(f"{base}/{path}", timeout=10))
meta = lambda name, of: of["signed"]["meta"][name]["version"]
snapshot = get(f"metadata/{meta('snapshot.json', get('metadata/timestamp.json'))}.snapshot.json")
rollout = get(f"metadata/{meta('rollout.json', snapshot)}.rollout.json")
sha256 = rollout["signed"]["targets"]["rollout/crs.json"]["hashes"]["sha256"]
print(json.dumps(get(f"targets/rollout/{sha256}.crs.json")))
PY
}

make_site
start_server
token crowd $crowd
start_crowd "{\"seed\": 12, \"tick_ms\": 500, \"groups\": [
  {\"count\": $good, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"},
  {\"count\": $bad, \"cohort\": \"linux-rhel-9\", \"behaviour\": \"crash-at-load\", \"on_release\": \"2.0\",
   \"recover_share_ppm\": 1000000, \"recover_ticks\": 2}]}" $crowd

step "1.0 reaches everyone"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 60 "1.0 is complete" rollout_is .state complete
wait_until 20 "all run 1.0 healthily" rollout_is .counts.healthy $crowd

step "2.0 is bad on one platform"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy quick
digest=$(rollout_field .release.digest)
wait_until 40 "the platform is halted" halted_there
step "$(rollout_field '.reasons[0].text // .stands')"
exposed=$(rollout_field '.cohorts[] | select(.name == "linux-rhel-9") | .admitted')
assert_le "$exposed" 8 "exposed to 2.0 on the bad platform"
plan=$(read_plan)
if rollout_is .state halted; then
    assert_eq "$(jq -r --arg d "$digest" '.recalled[] | select(.digest == $d) | .cohorts // [] | length' <<<"$plan")" 0 \
        "the plan recalls 2.0 everywhere"
    wait_until 20 "all that had it are back" rollout_is '.counts | .recalled + .rolled_back == .admitted' true
else
    assert_eq "$(jq -r --arg d "$digest" '.recalled[] | select(.digest == $d) | .cohorts[]' <<<"$plan")" linux-rhel-9 \
        "the plan recalls 2.0 there"
    assert_eq "$(jq -r '.rollouts[0].cohorts[] | select(.name == "linux-rhel-9") | .halted' <<<"$plan")" true \
        "the plan halts 2.0 there"
    wait_until 60 "2.0 is complete elsewhere" rollout_is .state complete
    wait_until 20 "all others run 2.0" rollout_is '.cohorts[] | select(.name == "linux-debian-12") | .healthy' $good
fi
assert_eq "$(rollout_field '.cohorts[] | select(.name == "linux-rhel-9") | .admitted')" "$exposed" \
    "nobody there after the halt"
who=viewer expect 0 fb audit verify

stop crowd
jq -c .by_release "$WORK/crowd-result.json"
assert_eq "$(jq '.by_release["1.0"].running + .by_release["2.0"].running' "$WORK/crowd-result.json")" $crowd "alive at the end"
