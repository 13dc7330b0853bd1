#!/bin/bash
# What mirrors are good for while all is well with the keys: what the server cannot give comes from one, and is applied
# with the server's permit; a root that the server withholds is found, and its words are judged by it; without the server
# a device knows what there is, and takes nothing without a permit.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/mirrors.bash"
. "$(dirname "$0")/hostile.bash"
. "$(dirname "$0")/ceremony.bash"

mirror_all() {
    expect 0 fb repo export "$WORK/good" --root "$root"
}

# A new snapshot comes with each step of a rollout: the mirror is brought up to date as its owner would do it by timer.
mirror_brings() { # NAME VERSION
    mirror_all
    passes_bring "$1" "$2"
}

mirror_gave() { # REGEX: what it was asked for, and had
    grep -qE "^200 $1" "$WORK/good.log" || fail "the mirror was not asked for $1"
}

complete() {
    agent one once
    rollout_is .state complete
}

rollout_begins() { # VERSION
    publish "$1"
    expect 0 fb rollout start "$channel/$1" --policy quick
}

make_site
start_server
start_hostile
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
through one
rollout_begins 1.0
wait_until 60 "1.0 is complete" complete
start_mirror good
mirrors_of one good

step "the server has lost plans, manifests and blobs: they come from the mirror, the permit from the server"
orders "/repo/(targets|blobs)/ status 500 {}"
rollout_begins 2.0
wait_until 60 "one runs 2.0" mirror_brings one 2.0
mirror_gave "/targets/rollout/[0-9a-f]{64}.crs.json"
mirror_gave "/targets/content/crs/[0-9a-f]{64}.2.0.json"
mirror_gave "/blobs/"
! grep -qE "^200 /metadata/(timestamp|[0-9]+.snapshot).json" "$WORK/good.log" || fail "the server had the metadata"
expect 0 agent one verify
wait_until 60 "2.0 is complete" complete

step "the server has nothing of the repository"
orders "/repo/ status 503 {}"
rollout_begins 3.0
wait_until 60 "one runs 3.0" mirror_brings one 3.0
mirror_gave "/metadata/timestamp.json"
expect 0 agent one verify
assert_eq "$(agent one --json status | jq -r .trouble)" null "trouble"
wait_until 60 "3.0 is complete" complete
orders
expect 0 agent one once # the proxy keeps a timestamp of before the ceremony

step "another timestamp key; the server withholds the root that says so"
cp "$site/server/online/timestamp.pem" "$WORK/timestamp-1.pem"
expect 0 "$bin" key new "$site/server/online/timestamp-2.pem" --no-passphrase
get root "$desk/1.root.json"
draft repo change "$desk/1.root.json" -o "$desk/2.root.json" --role timestamp \
    --add-key "$site/server/online/timestamp-2.pem.pub.json" \
    --remove-key "$("$bin" --json key show "$WORK/timestamp-1.pem" | jq -r .keyid)"
sign 0 "$desk/2.root.json" root-1 --root "$desk/1.root.json"
sign 0 "$desk/2.root.json" root-2 --root "$desk/1.root.json"
expect 0 fb repo publish "$desk/2.root.json" --root "$root"
orders "/2.root.json status 404" "/timestamp.json last"
mv "$WORK/good" "$WORK/before"
mkdir "$WORK/good"
expect 0 agent one once
assert_eq "$(trusted root)" 1 "nobody has shown another"
mkdir "$WORK/good/metadata"
cp "$desk/2.root.json" "$WORK/good/metadata/"
expect 3 agent one once
assert_contains "$out" "timestamp" "what is wrong"
assert_eq "$(trusted root)" 2 "the mirror has shown it"
assert_eq "$(agent one --json status | jq -r '.channels[0].hold')" metadata-under-signed "the hold"
assert_contains "$(agent one status)" "updates     stand still: " "for people"
assert_contains "$(agent one status)" "timestamp" "for people"
endpoint_runs one 3.0 || fail "one has left 3.0"
expect 0 agent one verify

step "the mirror has all of it: one goes on from there"
rm -r "$WORK/good"
mv "$WORK/before" "$WORK/good"
mirror_all
expect 0 agent one once
assert_eq "$(agent one --json status | jq -r '.trouble')" null "trouble"

step "no server at all: the mirror shows the next release, nobody permits it"
rollout_begins 4.0
mirror_all
stop hostile
offered() {
    mirror_all
    expect 5 agent one once
    agent one --json status | jq -e '.channels[0] | .wants == "4.0" and .staged'
}
wait_until 30 "4.0 is staged" offered
assert_contains "$(agent one status)" "next        4.0, staged: waits for a permit"
assert_eq "$(agent one --json status | jq .snapshot_version)" \
    "$(jq '.signed.meta["snapshot.json"].version' "$WORK/good/metadata/timestamp.json")" "the snapshot it knows"
stays 2 "nothing without a permit" eval '! agent one once && endpoint_runs one 3.0'
expect 0 agent one verify

step "the server is back"
rm "$hostile/port" "$hostile/orders"
start_hostile
through one
wait_until 30 "one runs 4.0" passes_bring one 4.0
who=viewer expect 0 fb audit verify
