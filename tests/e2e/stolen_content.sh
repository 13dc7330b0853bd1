#!/bin/bash
# A stolen server and the content: with every online key nothing runs that the release keys have not signed, to their
# threshold, for this channel, byte for byte. Each trick is tried on an endpoint that runs good content.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
. "$(dirname "$0")/stolen.bash"

make_site
start_server
token endpoints 1
export ring=canary # of make_endpoint: the pace has a story of its own
make_endpoint one "preflight=cat \$FIREBREAK_DIR/* >>$WORK/loaded" preflight_sandbox=off soak=0.1 health_interval=0.1
for version in 1.0 2.0 3.0; do publish "$version"; done
# 4.0 has one of its two signatures when the server is stolen, and whoever gave it did not mean to publish it.
mkdir -p "$WORK/release-4.0/tree"
echo "content of 4.0" >"$WORK/release-4.0/tree/rules.conf"
expect 0 fb release build "$WORK/release-4.0/tree" --channel crs --version 4.0 --faster-pace \
    --root "$site/endpoint/root.json" --pace "$WORK/pace.json" -o "$WORK/release-4.0/out"
expect 0 fb release sign "$WORK/release-4.0/out" --key "$site/offline/content-crs-1.pem" --passphrase-file "$WORK/passphrase"
steal_server one

step "the thief's own server works"
plan rollouts "[$(rollout 1.0 1)]"
permits
wait_until 20 "one runs 1.0" passes_bring one 1.0

repo=$thief/repo
content=$(ls -v "$repo"/metadata/*.content-crs.json | tail -n 1)
version=$(jq .signed.version "$content")
printf 'content of a thief\n' >"$WORK/evil.conf"
hash() { sha256sum "$1" | cut -c1-64; }
# manifest VERSION SEQUENCE [JQ]: a manifest of the thief's, over his file, into $WORK/evil.json and the repository
manifest() {
    local sha
    sha=$(hash "$WORK/evil.conf")
    jq --arg v "$1" --argjson s "$2" --arg sha "$sha" \
        '.version = $v | .sequence = $s | .files[0] |= (.sha256 = $sha | .length = 19) | '"${3:-.}" \
        "$WORK/release-3.0/out/manifest.json" >"$WORK/evil.json"
    mkdir -p "$repo/blobs/${sha:0:2}"
    cp "$WORK/evil.conf" "$repo/blobs/${sha:0:2}/$sha"
    cp "$WORK/evil.json" "$repo/targets/content/crs/$(hash "$WORK/evil.json").$1.json"
}
# lists VERSION SIGN...: content metadata that lists $WORK/evil.json as VERSION, into $WORK/content.json; its
# signatures by the keys given: KEYID=PEM[=PASSPHRASE]
lists() {
    jq --arg path "content/crs/$1.json" --arg sha "$(hash "$WORK/evil.json")" --argjson n "$(stat -c %s "$WORK/evil.json")" \
        '.signed.version += 1 | .signatures = [] | .signed.targets[$path] = {length: $n, hashes: {sha256: $sha}}' \
        "$content" >"$WORK/content.json"
    jq -cS --raw-output .signed "$WORK/content.json" | tr -d '\n' >"$WORK/to-sign"
    local by
    for by in "${@:2}"; do
        openssl pkeyutl -sign -rawin -in "$WORK/to-sign" -inkey "${by#*=}" -passin "file:$WORK/passphrase" -out "$WORK/sig"
        jq -c --arg id "${by%%=*}" --arg sig "$(od -An -v -tx1 "$WORK/sig" | tr -d ' \n')" \
            '.signatures += [{keyid: $id, sig: $sig}]' "$WORK/content.json" >"$WORK/content.new"
        mv "$WORK/content.new" "$WORK/content.json"
    done
}
mapfile -t ids < <(jq -r '.signatures[].keyid' "$content")

# served WHAT PART JSON [COMMAND...]: signed and served once, the repository changed by the command; in vain
served() {
    cp -r "$repo" "$WORK/before"
    [ $# -le 3 ] || "${@:4}"
    thief_do sign "$3"
    in_vain one 1.0 "$1" "$2"
    ! grep -q "thief\|4.0" "$WORK/loaded" || fail "$1: the checker saw it"
    ! grep -rq "of a thief" "$WORK/one/state/channels" "$WORK/one/state/blobs" || fail "$1: it was staged"
    rm -rf "$repo"
    mv "$WORK/before" "$repo"
}
offer() { # VERSION SEQUENCE DIGEST [FILES]: for served(): a plan that means it
    echo "{\"plan\": {\"rollouts\": [$(rollout "$1" "$2" "$3")]}, \"files\": {${4:-}}}"
}
new_content() {
    echo "\"content-crs\": [\"$WORK/content.json\", $((version + 1))]"
}

step "unsigned content"
manifest 6.6 9
evil=$(hash "$WORK/evil.json")
served "a manifest that nobody lists" "" "$(offer 6.6 9 "$evil")"
lists 6.6
served "content metadata without signatures" "0 of 2" "$(offer 6.6 9 "$evil" "$(new_content)")"
lists 6.6 "${ids[0]}=$thief/online/rollout.pem" "${ids[1]}=$thief/online/snapshot.pem"
served "content metadata signed with the online keys" "0 of 2" "$(offer 6.6 9 "$evil" "$(new_content)")"
jq -c '.signatures = $s' --argjson s "$(jq .signatures "$content")" "$WORK/content.json" >"$WORK/content.new"
mv "$WORK/content.new" "$WORK/content.json"
served "content metadata with the signatures of another" "0 of 2" "$(offer 6.6 9 "$evil" "$(new_content)")"
served "listed by the role of the plans" "" "$(jq -c '. + {targets: {"content/crs/6.6.json": $text}}' \
    --rawfile text "$WORK/evil.json" <<<"$(offer 6.6 9 "$evil")")"
served "as the content of another version" "other bytes than the content keys signed" "$(offer 3.0 3 "$evil")"

step "signed below the threshold"
cp "$WORK/release-4.0/out/content-crs.json" "$WORK/content.json"
four=$(hash "$WORK/release-4.0/out/manifest.json")
cp "$WORK/release-4.0/out/manifest.json" "$repo/targets/content/crs/$four.4.0.json"
cp -r "$WORK/release-4.0/out/blobs/." "$repo/blobs/"
served "one signature of two" "1 of 2" "$(offer 4.0 4 "$four" "$(new_content)")"
jq -c '.signatures += .signatures' "$WORK/release-4.0/out/content-crs.json" >"$WORK/content.json"
served "the same signature twice" "name the same key" "$(offer 4.0 4 "$four" "$(new_content)")"
jq -c --arg id "${ids[1]}" '.signatures += [.signatures[0] + {keyid: $id}]' "$WORK/release-4.0/out/content-crs.json" >"$WORK/content.json"
served "the same signature under the other's key id" "1 of 2" "$(offer 4.0 4 "$four" "$(new_content)")"

step "other keys for the release role"
number=$(jq -r '.signed.version' "$(ls -v "$repo"/metadata/*.targets.json | tail -n 1)")
jq -c '.signed.version += 1 | (.signed.delegations.roles[] | select(.name == "content-crs") | .threshold) = 1' \
    "$repo/metadata/$number.targets.json" >"$WORK/targets.json"
served "targets with a threshold of one" "targets.json: " "$(offer 4.0 4 "$four" "\"targets\": [\"$WORK/targets.json\", $((number + 1))]")"
new_root() {
    jq -c '.signed.version = 2 | .signed.roles.targets.threshold = 1' "$repo/metadata/1.root.json" >"$repo/metadata/2.root.json"
}
served "a root of his own" "2.root.json: 0 of" "$(offer 4.0 4 "$four")" new_root

step "bytes that were changed"
two=$(digest_of 2.0)
spoil_manifest() { cp "$WORK/evil.json" "$repo/targets/content/crs/$two.2.0.json"; }
served "another manifest under a signed name" "fetch target" "$(offer 2.0 2 "$two")" spoil_manifest
tr 2 3 <"$WORK/release-2.0/out/manifest.json" >"$WORK/evil.json"
served "one of the same length" "not the content that is signed" "$(offer 2.0 2 "$two")" spoil_manifest
blob=$(hash "$WORK/release-2.0/tree/rules.conf")
spoil_blob() { cp "$WORK/evil.conf" "$repo/blobs/${blob:0:2}/$blob"; }
served "a longer blob" "longer than" "$(offer 2.0 2 "$two")" spoil_blob
printf 'content 0f 2.0\n' >"$WORK/evil.conf"
served "a blob of the same length" "hash" "$(offer 2.0 2 "$two")" spoil_blob
printf 'content of a thief\n' >"$WORK/evil.conf"

step "signed by the right keys, and still not for this channel or this folder"
both=("${ids[0]}=$site/offline/content-crs-1.pem" "${ids[1]}=$site/offline/content-crs-2.pem")
# honestly_signed WHAT PART JQ: even the holders of the keys cannot say this
honestly_signed() {
    manifest 6.6 9 "$3"
    lists 6.6 "${both[@]}"
    served "$1" "$2" "$(offer 6.6 9 "$(hash "$WORK/evil.json")" "$(new_content)")"
}
honestly_signed "a manifest of another channel" "channel" '.channel = "other"'
honestly_signed "a manifest of another version" "wrong-manifest" '.version = "7.7"'
honestly_signed "a file out of the tree" "path" '.files[0].path = "../../../../../escaped"'
honestly_signed "a file of the root" "path" '.files[0].path = "/etc/escaped"'
honestly_signed "a link" "only plain files" '.files[0].target = "/etc/passwd"'
honestly_signed "a mode that is none" "mode" '.files[0].mode = "4755"'
honestly_signed "what the agent does not know" "critical" '.critical = ["blast_radius"]'
[ -z "$(find "$WORK/one" /etc -name escaped -print -quit 2>/dev/null)" ] || fail "a file escaped"

step "what they did sign comes by the very same way"
manifest 6.6 9
lists 6.6 "${both[@]}"
thief_do sign "$(offer 6.6 9 "$(hash "$WORK/evil.json")" "$(new_content)")"
wait_until 20 "one runs 6.6" passes_bring one 6.6
