#!/bin/bash
# A stolen server and the pace: the manifest says how early a device may apply it, by its draw and its time awake since it
# first saw the release. Whoever holds every online key permits everything to everybody, and nobody is a second early.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
names=(one two three four five)
token endpoints ${#names[@]}
for name in "${names[@]}"; do
    make_endpoint "$name" soak=0 health_interval=0.1
    echo "boot-1" >"$WORK/$name/boot"
    sed -i "1i boot_id_file=$WORK/$name/boot" "$WORK/$name/agent.conf"
done
publish 1.0

# Half of the draws at once, the rest in an hour; of the five there must be some of both.
within() { # VERSION
    within=()
    beyond=()
    for name in "${names[@]}"; do
        if [ "$(thief_do draw "$(jq -r .device "$WORK/$name/state/identity.json")" "$(digest_of "$1")")" -lt 500000 ]; then
            within+=("$name")
        else
            beyond+=("$name")
        fi
    done
}
echo '[{"after_s": 0, "share_ppm": 500000}, {"after_s": 3600, "share_ppm": 1000000}]' >"$WORK/pace.json"
mkdir -p "$thief"
cp -r "$site/server/online" "$thief/online"
sequence=1
for version in 2.0 2.1 2.2 2.3 2.4 2.5; do
    publish "$version"
    sequence=$((sequence + 1))
    within "$version"
    [ ${#within[@]} -eq 0 ] || [ ${#beyond[@]} -eq 0 ] || break
done
echo '[{"after_s": 0, "share_ppm": 0}, {"after_s": 4, "share_ppm": 1000000}]' >"$WORK/pace.json"
publish 3.0
steal_server "${names[@]}"

step "first content is exempt: the thief's own server works"
plan rollouts "[$(rollout 1.0 1)]"
permits
for name in "${names[@]}"; do
    wait_until 20 "$name runs 1.0" passes_bring "$name" 1.0
done

step "$version: ${within[*]} within the share, ${beyond[*]} beyond it"
plan rollouts "[$(rollout "$version" "$sequence")]"
for name in "${within[@]}"; do
    wait_until 20 "$name runs $version" passes_bring "$name" "$version"
done
late=${beyond[0]}
early() { # WHAT [NAME...]: a pass in vain, for the pace
    local what=$1 name
    shift
    : >"$thief/permitted"
    for name in "${@:-$late}"; do
        in_vain "$name" 1.0 "$what" "before the manifest's pace reaches this device"
    done
    [ -s "$thief/permitted" ] || fail "$what: no permit was given"
}
early "everybody is permitted" "${beyond[@]}"
wait_s=$(agent "$late" --json status | jq '.channels[0].pace_wait_s')
assert_le 3000 "$wait_s" "seconds that $late has to wait"

step "and whatever else he thinks of"
plan checkin_ms 10 # a new serial
early "a new plan"
plan rollouts "[]"
expect 0 agent "$late" once
plan rollouts "[$(rollout "$version" "$sequence")]"
early "a rollout begun anew"
plan rollouts "[$(rollout "$version" "$sequence" | jq -c '.state = "complete"')]"
early "a rollout that is complete"
plan rollouts "[$(rollout "$version" "$sequence" |
    jq -c '.cohorts = [{name: $c, stage_ppm: 1000000, halted: false}]' \
        --arg c "$(agent "$late" --json status | jq -r .cohort)")]"
early "a cohort of its own"
plan rollouts "[]" baseline "{\"digest\": \"$(digest_of "$version")\", \"version\": \"$version\"}"
permits '{"kind": "baseline"}'
in_vain "$late" 1.0 "as a baseline" "another kind"
permits
in_vain "$late" 1.0 "as a baseline, permitted as a rollout" "another kind"
plan baseline null rollouts "[$(rollout "$version" "$sequence")]" recalled "$(recall 1.0)"
early "what runs is recalled, so that the device is a new one"
plan recalled "[]"

# with_clock WHAT COMMAND...: a pass in vain while the agent runs under a command that moves its clocks
with_clock() (
    what=$1
    clock=("${@:2}")
    agent() {
        "${clock[@]}" "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/$1/agent.conf" "${@:2}"
    }
    early "$what"
)
export FAKETIME_DONT_FAKE_MONOTONIC=1 # no thief moves those
with_clock "with a wall clock a month ahead" faketime -f +30d
(
    agent() {
        faketime -f -3650d "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/$1/agent.conf" "${@:2}"
    }
    in_vain "$late" 1.0 "with a wall clock ten years behind"
)
after_s=$(agent "$late" --json status | jq '.channels[0].pace_wait_s')
assert_le "$after_s" "$wait_s" "the wait goes on from where it was"
assert_le $((wait_s - after_s)) $((SECONDS + 60)) "seconds that the wait became shorter"
awake=$(python3 -c 'import time; print(int(time.monotonic()))')
if unshare --time true 2>/dev/null; then
    echo "boot-2" >"$WORK/$late/boot"
    with_clock "ten seconds after a reboot" unshare --time --monotonic "$((10 - awake))" --boottime "$((10 - awake))"
else
    echo "    no namespaces of time here: the reboot is left out"
fi
echo "boot-3" >"$WORK/$late/boot" # with the clocks of this machine again

step "time awake, and nothing else, brings it"
plan rollouts "[$(rollout 3.0 $((sequence + 1)))]"
in_vain "$late" 1.0 "at first sight of 3.0" "before the manifest's pace reaches this device"
wait_until 30 "$late runs 3.0" passes_bring "$late" 3.0
