#!/bin/bash
# The agent's fetching child against a server that keeps no rule: metadata, plans, blobs and answers to check-ins that
# never end, lie about their length, flood headers, redirect, are bombs or nested without end. Each pass ends soon, in
# bounded memory, with its reason; each trusted file is what it was or the genuine next one, and content is what it was.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint
make_endpoint one soak=0.1 health_interval=0.1
publish 1.0
publish 2.0 big.conf "$(seq 1000)"
steal_server one
plan rollouts "[$(rollout 1.0 1)]"
permits
wait_until 20 "one runs 1.0" passes_bring one 1.0
plan rollouts "[$(rollout 2.0 2)]" # what is served from here on: metadata that is genuine
stop thief
hostile=$WORK/hostile
mkdir -p "$hostile"
cp -r "$thief/repo" "$hostile/repo"
start hostile python3 "$FIREBREAK_SOURCE/tests/e2e/hostile_repo.py" "$hostile"
wait_until 20 "the hostile server listens" test -s "$hostile/port"
sed -i "s|^server=.*|server=http://127.0.0.1:$(cat "$hostile/port")|" "$WORK/one/agent.conf"

rules() {
    printf '%s\n' "$@" >"$hostile/rules.new"
    mv "$hostile/rules.new" "$hostile/rules"
}
# kept WHAT: each trusted file is what it was, in $WORK/before, or the genuine next one; none is gone
kept() {
    local file genuine
    genuine=$(sha256sum "$WORK"/before/*/*.json "$hostile"/repo/metadata/*.json)
    for file in "$WORK"/one/state/tuf/*/*.json; do
        assert_contains "$genuine" "$(sha256sum "$file" | cut -c1-64)" "'${file##*/}' after: $1"
    done
    for file in "$WORK"/before/*/*.json; do
        [ -e "$WORK/one/state/tuf/${file#"$WORK"/before/}" ] || fail "$1: '${file##*/}' is gone"
    done
}
# refused WHAT PART RULE...: a pass under these rules fails for the reason that PART is of
refused() {
    local said
    rm -rf "$WORK/before"
    cp -r "$WORK/one/state/tuf" "$WORK/before"
    rules "${@:3}" "checkin status 503"
    out=$(python3 "$FIREBREAK_SOURCE/tests/e2e/bounded.py" 25 250 "$FIREBREAK_BIN/firebreak-agent" \
        --config "$WORK/one/agent.conf" once 2>&1) && fail "$1: the pass did not fail"
    [[ $out != *bounded:* ]] || fail "$1: $out"
    assert_contains "$out" "$2" "$1"
    said=$(sed -n 's/^error: //p' <<<"$out" | cut -c1-160)
    kept "$1"
    assert_eq "$(endpoint_version one)" 1.0 "after: $1"
    expect 0 agent one verify
    echo "    $1: $said"
}
bodies() { # what any answer can be
    echo "endless longer
big longer
stall longer
chunks longer
bad-chunk
open-chunk
short
negative
headers headers
long-header header
continues headers
gzip
redirect
elsewhere
garbage
close"
}
python3 - "$WORK" <<'PY'
import sys
for name, data in {
    "nested": b"[" * 16000, "objects": b"[" + b"{}," * 5000 + b"{}]", "utf8": b'{"a":"\xff"}', "nul": b'{"a":"\0"}',
    "numbers": b'{"server_time":18446744073709551616,"next_ms":1e400}', "twice": b'{"a":1,"a":1}', "empty": b"",
}.items():
    open(f"{sys.argv[1]}/body-{name}", "wb").write(data)
PY

for file in 'metadata/[0-9]+.root' 'metadata/timestamp' 'metadata/[0-9]+.snapshot' 'targets/rollout/'; do
    step "$file"
    while read -r action part; do
        refused "$action" "$part" "$file $action"
    done < <(bodies)
    for body in "$WORK"/body-*; do
        [ "${body##*-}" = empty ] && [ "$file" = targets/rollout/ ] && continue # the length is signed: "short" above
        refused "${body##*-}" "" "$file file $body"
    done
done

step "blobs"
while read -r action part; do
    refused "$action" "${part/longer/longer than}" "/blobs/ $action"
done < <(bodies)
[ "$(find "$WORK/one/state/channels/crs/releases" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ] || fail "2.0 was staged"

step "answers to check-ins"
while read -r action part; do
    refused "$action" "$part" "checkin $action"
done < <(bodies)
for body in "$WORK"/body-*; do
    case $body in
    *-nul | *-utf8) part="not text" ;;
    *) part=answer ;;
    esac
    refused "${body##*-}" "$part" "checkin file $body"
done
