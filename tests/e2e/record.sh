#!/bin/bash
# A rollout that completes, though the server is killed in between, and one that is halted by its evidence are
# recorded and replayed by the simulator: each decision as it was, in the same tick.
# Under another policy the same evidence comes to something else. The simulator's own records do the same.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
good=150
bad=50
sim=$FIREBREAK_BIN/firebreak-sim

make_site
policy slow '.rings |= map(if .bake_s then .bake_s = 600 else . end)'
# This one begins with one device, and shrugs at what one or two of them say.
policy patient '.n0 = 1 | .tau_rb = 0.05'
start_server
token crowd $((good + bad))
start_crowd "{\"seed\": 5, \"tick_ms\": 500, \"groups\": [
  {\"count\": $good, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"},
  {\"count\": $bad, \"cohort\": \"linux-rhel-9\", \"behaviour\": \"crash-at-load\", \"on_release\": \"2.0\",
   \"recover_share_ppm\": 1000000, \"recover_ticks\": 2}]}" $((good + bad))

# replay FILE [OPTION]...: its lines in $out, its exit status in $got
replay() {
    got=0
    out=$("$sim" replay "$@" --json 2>"$WORK/replay.err") || got=$?
}

final() { # JQ: of the last line
    jq -r "select(.final) | .final | $1" <<<"$out"
}

# changes JQ: a line for each change of the gate's mind
changes() {
    jq -c "select(.tick != null) | $1" <<<"$out"
}

# same_as_recorded FILE VERSION: every decision, and what explain tells of it
same_as_recorded() {
    replay "$1"
    assert_eq "$(final .recorded.differ)" 0 "decisions of $2 that differ"
    assert_eq "$(final .recorded.ticks)" "$(jq -s 'map(select(.decided)) | length' "$1")" "ticks of $2 compared"
    assert_eq "$(final .recorded.policy)" quick "policy of $2"
}

step "1.0 reaches everyone; the server is killed on the way"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy quick
wait_until 60 "some have 1.0" rollout_is '.counts.admitted > 20' true
stop server KILL
start_server
wait_until 60 "1.0 is complete" rollout_is .state complete
wait_until 20 "all run 1.0 healthily" rollout_is .counts.healthy $((good + bad))

# What a full ring waits for is told once, not each tick.
expect 0 fb --json rollout explain crs
assert_contains "$(jq -r '.text[0]' <<<"$out")" "crs/1.0 is complete: $((good + bad)) of $((good + bad)) admitted" "1.0"
assert_eq "$(jq '[.history[].text | select(test("full, baking"))] | length <= 4' <<<"$out")" true "bakes in $out"

step "2.0 is halted"
publish 2.0
expect 0 fb rollout start crs/2.0 --policy quick
wait_until 60 "2.0 is judged on one platform" \
    rollout_is '.state == "halted" or (.cohorts[] | select(.name == "linux-rhel-9") | .halted)' true

step "both are recorded"
who=viewer expect 0 fb rollout record crs/1.0 -o "$WORK/1.0.jsonl"
who=viewer expect 0 fb --json rollout record crs/2.0 -o "$WORK/2.0.jsonl"
expect 1 fb rollout record crs/2.0 -o "$WORK/2.0.jsonl"
assert_contains "$out" "exists" "a record is not overwritten"
expect 1 fb rollout record crs/9.9
assert_contains "$out" "has had no rollout of 9.9" "an unknown version"
who=nobody
echo "no such token" >"$site/operators/nobody.token"
chmod 600 "$site/operators/nobody.token"
expect 4 fb rollout record crs/1.0
who=releaser

step "page by page they are the same"
printf 'Authorization: Bearer %s\n' "$(cat "$site/operators/viewer.token")" >"$WORK/viewer.header"
page() { # FROM [JQ]
    curl -s -H "@$WORK/viewer.header" "$url/api/v1/channels/crs/rollouts/1.0/record?from=$1" | jq -cS "${2:-.lines[]}"
}
assert_eq "$(page 0)" "$(jq -cS . "$WORK/1.0.jsonl")" "all of it"
assert_eq "$(page 5)" "$(jq -cS 'select((.tick // -1) >= 5 or .end)' "$WORK/1.0.jsonl")" "from tick 5 on"
assert_eq "$(page 5 .next)" null "nothing after it"
assert_eq "$(page 100000 .status)" 400 "beyond the end"
assert_eq "$(page -1 .status)" 400 "before the start"

step "they are replayed"
same_as_recorded "$WORK/1.0.jsonl" 1.0
assert_eq "$got" 0 "exit status of 1.0"
assert_eq "$(final .complete)" true "1.0 completes"
assert_eq "$(changes 'select(.verdict == "halt")')" "" "halts of 1.0"
opened=$(jq -s 'map(select(.decided.verdict == "promote")) | length' "$WORK/1.0.jsonl")
assert_eq "$(changes 'select(.verdict == "promote")' | wc -l)" "$opened" "rings opened"

same_as_recorded "$WORK/2.0.jsonl" 2.0
assert_eq "$got" 6 "exit status of 2.0"
recorded=$(jq -s 'map(select(.decided.verdict == "halt")) | .[0] | {tick, text: .decided.reasons[0].text}' -c "$WORK/2.0.jsonl")
assert_eq "$(changes 'select(.verdict == "halt") | {tick, text: .reason}' | head -n 1)" "$recorded" "the halt"
step "  $recorded"
expect 0 fb --json rollout explain crs
assert_eq "$(jq -c '[.history[] | select(.verdict == "halt")][0] | {tick, text}' <<<"$out")" "$recorded" "as explain tells it"
text=$(jq -r '.text[]' <<<"$out")
assert_contains "$text" "Started by releaser; " "who began it"
assert_contains "$text" " of $((good + bad)) devices have been given it" "how many have it"
if [ "$(jq -r .state <<<"$out")" = halted ]; then
    assert_contains "$text" "crs/2.0 is halted: " "the first line"
    assert_contains "$text" "recalled everywhere" "what comes next"
else
    assert_contains "$text" "Halted and recalled on linux-rhel-9" "where it is halted"
    assert_contains "$text" "The other platforms go on" "what comes next"
fi

step "another policy, another end"
replay "$WORK/2.0.jsonl" --policy "$WORK/policies/patient.json"
[ "$(final .recorded.differ)" -gt 0 ] || fail "a patient policy decides all the same"
assert_contains "$(final .note)" "not known" "what it cannot say"
replay "$WORK/1.0.jsonl" --policy "$WORK/policies/slow.json"
[ "$(final .recorded.differ)" -gt 0 ] || fail "a slow policy decides all the same"
assert_eq "$(changes 'select(.verdict == "promote")')" "" "rings that a slow policy opens"

step "a pipe, a table, a record that was cut off"
out=$("$sim" replay - <"$WORK/1.0.jsonl")
assert_contains "$out" "decisions are as they were recorded" "the table"
head -c -40 "$WORK/1.0.jsonl" >"$WORK/cut.jsonl"
expect 1 "$sim" replay "$WORK/cut.jsonl" --json
assert_contains "$out" "cut.jsonl: line $(wc -l <"$WORK/1.0.jsonl"): " "the refusal"

step "one of many pages"
# The ticks of 1.0 again and again, as a rollout of another channel, into the store of a stopped server.
stop crowd
stop server
python3 - "$site/server/state/firebreak.db" <<'PY'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
columns = [row[1] for row in db.execute("PRAGMA table_info(rollouts)")]
old = dict(zip(columns, db.execute("SELECT * FROM rollouts WHERE version = '1.0'").fetchone()))
ticks = db.execute("SELECT at_ms, facts, decision FROM ticks WHERE rollout = ? ORDER BY tick LIMIT 5", (old["id"],)).fetchall()
new = old | {"id": 7777, "channel": "past", "version": "0.1", "tick": 2345, "state": "superseded"}
db.execute(f"INSERT INTO rollouts ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})", [new[c] for c in columns])
for i in range(new["tick"]):
    at_ms, facts, decision = ticks[i % len(ticks)]
    db.execute("INSERT INTO ticks (rollout, tick, at_ms, facts, decision) VALUES (?, ?, ?, ?, ?)",
               (7777, i, at_ms, json.dumps(json.loads(facts) | {"tick": i, "now_ms": 500 * i}), decision))
db.commit()
PY
start_server
who=viewer expect 0 fb rollout record past/0.1 -o "$WORK/past.jsonl"
replay "$WORK/past.jsonl"
assert_eq "$(final .ticks)" 2345 "ticks of many pages"
assert_eq "$(tail -n 1 "$WORK/past.jsonl" | jq -r .end.state)" superseded "its end"

step "the simulator's own"
expect 0 "$sim" run --scenario S2 --seed 3 --fleet 200000 --record "$WORK/s2.jsonl" --json
assert_eq "$(jq '.p_halt == 1' <<<"$out")" true "S2 halts"
replay "$WORK/s2.jsonl"
assert_eq "$got" 6 "exit status of S2"
assert_eq "$(final .recorded.differ)" 0 "decisions of S2 that differ"
expect 2 "$sim" run --scenario S2 --seeds 2 --record "$WORK/s2.jsonl"
