#!/bin/bash
# The server is gone and a release is bad: its signers revoke it at their desks and put one file on a static mirror.
# Endpoints leave the release without a permit and without the server, though other mirrors are dead or send a byte a
# second; when the server is back they tell it, and nobody brings the release back.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/mirrors.bash"

make_site
start_server
token endpoints 2
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
make_endpoint two soak=0.1 health_interval=0.1
settled() { # NAME VERSION
    agent "$1" once
    endpoint_runs "$1" "$2"
}
complete() {
    agent one once
    [ "$version" = 1.0 ] || agent two once
    rollout_is .state complete
}
for version in 1.0 2.0; do
    publish $version
    expect 0 fb rollout start crs/$version --policy demo
    wait_until 60 "$version is complete" complete
done
for name in one two; do
    wait_until 60 "$name runs 2.0" settled $name 2.0
done
expect 0 agent one verify

step "a mirror of what is published"
expect 0 fb repo export "$WORK/good" --root "$site/endpoint/root.json"
start_mirror good
start_mirror slow drip
mirrors_of one http://127.0.0.1:1 good
mirrors_of two good
expect 0 agent one once
expect 0 agent one once
assert_contains "$(cat "$WORK/good.log")" "304 /metadata/content-crs.json" "asked only for what is new"
stop server

step "without the server nothing changes"
expect 5 agent one once
expect 5 agent two once
endpoint_runs one 2.0 || fail "one has left 2.0"

step "2.0 is revoked at the signers' desks; the mirror gets one file"
expect 0 "$FIREBREAK_BIN/firebreak" release revoke crs/2.0 --reason "eats files" \
    --previous "$WORK/good/metadata/content-crs.json" --root "$site/endpoint/root.json" -o "$WORK/next.json"
cp "$WORK/next.json" "$WORK/good/metadata/content-crs.json.new"
mv "$WORK/good/metadata/content-crs.json.new" "$WORK/good/metadata/content-crs.json"
expect 5 agent one once # nobody has signed it yet
endpoint_runs one 2.0 || fail "one has obeyed an unsigned revocation"
sign_content "$WORK/next.json"
cp "$WORK/next.json" "$WORK/good/metadata/content-crs.json.new"
mv "$WORK/good/metadata/content-crs.json.new" "$WORK/good/metadata/content-crs.json"

step "one goes back to 1.0, past a dead mirror and one that drips"
mirrors_of one http://127.0.0.1:1 slow good
start_endpoint one
wait_until 60 "one runs 1.0" endpoint_runs one 1.0
expect 0 agent one verify
assert_eq "$(agent one --json status | jq -r '.channels[0].revoked[0].reason')" "eats files" "the reason in its status"
assert_contains "$(agent one status)" "revoked     2.0: eats files" "for people"
stays 3 "the one that drips is not asked again and again" eval '[ "$(grep -c . "$WORK/slow.log")" -le 2 ]'
stop one

step "two has nothing to go back to: what has worked stays, with an alarm"
for pass in 1 2; do
    expect 5 agent two once
done
endpoint_runs two 2.0 || fail "two was left without content"
assert_contains "$(agent two status)" "ALARM" "the alarm in its status"
assert_eq "$(agent two --json status | jq '.channels[0].runs_revoked')" true

step "its owner cannot bring it back either"
expect 1 agent two rollback # there is no way back
expect 3 agent one resume --release 2.0
assert_contains "$out" "was revoked by those who sign it: eats files"

step "the server is back and knows nothing of it: it offers 2.0, in vain"
start_server
for pass in 1 2 3; do
    agent one once >"$WORK/pass.log" 2>&1 || true
    endpoint_runs one 1.0 || fail "one is back on 2.0"
done
assert_eq "$(agent one --json status | jq -r '.channels[0].refused')" revoked "why it does not take 2.0"
expect 0 agent two once
expect 0 agent two once
step "the revocation is published there, too, and a repaired release reaches both"
expect 0 fb repo publish "$WORK/next.json"
publish 3.0
expect 0 fb rollout start crs/3.0 --policy demo
both() { # VERSION
    agent one once
    agent two once
    endpoint_runs one "$1" && endpoint_runs two "$1"
}
wait_until 60 "both run 3.0" both 3.0
who=viewer expect 0 fb audit verify
