#!/bin/bash
# The boot guard over boots that are only told (a boot id in a file): good-boot moves after a whole boot,
# a failed boot holds, two revert the newest change without network, and a complete one ends the hold.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.5 health_interval=0.5
sed -i '/^boot_guard=/d' "$WORK/one/agent.conf"
sed -i "1i boot_guard=on\nboot_id_file=boot\ncmdline_file=cmdline" "$WORK/one/agent.conf"
echo quiet >"$WORK/one/cmdline"

field() {
    agent one --json status | jq -r ".channels[0] | $1"
}

field_is() { # JQ VALUE
    [ "$(field "$1")" = "$2" ]
}

guard() { # MOMENT VERDICT
    assert_eq "$(agent one --json boot "$1" 2>>"$WORK/boot.log" | jq -r .boot)" "$2" "boot $1"
}

# boot ID VERDICT: the machine comes up
boot() {
    step "boot $1"
    echo "$1" >"$WORK/one/boot"
    guard begin "$2"
}

release() { # VERSION: applied and soaked
    publish "$1"
    expect 0 fb rollout start "crs/$1" --policy demo
    start_endpoint one
    wait_until 60 "one runs $1" endpoint_runs one "$1"
    wait_until 30 "the soak is over" field_is .good_run "$1"
    wait_until 30 "$1 is complete" rollout_is .state complete
    stop one
}

echo first >"$WORK/one/boot"
boot first first
guard begin same
release 1.0
guard complete complete
assert_eq "$(field .good_boot)" null "1.0 came after this boot began"
guard shutdown shutdown

boot second good
guard complete complete
assert_eq "$(field .good_boot)" 1.0
guard shutdown shutdown
a=$(stat -Lc %i "$WORK/one/state/channels/crs/current/rules.conf")
b=$(stat -Lc %i "$WORK/one/state/channels/crs/good-boot/rules.conf")
[ "$a" != "$b" ] || fail "good-boot shares its inodes with current"

boot again good
guard complete complete
sed -i '1i reboot_check=true' "$WORK/one/agent.conf"
guard shutdown reboot
sed -i 's/^reboot_check=.*/reboot_check=sleep 600/' "$WORK/one/agent.conf" # systemd hangs
guard shutdown shutdown
sed -i '/^reboot_check=/d' "$WORK/one/agent.conf"
agent one once || true # held or not, the check-in tells
goodbyes=$(python3 -c 'import sqlite3, sys
print(*[r[0] for r in sqlite3.connect(sys.argv[1]).execute("select cause from events where kind = ? order by rowid", ["goodbye"])])' \
    "$site/server/state/firebreak.db")
assert_eq "$goodbyes" "shutdown shutdown reboot shutdown" "goodbyes that the server was told"

boot third good
guard complete complete
release 2.0 # and the machine is cut off

boot fourth good # the third was complete; the cut is still told
assert_eq "$(field .crashes)" 1
boot fifth failed
assert_eq "$(field .hold)" boot-failed
assert_eq "$(endpoint_version one)" 2.0 "one failed boot only holds"

echo "quiet systemd.unit=rescue.target" >"$WORK/one/cmdline"
boot rescue special
echo quiet >"$WORK/one/cmdline"

boot sixth failed
assert_eq "$(endpoint_version one)" 1.0 "two failed boots revert"
assert_eq "$(field '.quarantine[] | "\(.version) \(.cause) \(.blamed)"')" "2.0 boot-failed false"
assert_eq "$(cat "$WORK/one/state/channels/crs/current/rules.conf")" "content of 1.0"
publish 3.0
expect 0 fb rollout start crs/3.0 --policy demo
start_endpoint one
stays 3 "nothing new before a boot is complete" endpoint_runs one 1.0
wait_until 20 "the events are told" rollout_is .state running
guard complete complete
wait_until 60 "one runs 3.0" endpoint_runs one 3.0
