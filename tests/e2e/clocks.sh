#!/bin/bash
# Clocks that are wrong: in 1970 and in 2100 an endpoint keeps its content and its way back, takes nothing new, and says
# what is wrong; a revocation needs no clock; set right, it goes on.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/mirrors.bash"
command -v faketime >/dev/null || fail "faketime is not installed"
export FAKETIME_DONT_FAKE_MONOTONIC=1

# at DAY NAME ARGUMENT...: the agent with a clock that says so
at() {
    local day=$1 name=$2
    shift 2
    faketime "$day 12:00:00" "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/$name/agent.conf" "$@"
}

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
settled() {
    agent one once
    endpoint_runs one "$1"
}
complete() {
    agent one once
    rollout_is .state complete
}
for version in 1.0 2.0; do
    publish $version
    expect 0 fb rollout start crs/$version --policy demo
    wait_until 60 "one runs $version" settled $version
    wait_until 60 "$version is complete" complete
done
publish 3.0
expect 0 fb rollout start crs/3.0 --policy demo
sed -i "s/^boot_guard=.*/boot_guard=on/" "$WORK/one/agent.conf"
sed -i "1i boot_id_file=boot" "$WORK/one/agent.conf"
echo boot-1 >"$WORK/one/boot"
agent one boot begin >/dev/null && agent one boot complete >/dev/null


step "a clock in 1970"
expect 3 at 1970-01-01 one once
assert_contains "$out" "the clock says 1970-01-01, before this agent was built" "the error"
assert_eq "$(at 1970-01-01 one --json status | jq -r '.channels[0].hold')" clock-before-build
assert_contains "$(at 1970-01-01 one status)" "the clock says 1970-01-01, before this agent was built" "status"
endpoint_runs one 2.0 || fail "one has moved"
expect 0 at 1970-01-01 one verify

step "a clock in 2100"
expect 3 at 2100-01-01 one once
assert_contains "$out" "the clock says 2100-01-01"
assert_contains "$out" "if the clock is wrong set it"
expect 3 at 2100-01-01 one once # the server has told its time with the first check-in
assert_contains "$(at 2100-01-01 one status)" "the clock says 2100-01-01, the server said $(date -u +%Y-)" "status"
assert_contains "$(at 2100-01-01 one --json status | jq -r '.channels[0].hold')" "expired-"
endpoint_runs one 2.0 || fail "one has moved"

step "the boot guard and the owner's way back need no clock"
echo boot-2 >"$WORK/one/boot"
expect 0 at 1970-01-01 one boot begin
expect 0 at 1970-01-01 one boot complete
expect 0 at 1970-01-01 one rollback
endpoint_runs one 1.0 || fail "the owner's rollback"

step "nor does a revocation"
start_mirror stick
mirrors_of one stick
expect 0 fb repo export "$WORK/stick" --root "$site/endpoint/root.json"
expect 0 agent one resume --release 2.0
wait_until 60 "one runs 3.0" settled 3.0
expect 0 "$FIREBREAK_BIN/firebreak" release revoke crs/3.0 --reason "worse" \
    --previous "$WORK/stick/metadata/content-crs.json" --root "$site/endpoint/root.json" -o "$WORK/next.json"
sign_content "$WORK/next.json"
cp "$WORK/next.json" "$WORK/stick/metadata/content-crs.json.new"
mv "$WORK/stick/metadata/content-crs.json.new" "$WORK/stick/metadata/content-crs.json"
expect 3 at 1970-01-01 one once
at 1970-01-01 one once >/dev/null 2>&1 || true
assert_eq "$(endpoint_version one)" 2.0 "what it runs after the revocation"

step "the clock is set: it goes on"
expect 0 fb repo publish "$WORK/next.json"
publish 4.0
expect 0 fb rollout start crs/4.0 --policy demo
wait_until 60 "one runs 4.0" settled 4.0
assert_eq "$(agent one --json status | jq -r '.trouble')" null "trouble"
