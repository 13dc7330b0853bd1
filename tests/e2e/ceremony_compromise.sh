#!/bin/bash
# A release key is in wrong hands. Once targets names it no longer, what it signed does not count: not a new
# release, and not what is published, which the others sign anew.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

before_ceremony # its 1.0 is signed by 1, whose key was copied, and 2
person dora
get root "$desk/1.root.json"
get targets "$desk/1.targets.json"
get "content-$channel" "$desk/1.content.json"

step "targets without that key; what is published has one signature too few then"
draft repo change "$desk/1.targets.json" -o "$desk/2.targets.json" --role "content-$channel" \
    --add-key "$(pub dora)" --remove-key "$(key_id "content-$channel-1")"
for key in 1 2; do
    sign 0 "$desk/2.targets.json" "targets-$key" --root "$desk/1.root.json" --previous "$desk/1.targets.json"
done
expect 3 fb repo publish "$desk/2.targets.json" --root "$root" # told here
assert_contains "$out" "repo renew" "the remedy"
expect 3 fb repo publish "$desk/2.targets.json" # told by the server

step "the others look at what is listed and sign it anew; both go in together"
draft repo renew "$desk/1.content.json" -o "$desk/2.content.json"
assert_eq "$(field "$desk/2.content.json" '[.targets[].path] | join(" ")')" "content/$channel/1.0.json" "what is listed"
sign 3 "$desk/2.content.json" "content-$channel-1" --targets "$desk/2.targets.json" --root "$desk/1.root.json"
assert_contains "$out" "no say" "the old key"
for name in "content-$channel-2" dora; do
    sign 0 "$desk/2.content.json" "$name" --targets "$desk/2.targets.json" --root "$desk/1.root.json" \
        --previous "$desk/1.content.json"
done
expect 0 fb repo publish "$desk/2.targets.json" "$desk/2.content.json" --root "$root"

step "a release of the thief and another key is refused, here and by the server"
mkdir -p "$WORK/evil"
echo evil >"$WORK/evil/rules.conf"
expect 0 fb release build "$WORK/evil" --channel "$channel" --version 6.6.6 --root "$root" -o "$WORK/evil-out"
for key in 1 2; do
    expect 0 fb release sign "$WORK/evil-out" --key "$site/offline/content-$channel-$key.pem" \
        --passphrase-file "$WORK/passphrase"
done
expect 3 fb release publish "$WORK/evil-out" --root "$root"
expect 3 fb release publish "$WORK/evil-out"

step "releases go on, with the new key"
content_keys=("$site/offline/content-$channel-2.pem" "$(key_file dora)")
rolled_out 2.0
stranger_agrees
