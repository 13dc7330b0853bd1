#!/bin/bash
# The quickstart's story with a smaller crowd, its numbers asserted: good content reaches everyone, bad
# content stays with the first few endpoints, which heal themselves.
. "$(dirname "$0")/lib.bash"

"$FIREBREAK_SOURCE/deploy/demo/story" --out "$WORK/story" --crowd 120
summary=$WORK/story/summary.json

release()
{
    jq -r --arg r "$1.0" ".releases[] | select(.release == \$r) | $2" "$summary"
}

for n in 1 4; do
    assert_eq "$(release $n .state)" complete "state of release $n"
    assert_eq "$(release $n .exposed)" 123 "exposed to release $n"
    assert_eq "$(release $n '.crashed + .rolled_back + .preflight_failed')" 0 "harm of release $n"
done
assert_eq "$(release 2 .state)" halted "state of release 2"
assert_eq "$(release 2 '.exposed <= 3 and .preflight_failed >= 1 and .rolled_back == 0')" true \
    "release 2 is refused by the first endpoints' checkers and switched to by nobody"
assert_eq "$(release 3 .state)" halted "state of release 3"
assert_eq "$(release 3 '.exposed <= 5 and .crashed >= 1 and .rolled_back >= 1 and .rolled_back <= .exposed')" true \
    "release 3 is rolled back by the few that had it"
assert_eq "$(release 2 '.seconds_to_halt <= 20')" true "release 2 is halted within 20 s"
assert_eq "$(release 3 '.seconds_to_halt <= 30')" true "release 3 is halted within 30 s"
assert_eq "$(jq '[.crowd_exposures["2.0", "3.0"] // 0] | add' "$summary")" 0 \
    "the crowd sees neither release 2 nor release 3"
