#!/bin/bash
# Bad check-ins against a real server: whoever is not who they say, numbers used twice, bodies that are no
# check-in; and permits that must never be: for another snapshot, another release, another device's exposure,
# ahead of the pace, or after a halt.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/site.bash"
export PYTHONPATH=$FIREBREAK_SOURCE/tests/e2e SITE=$site WORK PYTHONDONTWRITEBYTECODE=1

make_site commit_delay=0.05
start_server
export URL=$url
publish 1.0
publish 2.0

step "who says so"
python3 - <<'PY'
from byhand import *

d, other = (Device(t) for t in [enrolment_token(2)] * 2)
taken("a good one", d.checkin(channel("crs")))
body = json.dumps(d.body(channel("crs"))).encode()
good = d.sign(body)

def said(what, headers, detail, slug="bad-signature", sent=body, remedy="enrol this device again"):
    refused(what, ask("POST", "/api/v1/checkin", sent, headers=headers), 401, slug, detail, remedy)

for name in good:
    said(f"without {name}", {k: v for k, v in good.items() if k != name}, f"header {name} is missing")
    said(f"endless {name}", good | {name: "a" * 5000}, f"header {name} is too long")
said("unknown device", d.sign(body, device="0" * 32), "is not enrolled here", "unknown-device")
said("another generation", d.sign(body, generation=2), "key generation 2", "unknown-device")
said("generation 0", d.sign(body, generation=0), "key generation 0", "unknown-device")
said("another key", d.sign(body, key=other.key), "does not fit")
said("another body", good, "not that of the body", sent=body.replace(b'"awake_s": 100', b'"awake_s": 101'))
said("another path", d.sign(body, path="/api/v1/enrol"), "does not fit")
said("another method", d.sign(body, method="PUT"), "does not fit")
said("another digest", good | {"Content-Digest": d.sign(b"{}")["Content-Digest"]}, "not that of the body")
said("sha-512", good | {"Content-Digest": good["Content-Digest"].replace("sha-256", "sha-512")}, "not that of the body")
said("signature cut", good | {"Signature": good["Signature"][:-5] + ":"}, "does not fit")
said("no base64", good | {"Signature": "fb=:" + "?" * 44 + ":"}, "does not fit")
said("fewer components", good | {"Signature-Input": good["Signature-Input"].replace('"@path" ', "")}, "agreed form")
said("another algorithm", good | {"Signature-Input": good["Signature-Input"].replace("sha256", "sha1")}, "agreed form")
said("two signatures", good | {"Signature-Input": good["Signature-Input"] + ", x=()"}, "agreed form")
said("injected line", good | {"Signature-Input": good["Signature-Input"].replace("POST", 'POST"%0a')+ " "}, "agreed form")
speaks_for = json.dumps(d.body(channel("crs"), device=other.id)).encode()
said("for another device", d.sign(speaks_for), "speaks for another device", sent=speaks_for)
taken("after all of that", ask("POST", "/api/v1/checkin", body, headers=good))
PY

step "enrolment"
python3 - <<'PY'
from byhand import *

one = enrolment_token(1)
form = {"attempt": secrets.token_hex(16), "machine": secrets.token_hex(32),
        "platform": {"os": "linux", "os_version": "debian-12", "arch": "x86_64", "label": ""}}

def enrol(body, token):
    return ask("POST", "/api/v1/enrol", body, token)

refused("no token", enrol(form, None), 401, "unauthorised", "no enrolment token")
refused("unknown token", enrol(form, "fbe_" + "A" * 43), 401, "unauthorised", "is not known", "firebreak token create")
refused("an operator's token", enrol(form, operator("admin")), 401, "unauthorised", "is not known")
refused("an endless token", enrol(form, "a" * 1000), 401, "unauthorised", "no enrolment token")
for key, value in [("attempt", "0" * 31), ("attempt", None), ("machine", "G" * 64), ("platform", []),
                   ("platform", form["platform"] | {"os": "../.."}), ("platform", form["platform"] | {"os": "x" * 99})]:
    refused(f"{key} = {str(value)[:40]}", enrol(form | {key: value}, one), 400, "invalid", "enrolment")
first = enrol(form, one)
taken("the one use", first, 201)
if enrol(form, one).json() != first.json():
    fail("the same attempt again is not the same identity")
refused("a second use", enrol(form | {"attempt": "0" * 32}, one), 401, "unauthorised", "no uses left", "firebreak token create")
PY

step "numbers"
python3 - <<'PY'
from byhand import *
from threading import Thread

d = Device(enrolment_token(1))
body = json.dumps(d.body(channel("crs"))).encode()
first = d.send(body)
taken("number 1", first)
again = d.send(body)
if again.status != 200 or again.body != first.body:
    fail(f"a repeat is answered {again}, not {first}")
print("  the same again: the same answer")
refused("number 1 with another body", d.checkin(number=1), 409, "checkin-forked", "numbered before", "enrol this device again")
d.number = 10
taken("number 11", d.checkin())
refused("an older number", d.send(body), 409, "checkin-forked", "numbered before")
old, d.epoch, d.number = d.epoch, secrets.token_hex(8), 0
taken("a new start", d.checkin())
refused("the start before", d.checkin(epoch=old, number=99), 409, "checkin-forked", "numbered before")
refused("another machine", d.checkin(machine="0" * 64), 409, "checkin-forked", "another machine")

d = Device(enrolment_token(1))
bodies, answers = [json.dumps(d.body(channel("crs"), awake_s=i, number=1)).encode() for i in range(16)], []
threads = [Thread(target=lambda b=b: answers.append(d.send(b).status)) for b in bodies]
[t.start() for t in threads], [t.join() for t in threads]
if sorted(answers) != [200] + [409] * 15:
    fail(f"16 bodies at once under one number: {answers}")
print("  16 bodies at once under one number: one is taken")
PY

step "what is no check-in"
python3 - <<'PY'
from byhand import *

d = Device(enrolment_token(1))
good = d.body(channel("crs", ready="0" * 64, snapshot=1), [
    {"id": secrets.token_hex(16), "kind": "crash", "channel": "crs", "digest": None, "cause": "kernel", "blamed": False,
     "awake_s": 1, "detail": "x"}])

def bent(path, value):
    whole = at = json.loads(json.dumps(good))
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")

garbage = {
    "nothing": b"", "garbage": b"\x00\xff\xfe garbage", "half": json.dumps(good).encode()[:-9], "a number": b"7",
    "two": json.dumps(good).encode() * 2, "members twice": b'{"device":"a","device":"b"}', "nan": b'{"number":NaN}',
    "deep": b"[" * 5000 + b"]" * 5000, "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deep in quotes": b'["' + b"[" * 5000, "a huge number": b'{"number":' + b"9" * 60000 + b"}",
    "a huge exponent": b'{"number":1e999999}', "NUL in a text": bent(["agent"], "a\0b"),
    "invalid UTF-8": bent(["agent"], "x").replace(b'"x"', b'"\xc3\x28"'),
    "overlong UTF-8": bent(["agent"], "x").replace(b'"x"', b'"\xc0\xaf"'),
    "a lone surrogate": bent(["agent"], "\ud800"), "an escaped surrogate": bent(["agent"], "x").replace(b'"x"', b'"\\ud800"'),
}
for what, body in garbage.items():
    refused(what, d.send(body), 400, "invalid", "check-in")
for path, values in {
    ("number",): [0, -1, 1.5, "1", 1 << 53 | 1, 1 << 63, True], ("epoch",): ["", "0" * 15, "G" * 16, 5],
    ("awake_s",): [-1, None], ("preflight_s",): [86400, -1], ("boot_id",): ["", "a b", "x" * 200], ("platform",): [None, []],
    ("platform", "os"): ["", "a/b", "x" * 24], ("machine",): ["x"], ("channels",): [{}, [1], [good["channels"][0]] * 2, [{}] * 9],
    ("events",): [None, [{}], good["events"] * 33], ("channels", 0, "channel"): ["../x", "CRS", "x" * 32],
    ("channels", 0, "ready", "nonce"): ["", "0" * 31], ("channels", 0, "ready", "digest"): ["0" * 63, None],
    ("channels", 0, "ring"): ["everything"], ("channels", 0, "snapshot_version"): [-1, 1 << 60],
    ("events", 0, "id"): ["0" * 31], ("events", 0, "kind"): ["explosion"], ("events", 0, "cause"): ["a b"],
    ("events", 0, "detail"): ["x" * 2049],
}.items():
    for value in values:
        refused(f"{'.'.join(map(str, path))} = {str(value)[:30]}", d.send(bent(path, value)), 400, "invalid", "check-in")
taken("the same, as it should be", d.send(json.dumps(good).encode()))
taken("healthz", ask("GET", "/healthz"))
PY

step "permits that must not be"
python3 - <<'PY'
from byhand import *

releaser = operator("releaser")
releases = {r["version"]: r["digest"] for r in
            taken("releases", ask("GET", "/api/v1/channels/crs/releases", token=operator("viewer")))["releases"]}
first, second = releases["1.0"], releases["2.0"]
token = enrolment_token(7)
fleet = [Device(token) for _ in range(6)]
for d in fleet:
    taken("hello", d.checkin(channel("crs")))

def asks(device, ready, snapshot=None, **more):
    answer = taken("check-in", device.checkin(channel("crs", ready=ready, snapshot=snapshot if snapshot is not None
                                                      else snapshot_version(), **more)))
    return answer["channels"][0]

def waits(what, got, reason):
    if got.get("permit") or got["wait"]["reason"] != reason:
        fail(f"{what}: {got}, want to wait for {reason}")
    print(f"  {what}: wait, {reason}")

waits("no rollout", asks(fleet[0], first), "nothing")
before = snapshot_version()
taken("start", ask("POST", "/api/v1/channels/crs/rollouts", {"version": "1.0", "policy": "demo"}, releaser), 201)

def first_admitted():
    """Everybody asks each tick until the draw has chosen one; what that one is told of everything else."""
    for _ in range(200):
        for d in fleet:
            got = asks(d, first, before)
            if got["wait"]["reason"] == "old-metadata":
                return d
            if got["wait"]["reason"] not in ("not-admitted", "budget"):
                fail(f"before the plan was seen: {got}")
        time.sleep(0.1)
    fail("nobody was admitted")

d = first_admitted()
waits("the snapshot before the plan", asks(d, first, before), "old-metadata")
waits("no metadata at all", asks(d, first, 0), "old-metadata")
waits("a snapshot that was never published", asks(d, first, snapshot_version() + 1), "unknown-metadata")
waits("the highest snapshot", asks(d, first, 1 << 53), "unknown-metadata")
waits("ahead of its pace", asks(d, first, pace_wait_s=1), "pace")
waits("while it holds", asks(d, first, hold="paused"), "nothing")
waits("another release", asks(d, second), "nothing")
waits("a digest of its own", asks(d, "f" * 64), "nothing")
waits("another channel", taken("check-in", d.checkin(channel("other", ready=first, snapshot=snapshot_version())))
      ["channels"][0], "nothing")
waits("with its goodbye", taken("check-in", d.checkin(channel("crs", ready=first, snapshot=snapshot_version()), [
    {"id": secrets.token_hex(16), "kind": "goodbye", "channel": "", "digest": None, "cause": "reboot", "blamed": False,
     "awake_s": 1}]))["channels"][0], "nothing")

nonce, snapshot = secrets.token_hex(16), snapshot_version()
permit = asks(d, first, snapshot, nonce=nonce)["permit"]["signed"]
for key, value in {"device": d.id, "channel": "crs", "digest": first, "nonce": nonce, "snapshot_version": snapshot,
                   "kind": "rollout", "valid_s": 70}.items():
    if permit[key] != value:
        fail(f"the permit's {key} is {permit[key]}, want {value}")
print("  the permit says who, what, when and for which nonce")
for other in fleet:
    if other is not d and "permit" in asks(other, first, nonce=nonce):
        fail("another device got a permit, too: the ring has room for one")
print("  nobody else has one")
late = Device(token)
if "permit" in asks(late, first):
    fail("a device that came after the start got a permit at once")
again = asks(d, first, nonce="0" * 32)["permit"]["signed"]
count = taken("status", ask("GET", "/api/v1/channels/crs/rollout", token=operator("viewer")))["counts"]["admitted"]
if again["nonce"] != "0" * 32 or count != 1:
    fail(f"asked again: {again}, {count} admitted")
print("  asked again with another nonce: the same exposure")

taken("halt", ask("POST", "/api/v1/channels/crs/halt", {"version": "1.0", "reason": "a test"}, releaser))
for each in fleet + [late]:
    waits("after the halt", asks(each, first), "halted")
refused("the halted release again", ask("POST", "/api/v1/channels/crs/rollouts", {"version": "1.0", "policy": "demo"}, releaser),
        409, "halted", "was halted and recalled", "publish a repaired release")
PY

step "after a restart the halt still holds"
stop server KILL
start_server
expect 6 fb rollout status $channel
who=approver-1
expect 6 fb rollout promote $channel/1.0 --reason "halt wins"
