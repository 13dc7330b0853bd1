#!/bin/bash
# A stolen server's permits: whoever has the permit key can sign what he likes, and still a device takes only what is
# its own, for what it asked, with the nonce of that check-in, of the right kind, and in time.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
token endpoints 2
export ring=canary # of make_endpoint: the pace has a story of its own
for name in one two; do
    make_endpoint "$name" "preflight=echo \$FIREBREAK_VERSION >>$WORK/preflights-$name" preflight_sandbox=off soak=0.1 health_interval=0.1
    echo "boot-1" >"$WORK/$name/boot"
    sed -i "1i boot_id_file=$WORK/$name/boot" "$WORK/$name/agent.conf"
done
for version in 1.0 2.0 3.0; do publish "$version"; done
steal_server one two

step "the thief's own server works"
plan rollouts "[$(rollout 1.0 1)]"
permits
for name in one two; do
    wait_until 20 "$name runs 1.0" passes_bring "$name" 1.0
done

step "permits that do not fit"
plan rollouts "[$(rollout 2.0 2)]"
no_permits
expect 0 agent one once
expect 0 agent two once
assert_eq "$(agent one --json status | jq -c '.channels[0] | [.staged, .wants]')" '[true,"2.0"]' "one is ready"

# refused WHAT PART PERMIT: one's pass with such permits is in vain, and nothing of 2.0 was loaded
refused() {
    permits "$3"
    : >"$thief/permitted"
    in_vain one 1.0 "$1" "$2"
    [ -s "$thief/permitted" ] || fail "$1: no permit was given"
    assert_eq "$(tail -n 1 "$WORK/preflights-one")" 1.0 "preflights after: $1"
    no_permits
}
other=$(jq -r .device "$WORK/two/state/identity.json")
(umask 077 && openssl genpkey -algorithm ed25519 -out "$WORK/stranger.pem")

refused "another device's" "another device" "{\"device\": \"$other\"}"
refused "no nonce of its own" "another nonce" '{"nonce": "00000000000000000000000000000000"}'
refused "of another channel" "another channel" '{"channel": "other"}'
refused "for another release" "another digest" "{\"digest\": \"$(digest_of 3.0)\"}"
refused "for what runs already" "another digest" "{\"digest\": \"$(digest_of 1.0)\"}"
refused "of the kind baseline" "another kind" '{"kind": "baseline"}'
refused "of an unknown kind" "kind" '{"kind": "urgent"}'
refused "bound to an older snapshot" "another snapshot_version" '{"snapshot_version": 1}'
refused "bound to a newer snapshot" "another snapshot_version" '{"snapshot_version": 1000}'
refused "that has expired on its way" "expired" '{"valid_s": 1, "_after_s": 1.2}'
refused "that would live for a year" "valid_s" '{"valid_s": 31536000}'
refused "signed with another key" "valid" "{\"_key\": \"$WORK/stranger.pem\"}"
refused "signed with the key of the timestamp" "valid" "{\"_key\": \"$thief/online/timestamp.pem\"}"

step "permits that were genuine once"
permits
expect 0 agent two once # two takes its own: the last one that was made
assert_eq "$(endpoint_version two)" 2.0 "two, with its own permit"
refused "that was two's" "another device" '{"_replay": true}'
permits '{"snapshot_version": 1}' # one's own, unused for its wrong snapshot
in_vain one 1.0 "of another snapshot"
refused "its own of the check-in before" "another nonce" '{"_replay": true}'
echo "boot-2" >"$WORK/one/boot"
refused "its own of the boot before" "another nonce" '{"_replay": true}'

step "a permit that nobody asked for"
plan rollouts "[]"
refused "unasked" "was not asked for" "{\"_unasked\": \"$(digest_of 2.0)\"}"

step "its own permit works"
plan rollouts "[$(rollout 2.0 2)]"
permits
wait_until 20 "one runs 2.0" passes_bring one 2.0
assert_eq "$(sort "$WORK/preflights-one" | uniq -c | xargs)" "1 1.0 1 2.0" "preflights of one"
