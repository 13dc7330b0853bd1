#!/bin/bash
# firebreak-tuf reads what firebreakd publishes as any TUF repository: init, refresh, download; names in order up
# to the first failure, nothing fetched twice, nothing left over, exit status 0 or 1, and a clock that it believes.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"

tuf() {
    "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/metadata" --metadata-url "$url/repo/metadata/" "$@"
}

download() {
    local names=()
    for name in "$@"; do names+=(--target-name "$name"); done
    tuf "${names[@]}" --target-base-url "$url/repo/targets/" --target-dir "$WORK/targets" download
}

files() {
    (cd "$1" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ')
}

step "a repository with one release"
make_site
start_server
publish 1.0
manifest=content/crs/1.0.json

step "the command line"
expect 0 "$FIREBREAK_BIN/firebreak-tuf" --version
expect 0 "$FIREBREAK_BIN/firebreak-tuf" --help
expect 1 "$FIREBREAK_BIN/firebreak-tuf" refresh
expect 1 "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/metadata" refresh
expect 1 tuf refresh # nothing is trusted yet
expect 1 tuf init "$WORK/no-such-file"

step "init, then refresh"
expect 0 tuf init "$site/endpoint/root.json"
assert_eq "$(files "$WORK/metadata")" "root.json " "files after init"
expect 0 tuf init "$site/endpoint/root.json" # again: nothing changes
expect 0 tuf --json refresh
assert_eq "$(jq -r '"\(.root_version) \(.snapshot_version | . > 0)"' <<<"$out")" "1 true" "versions told"
assert_eq "$(files "$WORK/metadata")" "root.json snapshot.json targets.json timestamp.json " "files after refresh"

step "download: the signed bytes, flat, and not again"
expect 0 download $manifest
stored=$WORK/targets/content%2Fcrs%2F1.0.json
cmp "$stored" "$WORK/release-1.0/out/manifest.json"
assert_eq "$(files "$WORK/targets")" "content%2Fcrs%2F1.0.json " "files after download"
assert_eq "$(files "$WORK/metadata")" \
    "content-crs.json root.json snapshot.json targets.json timestamp.json " "metadata after download"
touch -d @1 "$stored"
expect 0 download $manifest
assert_eq "$(stat -c %Y "$stored")" 1 "time of a target that was there"
echo damaged >"$stored"
expect 0 download $manifest
cmp "$stored" "$WORK/release-1.0/out/manifest.json"

step "in order, up to the first failure"
rm -r "$WORK/targets"
expect 1 download rollout/crs.json content/crs/none.json $manifest
assert_eq "$(files "$WORK/targets")" "rollout%2Fcrs.json " "files after a failure"

step "expiry is judged by the clock that it is given"
# a sanitizer's runtime insists on being the first library
if command -v faketime >/dev/null && ! ldd "$FIREBREAK_BIN/firebreak-tuf" | grep -q libasan; then
    expect 1 faketime -f +400d "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/metadata" \
        --metadata-url "$url/repo/metadata" refresh
    [[ $out == *expired* ]] || fail "not told as expired: $out"
fi
expect 0 tuf refresh

step "server gone: a refusal, and what was trusted stays"
stop server
expect 1 tuf refresh
assert_eq "$(files "$WORK/metadata")" \
    "content-crs.json rollout.json root.json snapshot.json targets.json timestamp.json " "metadata at the end"
