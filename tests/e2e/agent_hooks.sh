#!/bin/bash
# Ways of content to be bad: a checker that says no, hangs, crashes, floods, leaves a daemon behind or has no
# opinion; health that fails at once or late in the soak; a recall after a good soak. What ran before goes on.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
good=$WORK/one/state/channels/crs/current
make_endpoint one "preflight=sh \$FIREBREAK_DIR/check" preflight_sandbox=off preflight_deadline=1 \
    "activate=readlink $good >>$WORK/activations" "health=sh $good/health" health_deadline=1 \
    soak=1 health_interval=0.2

quarantine() { # VERSION: its cause and blame
    agent one --json status |
        jq -r ".channels[0].quarantine[] | select(.version == \"$1\") | \"\\(.cause) \\(.blamed)\""
}

offer() { # VERSION CHECK HEALTH
    publish "$1" check "$2" health "$3"
    expect 0 fb rollout start "crs/$1" --policy demo
}

# bad VERSION CHECK HEALTH CAUSE: it is put away for this cause, and 1.0 is what runs
bad() {
    local version=$1 want=$4
    step "$1: $4"
    offer "$1" "$2" "$3"
    put_away() {
        agent one once
        test -n "$(quarantine "$version")"
    }
    wait_until 40 "$1 is put away" put_away
    assert_eq "$(quarantine "$1")" "$want" "$1"
    assert_eq "$(endpoint_version one)" 1.0 "after $1"
    assert_eq "$(cat "$good/rules.conf")" "content of 1.0" "after $1"
    expect 0 agent one verify
    assert_eq "$(agent one --json status | jq '.channels[0].pending')" null "nothing is left of $1"
    wait_until 20 "the evidence stops $1" rollout_is .state halted
}

runs() { # VERSION
    agent one once
    endpoint_runs one "$1"
}

offer 1.0 "exit 0" "exit 0"
wait_until 60 "one runs 1.0" runs 1.0
settled() {
    agent one once
    rollout_is .state complete
}
wait_until 30 "1.0 is complete" settled

bad 2.0 "echo line 7: no; exit 1" "exit 0" "preflight-exit-1 true"
bad 2.1 "kill -SEGV \$\$" "exit 0" "preflight-signal-11 true"
bad 2.2 "sleep 600" "exit 0" "preflight-deadline true"
bad 2.3 "head -c 3000000 /dev/zero | tr '\\0' x; exit 9" "exit 0" "preflight-exit-9 true"
bad 2.4 "setsid sh -c 'echo \$\$ >$WORK/daemon; exec sleep 600' >/dev/null 2>&1 &
while ! test -s $WORK/daemon; do :; done; exit 2" "exit 0" "preflight-exit-2 true"
! kill -0 "$(cat "$WORK/daemon")" 2>/dev/null || fail "a checker's daemon lives on"
assert_eq "$(wc -l <"$WORK/activations")" 1 "no preflight failure switched anything"

step "2.5: a checker without an opinion blames nobody, and is asked three times under one exposure"
offer 2.5 "echo x >>$WORK/opinions; exit 75" "exit 0"
no_opinion() {
    agent one once
    [ "$(quarantine 2.5)" = "preflight-exit-75 false" ]
}
wait_until 30 "the endpoint puts 2.5 away without blame" no_opinion
assert_eq "$(wc -l <"$WORK/opinions")" 3 "tries"
assert_eq "$(rollout_field .counts.admitted)" 1 "exposures"
assert_eq "$(rollout_field .state)" running "without blame the rollout is not halted"
assert_eq "$(endpoint_version one)" 1.0 "after 2.5"
expect 0 fb rollout halt crs/2.5 --reason "no checker has an opinion"

bad 3.0 "exit 0" "exit 3" "health-exit-3 true"
bad 3.1 "exit 0" "sleep 600" "health-deadline true"
bad 3.2 "exit 0" "echo x >>$WORK/asked; test \$(wc -l <$WORK/asked) -lt 4" "health-exit-1 true"
assert_eq "$(wc -l <"$WORK/asked")" 4 "3.2 fell ill in the soak, not at once"
assert_eq "$(tail -n 1 "$WORK/activations")" "$(sed -n 1p "$WORK/activations")" "what was activated last is 1.0"

step "4.0: recalled after a good soak"
offer 4.0 "exit 0" "exit 0"
wait_until 60 "one runs 4.0" runs 4.0
assert_eq "$(agent one --json status | jq -r '.channels[0].good_run')" 4.0
expect 0 fb rollout halt crs/4.0 --reason "it deletes shortcuts"
wait_until 30 "one is back at 1.0" runs 1.0
assert_eq "$(quarantine 4.0)" "recall false"
expect 0 agent one verify
