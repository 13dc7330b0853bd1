"""What the stories of bad input need to say to a server by hand: requests of any shape over a bare socket,
check-ins signed as RFC 9421 has it, content metadata signed with openssl. Standard library only.

Every refusal is checked whole: status, slug, a part of the message, a part of the remedy. The environment
names the site: URL, SITE (what `firebreak init` made), WORK (a folder to write to)."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
import sys
import time

SITE = os.environ["SITE"]
WORK = os.environ["WORK"]
HOST, PORT = os.environ["URL"].removeprefix("http://").rsplit(":", 1)
PORT = int(PORT)
PROBLEM = "urn:firebreak:problem:"


def fail(text):
    sys.exit(f"failed: {text}")


# --- HTTP --------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def connect(timeout=20):
    return socket.create_connection((HOST, PORT), timeout)


def read_answer(file, method="GET"):
    """The next answer on a connection; None: it was closed."""
    try:
        line = file.readline()
    except ConnectionError:
        return None
    if not line:
        return None
    status, headers = int(line.split()[1]), {}
    while (line := file.readline().strip()):
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode()
    if status == 100:
        return read_answer(file, method)
    bodiless = method == "HEAD" or status in (204, 304)
    return Answer(status, headers, b"" if bodiless else file.read(int(headers.get("content-length", 0))))


def raw(data, method="GET"):
    """Send bytes as they are on a connection of their own; what is answered first."""
    with connect() as s:
        try:
            s.sendall(data)
        except ConnectionError:
            pass  # closed while it was sent: the answer may be there
        with s.makefile("rb") as f:
            return read_answer(f, method)


def operator(name):
    with open(f"{SITE}/operators/{name}.token") as f:
        return f.read().strip()


def ask(method, path, body=None, token=None, headers=None, chunked=False):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", "Host: firebreak", "Connection: close"]
    head += [f"{k}: {v}" for k, v in (headers or {}).items()]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if chunked:
        head.append("Transfer-Encoding: chunked")
        pieces = [body[i : i + 30000] for i in range(0, len(body), 30000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    elif body is not None:
        head.append(f"Content-Length: {len(body)}")
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + (body or b""), method)


def refused(what, answer, status, slug, detail="", remedy=""):
    if answer is None:
        fail(f"{what}: no answer, want {status} {slug}")
    if answer.status != status:
        fail(f"{what}: {answer}, want {status} {slug}")
    problem = answer.json()
    if answer.headers["content-type"] != "application/problem+json" or problem["status"] != status:
        fail(f"{what}: not a problem document: {answer}")
    if problem["type"] != PROBLEM + slug or detail not in problem["detail"] or not problem["remedy"]:
        fail(f"{what}: {problem}, want {slug}: {detail}")
    if remedy not in problem["remedy"]:
        fail(f"{what}: remedy '{problem['remedy']}', want '{remedy}'")
    print(f"  {what}: {status} {slug}: {problem['detail']}")
    return problem


def taken(what, answer, *statuses):
    if answer is None or answer.status not in (statuses or (200,)):
        fail(f"{what}: {answer}, want {statuses or (200,)}")
    return answer.json() if answer.body else None


# --- devices -----------------------------------------------------------------------------------


class Device:
    """One endpoint, whose every word can be bent."""

    def __init__(self, token, os_version="debian-12", machine=None):
        self.machine = machine or secrets.token_hex(32)
        self.platform = {"os": "linux", "os_version": os_version, "arch": "x86_64", "label": ""}
        self.epoch, self.number = secrets.token_hex(8), 0
        ask_for = {"attempt": secrets.token_hex(16), "platform": self.platform, "machine": self.machine}
        self.enrolment = ask("POST", "/api/v1/enrol", ask_for, token)
        identity = taken("enrolment", self.enrolment, 201)
        self.id, self.generation = identity["device"], identity["generation"]
        self.key = bytes.fromhex(identity["key"])

    def body(self, channel=None, events=(), **changes):
        self.number += 1
        body = {"device": self.id, "epoch": self.epoch, "number": self.number, "agent": "0.1.0",
                "platform": self.platform, "boot_id": "5b0d6ee1-ffb3-4b2f-9fd0-7ba4b7c1bc05",
                "machine": self.machine, "awake_s": 100, "preflight_s": 10,
                "channels": [channel] if channel else [], "events": list(events)}
        return body | changes

    def sign(self, body, generation=None, key=None, device=None, path="/api/v1/checkin", method="POST"):
        digest = "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"
        params = ('("@method" "@path" "content-digest");created=%d;keyid="%s:%d";alg="hmac-sha256"'
                  % (time.time(), device or self.id, self.generation if generation is None else generation))
        base = f'"@method": {method}\n"@path": {path}\n"content-digest": {digest}\n"@signature-params": {params}'
        mac = hmac.new(key or self.key, base.encode(), hashlib.sha256).digest()
        return {"Content-Digest": digest, "Signature-Input": "fb=" + params,
                "Signature": "fb=:" + base64.b64encode(mac).decode() + ":"}

    def send(self, body, **bent):
        """A body (or its bytes), signed well unless bent."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return ask("POST", "/api/v1/checkin", body, headers=self.sign(body, **bent))

    def checkin(self, channel=None, events=(), **changes):
        return self.send(self.body(channel, events, **changes))


def channel(name, running=None, ready=None, snapshot=0, nonce=None, pace_wait_s=0, **changes):
    c = {"channel": name, "running": running, "since_s": 0, "boots": 0, "crashes": 0, "hold": "",
         "ring": "default", "snapshot_version": snapshot}
    if ready:
        c["ready"] = {"digest": ready, "nonce": nonce or secrets.token_hex(16), "pace_wait_s": pace_wait_s}
    return c | changes


def snapshot_version():
    text = taken("timestamp", ask("GET", "/repo/metadata/timestamp.json"))
    return text["signed"]["meta"]["snapshot.json"]["version"]


def enrolment_token(uses, group="crowd"):
    order = {"group": group, "uses": uses}
    return taken("token", ask("POST", "/api/v1/enrolment-tokens", order, operator("admin")), 201)["token"]


def put_blobs(folder):
    """All blobs of a release directory."""
    for where, _, names in os.walk(folder):
        for name in names:
            with open(f"{where}/{name}", "rb") as f:
                taken("blob", ask("PUT", f"/api/v1/blobs/{name}", f.read(), operator("releaser")), 201)
