#!/bin/bash
# Renewal of targets and content, in time and too late: what has expired stops updates, not protection, and
# is fetched, renewed and published like anything else.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

expires() {
    date -u -d "@$(($(date +%s) + $1))" +%Y-%m-%dT%H:%M:%SZ
}

before_ceremony
get root "$desk/1.root.json"
get targets "$desk/1.targets.json"
get "content-$channel" "$desk/1.content.json"
expect 1 fb repo get content-none --root "$root" -o "$desk/none.json"

step "in time: both at once, the releases stay listed"
draft repo renew "$desk/1.targets.json" -o "$desk/2.targets.json"
draft repo renew "$desk/1.content.json" -o "$desk/2.content.json" --expires-days 90
assert_contains "$out" "expires earlier than version 1" "a life that is cut short"
assert_eq "$(field "$desk/2.content.json" '[.changes[].change] | join(" ")' --previous "$desk/1.content.json")" \
    "version expires" "what a renewal changes"
for key in 2 3; do
    sign 0 "$desk/2.targets.json" "targets-$key" --root "$desk/1.root.json" --previous "$desk/1.targets.json"
    sign 0 "$desk/2.content.json" "content-$channel-$key" --root "$desk/1.root.json" \
        --targets "$desk/1.targets.json" --previous "$desk/1.content.json"
done
sign 3 "$desk/1.targets.json" targets-1 --root "$desk/1.root.json" --previous "$desk/2.targets.json" # stale
sign 3 "$desk/2.content.json" targets-1 --targets "$desk/1.targets.json"
expect 0 fb repo publish "$desk/2.content.json" "$desk/2.targets.json" --root "$root"
expect 3 fb repo publish "$desk/1.targets.json" --root "$root"
wait_until 10 "the endpoint trusts what was renewed" eval '[ "$(trusted targets)" = 2 ]'
rolled_out 2.0

step "too late: targets expires, updates stop, content stays"
get targets "$desk/now.json"
draft repo renew "$desk/now.json" -o "$desk/short.json"
jq -c --arg at "$(expires 4)" '.signed.expires = $at' "$desk/short.json" >"$desk/3.targets.json"
sign 0 "$desk/3.targets.json" targets-1 --root "$desk/1.root.json"
sign 0 "$desk/3.targets.json" targets-2 --root "$desk/1.root.json"
expect 0 fb repo publish "$desk/3.targets.json" --root "$root"
expired() {
    rm -f "$desk/late.json"
    fb repo get targets --root "$root" -o "$desk/late.json" 2>&1 | grep -q "expired at"
}
wait_until 15 "targets has expired, and is handed out all the same" expired
expect 3 fb release build "$WORK/release-2.0/tree" --channel "$channel" --version 3.0 --root "$root" -o "$WORK/no"
sign 3 "$desk/late.json" targets-3 --root "$desk/1.root.json"
assert_contains "$out" "expired" "no signature under what has expired"
endpoint_runs one 2.0 || fail "the endpoint lost its content"
draft repo renew "$desk/late.json" -o "$desk/4.targets.json"
sign 0 "$desk/4.targets.json" targets-1 --root "$desk/1.root.json" --previous "$desk/late.json"
sign 0 "$desk/4.targets.json" targets-3 --root "$desk/1.root.json" --previous "$desk/late.json"
expect 0 fb repo publish "$desk/4.targets.json" --root "$root"
rolled_out 3.0
