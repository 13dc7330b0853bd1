#!/bin/bash
# Bad requests against a real server: who may not, tokens where they do not belong, bodies too long on every
# route, HTTP that is none, paths that lead elsewhere, hundreds of slow connections; people who act at the same
# time (a halt wins); and a SIGTERM in the middle of it, after which all that was acknowledged is there.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
export PYTHONPATH=$FIREBREAK_SOURCE/tests/e2e SITE=$site WORK PYTHONDONTWRITEBYTECODE=1

make_site commit_delay=0.1
start_server
export URL=$url
publish 1.0
publish 2.0

refused() { # STATUS PART REMEDY COMMAND...
    local status=$1 part=$2 remedy=$3
    shift 3
    expect "$status" "$@"
    assert_contains "$out" "$part" "message"
    assert_contains "$out" "$remedy" "remedy"
    echo "  $status: ${out//$'\n'/; }"
}

step "who may what, by the command line"
who=viewer
refused 4 "this needs releaser" "use a token with the role" fb rollout start $channel/1.0 --policy demo
refused 4 "this needs releaser" "use a token with the role" fb rollout halt $channel/1.0 --reason x
refused 4 "this needs releaser" "use a token with the role" fb release publish "$WORK/release-1.0/out"
who=releaser
refused 4 "this needs admin" "use a token with the role" fb token create --group x
who=admin
refused 1 "is not a word" "correct the input" fb token create --group "a b"
refused 1 "no channel 'other'" "check the name" fb rollout status other
refused 1 "there is no release" "check the name" fb rollout start $channel/9.9 --policy demo
refused 1 "policy 'nothing'" "" fb rollout start $channel/1.0 --policy nothing
refused 1 "is not a policy's name" "" fb rollout start $channel/1.0 --policy ../demo
refused 1 "enrol devices first" "" fb rollout start $channel/1.0 --policy demo
refused 2 "" "--help" fb rollout start $channel/1.0 --policy demo --no-such-option
refused 2 "" "--help" fb rollout start
refused 4 "this needs an operator's token" "--token-file" "$FIREBREAK_BIN/firebreak" --server "$url" audit list
(umask 077 && echo fbo_nonsense >"$WORK/nonsense.token")
refused 4 "is not an operator's" "--token-file" "$FIREBREAK_BIN/firebreak" --server "$url" \
    --token-file "$WORK/nonsense.token" audit list
refused 3 "others may read it" "chmod 600" "$FIREBREAK_BIN/firebreak" --server "$url" \
    --token-file "$site/endpoint/root.json" audit list
refused 5 "" "check the server's address" "$FIREBREAK_BIN/firebreak" --server http://127.0.0.1:1 \
    --token-file "$site/operators/admin.token" audit list

step "who may what, on every route"
python3 - <<'PY'
from byhand import *

C = "/api/v1/channels/crs"
ROUTES = [("GET", "/metrics", "viewer"), ("GET", "/api/v1/overview", "viewer"), ("GET", "/api/v1/policies", "viewer"), ("GET", C + "/releases", "viewer"),
          ("GET", C + "/content-metadata", "viewer"), ("GET", C + "/rollout", "viewer"), ("GET", C + "/explain", "viewer"),
          ("GET", C + "/rollouts/1.0/record", "viewer"), ("GET", C + "/calibration", "viewer"),
          ("POST", C + "/calibration", "releaser"), ("POST", C + "/calibration/stop", "releaser"), ("POST", "/api/v1/devices/exclusions", "approver"),
          ("GET", "/api/v1/audit", "viewer"), ("POST", "/api/v1/blobs/missing", "releaser"),
          ("PUT", "/api/v1/blobs/" + "0" * 64, "releaser"), ("POST", C + "/releases", "releaser"),
          ("POST", C + "/rollouts", "releaser"), ("POST", C + "/halt", "releaser"), ("POST", C + "/promote", "releaser"),
          ("POST", "/api/v1/enrolment-tokens", "admin"), ("POST", "/api/v1/operators", "admin")]
RANKS = ["viewer", "releaser", "approver-1", "admin"]
PLACES = {"viewer": 0, "releaser": 1, "approver": 2, "admin": 3}
for method, path, needed in ROUTES:
    body = None if method == "GET" else b"{}"
    refused(f"{path} without a token", ask(method, path, body), 401, "unauthorised", f"with role {needed}", "--token-file")
    refused(f"{path} in the URL", ask(method, f"{path}?token={operator('admin')}", body), 400, "invalid", "in a URL", "Authorization")
    refused(f"{path} with an enrolment token", ask(method, path, body, enrolment_token(1)), 401, "unauthorised")
    for rank in RANKS[: PLACES[needed]]:
        refused(f"{path} as {rank}", ask(method, path, body, operator(rank)), 403, "forbidden", f"this needs {needed}", "the role")
for scheme in ("Basic ", "Bearer", "Token ", ""):
    refused(f"scheme '{scheme}'", ask("GET", "/api/v1/audit", headers={"Authorization": scheme + operator("admin")}), 401, "unauthorised")
for name in ("gate", "server", "anonymous", "a b", "", "x" * 64):
    refused(f"operator '{name}'", ask("POST", "/api/v1/operators", {"name": name, "role": "viewer"}, operator("admin")), 400, "invalid")
for role in ("device", "public", "god", 7):
    refused(f"role {role}", ask("POST", "/api/v1/operators", {"name": "ann", "role": role}, operator("admin")), 400, "invalid")
refused("the admin again", ask("POST", "/api/v1/operators", {"name": "admin", "role": "viewer"}, operator("admin")), 409, "exists")
PY

step "bodies too long, on every route"
python3 - <<'PY'
from byhand import *

C, A = "/api/v1/channels/crs", operator("admin")
NONE = 0
CAPS = {("GET", "/"): NONE, ("GET", "/healthz"): NONE, ("GET", "/metrics"): NONE, ("GET", "/repo/metadata/timestamp.json"): NONE,
        ("GET", "/repo/targets/x"): NONE, ("GET", "/repo/blobs/00/" + "0" * 64): NONE, ("GET", "/api/v1/overview"): NONE, ("GET", "/api/v1/policies"): NONE,
        ("GET", C + "/releases"): NONE, ("GET", C + "/content-metadata"): NONE, ("GET", C + "/rollout"): NONE,
        ("GET", C + "/explain"): NONE, ("GET", C + "/rollouts/1.0/record"): NONE, ("GET", "/api/v1/audit"): NONE, ("POST", "/api/v1/enrol"): 4096,
        ("POST", "/api/v1/checkin"): 65536, ("POST", "/api/v1/blobs/missing"): 1200000, ("POST", C + "/rollouts"): 4096,
        ("POST", C + "/halt"): 4096, ("POST", C + "/promote"): 4096, ("POST", "/api/v1/enrolment-tokens"): 4096,
        ("GET", C + "/calibration"): NONE, ("POST", C + "/calibration"): 4096, ("POST", C + "/calibration/stop"): 4096,
        ("POST", "/api/v1/devices/exclusions"): 4096, ("POST", "/api/v1/operators"): 4096, ("PUT", "/api/v1/blobs/" + "0" * 64): 1 << 26}
for (method, path), cap in CAPS.items():
    detail = f"longer than {cap} bytes" if cap else "takes no body"
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {A}\r\nConnection: close\r\n"
    # announced: refused before a byte of it is sent
    for length in (cap + 1, 1 << 40, (1 << 64) - 1):
        refused(f"{method} {path} announces {length}", raw(f"{head}Content-Length: {length}\r\n\r\n".encode()), 413, "too-large",
                detail, "send less")
    refused(f"{method} {path} in chunks", ask(method, path, b" " * (cap + 1), A, chunked=True), 413, "too-large", detail)
# what comes after that is not read for ever
if (answer := ask("POST", "/api/v1/checkin", b" " * 8_000_000, chunked=True)) is not None:
    fail(f"endless chunks: {answer}")
refused("a release", raw(f"POST {C}/releases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {A}\r\nContent-Length: 99999999\r\n\r\n".encode()),
        413, "too-large")
# JSON where people write
for path in ("/rollouts", "/halt", "/promote", "/releases", "/calibration"):
    for what, body in {"nothing": b"", "garbage": b"\xff\x00", "deep": b"[" * 3000, "no object": b"[]", "null": b"null", "numbers": b'{"version":1,"rounds":"1"}'}.items():
        refused(f"{path}: {what}", ask("POST", C + path, body, A), 400, "invalid")
refused("halt without a reason", ask("POST", C + "/halt", {"version": "1.0"}, A), 404, "not-found", "no rollout")
PY

step "HTTP that is none, and paths that lead elsewhere"
python3 - <<'PY'
from byhand import *

H = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
for what, (text, status) in {
    "no method": (b"/" + H + b"\r\n", 400), "0.9": (b"GET /healthz\r\n\r\n", 400), "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "a method of its own": (b"BREW /healthz" + H + b"\r\n", 405), "an absolute target": (b"GET http://x/healthz" + H + b"\r\n", 400),
    "an asterisk": (b"OPTIONS *" + H + b"\r\n", 400), "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a header of 100 kB": (b"GET /healthz" + H + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    "20,000 headers": (b"GET /healthz" + H + b"".join(b"X%d: a\r\n" % i for i in range(20_000)) + b"\r\n", 431),
    "a target of 40 kB": (b"GET /" + b"a" * 40_000 + H + b"\r\n", 414), "a target of 3 kB": (b"GET /" + b"a" * 3_000 + H + b"\r\n", 400),
    "two lengths": (b"POST /api/v1/checkin" + H + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
    "a length and chunks": (b"POST /api/v1/checkin" + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a negative length": (b"POST /api/v1/checkin" + H + b"Content-Length: -1\r\n\r\n", 400),
    "a chunk of no number": (b"POST /api/v1/checkin" + H + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
}.items():
    answer = raw(text)
    if answer is None or answer.status != status:
        fail(f"{what}: {answer}, want {status}")
    print(f"  {what}: {status}")
for path, status, slug in [
    ("/repo/metadata/..%2f..%2fetc%2fpasswd", 404, "not-found"), ("/repo/targets/../../online/master.key", 404, "not-found"),
    ("/repo/targets/%2e%2e/metadata/1.root.json", 404, "not-found"), ("/repo/blobs/..%2f/passwd", 404, "not-found"),
    ("/repo/blobs/ab/..%2f..%2f..%2fonline%2fmaster.key", 404, "not-found"), ("//repo/metadata/1.root.json", 404, "not-found"),
    ("/repo/metadata/1.root.json%00", 400, "invalid"), ("/repo/metadata/%zz", 400, "invalid"), ("/repo/metadata/", 404, "not-found"),
]:
    refused(path, ask("GET", path), status, slug)
R, data = operator("releaser"), b"some bytes"
name = hashlib.sha256(data).hexdigest()
for path in ("..%2f..%2fonline%2fmaster.key", name.upper(), name[:-1], name + "0"):
    refused(f"PUT {path[:40]}", ask("PUT", f"/api/v1/blobs/{path}", data, R), 400, "invalid", "is not a SHA-256")
refused("a blob of other bytes", ask("PUT", f"/api/v1/blobs/{name}", data + b"!", R), 422, "tampered", "came with bytes", "fetch it again")
refused("and it is not there", ask("GET", f"/repo/blobs/{name[:2]}/{name}"), 404, "not-found")
PY

step "hundreds of slow connections, closed ones, pipelines"
python3 - <<'PY'
from byhand import *

slow = []
for i in range(400):
    s = connect()
    s.sendall([b"GET /heal", b"POST /api/v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b"a" * 9000,
               b"\x16\x03\x01\x00\xa5\x01", b""][i % 4])
    slow.append(s)
began = time.monotonic()
taken("healthz beside 400 slow ones", ask("GET", "/healthz"))
if time.monotonic() - began > 2:
    fail("healthz waited for them")
d, requests = Device(enrolment_token(1)), b""
for _ in range(50):
    body = json.dumps(d.body(channel("crs"))).encode()
    head = "".join(f"{k}: {v}\r\n" for k, v in d.sign(body).items())
    requests += f"POST /api/v1/checkin HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with connect() as s:  # gone before it is answered
        s.sendall(requests[-len(body) - len(head) - 200 :][:100])
with connect() as s, s.makefile("rb") as f:
    s.sendall(requests)
    for i in range(50):
        taken(f"check-in {i} of a pipeline", read_answer(f))
taken("a check-in beside them all", d.checkin())
print("  50 check-ins in one pipeline, beside 400 slow connections")
PY

step "people at the same time: one start, a halt wins"
python3 - <<'PY'
from byhand import *
from threading import Thread

C, R, people = "/api/v1/channels/crs", operator("releaser"), [operator("approver-1"), operator("approver-2")]

def at_once(*calls):
    answers = [None] * len(calls)

    def run(i):
        answers[i] = calls[i]()

    threads = [Thread(target=run, args=(i,)) for i in range(len(calls))]
    [t.start() for t in threads], [t.join() for t in threads]
    return answers

def act(what, token, version="1.0"):
    return ask("POST", f"{C}/{what}", {"version": version, "policy": "demo", "reason": "a test"}, token)

taken("hello", Device(enrolment_token(1)).checkin())
if sorted(a.status for a in at_once(*[lambda: act("rollouts", R)] * 6)) != [201] + [409] * 5:
    fail("six starts at once are not one")
refused("a second rollout", act("rollouts", R, "2.0"), 409, "conflict", "a rollout of 1.0 runs", "wait until it is complete, or halt it")
taken("one person promotes", act("promote", people[0]), 202)
taken("the same person again", act("promote", people[0]), 202)
refused("a second person without the role", act("promote", R), 403, "forbidden", "must be an approver's", "token of an approver")
refused("another version", act("promote", people[1], "2.0"), 409, "conflict", "is of version 1.0")
refused("a halt without a reason", ask("POST", C + "/halt", {"version": "1.0"}, R), 400, "invalid", "no reason given", "--reason")
answers = at_once(*[lambda: act("promote", people[0]), lambda: act("promote", people[1]), lambda: act("halt", R)] * 4)
halts = [a.status for a in answers[2::3]]
if halts != [200] * 4:
    fail(f"halts among promotions: {halts}")
if any(a.status not in (200, 202, 409) for a in answers):
    fail(f"promotions among halts: {answers}")
for person in people:
    refused("promote after it", act("promote", person), 409, "halted", "a halt wins")
taken("halt again", act("halt", R))
if (state := ask("GET", C + "/rollout", token=R).json()["state"]) != "halted":
    fail(f"it is {state}")
print("  four halts among eight promotions: halted")

texts = {"manifest": open(f"{WORK}/release-2.0/out/manifest.json").read(),
         "content_metadata": open(f"{WORK}/release-2.0/out/content-crs.json").read()}
if [a.status for a in at_once(*[lambda: ask("POST", C + "/releases", texts, R)] * 6)] != [200] * 6:
    fail("the same publication again")
PY

step "SIGTERM while check-ins wait for their commit"
python3 - >"$WORK/storm.log" 2>&1 <<'PY' &
from byhand import *
from threading import Thread

token, acknowledged = enrolment_token(60), {}
fleet = [Device(token) for _ in range(60)]

def storm(d):
    while True:
        try:
            answer = d.checkin(channel("crs"))
        except OSError:  # the server is gone
            return
        if answer is not None and answer.status not in (200, 503):
            fail(f"in the storm: {answer}")
        if answer is not None and answer.status == 200:
            acknowledged[d.id] = d.number

threads = [Thread(target=storm, args=(d,)) for d in fleet]
[t.start() for t in threads]
while len(acknowledged) < 60:
    time.sleep(0.01)
open(f"{WORK}/storming", "w").close()
[t.join() for t in threads]
json.dump(acknowledged, open(f"{WORK}/acknowledged.json", "w"))
PY
storm=$!
wait_until 30 "check-ins storm" test -e "$WORK/storming"
stop server
assert_eq "$status" 0 "exit status of the server"
wait $storm || fail "$(cat "$WORK/storm.log")"
python3 - <<'PY'
from byhand import *
import sqlite3

kept = dict(sqlite3.connect(f"{SITE}/server/state/firebreak.db").execute("select device, number from checkins"))
acknowledged = json.load(open(f"{WORK}/acknowledged.json"))
lost = [d for d, number in acknowledged.items() if kept.get(d, 0) < number]
if lost or len(acknowledged) != 60:
    fail(f"acknowledged and lost: {lost}")
print(f"  the last check-in that was acknowledged to each of {len(acknowledged)} devices is there")
PY
start_server
who=viewer
expect 0 fb audit verify
