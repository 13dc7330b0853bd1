#!/bin/bash
# Who may say what: an override is two people and one ring, a stop is one person, a halt wins, and the audit
# log tells all of it with names and reasons, and shows where it was changed.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=30

promote() { # WHO STATUS REASON
    who=$1 expect "$2" fb rollout promote crs/1.0 --reason "$3"
}

audit_has() { # ACTOR ACTION REASON
    jq -e --arg actor "$1" --arg action "$2" --arg reason "$3" \
        '.entries[] | select(.actor == $actor and .action == $action and (.detail // "{}" | fromjson | .reason) == $reason)' <<<"$entries" \
        >/dev/null || fail "the audit log lacks: $*"
}

sql() { # STATEMENT, on a stopped server's database
    python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); n = c.execute(sys.argv[2]).rowcount; c.commit(); sys.exit(n != 1)' \
        "$site/server/state/firebreak.db" "$1"
}

make_site
policy slow '.fast_tick_s = 0.5 | .tick_s = 0.5 | .rings[].bake_s = 600 | .rings[-1].bake_s = 0'
start_server
token crowd $crowd
start_crowd "{\"seed\": 14, \"tick_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}" $crowd
publish 1.0
who=viewer expect 4 fb rollout start crs/1.0 --policy slow
expect 0 fb rollout start crs/1.0 --policy slow
wait_until 20 "the first ring is full" rollout_is .ring.full true
assert_eq "$(rollout_field .ring.index)" 0 "the ring"

step "an override is two people"
promote viewer 4 "let me"
promote approver-1 0 "the fix is urgent"
assert_contains "$out" "second person" "the first word"
promote approver-1 0 "really"
assert_contains "$out" "second person" "the same person again"
promote releaser 4 "me too"
assert_eq "$(rollout_field .waits_for_second_person_after)" approver-1 "whose word stands"
stays 2 "nothing happens by one person's word" rollout_is .ring.index 0

step "the second one acts, over a restart"
stop server KILL
start_server
assert_eq "$(rollout_field .waits_for_second_person_after)" approver-1 "whose word stands"
promote approver-2 0 "seen it, go"
assert_contains "$out" "promoted by one ring" "the second word"
wait_until 10 "the next ring opens" rollout_is .ring.index 1
stays 3 "one ring, not more" rollout_is .ring.index 1
assert_eq "$(rollout_field '.waits_for_second_person_after // "nobody"')" nobody "whose word stands"
promote approver-2 0 "and the next"
assert_contains "$out" "second person" "each ring takes two"

step "a stop is one person, and wins"
expect 0 fb rollout halt crs/1.0 --reason "wrong rules"
promote approver-1 6 "on with it"
promote approver-2 6 "on with it"
assert_contains "$out" "halt wins" "the answer"
answer=$(curl -s -X POST -H "Authorization: Bearer $(cat "$site/operators/approver-2.token")" \
    -H 'Content-Type: application/json' -d '{"version": "1.0", "reason": "x"}' "$url/api/v1/channels/crs/promote")
assert_contains "$(jq -r .type <<<"$answer")" halted "the problem's type"
expect 6 fb rollout start crs/1.0 --policy slow

step "the audit log has it"
who=viewer
expect 0 fb --json audit list --limit 200
entries=$out
audit_has approver-1 rollout.promote-asked "the fix is urgent"
audit_has approver-2 rollout.promote "seen it, go"
audit_has releaser rollout.halt "wrong rules"
expect 0 fb audit verify
kept=$out

step "a changed entry is found, a missing end by the line that was kept"
stop crowd
stop server
cp -a "$site/server/state" "$WORK/state"
sql "update audit set actor = 'approver-2' where actor = 'approver-1' and detail like '%the fix is urgent%'"
expect 3 "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf"
assert_contains "$out" "was changed" "why the server does not start"
rm -rf "$site/server/state"
cp -a "$WORK/state" "$site/server/state"
sql "delete from audit where seq = (select max(seq) from audit)"
start_server
expect 0 fb audit verify
[ "$out" != "$kept" ] || fail "the same head without the last entry: $out"
