#!/bin/bash
# The yearly root: a later expiry, and one key replaced by another's. Nothing counts before both the old and
# the new keys' threshold is there; the endpoint of before follows.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

before_ceremony
person carol
get root "$desk/1.root.json"
cmp "$desk/1.root.json" "$root" || fail "the published root is not the one of the site, byte for byte"
expect 1 fb repo get root --root "$root" -o "$desk/1.root.json" # nothing is overwritten

step "the next root: renewed, carol for key 1"
draft repo renew "$desk/1.root.json" -o "$desk/renewed.json" --expires-days 400
draft repo change "$desk/renewed.json" -o "$desk/2.root.json" --role root --add-key "$(pub carol)" \
    --remove-key "$(key_id root-1)"
assert_eq "$(field "$desk/2.root.json" '.version' --root "$desk/1.root.json")" 2 "a draft keeps its version"
assert_eq "$(field "$desk/2.root.json" '[.changes[].change] | sort | join(" ")' --root "$desk/1.root.json")" \
    "expires key-added key-removed version" "what changes"

step "a signature each, on one carried file"
sign 0 "$desk/2.root.json" root-2 --root "$desk/1.root.json"
sign 3 "$desk/2.root.json" root-1 # a key that leaves has its say only by the root that it leaves
sign 3 "$desk/2.root.json" targets-1 --root "$desk/1.root.json"
sign 0 "$desk/2.root.json" root-1 --root "$desk/1.root.json"
assert_eq "$(field "$desk/2.root.json" '[.needs[].have] | join(" ")' --root "$desk/1.root.json")" "1 2" \
    "who has signed, of the new and of the old keys"
expect 3 fb repo publish "$desk/2.root.json" --root "$root" # told here
expect 3 fb repo publish "$desk/2.root.json"                # told by the server
sign 0 "$desk/2.root.json" carol --root "$desk/1.root.json"
assert_eq "$(field "$desk/2.root.json" .complete --root "$desk/1.root.json")" true "complete"

step "published; the endpoint follows and takes the next release"
who=viewer expect 4 fb repo publish "$desk/2.root.json" --root "$root"
expect 0 fb repo publish "$desk/2.root.json" --root "$root"
expect 0 fb --json repo publish "$desk/2.root.json" --root "$root"
assert_eq "$(jq -r .files[0].state <<<"$out")" unchanged "published once more"
expect 0 fb --json repo publish "$desk/1.root.json" "$desk/2.root.json" --root "$root"
assert_eq "$(jq -r '[.files[].state] | join(" ")' <<<"$out")" "unchanged unchanged" "with the one before it"
expect 2 fb repo get timestamp --root "$root" -o "$desk/timestamp.json"
wait_until 10 "the endpoint trusts root 2" eval '[ "$(trusted root)" = 2 ]'
rolled_out 2.0
stranger_agrees

step "root 1 is over: a root 2 that its keys sign is late"
draft repo renew "$desk/1.root.json" -o "$desk/late.json"
sign 0 "$desk/late.json" root-1
sign 0 "$desk/late.json" root-2
expect 3 fb repo publish "$desk/late.json" --root "$root"
expect 3 fb repo publish "$desk/late.json"

step "another site's root"
expect 0 "$bin" init "$WORK/other" --channel crs --threshold 1 --passphrase-file "$WORK/passphrase"
for verb in check "get targets -o $WORK/none.json"; do
    expect 3 fb repo $verb --root "$WORK/other/endpoint/root.json"
    assert_contains "$out" "another site's" "what to look at"
done

step "a mirror that lacks a root between"
draft repo renew "$desk/2.root.json" -o "$desk/3.root.json"
sign 0 "$desk/3.root.json" root-2 --root "$desk/2.root.json"
sign 0 "$desk/3.root.json" carol --root "$desk/2.root.json"
expect 0 fb repo publish "$desk/3.root.json" --root "$root"
expect 0 fb repo export "$WORK/mirror" --root "$root"
expect 0 "$bin" repo check --root "$root" --dir "$WORK/mirror"
rm "$WORK/mirror/metadata/2.root.json"
expect 3 "$bin" repo check --root "$root" --dir "$WORK/mirror"
assert_contains "$out" "has root 3, but not root 2" "what is missing"
