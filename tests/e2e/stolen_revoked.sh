#!/bin/bash
# A stolen server and a revocation: the signers take a release back at their desks and put one file on a mirror. Whoever
# holds every online key cannot bring it back: not by a plan, a lift, a permit, metadata from before, or a mirror of his own.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/mirrors.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
for version in 1.0 2.0 3.0; do publish "$version"; done
expect 0 fb repo export "$WORK/good" --root "$site/endpoint/root.json"
cp -r "$WORK/good" "$WORK/before"
steal_server one
permits
for version in 1.0 2.0; do
    plan rollouts "[$(rollout $version ${version%.0})]"
    wait_until 20 "one runs $version" passes_bring one $version
done

step "2.0 is revoked: one file on a mirror, and the thief's server knows nothing of it"
expect 0 "$FIREBREAK_BIN/firebreak" release revoke crs/2.0 --reason "eats files" \
    --previous "$WORK/good/metadata/content-crs.json" --root "$site/endpoint/root.json" -o "$WORK/next.json"
sign_content "$WORK/next.json"
cp "$WORK/next.json" "$WORK/good/metadata/content-crs.json"
start_mirror good
mirrors_of one good
wait_until 20 "one is back at 1.0" passes_bring one 1.0

step "it stays away"
in_vain one 1.0 "2.0 offered again" "revoked"
plan lifted "[{\"digest\": \"$(digest_of 2.0)\"}]"
in_vain one 1.0 "2.0 lifted by a plan" "revoked"
plan rollouts "[]" baseline "{\"digest\": \"$(digest_of 2.0)\", \"version\": \"2.0\"}"
in_vain one 1.0 "2.0 as the baseline"
plan baseline null rollouts "[$(rollout 2.0 2)]" recalled "$(recall 1.0)"
in_vain one 1.0 "1.0 recalled, so that only 2.0 is left" "revoked"
plan recalled "[]"
start_mirror before
mirrors_of one before
in_vain one 1.0 "a mirror from before the revocation" "revoked"
mirrors_of one http://127.0.0.1:1
in_vain one 1.0 "no mirror at all" "revoked"

step "what was not revoked comes"
plan rollouts "[$(rollout 3.0 3)]"
agent_takes() {
    agent one once || true # the mirror is dead, and told as such
    endpoint_runs one 3.0
}
wait_until 20 "one runs 3.0" agent_takes
