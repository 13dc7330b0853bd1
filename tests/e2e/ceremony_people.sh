#!/bin/bash
# A site whose keys belong to several people from the start: 'init' makes a first root at one desk, the
# people's own keys replace all of its offline keys before anything is released, and those are thrown away.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

make_site
person ann bob cem
person dan eve # release engineers
boot=$site/server/bootstrap

swap_keys() { # FILE ROLE OLD-PREFIX NEW...: a draft with other keys in a role; its name in $next
    local file=$1 role=$2 old=$3 key
    local -a options=()
    shift 3
    for key in "$@"; do
        options+=(--add-key "$(pub "$key")")
    done
    for key in 1 2 3; do
        options+=(--remove-key "$(key_id "$old-$key")")
    done
    next=$file.$role
    draft repo change "$file" -o "$next" --role "$role" "${options[@]}"
}

step "root 2 and targets 2 name the people"
cp "$boot/1.root.json" "$boot/1.targets.json" "$desk/"
swap_keys "$desk/1.root.json" root root ann bob cem
swap_keys "$next" targets targets ann bob cem
cp "$next" "$desk/2.root.json"
swap_keys "$desk/1.targets.json" "content-$channel" "content-$channel" dan eve
cp "$next" "$desk/2.targets.json"
for name in root-1 root-2 ann cem; do
    sign 0 "$desk/2.root.json" "$name" --root "$desk/1.root.json"
done
for name in bob cem; do
    sign 0 "$desk/2.targets.json" "$name" --root "$desk/2.root.json" --previous "$desk/1.targets.json"
done
assert_eq "$(field "$desk/2.root.json" .complete --root "$desk/1.root.json")" true "root 2"
assert_eq "$(field "$desk/2.targets.json" .complete --root "$desk/2.root.json")" true "targets 2"
rm -r "$site/offline"

step "the server starts with them, endpoints trust root 2 from the start"
cp "$desk/2.root.json" "$desk/2.targets.json" "$boot/"
cp "$desk/2.root.json" "$root"
start_server
token endpoints 1
ring=canary make_endpoint one soak=0.1 health_interval=0.1
start_endpoint one
content_keys=("$(key_file dan)" "$(key_file eve)")
rolled_out 1.0

step "a start with the files still there changes nothing"
stop server
start_server
get root "$desk/got.json"
cmp "$desk/got.json" "$desk/2.root.json" || fail "another root after a restart"
rolled_out 2.0
stranger_agrees
