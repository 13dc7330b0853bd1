#!/usr/bin/env python3
"""Who stole a server: every online key, the master key and the network, and nothing of what is kept offline.

    thief.py steal DIR URL SITE       copy the online keys and what is published into DIR
    thief.py serve DIR                serve DIR/repo and answer check-ins; the port is in DIR/port
    thief.py sign DIR [JSON]          sign anew all that the online keys can sign; see sign()
    thief.py fan DIR N                N roles below the one of the plans, each delegating to all of them
    thief.py draw DIR DEVICE DIGEST   a device's draw for a release, in ppm

Check-ins are answered as DIR/permit.json says: absent, everybody waits; otherwise whoever is ready gets a permit, well
made but for the fields that it gives. Its further members: "_replay": the permit made last, again; "_after_s": answer so
late; "_key": PEM file that signs; "_unasked": a digest, permitted though nobody asked. Each check-in goes to DIR/checkins.
"""
import hashlib, hmac, http.server, json, os, re, shutil, subprocess, sys, tempfile, time, urllib.error, urllib.request

home = sys.argv[2]
repo = os.path.join(home, "repo")
EXPIRES = "2099-01-01T00:00:00Z"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(*path):
    with open(os.path.join(home, *path), "rb") as file:
        return file.read()


def write(data, *path):
    full = os.path.join(home, *path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full + ".new", "wb") as file:
        file.write(data)
    os.rename(full + ".new", full)


def signature(pem, body):
    with tempfile.NamedTemporaryFile() as text:
        text.write(canonical(body))
        text.flush()
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-in", text.name, "-inkey", pem],
                              check=True, capture_output=True).stdout.hex()


def envelope(body, keyid, pem):
    return {"signed": body, "signatures": [{"keyid": keyid, "sig": signature(pem, body)}]}


def online(name):
    return os.path.join(home, "online", name + ".pem")


# --- taking -------------------------------------------------------------------------------------


def steal(url, site):
    shutil.copytree(os.path.join(site, "server", "online"), os.path.join(home, "online"), dirs_exist_ok=True)

    def take(path):
        with urllib.request.urlopen(f"{url}/repo/{path}") as answer:
            write(answer.read(), "repo", *path.split("/"))
        return json.loads(read("repo", path)) if path.endswith(".json") else None

    def roots():
        for n in range(1, 300):
            try:
                take(f"metadata/{n}.root.json")
            except urllib.error.HTTPError:
                return

    roots()
    version = take("metadata/timestamp.json")["signed"]["meta"]["snapshot.json"]["version"]
    for name, ref in take(f"metadata/{version}.snapshot.json")["signed"]["meta"].items():
        for path, target in take(f"metadata/{ref['version']}.{name}")["signed"]["targets"].items():
            folder, _, file = path.rpartition("/")
            document = take(f"targets/{folder}/{target['hashes']['sha256']}.{file}")
            for blob in document.get("files", []):
                take(f"blobs/{blob['sha256'][:2]}/{blob['sha256']}")


# --- signing ------------------------------------------------------------------------------------


def newest(role):
    """The metadata file of a role with the highest version: (version, path)."""
    names = os.listdir(os.path.join(repo, "metadata"))
    return max((int(m[1]), m[0]) for m in (re.fullmatch(rf"(\d+)\.{role}\.json", n) for n in names) if m)


def next_version(role, present):
    """Above what is there and what was ever signed here, though it was taken away again."""
    try:
        signed = json.loads(read("versions"))
    except FileNotFoundError:
        signed = {}
    signed[role] = max(present, signed.get(role, 0)) + 1
    write(json.dumps(signed).encode(), "versions")
    return signed[role]


def signed_of(path):
    return json.loads(read("repo", "metadata", path))["signed"]


def reference(data, version):
    return {"version": version, "length": len(data), "hashes": {"sha256": sha256(data)}}


def put_target(path, data):
    folder, _, file = path.rpartition("/")
    write(data, "repo", "targets", folder, f"{sha256(data)}.{file}")
    return {"length": len(data), "hashes": {"sha256": sha256(data)}}


def sign_rollout(spec):
    """The plan there is, with the members given; its serial grows."""
    present, name = newest("rollout")
    version = next_version("rollout", present)
    body, roles = signed_of(name), signed_of(newest("targets")[1])["delegations"]["roles"]
    keyid = next(r["keyids"][0] for r in roles if r["name"] == "rollout")
    for path, target in list(body["targets"].items()):
        folder, _, file = path.rpartition("/")
        if folder != "rollout":
            continue
        plan = json.loads(read("repo", "targets", folder, f"{target['hashes']['sha256']}.{file}"))
        plan |= {"serial": plan["serial"] + 1} | spec.get("plan", {})
        body["targets"][path] = put_target(path, json.dumps(plan).encode())
    for path, text in spec.get("targets", {}).items():
        body["targets"][path] = put_target(path, text.encode())
    body |= {"version": version, "expires": EXPIRES} | spec.get("rollout", {})
    write(json.dumps(envelope(body, keyid, online("rollout"))).encode(), "repo", "metadata", f"{version}.rollout.json")


def sign(spec):
    """"plan": members of the plan; "targets": {path: text} for the rollout role to list, too; "files":
    {role: [file, version]} metadata to serve and list as that role's; "drop": roles that the snapshot
    lists no more. Snapshot and timestamp follow."""
    sign_rollout(spec)
    root = signed_of(newest("root")[1])["roles"]
    present, name = newest("snapshot")
    version = next_version("snapshot", present)
    body = signed_of(name)
    number, file = newest("rollout")
    body["meta"]["rollout.json"] = reference(read("repo", "metadata", file), number)
    for role, (file, number) in spec.get("files", {}).items():
        with open(file, "rb") as data:
            data = data.read()
        write(data, "repo", "metadata", f"{number}.{role}.json")
        body["meta"][role + ".json"] = reference(data, number)
    for role in spec.get("drop", []):
        del body["meta"][role + ".json"]
    body |= {"version": version, "expires": EXPIRES}
    data = json.dumps(envelope(body, root["snapshot"]["keyids"][0], online("snapshot"))).encode()
    write(data, "repo", "metadata", f"{version}.snapshot.json")
    stamp = signed_of("timestamp.json")
    stamp |= {"version": next_version("timestamp", stamp["version"]), "expires": EXPIRES,
              "meta": {"snapshot.json": reference(data, version)}}
    data = json.dumps(envelope(stamp, root["timestamp"]["keyids"][0], online("timestamp"))).encode()
    write(data, "repo", "metadata", "timestamp.json")


def fan(count):
    delegations = signed_of(newest("targets")[1])["delegations"]
    keyid = next(r["keyids"][0] for r in delegations["roles"] if r["name"] == "rollout")
    names = [f"fan{i}" for i in range(int(count))]
    below = {"keys": {keyid: delegations["keys"][keyid]}, "roles": [
        {"name": n, "keyids": [keyid], "threshold": 1, "terminating": False, "paths": ["rollout/*"]} for n in names]}
    body = {"_type": "targets", "spec_version": "1.0.34", "version": 1, "expires": EXPIRES, "targets": {}, "delegations": below}
    data = json.dumps(envelope(body, keyid, online("rollout"))).encode()
    write(data, "fan.json")
    sign({"rollout": {"delegations": below}, "files": {n: [os.path.join(home, "fan.json"), 1] for n in names}})


# --- serving ------------------------------------------------------------------------------------


def public_key_id():
    """Of the permit key, as a plan names it: the SHA-256 of its canonical object."""
    der = subprocess.run(["openssl", "pkey", "-in", online("permit"), "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return sha256(canonical({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": der[-32:].hex()}}))


def permit(orders, checkin, channel):
    given = {k: v for k, v in orders.items() if not k.startswith("_")}
    ready = channel.get("ready") or {"digest": orders["_unasked"], "nonce": "0" * 32}
    body = {"_type": "firebreak-permit", "version": 1, "kind": "rollout", "device": checkin["device"],
            "channel": channel["channel"], "digest": ready["digest"], "nonce": ready["nonce"],
            "snapshot_version": channel["snapshot_version"], "server_time": int(time.time()), "valid_s": 90} | given
    made = envelope(body, public_key_id(), orders.get("_key") or online("permit"))
    if not orders.get("_replay"):
        write(json.dumps(made).encode(), "last-permit.json")
    return json.loads(read("last-permit.json")) if orders.get("_replay") else made


def answer(checkin):
    try:
        orders = json.loads(read("permit.json"))
    except FileNotFoundError:
        orders = None
    time.sleep((orders or {}).get("_after_s", 0))
    channels = []
    for channel in checkin["channels"]:
        if orders is not None and ("ready" in channel or "_unasked" in orders):
            channels.append({"channel": channel["channel"], "permit": permit(orders, checkin, channel)})
            with open(os.path.join(home, "permitted"), "a") as log:
                log.write(checkin["device"] + "\n")
        else:
            channels.append({"channel": channel["channel"], "wait": {"reason": "nothing", "retry_ms": 100}})
    return {"server_time": int(time.time()), "next_ms": 200, "snapshot_version": newest("snapshot")[0], "channels": channels}


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open(os.path.join(home, "requests"), "a") as log:
            log.write(self.path + "\n")
        try:
            self.send(200, read(self.path.strip("/")))
        except OSError:
            self.send(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(os.path.join(home, "checkins"), "ab") as log:
            log.write(body + b"\n")
        self.send(200, json.dumps(answer(json.loads(body))).encode())


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    write(str(server.server_address[1]).encode(), "port")
    server.serve_forever()


def draw(device, digest):
    master = bytes.fromhex(read("online", "master.key").decode().strip())
    key = hmac.new(master, b"firebreak/draw/1\0" + device.encode(), hashlib.sha256).digest()
    u = int.from_bytes(hmac.new(key, b"draw\0" + bytes.fromhex(digest), hashlib.sha256).digest()[:8], "big")
    print((u * 1000000) >> 64)


if sys.argv[1] == "sign":
    sign(json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})
else:
    {"steal": steal, "serve": serve, "fan": fan, "draw": draw}[sys.argv[1]](*sys.argv[3:])
