#!/bin/bash
# A release that reached the whole fleet is taken back with a file that was signed without any network: published, it
# sends everybody back, is offered to nobody again, and stays so over a restart and through later releases.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
crowd=20
root=$site/endpoint/root.json

offline() { # COMMAND...
    expect 0 alone "$FIREBREAK_BIN/firebreak" "$@"
}

# revoke VERSION PREVIOUS OUT [ARGUMENT...]: made and signed offline, from the file that is known there
revoke() {
    local version=$1 previous=$2 next=$3 key
    shift 3
    offline release revoke "$channel/$version" --reason "it drops all traffic" --previous "$previous" -o "$next" "$@"
    for key in 1 2; do
        offline repo sign "$next" --key "$site/offline/content-$channel-$key.pem" \
            --passphrase-file "$WORK/passphrase" --root "$root" --targets "$site/server/bootstrap/1.targets.json" \
            --previous "$previous" --yes
    done
}

crowd_runs() { # VERSION
    local digest
    digest=$(fb --json release list --channel "$channel" | jq -r --arg v "$1" '.releases[] | select(.version == $v) | .digest')
    [ "$(curl -sf -H "Authorization: Bearer $(cat "$site/operators/viewer.token")" "$url/api/v1/overview" |
        jq -r --arg d "$digest" '[.channels[0].running[] | select(.digest == $d) | .n] | add // 0')" -ge $((crowd + 1)) ]
}

rolled_out() { # VERSION
    publish "$1"
    expect 0 fb rollout start "$channel/$1" --policy quick
    wait_until 90 "$1 is complete" rollout_is .state complete
    wait_until 30 "$1 runs everywhere" crowd_runs "$1"
}

make_site
start_server
token endpoints 2
token crowd $crowd
make_endpoint one soak=1 health_interval=1
start_endpoint one
start_crowd "{\"seed\": 5, \"tick_ms\": 500, \"soak_ms\": 500, \"groups\": [
  {\"count\": $crowd, \"cohort\": \"linux-debian-12\", \"behaviour\": \"healthy\"}]}" $crowd

step "1.0 and 2.0 reach everyone"
rolled_out 1.0
rolled_out 2.0
wait_until 20 "the endpoint runs 2.0" endpoint_runs one 2.0

step "2.0 is taken back, offline"
content=$WORK/release-2.0/out/content-$channel.json
revoke 2.0 "$content" "$WORK/revoked.json"
expect 1 fb release revoke crs/2.0 --reason "again" --previous "$content" -o "$WORK/revoked.json" # is there
expect 1 fb release revoke crs/9.9 --reason "what?" --previous "$content" -o "$WORK/none.json"
assert_contains "$out" "--digest" "what to do"

step "not signed by enough, it is nothing"
expect 0 fb release revoke crs/2.0 --reason "alone" --root "$root" -o "$WORK/alone.json"
expect 3 fb repo publish "$WORK/alone.json" --root "$root"
endpoint_runs one 2.0 || fail "the endpoint left 2.0"

step "published"
expect 0 fb repo publish "$WORK/revoked.json" --root "$root"
wait_until 20 "the endpoint is back on 1.0" endpoint_runs one 1.0
wait_until 20 "all are back on 1.0" crowd_runs 1.0
expect 0 agent one verify
assert_contains "$(rollout_field .stands)" "it drops all traffic" "what it stands for"
assert_eq "$(rollout_field .state)" halted "the rollout"
expect 6 fb rollout start crs/2.0 --policy quick
assert_contains "$out" "it drops all traffic" "why not"
expect 0 fb release list --channel "$channel"
assert_contains "$out" "revoked: it drops all traffic" "the list"
who=viewer expect 0 fb audit list --json
assert_eq "$(jq -r '[.entries[] | select(.action == "release.revoke")] | map(.subject) | join(" ")' <<<"$out")" \
    "crs/2.0" "the audit"

step "over a restart"
stop server
start_server
wait_until 20 "the server knows its fleet" crowd_runs 1.0
expect 6 fb rollout start crs/2.0 --policy quick
endpoint_runs one 1.0 || fail "the endpoint left 1.0"

step "through a later release"
rolled_out 3.0
wait_until 20 "the endpoint runs 3.0" endpoint_runs one 3.0
expect 0 fb repo check --root "$root" --json
assert_eq "$(jq -r '.channels[0] | "\(.releases) \(.revoked) \(.newest)"' <<<"$out")" "3 1 3.0" "the repository"
expect 6 fb rollout start crs/2.0 --policy quick

step "all is taken back: nothing is offered to anybody"
revoke 1.0 "$WORK/release-3.0/out/content-$channel.json" "$WORK/second.json"
revoke 3.0 "$WORK/second.json" "$WORK/third.json"
expect 0 fb repo publish "$WORK/third.json" --root "$root" # the one between is not needed
wait_until 20 "3.0 is halted" rollout_is .state halted
make_endpoint two soak=1 health_interval=1
start_endpoint two
stays 4 "nothing for a new endpoint" endpoint_runs two none
expect 0 fb repo check --root "$root"
assert_contains "$out" "3 revoked" "the repository"
who=viewer expect 0 fb audit verify
