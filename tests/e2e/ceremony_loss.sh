#!/bin/bash
# Keys are lost, of root, targets and a channel: each is replaced by the others of its role, in one
# publication, and nothing that was signed has to be signed again for it.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

before_ceremony
person rosa tom cleo
get root "$desk/1.root.json"
get targets "$desk/1.targets.json"
lost=("$(key_id root-1)" "$(key_id targets-1)" "$(key_id "content-$channel-3")")
rm "$site/offline/root-1.pem" "$site/offline/targets-1.pem" "$site/offline/content-$channel-3.pem"

step "the next root and targets"
draft repo change "$desk/1.root.json" -o "$desk/half.json" --role root --add-key "$(pub rosa)" \
    --remove-key "${lost[0]:0:8}"
draft repo change "$desk/half.json" -o "$desk/2.root.json" --role targets --add-key "$(pub tom)" \
    --remove-key "${lost[1]}"
draft repo change "$desk/1.targets.json" -o "$desk/2.targets.json" --role "content-$channel" \
    --add-key "$(pub cleo)" --remove-key "${lost[2]}"
assert_eq "$(field "$desk/2.root.json" '[.changes[].change] | join(" ")' --root "$desk/1.root.json")" \
    "version key-removed key-added key-removed key-added" "what changes"
expect 1 alone "$bin" repo change "$desk/1.targets.json" -o "$desk/no.json" --role "content-$channel" \
    --remove-key "${lost[0]}"
for name in root-2 root-3; do
    sign 0 "$desk/2.root.json" "$name" --root "$desk/1.root.json"
done
for name in targets-2 tom; do
    sign 0 "$desk/2.targets.json" "$name" --root "$desk/2.root.json" --previous "$desk/1.targets.json"
done
assert_eq "$(jq -r '.needs[0].have' < <("$bin" --json repo show "$desk/2.targets.json" --root "$desk/1.root.json"))" \
    1 "tom has no say by the old root"
expect 3 fb repo publish "$desk/2.targets.json" --root "$root" # not without the root that names tom
expect 0 fb repo publish "$desk/2.targets.json" "$desk/2.root.json" --root "$root"

step "releases go on, with the new key"
content_keys=("$site/offline/content-$channel-1.pem" "$(key_file cleo)")
rolled_out 2.0
stranger_agrees
assert_eq "$(trusted root) $(trusted targets)" "2 2" "what the endpoint trusts"
