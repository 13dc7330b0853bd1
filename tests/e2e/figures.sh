#!/bin/bash
# A release that does harm without a crash: it doubles what a consumer blocks, on most devices. A policy that asks for
# that figure halts it; the demonstration's policy, which does not, lets it through to everyone. Real endpoints tell
# what their consumers write, whole or not at all.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=120
asks='.metrics = [{"name": "blocked", "limit": 30, "weight": 0.3, "halts": true}]'

# Ten devices always block much, whatever they run.
crowd_of_all() {
    rm -f "$WORK/crowd-ready"
    start_crowd "{\"seed\": 7, \"tick_ms\": 500, \"groups\": [
      {\"count\": 10, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\", \"figures\": {\"blocked\": 45}},
      {\"count\": $((crowd - 10)), \"cohort\": \"linux-debian-12\", \"behaviour\": \"ill\", \"on_release\": \"2.0\",
       \"share_ppm\": 900000, \"figures\": {\"blocked\": 20, \"other\": 0.5}, \"figures_ill\": {\"blocked\": 40}}]}" $crowd
}

complete() { # VERSION POLICY
    expect 0 fb rollout start "crs/$1" --policy "$2"
    wait_until 90 "$1 is complete" rollout_is .state complete
}

open_site() { # NAME
    site=$WORK/$1
    rm -rf "$WORK"/release-*
    make_site
    policy quick '.fast_tick_s = 0.5 | .tick_s = 0.5'
    policy careful ".fast_tick_s = 0.5 | .tick_s = 0.5 | $asks"
    policy patient ".fast_tick_s = 0.5 | .tick_s = 0.5 | .rings[:-1][].bake_s = 5 | $asks"
    start_server
}

trials() { # of the metric, fleet-wide
    curl -sS -H "Authorization: Bearer $(cat "$site/operators/viewer.token")" "$url/metrics" |
        awk -v m="firebreak_evidence_trials{metric=\"$1\"}" '$1 == m {print $2}'
}

explains() { # TEXT
    { fb rollout explain crs 2>/dev/null || true; } | grep -q -- "$1"
}

step "a policy that cannot work is refused with its line"
open_site asked
policy twice ".metrics = [{\"name\": \"sf\", \"limit\": 1, \"weight\": 0.1, \"halts\": true}]"
expect 0 cp "$WORK/policies/twice.json" "$WORK/twice.json"
expect 3 fb policy check "$WORK/twice.json"
assert_contains "$out" "a metric's name is taken" "the refusal"
rm "$WORK/policies/twice.json"

step "good content passes the policy that asks"
token crowd $crowd
crowd_of_all
publish 1.0
complete 1.0 careful
publish 1.1
complete 1.1 careful
assert_le 100 "$(trials blocked)" "trials of figures while 1.1 was rolled out"
explains "blocked fleet: .* treated above 30, .* controls; log E" || fail "explain does not tell of the figures"

step "2.0 doubles what is blocked, and nobody crashes"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy careful
wait_until 60 "2.0 is halted" rollout_is .state halted
admitted=$(rollout_field .counts.admitted)
step "$(rollout_field '.reasons[0].text'), $admitted exposed"
assert_eq "$(rollout_field '.reasons[0].metric')" blocked "what halted it"
assert_contains "$(rollout_field '.reasons[0].text')" "treated above 30, " "the verdict"
assert_le "$admitted" $((crowd / 3)) "exposed to 2.0"
assert_eq "$(rollout_field .counts.crashed)" 0 "crashed"
stop server KILL # what is stored says the same
start_server
wait_until 20 "it is halted past a restart" rollout_is .state halted
assert_eq "$(rollout_field '.reasons[0].metric')" blocked "what halted it, after a restart"
expect 0 fb rollout record crs/2.0 -o "$WORK/2.0.jsonl"
expect 6 "$FIREBREAK_BIN/firebreak-sim" replay "$WORK/2.0.jsonl"
assert_contains "$out" "are as they were recorded" "the replay"
expect 0 "$FIREBREAK_BIN/firebreak-sim" replay "$WORK/2.0.jsonl" --policy standard
stop crowd
stop server

step "the same release under a policy that does not ask"
open_site unasked
token crowd $crowd
crowd_of_all
publish 1.0
complete 1.0 quick
publish 2.0
complete 2.0 quick
assert_eq "$(rollout_field .counts.admitted)" $crowd "exposed to 2.0"
assert_eq "$(trials blocked)" "" "trials of what nobody asked for"
stop crowd
stop server

step "real endpoints tell what their consumers write"
open_site endpoints
token endpoints 3
consume() { # NAME: what it blocks follows from the release that it was given
    cat >"$WORK/$1-consumer" <<END
#!/bin/bash
blocked=20
while sleep 0.2; do
    [ ! -e "$WORK/$1/hostile" ] || continue
    ! grep -q 2.0 "$WORK/$1/version" 2>/dev/null || blocked=40
    echo "# since the last time
blocked \$blocked" >"$WORK/$1/new" && mv "$WORK/$1/new" "$WORK/$1/figures"
done
END
    chmod +x "$WORK/$1-consumer"
    start "$1-consumer" "$WORK/$1-consumer"
}
for name in one two three; do
    make_endpoint $name soak=0.5 health_interval=0.5 "figures=$WORK/$name/figures" \
        "activate=echo \"\$FIREBREAK_VERSION\" >$WORK/$name/version"
    consume $name
    start_endpoint $name
done
publish 1.0
complete 1.0 careful
publish 2.0
expect 0 fb rollout start crs/2.0 --policy patient
wait_until 60 "what the treated say is compared" explains "blocked fleet: [1-9] of .* treated above 30, 0 of .* controls"

step "a hostile figures file says nothing, and its device checks in as before"
touch "$WORK/one/hostile"
says() { # LOG TEXT
    grep -q -- "$2" "$WORK/$1.log"
}
for line in "blocked nan" "blocked -1" "blocked inf" "root:x:0:0" "blocked 1 2"; do
    sleep 0.3 # the consumer has seen that it is to stop
    echo "$line" >"$WORK/one/evil" && mv "$WORK/one/evil" "$WORK/one/figures"
done
wait_until 20 "the log names file and line" says one "figures': line 1 is not a name and a number"
echo "blocked 1e999" >"$WORK/one/evil" && mv "$WORK/one/evil" "$WORK/one/figures"
wait_until 20 "a number that is none is refused" says one "line 1 has a number above 1e15"
ln -sf /dev/zero "$WORK/one/figures"
wait_until 20 "so is a device" says one "is not a regular file"
truncate -s 1G "$WORK/one/evil" && mv "$WORK/one/evil" "$WORK/one/figures"
wait_until 20 "so is a large file" says one "figures"
! says one "root:x" || fail "the log quotes the file"
wait_until 20 "the device is heard" running one
for name in one two three; do
    stop $name
    stop $name-consumer
done
