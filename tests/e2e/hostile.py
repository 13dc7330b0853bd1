#!/usr/bin/env python3
"""A hostile proxy between an endpoint and the server: hostile.py UPSTREAM DIR

Writes its port to DIR/port. Before each request it reads DIR/orders: lines "REGEX ACTION [ARGUMENT]";
the first line whose regex is found in "METHOD path" is carried out on the answer (no line: it passes).
Every request goes to DIR/requests, with the action. The first answer of each path is kept below
DIR/first/, the last honest one below DIR/last/, the last genuine permit as DIR/permit.json.
"""
import http.client, http.server, json, os, re, sys, time, urllib.parse

upstream, home = urllib.parse.urlparse(sys.argv[1]), sys.argv[2]


def path_of(name):
    return os.path.join(home, name)


def kept(which, path):
    return path_of(os.path.join(which, path.strip("/").replace("/", "_")))


def keep(path, body, honest):
    if not os.path.exists(kept("first", path)):
        open(kept("first", path), "wb").write(body)
    if honest:
        open(kept("last", path), "wb").write(body)


def order_for(what):
    try:
        lines = open(path_of("orders")).read().splitlines()
    except FileNotFoundError:
        return "pass", ""
    for line in lines:
        regex, action, argument = (line.split(" ", 2) + ["", ""])[:3]
        if re.search(regex, what):
            return action, argument
    return "pass", ""


def permits(answer):
    return [c for c in answer.get("channels", []) if "permit" in c]


def alter_permit(body, argument):
    """FIELD VALUE: one field of the signed part; "replay": the permit kept from before; "unsigned"."""
    answer = json.loads(body)
    for channel in permits(answer):
        if argument == "replay":
            channel["permit"] = json.load(open(path_of("permit.json")))
        elif argument == "unsigned":
            channel["permit"]["signatures"] = []
        else:
            field, value = argument.split(" ", 1)
            channel["permit"]["signed"][field] = json.loads(value)
    return json.dumps(answer).encode()


def alter(action, argument, path, body):
    if action == "truncate":
        return body[: len(body) // 2]
    if action == "flip":
        at = len(body) // 2
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    if action == "forge":  # a version that nobody signed
        metadata = json.loads(body)
        metadata["signed"]["version"] += 1
        return json.dumps(metadata).encode()
    if action == "empty":
        return b""
    if action == "garbage":
        return b"\xff\xfe{" + os.urandom(max(0, len(body) - 3))
    if action in ("first", "last"):
        return open(kept(action, path), "rb").read()
    if action == "permit" and argument:
        return alter_permit(body, argument)
    return body


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self):
        length = int(self.headers.get("Content-Length", 0))
        ask = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        ask.request(self.command, self.path, self.rfile.read(length), headers)
        got = ask.getresponse()
        keep = ("content-type", "retry-after", "content-range", "etag")
        return got.status, {k: v for k, v in got.getheaders() if k.lower() in keep}, got.read()

    def endless(self, pause_s):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        chunk = b"x" if pause_s else b"x" * 65536
        while True:
            self.wfile.write(chunk)
            self.wfile.flush()
            time.sleep(pause_s)

    def serve(self):
        action, argument = order_for(f"{self.command} {self.path}")
        with open(path_of("requests"), "a") as log:
            log.write(f"{self.command} {self.path} {action}\n")
        if action == "status":  # CODE [JSON of a problem]
            code, _, problem = argument.partition(" ")
            extra = {"Retry-After": "7"} if code == "429" else {"Location": "/api/v1/elsewhere"}
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return self.answer(int(code), {"Content-Type": "application/problem+json", **extra}, problem.encode())
        if action in ("endless", "drip"):
            return self.endless(0.2 if action == "drip" else 0)
        try:
            status, headers, body = self.ask()
        except OSError:
            self.close_connection = True
            return None
        if status == 200:
            keep(self.path, body, action == "pass")
        altered = alter(action, argument, self.path, body)
        if self.path.endswith("/checkin") and status == 200:
            for channel in permits(json.loads(body)):
                with open(path_of("permitted"), "a") as log:
                    log.write("1\n")
                if argument != "replay":
                    json.dump(channel["permit"], open(path_of("permit.json"), "w"))
        return self.answer(status, headers, altered)

    def do_GET(self):
        try:
            self.serve()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_GET


for which in ("first", "last"):
    os.makedirs(path_of(which), exist_ok=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
server.daemon_threads = True
with open(path_of("port.new"), "w") as file:
    file.write(str(server.server_address[1]))
os.rename(path_of("port.new"), path_of("port"))
server.serve_forever()
