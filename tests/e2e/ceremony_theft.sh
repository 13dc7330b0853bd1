#!/bin/bash
# The server's own keys were stolen, and used: the thief's copy of the server ran the online roles' versions
# ahead. New online keys, named by a new root and new targets that come by bootstrap_dir, put an end to it, and
# endpoints follow. Operators whose tokens the thief saw are shut out.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"
online=$site/server/online
boot=$site/server/bootstrap

before_ceremony
get root "$desk/1.root.json"
get targets "$desk/1.targets.json"
stop server

step "a thief's copy answers for a while, its versions run ahead"
cp -a "$site/server" "$WORK/thief"
printf '%s\n' timestamp_life=2 rollout_life=2 >>"$WORK/thief/firebreakd.conf"
before=$(trusted snapshot)
start thief "$FIREBREAK_BIN/firebreakd" --config "$WORK/thief/firebreakd.conf"
wait_until 20 "the endpoint trusts the thief" eval '[ "$(trusted snapshot)" -ge $((before + 3)) ]'
expect 0 fb repo export "$WORK/mirror" --root "$root"
stop thief

step "new online keys, the old ones out of the way"
declare -A old=()
for role in snapshot timestamp rollout permit; do
    old[$role]=$("$bin" --json key show "$online/$role.pem" | jq -r .keyid)
    rm "$online/$role.pem"
    expect 0 "$bin" key new "$online/$role.pem" --no-passphrase
    mv "$online/$role.pem.pub.json" "$desk/$role.pub.json"
done
draft repo change "$desk/1.root.json" -o "$desk/half.json" --role snapshot \
    --add-key "$desk/snapshot.pub.json" --remove-key "${old[snapshot]}"
draft repo change "$desk/half.json" -o "$desk/2.root.json" --role timestamp \
    --add-key "$desk/timestamp.pub.json" --remove-key "${old[timestamp]}"
draft repo change "$desk/1.targets.json" -o "$desk/2.targets.json" --role rollout \
    --add-key "$desk/rollout.pub.json" --remove-key "${old[rollout]}"
for key in 1 2; do
    sign 0 "$desk/2.root.json" "root-$key" --root "$desk/1.root.json"
    sign 0 "$desk/2.targets.json" "targets-$key" --root "$desk/2.root.json" --previous "$desk/1.targets.json"
done

step "without the root that names them the server does not start with them"
expect 3 "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf"

step "the new root and targets by bootstrap_dir; operators whose tokens the thief saw are shut out"
cp "$desk/2.root.json" "$desk/2.targets.json" "$boot/"
new_operator() { # NAME ROLE
    (umask 077 && echo "fbo_$(head -c 32 /dev/urandom | base64 | tr -d '=' | tr '+/' '-_')" >"$site/operators/$1.token")
    jq --arg name "$1" --arg role "$2" --arg sha256 "$(tr -d '\n' <"$site/operators/$1.token" | sha256sum | cut -d' ' -f1)" \
        '.operators += [{$name, $role, $sha256}]' "$boot/operators.json" >"$WORK/operators"
    cp "$WORK/operators" "$boot/operators.json"
}
new_operator admin-2 admin
new_operator releaser-2 releaser
python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("update operators set revoked = 1")
c.commit()' "$site/server/state/firebreak.db"
start_server
who=admin expect 4 fb token create --group g
who=admin-2 expect 0 fb token create --group g
who=releaser-2
wait_until 20 "the endpoint trusts the new root" eval '[ "$(trusted root)" = 2 ]'
assert_eq "$(jq -r '.signatures[].keyid' "$WORK"/one/state/tuf/*/timestamp.json)" \
    "$(jq -r '.signed.roles.timestamp.keyids[0]' "$desk/2.root.json")" "whose timestamp the endpoint believes"
expect 0 fb repo export "$WORK/mirror" # whatever version of the thief's timestamp is there
expect 0 fb repo check --root "$root" --dir "$WORK/mirror"
rolled_out 2.0
stranger_agrees

step "what the stolen keys sign is worth nothing any more"
get root "$desk/now.json"
! jq -e --arg id "${old[timestamp]}" '.signed.keys[$id]' "$desk/now.json" >/dev/null || fail "the stolen key is still named"
stop server
cp "$WORK/thief/online/"{snapshot,timestamp,rollout}.pem "$online/"
expect 3 "$FIREBREAK_BIN/firebreakd" --config "$site/server/firebreakd.conf"
