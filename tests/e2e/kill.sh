#!/bin/bash
# SIGKILL of the server and of agents at ten seeded moments during a rollout: the fleet ends consistent, all
# on the new release, and every permit that any device holds is an exposure that the server recorded.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
RANDOM=42
crowd=60

make_site
start_server
token endpoints 2
token crowd $crowd
for name in one two; do
    ring=canary make_endpoint $name soak=1 health_interval=1
    start_endpoint $name
done
start_crowd "{\"seed\": 7, \"tick_ms\": 1000, \"groups\": [{\"count\": $crowd, \"cohort\": \"linux-debian-12\",
    \"canary\": false, \"behaviour\": \"healthy\", \"on_release\": \"1.0\", \"share_ppm\": 0}]}" $crowd

publish 1.0
expect 0 fb rollout start crs/1.0 --policy demo
for moment in 1 2 3 4 5 6 7 8 9 10; do
    pause_ms=$((300 + RANDOM % 1500)) # the seeded moment
    sleep "$(printf '%d.%03d' $((pause_ms / 1000)) $((pause_ms % 1000)))"
    case $((RANDOM % 5)) in
    0 | 2 | 4) victim=server ;;
    *) victim=$([ $((RANDOM % 2)) = 0 ] && echo one || echo two) ;;
    esac
    step "moment $moment, after $pause_ms ms: SIGKILL of $victim"
    stop $victim KILL
    [ $victim = server ] && start_server || start_endpoint $victim
done

wait_until 150 "the rollout completes" rollout_is .state complete
for name in one two; do
    wait_until 30 "$name runs 1.0" endpoint_runs $name 1.0
    expect 0 agent $name verify
done
wait_until 30 "all are healthy" rollout_is .counts.healthy $((crowd + 2))
assert_eq "$(rollout_field .counts.admitted)" $((crowd + 2)) "exposures"
who=viewer
expect 0 fb audit verify
stop crowd
stop server

# Item by item: what a device was permitted, the server has on record.
python3 - "$site/server/state/firebreak.db" "$WORK/crowd-result.json" <<'PY'
import json, sqlite3, sys
recorded = set(sqlite3.connect(sys.argv[1]).execute("select device, digest from exposures"))
result = json.load(open(sys.argv[2]))
held = {(g["device"], g["digest"]) for g in result["grants"]}
missing = held - recorded
print(f"{len(held)} permits held by the crowd, {len(recorded)} exposures recorded")
if missing or len(held) < 60 or result["by_release"]["1.0"]["running"] != 60:
    sys.exit(f"unrecorded: {sorted(missing)[:5]}; running: {result['by_release']}")
PY
