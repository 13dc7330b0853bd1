#!/bin/bash
# The whole repository as files: exported, served by a plain web server, verified by strangers; exported again while
# it is read, cut off at any moment; what is damaged there is found and named.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
root=$site/endpoint/root.json
mirror=$WORK/mirror

check() { # ARGUMENT...: of 'repo check', as somebody who knows the root only
    "$FIREBREAK_BIN/firebreak" repo check --root "$root" "$@"
}

# One export after the other: enough files that it can be cut off between them.
publish_many() { # VERSION
    local version=$1 files=() i
    for i in $(seq 40); do
        files+=("rules/$i.conf" "rule $i of $version")
    done
    publish "$version" "${files[@]}"
}

serve_mirror() {
    start web python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$mirror"
    wait_until 10 "the web server listens" grep -q "port [0-9]" "$WORK/web.log"
    mirror_url=http://127.0.0.1:$(sed -n "s|.* port \([0-9]*\).*|\1|p;T;q" "$WORK/web.log")
}

make_site
start_server

step "a repository without a release"
expect 0 fb repo check --root "$root"
assert_contains "$out" "everything was verified" "check"

step "with one, from the server"
publish_many 1.0
expect 0 fb repo check --root "$root" --blobs
assert_contains "$out" "channel crs: 1 release listed, newest 1.0, 0 revoked" "check"
assert_contains "$out" "2 of 3" "who signs releases"
expect 0 check --url "$url/repo" --json
assert_eq "$(jq -r '.problems | length' <<<"$out")" 0 "problems"
assert_eq "$(jq -r '.blobs' <<<"$out")" 41 "blobs"

step "exported, and served by somebody else"
expect 0 fb repo export "$mirror" --root "$root"
serve_mirror
expect 0 check --url "$mirror_url" --blobs
expect 0 check --dir "$mirror" --blobs
expect 0 "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/trusted" init "$root"
expect 0 "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/trusted" --metadata-url "$mirror_url/metadata" refresh
mkdir "$WORK/got"
expect 0 "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/trusted" --metadata-url "$mirror_url/metadata" \
    --target-base-url "$mirror_url/targets" --target-dir "$WORK/got" --target-name content/crs/1.0.json download

step "again: nothing is fetched twice"
out=$(fb --json repo export "$mirror") || fail "export"
assert_eq "$(jq .written <<<"$out")" 0 "written again"
expect 1 fb repo export "$mirror" --root "$site/server/bootstrap/1.targets.json" # no root at all
publish_many 2.0
out=$(fb --json repo export "$mirror") || fail "export"
assert_eq "$(jq '.written < 60' <<<"$out")" true "only what is new"

step "read while it is written"
# A reader that begins at any moment finds a whole repository.
read_on() {
    while [ ! -e "$WORK/enough" ]; do
        check --url "$mirror_url" >"$WORK/reader.log" 2>&1 || return 1
    done
}
read_on &
reader=$!
for version in 3.0 4.0 5.0; do
    publish_many $version
    expect 0 fb repo export "$mirror"
done
touch "$WORK/enough"
wait $reader || fail "a reader failed: $(cat "$WORK/reader.log")"

step "cut off at any moment"
publish_many 6.0
for pause in 0.01 0.02 0.04 0.06 0.1 0.15; do
    timeout -s INT $pause "$FIREBREAK_BIN/firebreak" --server "$url" repo export "$mirror" >/dev/null 2>&1 || true
    expect 0 check --dir "$mirror" --blobs
done
expect 0 fb repo export "$mirror"
expect 0 check --dir "$mirror" --json
assert_eq "$(jq -r '.channels[0].newest' <<<"$out")" 6.0 "newest on the mirror"
assert_eq "$(find "$mirror/.incoming" -type f | wc -l)" 0 "nothing is left over"

step "what is damaged is found"
cp -a "$mirror" "$WORK/bad"
bad() { # WHAT STATUS ARGUMENT...
    local what=$1 status=$2
    shift 2
    expect "$status" check --dir "$WORK/bad" "$@"
    assert_contains "$out" "$what" "what is wrong"
    rm -rf "$WORK/bad"
    cp -a "$mirror" "$WORK/bad"
}
blob=$(find "$mirror/blobs" -type f -print -quit)
blob=${blob#"$mirror/"}
rm "$WORK/bad/$blob"
bad "the repository has no '$blob'" 3
truncate -s 1 "$WORK/bad/$blob"
bad "has 1 bytes" 3
printf 'x' | dd of="$WORK/bad/$blob" bs=1 conv=notrunc status=none
bad "$blob" 3 --blobs
rm "$WORK/bad/metadata/1.root.json"
bad "put it back" 3 --json
rm "$WORK/bad/metadata/content-crs.json"
bad "revocations are read from it" 3 --json
cp "$WORK/bad/metadata/1.content-crs.json" "$WORK/bad/metadata/content-crs.json"
bad "is not the newest" 3
sed -i 's/"version":6/"version":7/' "$WORK/bad/metadata/6.content-crs.json"
bad "content-crs" 3
rm "$WORK/bad/metadata/timestamp.json"
bad "timestamp" 3
expect 5 check --url http://127.0.0.1:1
expect 2 check --url "$mirror_url" --dir "$mirror"

step "a revocation that was put there by hand stays, though the server has not heard of it"
expect 0 fb release revoke crs/6.0 --reason "drops all" --previous "$mirror/metadata/content-crs.json" \
    -o "$WORK/revoked.json"
for key in 1 2; do
    expect 0 fb repo sign "$WORK/revoked.json" --key "$site/offline/content-crs-$key.pem" \
        --passphrase-file "$WORK/passphrase" --root "$root" --targets "$mirror/metadata/1.targets.json" --yes
done
cp "$WORK/revoked.json" "$mirror/metadata/content-crs.json"
out=$(fb --json repo export "$mirror" 2>"$WORK/note") || fail "export"
assert_eq "$(jq -r '.kept_newer' <<<"$out")" 1 "kept"
cmp "$WORK/revoked.json" "$mirror/metadata/content-crs.json" || fail "the revocation was overwritten"
expect 0 check --url "$mirror_url" --json
assert_eq "$(jq -r '.channels[0].unversioned' <<<"$out")" 7 "the copy that revocations are read from"

step "an older repository does not replace a newer one"
cp -a "$mirror" "$WORK/newer"
publish 7.0
expect 0 fb repo export "$WORK/newer"
newest=$(jq .signed.version "$WORK/newer/metadata/timestamp.json")
expect 3 fb repo export "$WORK/newer" --url "$mirror_url"
assert_contains "$out" "has timestamp $newest" "refused"

step "what nobody signed stands in nobody's way, whatever version it claims"
for file in timestamp content-crs; do
    jq -c '.signed.version = 999999' "$WORK/newer/metadata/$file.json" >"$WORK/forged"
    cp "$WORK/forged" "$WORK/newer/metadata/$file.json"
done
expect 0 fb repo export "$WORK/newer"
expect 0 check --dir "$WORK/newer"

step "what expires is told in time"
expect 0 check --url "$mirror_url"
assert_eq "$(grep -c warning <<<"$out" || true)" 0 "warnings"
expect 0 check --url "$mirror_url" --warn-days 200
assert_contains "$out" "warning: targets expires in" "warnings"
expect 1 check --url "$mirror_url" --warn-days 200 --strict
expect 0 fb release list --channel crs
assert_eq "$(grep -c note: <<<"$out" || true)" 0 "nothing is near its end"
later() { # DAYS STATUS COMMAND...: as on a machine whose clock is ahead
    local days=$1 status=$2
    shift 2
    expect "$status" faketime -f "+${days}d" "$@"
}
if command -v faketime >/dev/null; then
    step "what has expired is said to be"
    later 2 3 "$FIREBREAK_BIN/firebreak" repo check --root "$root" --dir "$mirror"
    assert_contains "$out" "timestamp" "what has expired"
    later 400 3 "$FIREBREAK_BIN/firebreak" repo check --root "$root" --dir "$mirror"
    assert_contains "$out" "root" "what has expired"
    assert_contains "$out" "expired" "the table"
fi
