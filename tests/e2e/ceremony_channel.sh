#!/bin/bash
# One more channel, signed by other people than the first: it is there once targets is published, and the
# people of one channel have no say in the other.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/ceremony.bash"

before_ceremony
person wilma wanda
get root "$desk/1.root.json"
get targets "$desk/1.targets.json"
expect 1 alone "$bin" channel add "$desk/1.targets.json" -o "$desk/no.json" --channel "$channel" --key "$(pub wilma)" \
    --threshold 1
expect 1 alone "$bin" channel add "$desk/1.targets.json" -o "$desk/no.json" --channel web --key "$(pub wilma)"
draft channel add "$desk/1.targets.json" -o "$desk/2.targets.json" --channel web --key "$(pub wilma)" \
    --key "$(pub wanda)" --threshold 2
assert_eq "$(field "$desk/2.targets.json" '[.changes[] | select(.change == "role-added").role] | join(" ")' \
    --previous "$desk/1.targets.json")" content-web "what is new"
for key in 1 3; do
    sign 0 "$desk/2.targets.json" "targets-$key" --root "$desk/1.root.json" --previous "$desk/1.targets.json"
done
expect 0 fb repo publish "$desk/2.targets.json" --root "$root"

step "its first release reaches an endpoint that asks for it"
first=$channel
printf '%s\n' "[channel web]" soak=0.1 health_interval=0.1 >>"$WORK/one/agent.conf"
stop one
start_endpoint one
channel=web
content_keys=("$(key_file wilma)" "$site/offline/content-$first-1.pem")
mkdir -p "$WORK/wrong"
echo x >"$WORK/wrong/rules.conf"
expect 0 fb release build "$WORK/wrong" --channel web --version 0.1 --root "$root" -o "$WORK/wrong-out"
for key in "${content_keys[@]}"; do
    expect 0 fb release sign "$WORK/wrong-out" --key "$key" --passphrase-file "$WORK/passphrase"
done
expect 3 fb release publish "$WORK/wrong-out" --root "$root"
content_keys=("$(key_file wilma)" "$(key_file wanda)")
rolled_out 1.5

step "the first channel goes on as before"
channel=$first
content_keys=()
rolled_out 2.0
stranger_agrees
