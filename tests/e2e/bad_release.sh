#!/bin/bash
# Bad releases against the real command line and server: who did not sign enough, what has expired, is older,
# was changed, or has paths and blobs that no endpoint must ever see. Each is refused twice where both can
# tell: by the command line before anything is sent, and by the server where it is sent all the same. After
# all of it, a good release is published as if nothing had been.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
export PYTHONPATH=$FIREBREAK_SOURCE/tests/e2e SITE=$site WORK PYTHONDONTWRITEBYTECODE=1
expires_s=15 # of the content metadata that is to run out

# build NAME VERSION [COMMAND]: build a release of two files; the command, run in its directory, spoils it
build() {
    local dir=$WORK/$1
    mkdir -p "$dir/tree/sub"
    echo "content of $1" >"$dir/tree/rules.conf"
    echo same >"$dir/tree/sub/same.conf"
    expect 0 fb release build "$dir/tree" --channel "$channel" --version "$2" --faster-pace \
        --root "$site/endpoint/root.json" --pace "$WORK/pace.json" -o "$dir/out"
    [ $# -lt 3 ] || (cd "$dir/out" && python3 "$WORK/spoil.py" "$3")
}

sign() { # NAME KEY...
    local name=$1 key
    shift
    for key in "$@"; do
        expect "${want:-0}" fb release sign "$WORK/$name/out" --key "$site/offline/content-$channel-$key.pem" \
            --passphrase-file "$WORK/passphrase"
    done
}

# refused STATUS PART REMEDY COMMAND...: exit status, a part of the message, a part of the remedy
refused() {
    local status=$1 part=$2 remedy=$3
    shift 3
    expect "$status" "$@"
    assert_contains "$out" "$part" "message"
    assert_contains "$out" "remedy: " "remedy"
    assert_contains "$out" "$remedy" "remedy"
    echo "  $status: ${out//$'\n'/; }"
}

publish_dir() {
    fb release publish "$WORK/$1/out" "${@:2}"
}

# Whatever the command line thinks of it: straight to the server.
post() { # NAME STATUS SLUG PART REMEDY
    (cd "$WORK/$1/out" && python3 - "$@") <<'PY'
import sys
from byhand import *
name, status, slug, part, remedy = sys.argv[1:]
put_blobs("blobs")
body = {"manifest": open("manifest.json").read(), "content_metadata": open("content-crs.json").read()}
refused(name, ask("POST", "/api/v1/channels/crs/releases", body, operator("releaser")), int(status), slug, part, remedy)
PY
}

# What spoils a release directory: a name, as the release itself would have been built so.
cat >"$WORK/spoil.py" <<'PY'
import hashlib, json, sys, time
manifest, content = json.load(open("manifest.json")), json.load(open("content-crs.json"))
files, (target,) = manifest["files"], [t for p, t in content["signed"]["targets"].items() if manifest["version"] in p]

def path(new):
    files[-1]["path"] = new

def file(**members):
    files[-1].update(members)

def add(new):
    files.append(dict(files[-1], path=new))

how = {
    "dotdot": lambda: path("../same.conf"), "inner dotdot": lambda: path("sub/../../same.conf"),
    "dot": lambda: path("sub/./same.conf"), "absolute": lambda: path("/etc/passwd"),
    "backslash": lambda: path("sub\\same.conf"), "control": lambda: path("sub/same\n.conf"),
    "empty part": lambda: path("sub//same.conf"), "empty": lambda: path(""), "long": lambda: path("s" * 600),
    "link": lambda: file(type="link", target="/etc/passwd"), "target": lambda: file(target="rules.conf"),
    "twice": lambda: add("sub/same.conf"), "case": lambda: add("sub/same.Conf") or files.sort(key=lambda f: f["path"]),
    "folder case": lambda: add("SUB/other") or files.sort(key=lambda f: f["path"]),
    "file and folder": lambda: add("sub/same.conf/x"), "setuid": lambda: file(mode="4755"),
    "longer": lambda: file(length=6), "shorter": lambda: file(length=4), "negative": lambda: file(length=-1),
    "huge": lambda: file(length=1 << 60), "fraction": lambda: file(length=5.5),
    "no such blob": lambda: file(sha256="0" * 64), "no files": files.clear,
    "expiring": lambda: content["signed"].update(
        expires=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + int(sys.argv[2])))),
    "older": lambda: content["signed"].update(version=1), "fraction version": lambda: content["signed"].update(version=1.5),
    "low sequence": lambda: manifest.update(sequence=1) or target["custom"].update(sequence=1),
    "unlike sequence": lambda: manifest.update(sequence=1), "other channel": lambda: manifest.update(channel="other"),
}
how[sys.argv[1]]()
text = json.dumps(manifest, indent=2)
target.update(length=len(text.encode()), hashes={"sha256": hashlib.sha256(text.encode()).hexdigest()})
open("manifest.json", "w").write(text)
json.dump(content, open("content-crs.json", "w"))
PY

step "a site with a release"
make_site
start_server
export URL=$url
publish 1.0

step "not signed, or not enough"
build unsigned 2.0
refused 3 "has no signature" "firebreak release sign" publish_dir unsigned
post unsigned 422 under-signed "content-crs" "firebreak release sign"
build one 2.0
sign one 1
refused 3 "1 of 2" "firebreak release sign" publish_dir one --root "$site/endpoint/root.json"
refused 3 "1 of 2" "firebreak release sign" publish_dir one
post one 422 under-signed "1 of 2" "firebreak release sign"
sign one 1 # the same key again is no second one
post one 422 under-signed "1 of 2" "firebreak release sign"
build stranger 2.0
(umask 077 && openssl genpkey -algorithm ed25519 -out "$WORK/stranger.pem")
sign stranger 1
expect 0 fb release sign "$WORK/stranger/out" --key "$WORK/stranger.pem"
post stranger 422 under-signed "1 of 2" "firebreak release sign"
(umask 077 && echo "another passphrase" >"$WORK/other-passphrase")
echo "open to all" >"$WORK/open-passphrase" && chmod 644 "$WORK/open-passphrase"
refused 3 "wrong passphrase" "give the right passphrase" fb release sign "$WORK/stranger/out" --key "$site/offline/content-$channel-2.pem" \
    --passphrase-file "$WORK/other-passphrase"
refused 3 "others may read it" "chmod 600" fb release sign "$WORK/stranger/out" \
    --key "$site/offline/content-$channel-2.pem" --passphrase-file "$WORK/open-passphrase"

step "changed after it was signed"
for what in manifest content blob; do
    build "changed-$what" 2.0
    sign "changed-$what" 1 2
done
sed -i 's/"early_boot": false/"early_boot": true /' "$WORK/changed-manifest/out/manifest.json"
refused 3 "manifest.json is not the one" "" publish_dir changed-manifest
post changed-manifest 422 tampered "another length or SHA-256" "fetch it again"
sed -i 's/"expires": *"20../"expires":"2099/' "$WORK/changed-content/out/content-crs.json"
refused 3 "0 of 2" "firebreak release sign" publish_dir changed-content
blob=$(find "$WORK/changed-blob/out/blobs" -type f | head -1)
chmod 600 "$blob" && printf 'x' >>"$blob"
refused 3 "is not what the manifest says" "build the release again" publish_dir changed-blob
want=3 sign changed-blob 1
rm "$blob"
refused 1 "open blob of" "" publish_dir changed-blob
ln -s /etc/passwd "$blob"
refused 1 "open blob of" "" publish_dir changed-blob

step "expired"
build expired 2.0
(cd "$WORK/expired/out" && python3 "$WORK/spoil.py" expiring $expires_s)
sign expired 1 2
expired_at=$((SECONDS + expires_s + 1)) # asked for at the end
has_expired() {
    [ $SECONDS -ge $expired_at ]
}

step "older, or not what follows"
cp -r "$WORK/release-1.0" "$WORK/again"
expect 0 publish_dir again # the very same once more: it is there
build older 2.0 older
sign older 1 2
refused 3 "is not above the published" "build the release again" publish_dir older --root "$site/endpoint/root.json"
post older 422 version-rollback "is not above the published one" "make it again"
build low 2.0 "low sequence"
sign low 1 2
post low 422 version-rollback "sequence 1 is not above" "build the release again"
build unlike 2.0 "unlike sequence"
sign unlike 1 2
post unlike 422 tampered "with sequence 2, its manifest has 1" ""
build other 2.0 "other channel"
refused 1 "content-other.json" "" publish_dir other
build version 2.0 "fraction version"
refused 1 "version" "" publish_dir version

step "paths, links, names and lengths"
while IFS='|' read -r what status slug part; do
    build "bad $what" 2.0 "$what"
    # neither key holder's tool puts a signature under it
    want=$status sign "bad $what" 1
    refused "$status" "$part" "" publish_dir "bad $what"
    (cd "$WORK/bad $what/out" && python3 - "$what" "$slug" "$part") <<'PY'
import sys
from byhand import *
what, slug, part = sys.argv[1:]
body = {"manifest": open("manifest.json").read(), "content_metadata": open("content-crs.json").read()}
status = {"bad-path": 422, "invalid": 400}[slug]
refused(what, ask("POST", "/api/v1/channels/crs/releases", body, operator("releaser")), status, slug, part)
PY
done <<'CASES'
dotdot|3|bad-path|has a '.' or '..' part
inner dotdot|3|bad-path|has a '.' or '..' part
dot|3|bad-path|has a '.' or '..' part
absolute|3|bad-path|is absolute
backslash|3|bad-path|has a backslash
control|3|bad-path|has a control character
empty part|3|bad-path|has an empty part
empty|3|bad-path|has an empty part
long|3|bad-path|longer than 511 bytes
link|3|bad-path|only plain files
target|3|bad-path|only plain files
twice|3|bad-path|is given twice
case|3|bad-path|differ only in case
folder case|3|bad-path|differ only in case
file and folder|3|bad-path|is a file and a folder
setuid|1|invalid|neither "0644" nor "0755"
negative|1|invalid|not in 0 to
huge|1|invalid|not in 0 to
fraction|1|invalid|is not an integer
no files|1|invalid|a release has content
CASES

step "wrong lengths and missing blobs: signed by hand, past the tool that refuses them"
for what in longer shorter "no such blob"; do
    build "bad $what" 2.0 "$what"
    refused $([ "$what" = "no such blob" ] && echo 1 || echo 3) "blob of" "" publish_dir "bad $what"
done
python3 - "$WORK/bad longer/out" "$WORK/bad shorter/out" "$WORK/bad no such blob/out" <<'PY'
import subprocess, sys
from byhand import *

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def sign(path):
    """As a key holder with a tool of their own would."""
    content, ids = json.load(open(path)), json.load(open(f"{WORK}/release-1.0/out/content-crs.json"))["signatures"]
    text = f"{WORK}/to-sign"
    open(text, "wb").write(canonical(content["signed"]))
    content["signatures"] = [
        {"keyid": ids[key - 1]["keyid"], "sig": subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-rawin", "-in", text, "-inkey", f"{SITE}/offline/content-crs-{key}.pem",
             "-passin", f"file:{WORK}/passphrase"], check=True, capture_output=True).stdout.hex()} for key in (1, 2)]
    return json.dumps(content)

for folder, status, slug, part in zip(sys.argv[1:], (400, 400, 404), ("invalid", "invalid", "not-found"),
                                      ("has 5 bytes", "has 5 bytes", "is missing")):
    put_blobs(folder + "/blobs")
    body = {"manifest": open(folder + "/manifest.json").read(), "content_metadata": sign(folder + "/content-crs.json")}
    refused(folder.split("/")[-2], ask("POST", "/api/v1/channels/crs/releases", body, operator("releaser")), status, slug, part)
PY

step "a source tree with what cannot be released"
mkdir "$WORK/src"
ln -s /etc/passwd "$WORK/src/link"
refused 3 "is a symbolic link" "" fb release build "$WORK/src" --channel $channel --version 2.0 \
    --root "$site/endpoint/root.json" -o "$WORK/src-out"
rm "$WORK/src/link"
truncate -s $(((1 << 26) + 1)) "$WORK/src/big"
refused 1 "is longer than the 67108864 bytes of an upload" "" fb release build "$WORK/src" --channel $channel \
    --version 2.0 --root "$site/endpoint/root.json" -o "$WORK/src-out"
refused 3 "faster" "" fb release build "$WORK/release-1.0/tree" --channel $channel --version 2.0 \
    --root "$site/endpoint/root.json" --pace "$WORK/pace.json" -o "$WORK/src-out"

step "the expired one, now that it is"
wait_until $((expires_s + 5)) "the metadata expires" has_expired
refused 3 "expired at" "" publish_dir expired
want=3 sign expired 3
post expired 422 expired "expired at" "renew"

step "nothing of it stayed"
publish 2.0
assert_eq "$(fb --json release list --channel $channel | jq -c '[.releases[].version]')" '["1.0","2.0"]' "releases"
who=viewer
expect 0 fb audit verify
assert_eq "$(fb --json audit list --limit 1000 | jq '[.entries[] | select(.action == "release.publish")] | length')" 2 \
    "publications in the audit log"
