#!/bin/bash
# Content that takes part in booting: the canaries run it well, but the ring opens only when they came back from a boot
# on it. A rollout of other content under the same policy waits for no boots.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

boot() { # NAME ID: the machine starts again
    expect 0 agent "$1" boot shutdown
    stop "$1"
    echo "$2" >"$WORK/$1/boot"
    expect 0 agent "$1" boot begin
    start_endpoint "$1"
    expect 0 agent "$1" boot complete
}

stands() {
    rollout_field .stands
}

stands_at() {
    case $(stands) in *"$1"*) ;; *) return 1 ;; esac
}

make_site
policy boots '.rings = [{"canary": true, "bake_s": 4, "bake_boots": 9}, {"share_ppm": 1000000}]'
start_server
token endpoints 3
for name in one two; do
    ring=canary make_endpoint "$name" soak=0.2 health_interval=0.1
done
make_endpoint three soak=0.2 health_interval=0.1
for name in one two three; do
    sed -i '/^boot_guard=/d' "$WORK/$name/agent.conf"
    sed -i "1i boot_guard=on\nboot_id_file=boot\ncmdline_file=cmdline" "$WORK/$name/agent.conf"
    echo quiet >"$WORK/$name/cmdline"
    echo "first-$name" >"$WORK/$name/boot"
    expect 0 agent "$name" boot begin
    start_endpoint "$name"
    expect 0 agent "$name" boot complete
done

step "1.0 is ordinary content and waits for no boots"
publish 1.0
expect 0 fb rollout start crs/1.0 --policy boots
wait_until 60 "1.0 is complete" rollout_is .state complete

step "2.0 takes part in booting"
early_boot=yes
publish 2.0
expect 0 fb rollout start crs/2.0 --policy boots
half() { # of the canary group, by the draw
    endpoint_runs one 2.0 || endpoint_runs two 2.0
}
wait_until 60 "a canary runs 2.0" half
wait_until 60 "the gate waits for a boot" stands_at "to come back from a boot on it"
stays 2 "the ring stays shut" stands_at "boot on it"
assert_eq "$(endpoint_version three)" 1.0 "not a canary"

step "it is rebooted on purpose: $(stands)"
canary=$(for name in one two; do [ "$(endpoint_version $name)" != 2.0 ] || echo $name; done)
for name in $canary; do
    boot "$name" "second-$name"
done
wait_until 60 "2.0 is complete" rollout_is .state complete
wait_until 30 "three runs 2.0" endpoint_runs three 2.0
