#!/bin/bash
# The endpoint owner's side: enrolment, one agent at a time, hold and resume, rollback beside a running
# agent, damage that is named, lost state that fails closed, and two agents with one identity.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
start_server
token endpoints 2
export ring=canary # of make_endpoint

field() { # NAME JQ: of the channel in the endpoint's status
    agent "$1" --json status | jq -r ".channels[0] | $2"
}

field_is() { # NAME JQ VALUE
    [ "$(field "$1" "$2")" = "$3" ]
}

release() { # VERSION
    publish "$1"
    expect 0 fb rollout start "crs/$1" --policy demo
}

step "enrolment"
make_endpoint one soak=1 health_interval=1
expect 1 agent one enrol --token-file "$WORK/endpoints.token"
assert_contains "$out" "enrolled already"
mkdir -p "$WORK/none"
sed 's/state_dir=.*/state_dir=elsewhere/' "$WORK/one/agent.conf" >"$WORK/none/agent.conf"
expect 1 agent none once
assert_contains "$out" "not enrolled"
assert_eq "$(stat -c %a "$WORK/one/state/identity.json")" 600 "mode of the identity"

# As root the child that fetches becomes somebody else, where that one can run it at all.
fetch=$FIREBREAK_BIN/firebreak-agent-fetch
if [ "$(id -u)" = 0 ] && setpriv --reuid nobody --clear-groups test -x "$fetch" && setpriv --reuid nobody --clear-groups test -x "$WORK/one/state"; then
    sed -i '1i fetch_user=nobody' "$WORK/one/agent.conf"
fi

step "one agent at a time"
start_endpoint one
release 1.0
wait_until 60 "one runs 1.0" endpoint_runs one 1.0
expect 1 agent one once
assert_contains "$out" "another firebreak-agent is at work"
wait_until 30 "the soak is over" field_is one .good_run 1.0
if grep -q fetch_user "$WORK/one/agent.conf"; then
    assert_eq "$(stat -c %U "$WORK/one/state/incoming/metadata/timestamp.json")" nobody "who fetched"
fi
expect 0 agent one verify
assert_eq "$(cat "$WORK/one/state/channels/crs/current/rules.conf")" "content of 1.0" "what the consumer reads"

step "hold and resume"
wait_until 60 "1.0 is complete" rollout_is .state complete
expect 0 agent one hold
release 2.0
stays 3 "a held endpoint keeps 1.0" endpoint_runs one 1.0
assert_eq "$(field one .hold)" held
expect 0 agent one resume
wait_until 60 "one runs 2.0" endpoint_runs one 2.0
wait_until 30 "the soak is over" field_is one .good_run 2.0

step "rollback beside the running agent"
expect 0 agent one rollback
assert_eq "$(endpoint_version one)" 1.0 "after the rollback"
assert_eq "$(field one '.quarantine[0] | .version + " " + .cause')" "2.0 owner"
stays 3 "what its owner put away stays away" endpoint_runs one 1.0
stop one
start_endpoint one
stays 2 "also after a restart" endpoint_runs one 1.0
assert_eq "$(python3 - "$site/server/state/firebreak.db" <<'PY'
import sqlite3, sys
print(*sqlite3.connect(sys.argv[1]).execute("select count(*) from events where kind = 'refused'").fetchone())
PY
)" 1 "a quarantined release is refused once, over restarts"
expect 1 agent one rollback
assert_contains "$out" "no earlier release"

step "lost state: content stays, nothing is applied, and it says so"
stop one
rm "$WORK/one/state/state/a" "$WORK/one/state/state/b"
start_endpoint one
assert_eq "$(agent one --json status | jq -r .state_lost)" true "state lost"
assert_eq "$(field one .hold)" state-lost
expect 3 agent one hold
stays 2 "the content stays" test -e "$WORK/one/state/channels/crs/current/rules.conf"
expect 0 agent one resume
assert_eq "$(endpoint_version one)" 1.0 "taken up from what is installed"

step "damage is named"
stop one
chmod 644 "$WORK/one/state/channels/crs/current/rules.conf"
echo "something else" >"$WORK/one/state/channels/crs/current/rules.conf"
expect 1 agent one verify
assert_contains "$out" "rules.conf"

step "two agents with one identity"
cp -r "$WORK/one" "$WORK/twin"
start_endpoint one
start_endpoint twin
dead() {
    agent one --json status | jq -e .identity_dead || agent twin --json status | jq -e .identity_dead
}
wait_until 30 "the server notices" dead
for name in one twin; do
    test -e "$WORK/$name/state/channels/crs/current/rules.conf" || fail "$name lost its content"
done
out=$(agent one status; agent twin status)
assert_contains "$out" "enrol this device again"
