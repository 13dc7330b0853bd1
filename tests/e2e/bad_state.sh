#!/bin/bash
# A server whose ground is bad: a full disk under load (refused as such, nothing acknowledged is lost, it goes on
# by itself), a halt past the expiry of what was signed offline, and a start on missing, foreign, open or damaged
# files: each is refused, named, and leaves nothing behind.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
export PYTHONPATH=$FIREBREAK_SOURCE/tests/e2e SITE=$site WORK PYTHONDONTWRITEBYTECODE=1

make_site
start_server
export URL=$url
publish 1.0

step "the disk is full while devices check in"
export SERVER_PID
SERVER_PID=$(pid_of server)
python3 - <<'PY'
from byhand import *
import resource
import sqlite3

def files_up_to(size):  # the server takes a file at its limit for a full disk
    resource.prlimit(int(os.environ["SERVER_PID"]), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

R, admin, token = operator("releaser"), operator("admin"), enrolment_token(9)
fleet = [Device(token) for _ in range(5)]
acknowledged = {}

def round_of_checkins():
    statuses = set()
    for d in fleet:
        answer = d.checkin(channel("crs"))
        statuses.add(answer.status)
        if answer.status == 200:
            acknowledged[d.id] = d.number
    return statuses

if round_of_checkins() != {200}:
    fail("before")
taken("start", ask("POST", "/api/v1/channels/crs/rollouts", {"version": "1.0", "policy": "demo"}, R), 201)
files_up_to(4096)
deadline = time.monotonic() + 20
while round_of_checkins() != {507}:
    if time.monotonic() > deadline:
        fail("the disk is full and check-ins are not refused")
REMEDY = "free disk space; nothing was lost"
form = {"attempt": secrets.token_hex(16), "machine": secrets.token_hex(32), "platform": fleet[0].platform}
for what, answer in {
    "check-in": fleet[0].checkin(channel("crs")), "enrolment": ask("POST", "/api/v1/enrol", form, token),
    "halt": ask("POST", "/api/v1/channels/crs/halt", {"version": "1.0", "reason": "x"}, R),
    "token": ask("POST", "/api/v1/enrolment-tokens", {"group": "x"}, admin),
    "operator": ask("POST", "/api/v1/operators", {"name": "ann", "role": "viewer"}, admin),
    "blob": ask("PUT", "/api/v1/blobs/" + hashlib.sha256(b"x" * 9000).hexdigest(), b"x" * 9000, R),
}.items():
    refused(what, answer, 507, "store-full", "", REMEDY)
if taken("healthz", ask("GET", "/healthz"), 503) != {"status": "degraded"}:
    fail("healthz does not say what is wrong")
for path in ("/repo/metadata/timestamp.json", "/api/v1/channels/crs/rollout"):
    taken(path, ask("GET", path, token=R if "api" in path else None))
print("  what is read is still served")
left = [f for _, _, names in os.walk(f"{SITE}/server/state/blobs") for f in names if len(f) != 64]
if left:
    fail(f"left behind: {left}")
files_up_to(resource.RLIM_INFINITY)
deadline = time.monotonic() + 20
while round_of_checkins() != {200}:
    if time.monotonic() > deadline:
        fail("there is room again and check-ins are not taken")
kept = dict(sqlite3.connect(f"{SITE}/server/state/firebreak.db").execute("select device, number from checkins"))
if lost := [d for d, n in acknowledged.items() if kept.get(d, 0) < n]:
    fail(f"acknowledged and lost: {lost}")
taken("the halt, now", ask("POST", "/api/v1/channels/crs/halt", {"version": "1.0", "reason": "x"}, R))
taken("the same enrolment", ask("POST", "/api/v1/enrol", form, token), 201)
print("  it went on by itself; nothing that was acknowledged is lost")
PY
who=viewer
expect 0 fb audit verify
who=releaser

step "a halt after the content metadata has expired"
dir=$WORK/release-3.0
mkdir -p "$dir/tree"
echo 3 >"$dir/tree/rules.conf"
expect 0 fb release build "$dir/tree" --channel $channel --version 3.0 --faster-pace --root "$site/endpoint/root.json" \
    --pace "$WORK/pace.json" -o "$dir/out"
expires=$(($(date +%s) + 6))
jq --arg at "$(date -u -d "@$expires" +%Y-%m-%dT%H:%M:%SZ)" '.signed.expires = $at' "$dir/out/content-$channel.json" >"$WORK/content"
cp "$WORK/content" "$dir/out/content-$channel.json"
for key in 1 2; do
    expect 0 fb release sign "$dir/out" --key "$site/offline/content-$channel-$key.pem" --passphrase-file "$WORK/passphrase"
done
expect 0 fb release publish "$dir/out"
expect 0 fb rollout start $channel/3.0 --policy demo
has_expired() {
    [ "$(date +%s)" -gt $expires ]
}
wait_until 20 "the metadata expires" has_expired
expect 0 fb rollout halt $channel/3.0 --reason "it is bad"
expect 6 fb rollout status $channel
stop server
start_server
expect 6 fb rollout status $channel
stop server

step "starts that must not be"
good=$WORK/good
server=$site/server
cp -a "$server" "$good"
restore() {
    rm -rf "$server"
    cp -a "$good" "$server"
}
does_not_start() { # STATUS PART REMEDY
    expect "$1" timeout 10 "$FIREBREAK_BIN/firebreakd" --config "$server/firebreakd.conf"
    assert_contains "$out" "$2" "message"
    assert_contains "$out" "remedy: $3" "remedy"
    [ ! -e "$WORK/port" ] || fail "it left a port file"
    echo "  $1: $(tail -n 2 <<<"${out//$WORK\//}" | tr '\n' ' ')"
    restore
}
sql() {
    python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit()' \
        "$server/state/firebreak.db" "$1"
}
set_to() { # KEY=VALUE
    sed -i "/^${1%%=*} *=/d" "$server/firebreakd.conf"
    echo "$1" >>"$server/firebreakd.conf"
}
rm -f "$WORK/port"
for key in permit rollout snapshot timestamp; do
    refused=3 missing="no key in online_dir is the one that"
    [ $key != permit ] || refused=1 missing=permit.pem # named by no root
    rm "$server/online/$key.pem"
    does_not_start $refused "$missing" ""
    head -c 100 /dev/urandom >"$server/online/$key.pem"
    does_not_start $refused "holds no private key" ""
    chmod 644 "$server/online/$key.pem"
    does_not_start 3 "others may read it" "chmod 600"
    [ $key != permit ] || continue # the plan names the permit key, not the root
    (umask 077 && openssl genpkey -algorithm ed25519 -out "$server/online/$key.pem")
    does_not_start 3 "'$key'" ""
done
rm "$server/online/master.key"
does_not_start 1 "master.key" ""
echo short >"$server/online/master.key"
does_not_start 1 "is not 64 hexadecimal digits" ""
printf 'ab%.0s' {1..32} >"$server/online/master.key"
does_not_start 3 "is not the one that this state's devices have" "put back the master.key"
for file in 1.root.json 1.targets.json; do
    rm -r "$server/state" "$server/bootstrap/$file"
    does_not_start 1 "first start" "make a site with 'firebreak init'"
done
echo '{"operators": [{"name": "gate", "role": "admin", "sha256": "'"$(printf '0%.0s' {1..64})"'"}]}' >"$server/bootstrap/operators.json"
does_not_start 1 "calls something else so" ""
head -c 4096 /dev/urandom | dd of="$server/state/firebreak.db" conv=notrunc status=none
does_not_start 1 "file is not a database" ""
truncate -s 9000 "$server/state/firebreak.db"
does_not_start 1 "malformed" ""
sql "update audit set actor = 'nobody' where seq = 2"
does_not_start 3 "audit entry 2 was changed" "restore the database from a backup"
sql "delete from audit where seq = 3"
does_not_start 3 "audit entry 3 is missing" "restore the database from a backup"
sql "pragma user_version = 99"
does_not_start 3 "was written by a newer firebreakd" "run the newer firebreakd"
sql "update metadata set data = x'00' where name = 'metadata/timestamp.json'"
does_not_start 1 "timestamp.json" ""
sql "update operators set role = 'god'"
does_not_start 1 "is damaged" ""
set_to listen=0.0.0.0:0
does_not_start 4 "is not loopback and there is no TLS" "set tls_cert"
set_to listen=127.0.0.1:65536
does_not_start 1 "is not ADDRESS:PORT" ""
set_to nonsense=1
does_not_start 1 "unknown key 'nonsense'" ""
set_to threads=0
does_not_start 1 "'threads' is 0" ""

step "and the good one does, alone; with a permit key of its own the plan names it"
(umask 077 && openssl genpkey -algorithm ed25519 -out "$server/online/permit.pem")
permit_key=$(openssl pkey -in "$server/online/permit.pem" -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n')
start_server
plan_names_key() {
    local version hash
    version=$(curl -sf "$url/repo/metadata/timestamp.json" | jq '.signed.meta["snapshot.json"].version')
    version=$(curl -sf "$url/repo/metadata/$version.snapshot.json" | jq '.signed.meta["rollout.json"].version')
    hash=$(curl -sf "$url/repo/metadata/$version.rollout.json" | jq -r ".signed.targets[\"rollout/$channel.json\"].hashes.sha256")
    curl -sf "$url/repo/targets/rollout/$hash.$channel.json" | grep -q "$permit_key"
}
wait_until 10 "the plan names the permit key" plan_names_key
expect 1 "$FIREBREAK_BIN/firebreakd" --config "$server/firebreakd.conf"
assert_contains "$out" "another process uses" "a second server"
who=viewer
expect 0 fb audit verify
