#!/bin/bash
# Good content completes on the smallest fleets, one device, four, twenty: first content and an update, with the
# rings of the demonstration and with the standard ones (margins asked, times made short). Nobody is asked,
# nothing halts or warns.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

brief() {
    jq '.name = "brief" | .fast_tick_s = 0.5 | .tick_s = 0.5 | .rings[:-1][].bake_s = 0.5 | .fresh_wake_s = 0 |
        .slow_window_s = 1 | .direct_window_s = 60' \
        "$FIREBREAK_SOURCE/canary/policies/standard.json" >"$WORK/policies/brief.json"
}

# goes VERSION POLICY FLEET: from the start to everyone
goes() {
    publish "$1"
    expect 0 fb rollout start "crs/$1" --policy "$2"
    expect 0 fb rollout watch crs --interval 1 --until complete --timeout 40
    wait_until 20 "all run $1 healthily" rollout_is .counts.healthy "$3"
    for name in "${endpoints[@]}"; do
        wait_until 10 "$name runs $1" endpoint_runs "$name" "$1"
    done
    step "  $1 by policy $2: complete after $(rollout_field .elapsed_s) s"
    expect 0 fb --json rollout explain crs
    assert_eq "$(jq -r '[.history[].verdict | select(. == "ask" or . == "halt" or . == "warn" or . == "pause")] | length' <<<"$out")" \
        0 "questions and alarms in $out"
}

for fleet in 1 4 20; do
    site=$WORK/site-$fleet
    endpoints=("one-of-$fleet")
    [ $fleet = 1 ] || endpoints+=("two-of-$fleet")
    step "$fleet devices, ${#endpoints[@]} of them real endpoints"
    make_site
    brief
    start_server
    token endpoints ${#endpoints[@]}
    for name in "${endpoints[@]}"; do
        make_endpoint "$name" soak=0.5 health_interval=0.5
        start_endpoint "$name"
    done
    if [ $fleet -gt 1 ]; then
        crowd=$((fleet - ${#endpoints[@]}))
        rm -f "$WORK/crowd-ready" "$WORK/crowd.token"
        token crowd $crowd
        start_crowd "{\"seed\": $fleet, \"tick_ms\": 500, \"groups\": [
          {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}" $crowd
    fi
    goes $fleet.0 quick $fleet
    goes $fleet.1 brief $fleet
    [ $fleet = 1 ] || stop crowd
    for name in "${endpoints[@]}"; do
        stop "$name"
    done
    stop server
    rm "$WORK/endpoints.token"
done
