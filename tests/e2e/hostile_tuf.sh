#!/bin/bash
# firebreak-tuf against a server that keeps no rule: answers that never end, drip, lie about their length, flood headers,
# redirect for ever or are compressed bombs; metadata that is nested, huge, or out of any number's range. Each time: a refusal with its
# reason, in bounded time and memory, and what was trusted before is there byte for byte.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

hostile=$WORK/hostile
# tuf DIR VERB...
tuf() {
    "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$1" --metadata-url "${base:-$hostile_url/repo/metadata}" "${@:2}"
}
bounded() { # SECONDS, then as tuf
    python3 "$FIREBREAK_SOURCE/tests/e2e/bounded.py" "$1" 200 "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$2" \
        --metadata-url "${base:-$hostile_url/repo/metadata}" "${@:3}"
}
rules() {
    printf '%s\n' "$@" >"$hostile/rules.new"
    mv "$hostile/rules.new" "$hostile/rules"
}

make_site
start_server
publish 1.0
mkdir -p "$hostile"
start hostile python3 "$FIREBREAK_SOURCE/tests/e2e/hostile_repo.py" "$hostile"
wait_until 20 "the hostile server listens" test -s "$hostile/port"
hostile_url=http://127.0.0.1:$(cat "$hostile/port")
thief_do steal "$url" "$site"
cp -r "$thief/repo" "$hostile/repo"
old=$WORK/old # trusts what there was with 1.0
expect 0 tuf "$old" init "$site/endpoint/root.json"
expect 0 tuf "$old" refresh
new=$WORK/new # has only the root yet
expect 0 tuf "$new" init "$site/endpoint/root.json"
publish 2.0
thief_do steal "$url" "$site"
stop server
rm -r "$hostile/repo"
cp -r "$thief/repo" "$hostile/repo"
cp -r "$old" "$WORK/honest"
expect 0 tuf "$WORK/honest" refresh

# kept WHAT DIR BEFORE: each file is as it was, or is the genuine next one
kept() {
    local file
    for file in "$2"/*; do
        cmp -s "$file" "$3/${file##*/}" || cmp -s "$file" "$WORK/honest/${file##*/}" || fail "$1: '${file##*/}' was changed"
    done
    for file in "$3"/*; do
        [ -e "$2/${file##*/}" ] || fail "$1: '${file##*/}' is gone"
    done
}
# refused WHAT PART RULE [STATE]: a refresh of $old (or STATE) is refused, for the reason that PART is of
refused() {
    local dir=$WORK/state before=${4:-$old}
    rm -rf "$dir"
    cp -r "$before" "$dir"
    rules "$3"
    expect 1 bounded 25 "$dir" refresh
    kept "$1" "$dir" "$before"
    assert_contains "$out" "$2" "$1"
    rm -f "$hostile/rules"
    echo "    $1: $(sed -n 's/^error: //p' <<<"$out" | cut -c1-160)"
}

step "half a minute is what these take, all at once"
for slow in drip silent stall-honest; do
    slow_dir=$WORK/slow-$slow
    mkdir "$slow_dir"
    cp -r "$hostile/repo" "$slow_dir/repo"
    cp -r "$old" "$slow_dir/state"
    echo "timestamp.json $slow" >"$slow_dir/rules"
    start "server-$slow" python3 "$FIREBREAK_SOURCE/tests/e2e/hostile_repo.py" "$slow_dir"
    wait_until 20 "a slow server listens" test -s "$slow_dir/port"
    base=http://127.0.0.1:$(cat "$slow_dir/port")/metadata start "$slow" python3 "$FIREBREAK_SOURCE/tests/e2e/bounded.py" 60 200 \
        "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$slow_dir/state" \
        --metadata-url "http://127.0.0.1:$(cat "$slow_dir/port")/metadata" refresh
done

step "no rule of HTTP"
for role in 2.root timestamp '[0-9]+.snapshot'; do
    file="metadata/$role\\.json"
    echo "  $role"
    refused "endless" "longer than" "$file endless"
    refused "a gigabyte announced and sent" "longer than" "$file big"
    refused "a gigabyte announced" "longer than" "$file stall"
    refused "chunks without end" "longer than" "$file chunks"
    refused "a chunk of 2^72 bytes" "" "$file bad-chunk"
    refused "a chunk that is not closed" "" "$file open-chunk"
    refused "shorter than announced" "" "$file short"
    refused "a negative length" "" "$file negative"
    refused "two lengths" "" "$file two-lengths"
    refused "headers without end" "" "$file headers"
    refused "one header without end" "" "$file long-header"
    refused "interim answers without end" "" "$file continues"
    refused "a bomb of gzip" "" "$file gzip"
    refused "compressed" "" "$file gzipped"
    refused "redirected for ever" "302" "$file redirect"
    refused "redirected to a file" "301" "$file elsewhere"
    refused "garbage" "" "$file garbage"
    refused "closed" "" "$file close"
    for status in 206 304 400 500 503; do
        refused "status $status" "" "$file status $status"
    done
done
refused "a timestamp with the status of one that is not there" "no 'metadata/timestamp.json'" "timestamp.json status-with-file 404"
refused "a snapshot that is not there" "snapshot" "snapshot.json status 404"
base=https://127.0.0.1:$(cat "$hostile/port")/metadata
refused "garbage for TLS" "" "TLS garbage"
refused "TLS that ends at once" "" "TLS close"
base=
rules "2.root.json status 404" # with a hundred thousand bytes beside it
cp -r "$old" "$WORK/state-404"
expect 0 bounded 25 "$WORK/state-404" refresh

step "no timestamp"
timestamp=$hostile/repo/metadata/timestamp.json
body=$WORK/body
numbers=(9007199254740993 9223372036854775807 9223372036854775808 18446744073709551616 -0 0 -1 1e400 1.0 1e3 007 0x10 "\"2\"" true null
    "[1]" 99999999999999999999999999999999999999999999999999)
for number in "${numbers[@]}"; do
    jq -c '.signed.version = "HERE"' "$timestamp" >"$body"
    sed -i "s/\"HERE\"/${number//\//\\\/}/" "$body"
    refused "version $number" "timestamp" "timestamp.json file $body"
done
python3 - "$timestamp" "$WORK" <<'PY'
import json, sys
genuine, work = open(sys.argv[1], "rb").read(), sys.argv[2]
def put(name, data):
    open(f"{work}/timestamp-{name}", "wb").write(data)
put("nested", b"[" * 10000)
put("nested-whole", b'{"signed":' + b"[" * 8000 + b"]" * 8000 + b"}")
put("nested-objects", b'{"a":' * 2500 + b"1" + b"}" * 2500)
put("closing", b"]" * 16000)
put("utf8", genuine.replace(b"timestamp", b"timest\xff\xfemp"))
put("overlong", genuine.replace(b"timestamp", b"timest\xc1\xa1mp"))
put("nul", genuine.replace(b"timestamp", b"time\0tamp"))
put("escaped-nul", genuine.replace(b"timestamp", b"timestamp\\u0000"))
put("surrogate", genuine.replace(b"timestamp", b"timestamp\\ud800"))
put("twice", genuine.replace(b'{"_type"', b'{"version":1,"_type"', 1).replace(b'"signed":{', b'"signed":{"version":1,', 1))
put("huge-string", b'{"signed":"' + b"x" * 16300 + b'"}')
put("trailing", genuine + b"{}")
put("bom", b"\xef\xbb\xbf" + genuine)
put("utf16", genuine.decode().encode("utf-16"))
put("empty", b"")
put("space", b" " * 16000)
PY
for file in "$WORK"/timestamp-*; do
    refused "${file#*timestamp-}" "timestamp" "timestamp.json file $file"
done

step "metadata of the size that is allowed"
python3 - "$hostile/repo/metadata" "$WORK" <<'PY'
import json, sys
repo, work = sys.argv[1:]
def put(name, data, cap):
    data = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    assert len(data) <= cap, (name, len(data))
    open(f"{work}/{name}", "wb").write(data)
root = json.load(open(f"{repo}/1.root.json"))
root["signed"]["version"] = 2
targets = json.load(open(f"{repo}/1.targets.json"))
M, K = 5_000_000, 512_000
ids = lambda n: [f"{i:08x}" for i in range(n)]
def fill(unit, cap, open_=b"[", close=b"]"):
    return open_ + b",".join([unit] * ((cap - 2) // (len(unit) + 1))) + close
sigs = lambda n, sig: [{"keyid": i, "sig": sig} for i in ids(n)]
known = root["signed"]["roles"]["root"]["keyids"][0]
put("root-1024-signatures", root | {"signatures": sigs(1024, "ab" * 64)}, K)
put("root-5000-signatures", root | {"signatures": sigs(5000, "ab" * 10)}, K)
put("root-long-signature", root | {"signatures": [{"keyid": known, "sig": "ab" * 200_000}]}, K)
keys = {i: {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": i * 8}} for i in ids(3000)}
put("root-3000-keys", root | {"signed": root["signed"] | {"keys": keys}}, K)
put("root-objects", b'{"signed":' + fill(b"{}", K - 20) + b"}", K)
put("targets-objects", b'{"signed":' + fill(b"{}", M - 20) + b"}", M)
put("targets-lists", b'{"signed":' + fill(b"[]", M - 20) + b"}", M)
put("targets-strings", b'{"signed":' + fill(b'""', M - 20) + b"}", M)
put("targets-numbers", b'{"signed":' + fill(b"1", M - 20) + b"}", M)
put("targets-digits", b'{"signed":' + b"1" * (M - 20) + b"}", M)
put("targets-fraction", b'{"signed":0.' + b"1" * (M - 20) + b"}", M)
put("targets-exponent", b'{"signed":1e' + b"1" * (M - 20) + b"}", M)
put("targets-string", b'{"signed":"' + b"x" * (M - 20) + b'"}', M)
put("targets-escapes", b'{"signed":"' + b"\\u00e4" * (M // 6 - 20) + b'"}', M)
put("targets-space", b" " * M, M)
put("targets-members", {"signed": {i: 1 for i in ids(380_000)}, "signatures": []}, M)
body = targets["signed"]
put("targets-100000-signatures", targets | {"signatures": sigs(100_000, "ab")}, M)
target = {"length": 1, "hashes": {"sha256": "0" * 64}}
put("targets-30000-targets", targets | {"signed": body | {"targets": {f"content/{i}": target for i in ids(30_000)}}}, M)
role = {"name": "r", "keyids": [], "threshold": 1, "paths": ["*"]}
def delegated(roles, keys={}):
    return targets | {"signed": body | {"delegations": {"keys": keys, "roles": roles}}}
put("targets-1024-roles-256-keys", delegated([role | {"name": n, "keyids": ids(256)} for n in ids(1024)]), M)
put("targets-100000-roles", delegated([{"name": n} for n in ids(100_000)]), M)
put("targets-100000-patterns", delegated([role | {"paths": ["*a" * 8] * 100_000}]), M)
put("targets-100000-keys", delegated([role], {i: 1 for i in ids(100_000)}), M)
PY
for file in "$WORK"/root-*; do
    refused "${file##*/}" "root" "2.root.json file $file"
done
for file in "$WORK"/targets-*; do
    # Listed by whoever has the online keys, so that the length fits and all of it is read.
    rm -rf "$thief/repo"
    cp -r "$hostile/repo" "$thief/repo"
    thief_do sign "{\"files\": {\"targets\": [\"$file\", 2]}}"
    mv "$hostile/repo" "$WORK/repo"
    mv "$thief/repo" "$hostile/repo"
    before=$WORK/before
    rm -rf "$before"
    cp -r "$new" "$before"
    rm -rf "$WORK/state"
    cp -r "$before" "$WORK/state"
    expect 1 bounded 25 "$WORK/state" refresh
    assert_contains "$out" "targets" "${file##*/}"
    [ ! -e "$WORK/state/targets.json" ] || fail "${file##*/} was stored"
    cmp "$new/root.json" "$WORK/state/root.json"
    echo "    ${file##*/}: $(sed -n 's/^error: //p' <<<"$out" | cut -c1-160)"
    rm -rf "$hostile/repo"
    mv "$WORK/repo" "$hostile/repo"
done

step "a hundred roles that delegate to one another: as many are asked as one search may"
rm -rf "$thief/repo"
cp -r "$hostile/repo" "$thief/repo"
thief_do fan 100
mv "$hostile/repo" "$WORK/repo"
cp -r "$thief/repo" "$hostile/repo"
cp -r "$old" "$WORK/fan"
: >"$hostile/requests"
expect 1 bounded 25 "$WORK/fan" --target-name rollout/none.json --target-base-url "$hostile_url/repo/targets" \
    --target-dir "$WORK/fan-targets" download
assert_contains "$out" "no role names a target" "the search"
assert_le "$(grep -c "\.fan" "$hostile/requests")" 31 "roles that were fetched, beside the one of the plans"
assert_le 20 "$(grep -c "\.fan" "$hostile/requests")" "roles that were fetched"
rm -rf "$hostile/repo"
mv "$WORK/repo" "$hostile/repo"

step "roots without end: as many as one refresh takes, and the next one goes on"
for key in 1 2; do
    openssl pkey -in "$site/offline/root-$key.pem" -passin "file:$WORK/passphrase" -out "$WORK/root-$key.plain"
done
python3 - "$hostile/repo/metadata" "$WORK" <<'PY'
import json, subprocess, sys
repo, work = sys.argv[1:]
root = json.load(open(f"{repo}/1.root.json"))
ids = [s["keyid"] for s in root["signatures"]][:2]
for version in range(2, 262):
    root["signed"]["version"] = version
    with open(f"{work}/to-sign", "w") as text:
        text.write(json.dumps(root["signed"], sort_keys=True, separators=(",", ":")))
    root["signatures"] = [{"keyid": i, "sig": subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-in", f"{work}/to-sign", "-inkey", f"{work}/root-{n}.plain"],
        check=True, capture_output=True).stdout.hex()} for n, i in enumerate(ids, 1)]
    json.dump(root, open(f"{repo}/{version}.root.json", "w"))
PY
root_version() {
    jq .signed.version "$WORK/${1:-roots}/root.json"
}
# Meanwhile: each root takes 0.4 s, which a clock that runs twenty times as fast makes 8 s: no answer is too slow, all together are.
mkdir "$WORK/sluggish"
ln -s "$hostile/repo" "$WORK/sluggish/repo"
echo "root.json slow 0.4" >"$WORK/sluggish/rules"
start server-sluggish python3 "$FIREBREAK_SOURCE/tests/e2e/hostile_repo.py" "$WORK/sluggish"
wait_until 20 "the sluggish server listens" test -s "$WORK/sluggish/port"
cp -r "$old" "$WORK/sluggish-state"
start sluggish timeout 60 faketime -f "+0 x20" "$FIREBREAK_BIN/firebreak-tuf" --metadata-dir "$WORK/sluggish-state" \
    --metadata-url "http://127.0.0.1:$(cat "$WORK/sluggish/port")/metadata" refresh
cp -r "$old" "$WORK/roots"
expect 0 bounded 60 "$WORK/roots" refresh
assert_eq "$(root_version)" 257 "root after one refresh"
expect 0 bounded 60 "$WORK/roots" refresh
assert_eq "$(root_version)" 261 "root after the next one"
status=0
wait "${started[sluggish]}" || status=$?
assert_eq "$status" 1 "exit status where all roots together take too long"
[[ $(cat "$WORK/sluggish.log") == *"timed out"* || $(cat "$WORK/sluggish.log") == *"takes more than"* ]] ||
    fail "not told as too long: $(cat "$WORK/sluggish.log")"
assert_le 10 "$(root_version sluggish-state)" "roots that came in time are kept"
assert_le "$(root_version sluggish-state)" 60 "roots within 300 s of 8 s each"

step "the slow ones are over"
for slow in drip silent stall-honest; do
    status=0
    wait "${started[$slow]}" || status=$?
    assert_eq "$status" 1 "exit status against a server that is $slow: $(cat "$WORK/$slow.log")"
    assert_contains "$(cat "$WORK/$slow.log")" "timed out" "$slow"
    kept "$slow" "$WORK/slow-$slow/state" "$old"
done

step "and the honest way is as open as before"
expect 0 bounded 25 "$old" refresh
