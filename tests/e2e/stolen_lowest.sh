#!/bin/bash
# A stolen server and the way down: nobody is sent below the lowest sequence that the newest manifest allows, not by a plan, a
# baseline, recalls in a row or in a soak, nor by metadata that was genuine once. Nobody is left without content, and
# what was put away for its own fault stays away.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
token endpoints 3
export ring=canary # of make_endpoint: the pace has a story of its own
for name in one two; do
    make_endpoint "$name" "health=! grep -q broken \$FIREBREAK_DIR/rules.conf" soak=0.1 health_interval=0.1
done
make_endpoint three soak=3 health_interval=0.1

publish 1.0
thief_do steal "$url" "$site" # what is genuine now will be old
cp -r "$thief/repo" "$WORK/old"
publish 2.0
lowest=2 publish 3.0
lowest=4 publish 4.0
lowest=1 publish 5.0 rules.conf broken
publish 6.0
steal_server one two three

step "the thief's own server works, upwards"
permits
for version in 1.0 2.0; do
    plan rollouts "[$(rollout $version ${version%.0})]"
    for name in one two three; do
        wait_until 20 "$name runs $version" passes_bring $name $version
    done
done
plan rollouts "[$(rollout 3.0 3)]" # whose lowest is 2
for name in one two; do
    wait_until 20 "$name runs 3.0" passes_bring $name 3.0
done

step "down by a plan"
plan rollouts "[$(rollout 1.0 1)]"
in_vain one 3.0 "a rollout of 1.0" "sequence"
plan rollouts "[$(rollout 1.0 99)]"
in_vain one 3.0 "a rollout of 1.0 that says sequence 99" "sequence"
permits "{\"_unasked\": \"$(digest_of 1.0)\"}"
in_vain one 3.0 "a permit for 1.0" "was not asked for"
permits
plan rollouts "[]" baseline "{\"digest\": \"$(digest_of 1.0)\", \"version\": \"1.0\"}"
in_vain one 3.0 "1.0 as the baseline"
permits "{\"_unasked\": \"$(digest_of 1.0)\", \"kind\": \"baseline\"}"
in_vain one 3.0 "a baseline's permit for 1.0" "was not asked for"
permits

step "down by recalls"
plan baseline null recalled "$(recall 3.0)"
wait_until 20 "3.0 is left for 2.0, which it allows" passes_bring one 2.0
plan recalled "$(recall 3.0 2.0)"
expect 0 agent one once
in_vain one 2.0 "3.0 and then 2.0 recalled"
plan rollouts "[$(rollout 1.0 1)]"
in_vain one 2.0 "a rollout of 1.0, which 2.0 alone would allow" "sequence"
plan recalled "$(recall 1.0 2.0 3.0 4.0 5.0 6.0)" rollouts "[]"
expect 0 agent one once
in_vain one 2.0 "everything recalled"
expect 0 agent two once
in_vain two 3.0 "everything recalled at once"

step "down in the soak"
# soaks VERSION: three's soak of it goes on
soaks() {
    agent three --json status | jq -e --arg v "$1" '.channels[0].pending | .version == $v and .phase == "soak"'
}
recall_in_soak() { # VERSION, then the recalled ones
    plan recalled "[]" lifted "[]" rollouts "[$(rollout "$1" "${1%.0}")]"
    start_endpoint three
    wait_until 20 "three soaks $1" soaks "$1"
    plan rollouts "[]" recalled "$(recall "${@:2}")"
}
settled() { # VERSION
    agent three --json status | jq -e --arg v "$1" '.channels[0] | .version == $v and .pending == null'
}
recall_in_soak 4.0 4.0
wait_until 20 "4.0, whose lowest is 4, stays" settled 4.0
stop three
in_vain three 4.0 "4.0 recalled in its soak"
recall_in_soak 6.0 6.0 4.0 2.0 1.0
wait_until 20 "6.0 is left for 4.0" settled 4.0
stop three
in_vain three 4.0 "6.0 and all before it recalled in its soak"

step "what was put away"
plan recalled "[]" rollouts "[$(rollout 6.0 6)]"
in_vain three 4.0 "6.0, put away by a recall" "quarantined"
plan lifted "[{\"digest\": \"$(digest_of 6.0)\"}]"
wait_until 20 "a plan may take back a plan's word" passes_bring three 6.0
plan lifted "[]" rollouts "[$(rollout 5.0 5)]"
expect 3 agent two once
assert_eq "$(agent two --json status | jq -c '.channels[0] | [.version, .quarantine[-1].blamed]')" '["3.0",true]' "5.0 is broken"
in_vain two 3.0 "5.0 again" "quarantined"
plan lifted "[{\"digest\": \"$(digest_of 5.0)\"}]"
in_vain two 3.0 "5.0 lifted by a plan" "quarantined"
in_vain two 3.0 "and again" "quarantined"

step "down by metadata that was genuine once"
old=$(basename "$WORK"/old/metadata/*.content-crs.json .content-crs.json)
now=$(basename "$(ls -v "$thief"/repo/metadata/*.content-crs.json | tail -n 1)" .content-crs.json)
# served WHAT PART COMMAND...: what the command makes of the repository is served once
served() {
    cp -r "$thief/repo" "$WORK/before"
    "${@:3}"
    in_vain two 3.0 "$1" "$2"
    rm -rf "$thief/repo"
    mv "$WORK/before" "$thief/repo"
}
plan lifted "[]" rollouts "[$(rollout 1.0 1)]"
expect 0 agent two once
file=$WORK/old/metadata/$old.content-crs.json
served "content metadata of 1.0" "back from $now to $old" \
    thief_do sign "{\"files\": {\"content-crs\": [\"$file\", $old]}}"
served "the same, as a newer version" "has version $old where" \
    thief_do sign "{\"files\": {\"content-crs\": [\"$file\", $((now + 1))]}}"
served "no content metadata" "drops 'content-crs.json'" thief_do sign '{"drop": ["content-crs"]}'
served "the timestamp of then" "older than the trusted" cp "$WORK/old/metadata/timestamp.json" "$thief/repo/metadata"

step "upwards is as open as before"
permits
plan rollouts "[$(rollout 6.0 6)]"
wait_until 20 "one runs 6.0" passes_bring one 6.0
wait_until 20 "two runs 6.0" passes_bring two 6.0
