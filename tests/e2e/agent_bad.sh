#!/bin/bash
# What comes from the network is altered on its way: metadata, answers and blobs. Each time the pass fails with
# a reason, what runs stays and is whole, nothing that was verified before is lost, and the next honest pass works.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/hostile.bash"

make_site
start_server
start_hostile
token endpoints 2
export ring=canary # of make_endpoint
make_endpoint one soak=0.2 health_interval=0.1
publish 1.0 same.conf "the same in both"
expect 0 fb rollout start crs/1.0 --policy demo
through one
slow=$WORK/slow # a proxy and an endpoint of their own, at the side: half a minute is its time
mkdir -p "$slow"
echo "/timestamp.json drip" >"$slow/orders"
start slow python3 "$FIREBREAK_SOURCE/tests/e2e/hostile.py" "$url" "$slow"
wait_until 20 "the slow proxy listens" test -s "$slow/port"
make_endpoint two
sed -i "s|^server=.*|server=http://127.0.0.1:$(cat "$slow/port")|" "$WORK/two/agent.conf"
start drip "$FIREBREAK_BIN/firebreak-agent" --config "$WORK/two/agent.conf" once
wait_until 60 "one runs 1.0 through the proxy" passes_bring one 1.0
settled() {
    agent one once
    rollout_is .state complete
}
wait_until 30 "1.0 is complete" settled
before=$(agent one --json status | jq .snapshot_version)

# spoiled STATUS PART ORDER...: a pass under these orders ends so, for the reason that PART is of
spoiled() {
    local want=$1 part=$2
    shift 2
    orders "$@"
    expect "$want" agent one once
    assert_contains "$out" "$part" "$*"
    orders
    assert_eq "$(endpoint_version one)" 1.0 "after $*"
    assert_eq "$(agent one --json status | jq ".snapshot_version >= $before")" true "verified metadata after $*"
    assert_eq "$(cat "$WORK/one/state/channels/crs/current/rules.conf")" "content of 1.0" "after $*"
}

publish 2.0 same.conf "the same in both" more.conf "rules that only 2.0 has"
expect 0 fb rollout start crs/2.0 --policy demo

step "metadata"
spoiled 1 "timestamp" "/timestamp.json truncate"
spoiled 3 "timestamp" "/timestamp.json forge"
spoiled 1 "timestamp" "/timestamp.json garbage"
spoiled 1 "timestamp" "/timestamp.json empty"
spoiled 1 "longer" "/timestamp.json endless"
spoiled 5 "302" "/timestamp.json status 302"
spoiled 1 "timestamp" "/timestamp.json status 500 {\"title\":\"broken\"}"
spoiled 3 "snapshot" "\\.snapshot.json flip"
spoiled 3 "snapshot" "\\.snapshot.json truncate"
spoiled 3 "plan" "targets/rollout/ flip"
spoiled 3 "plan" "targets/rollout/ empty"

step "blobs: the first pass whose metadata is honest"
spoiled 3 "bytes long" "/blobs/ truncate"
spoiled 1 "longer" "/blobs/ endless"
spoiled 3 "hash" "/blobs/ flip"
spoiled 3 "bytes long" "/blobs/ empty"
spoiled 1 "blob" "/blobs/ status 500 {}"
spoiled 1 "302" "/blobs/ status 302"
ls "$WORK/one/state/channels/crs/releases" >"$WORK/releases"
assert_eq "$(wc -l <"$WORK/releases")" 1 "nothing of 2.0 is staged"

step "answers to check-ins"
spoiled 1 "answer" "POST truncate"
spoiled 1 "text" "POST garbage"
spoiled 1 "longer" "POST endless"
spoiled 1 "answer" "POST status 302"
spoiled 3 "" "POST status 429 {\"type\":\"budget\",\"title\":\"later\",\"detail\":\"too many\"}"
spoiled 1 "" "POST status 500 not a problem document"

step "metadata that is genuine, but old"
spoiled 3 "older than the trusted" "/timestamp.json first"

step "what is not known is asked again"
spoiled 4 "x" "POST status 401 {\"type\":\"urn:firebreak:problem:unknown-device\",\"title\":\"x\"}"
assert_eq "$(agent one --json status | jq -r .identity_dead)" unknown-device "what the status says"
agent one once || true
assert_eq "$(agent one --json status | jq -r .identity_dead)" null "known again"


step "the honest way is as open as before"
wait_until 60 "one runs 2.0" passes_bring one 2.0
expect 0 agent one verify
same=$(printf 'the same in both' | sha256sum | cut -c1-64)
assert_eq "$(grep -c "GET /repo/blobs/.*$same" "$hostile/requests")" 1 "an unchanged file is downloaded once"
wait "${started[drip]}" && fail "a pass fed drop by drop succeeded"
assert_contains "$(cat "$WORK/drip.log")" "timed out" "the pass that was fed drop by drop"
