#!/bin/bash
# tuf-js follows ceremonies: a root that replaces keys of root, targets, snapshot and timestamp by keys of other
# types, targets signed by the new key, and content after them; a client from before, and one that starts at root 1.
. "$(dirname "$0")/published.bash"
desk=$WORK/desk
first=$site/endpoint/root.json
mkdir "$desk"

read_site ed25519 ed25519

# key_pair FILE TYPE OPTION...: its public half in FILE.pub.json
key_pair() {
    local file=$1 type=$2
    shift 2
    expect 0 "$FIREBREAK_BIN/firebreak" key new "$file" --type "$type" "$@"
}

key_id() { # FILE
    "$FIREBREAK_BIN/firebreak" --json key show "$1" --passphrase-file "$WORK/passphrase" | jq -r .keyid
}

# replace FROM TO ROLE OLD NEW: the next version with another key of a role
replace() {
    expect 0 fb repo change "$1" -o "$2" --role "$3" --add-key "$5.pub.json" --remove-key "$(key_id "$4")"
}

sign() { # FILE KEY OPTION...
    local file=$1 key=$2
    shift 2
    expect 0 fb repo sign "$file" --key "$key" --passphrase-file "$WORK/passphrase" --yes "$@"
}

step "new keys: root RSA, targets and timestamp ECDSA, snapshot ed25519"
offline=$site/offline
online=$site/server/online
key_pair "$desk/root.pem" rsa --passphrase-file "$WORK/passphrase"
key_pair "$desk/targets.pem" ecdsa --passphrase-file "$WORK/passphrase"
key_pair "$online/timestamp-2.pem" ecdsa --no-passphrase
key_pair "$online/snapshot-2.pem" ed25519 --no-passphrase

step "root 2"
replace "$first" "$desk/a.json" root "$offline/root-1.pem" "$desk/root.pem"
replace "$desk/a.json" "$desk/b.json" targets "$offline/targets-1.pem" "$desk/targets.pem"
replace "$desk/b.json" "$desk/c.json" timestamp "$online/timestamp.pem" "$online/timestamp-2.pem"
replace "$desk/c.json" "$desk/2.root.json" snapshot "$online/snapshot.pem" "$online/snapshot-2.pem"
for key in "$offline/root-1.pem" "$offline/root-2.pem" "$desk/root.pem"; do
    sign "$desk/2.root.json" "$key" --root "$first"
done

step "targets, by the new key and one that stays"
expect 0 fb repo get targets --root "$first" -o "$desk/1.targets.json"
expect 0 fb repo renew "$desk/1.targets.json" -o "$desk/2.targets.json"
for key in "$offline/targets-2.pem" "$desk/targets.pem"; do
    sign "$desk/2.targets.json" "$key" --root "$desk/2.root.json" --previous "$desk/1.targets.json"
done
expect 0 fb repo publish "$desk/2.root.json" "$desk/2.targets.json" --root "$first"

step "a client from before, and one that starts at root 1"
publish 3.0
for home in "$home" "$WORK/tuf-js-new"; do
    rm -f "$WORK/targets"/*
    [ -d "$home" ] || { mkdir "$home" && expect 0 tuf_js init "$first"; }
    fetch_release 3.0
    fetch_plan 1.0
    cmp "$home/root.json" "$desk/2.root.json" || fail "root 2 is not the one that was signed"
    cmp "$home/targets.json" "$desk/2.targets.json" || fail "targets 2 are not the ones that were signed"
done
