#!/usr/bin/env python3
"""A repository that keeps no rule of HTTP: hostile_repo.py DIR

Serves DIR/repo (below / and below /repo/), its port in DIR/port. Before each answer it reads DIR/rules: lines "REGEX
ACTION [ARGUMENT]"; the first whose regex is found in the path is what happens; no line: the file as it is, or 404.
Paths that were asked for go to DIR/requests. TLS greetings count as the path "TLS".
"""
import gzip, os, re, socket, sys, threading, time

home = sys.argv[1]
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"Connection: close\r\n\r\n"


def rule_for(path):
    try:
        lines = open(os.path.join(home, "rules")).read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        regex, action, argument = (line.split(" ", 2) + ["", ""])[:3]
        if re.search(regex, path):
            return action, argument
    return "pass", ""


def file_of(path):
    path = path.split("?")[0].removeprefix("/repo").strip("/")
    try:
        return open(os.path.join(home, "repo", path), "rb").read()
    except OSError:
        return None


def whole(body, status=b"200 OK", extra=b""):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n%s%s" % (status, extra, len(body), BODY, body)


def repeat(s, piece, pause_s=0):
    while True:
        s.sendall(piece)
        time.sleep(pause_s)


def hold(s, data=b""):
    """Until the other one has had enough."""
    s.sendall(data)
    while s.recv(65536):
        pass


def genuine(path):
    return file_of(path) or b"{}"


ACTIONS = {
    "file": lambda s, path, arg: s.sendall(whole(open(arg, "rb").read())),
    "endless": lambda s, path, arg: (s.sendall(OK + BODY), repeat(s, b" " * 65536)),
    "drip": lambda s, path, arg: (s.sendall(OK + BODY), repeat(s, b" ", 0.5)),
    "slow": lambda s, path, arg: (time.sleep(float(arg)), s.sendall(whole(genuine(path)))),
    "silent": lambda s, path, arg: hold(s),
    "stall": lambda s, path, arg: hold(s, OK + b"Content-Length: 1000000000\r\n" + BODY + b"{"),
    "stall-honest": lambda s, path, arg: hold(s, OK + b"Content-Length: 100\r\n" + BODY + b"{"),
    "big": lambda s, path, arg: (s.sendall(OK + b"Content-Length: 1000000000\r\n" + BODY), repeat(s, b" " * 65536)),
    "negative": lambda s, path, arg: s.sendall(OK + b"Content-Length: -1\r\n" + BODY + genuine(path)),
    "two-lengths": lambda s, path, arg: s.sendall(
        OK + b"Content-Length: 5\r\nContent-Length: 99999999999999999999\r\n" + BODY + genuine(path)),
    "short": lambda s, path, arg: s.sendall(
        OK + b"Content-Length: %d\r\n" % len(genuine(path)) + BODY + genuine(path)[:-20]),
    "chunks": lambda s, path, arg: (s.sendall(OK + b"Transfer-Encoding: chunked\r\n" + BODY),
                                    repeat(s, b"1000\r\n" + b" " * 4096 + b"\r\n")),
    "open-chunk": lambda s, path, arg: s.sendall(
        OK + b"Transfer-Encoding: chunked\r\n" + BODY + b"%x\r\n" % len(genuine(path)) + genuine(path)),
    "bad-chunk": lambda s, path, arg: s.sendall(
        OK + b"Transfer-Encoding: chunked\r\n" + BODY + b"ffffffffffffffffff\r\n" + genuine(path)),
    "headers": lambda s, path, arg: (s.sendall(OK), repeat(s, b"X-Header: " + b"x" * 1000 + b"\r\n")),
    "long-header": lambda s, path, arg: (s.sendall(OK + b"X-Header: "), repeat(s, b"x" * 65536)),
    "continues": lambda s, path, arg: repeat(s, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "gzip": lambda s, path, arg: s.sendall(
        whole(gzip.compress(b" " * 100_000_000), extra=b"Content-Encoding: gzip\r\n")),
    "gzipped": lambda s, path, arg: s.sendall(
        whole(gzip.compress(genuine(path)), extra=b"Content-Encoding: gzip\r\n")),
    "redirect": lambda s, path, arg: s.sendall(
        whole(b"", b"302 Found", b"Location: /again%s\r\n" % path.encode())),
    "elsewhere": lambda s, path, arg: s.sendall(
        whole(b"", b"301 Moved", b"Location: file:///etc/passwd\r\n")),
    "status": lambda s, path, arg: s.sendall(whole(b"x" * 100000, arg.encode() + b" Whatever")),
    "status-with-file": lambda s, path, arg: s.sendall(whole(genuine(path), arg.encode() + b" Whatever")),
    "garbage": lambda s, path, arg: s.sendall(os.urandom(100000)),
    "close": lambda s, path, arg: None,
}


def serve(s):
    start = s.recv(1, socket.MSG_PEEK)
    if start == b"\x16":
        path = "TLS"
    else:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 65536:
            more = s.recv(65536)
            if not more:
                return
            head += more
        path = head.split(b" ")[1].decode("latin-1")
    action, argument = rule_for(path)
    with open(os.path.join(home, "requests"), "a") as log:
        log.write(f"{path} {action}\n")
    if action == "pass":
        body = file_of(path)
        s.sendall(whole(body) if body is not None else whole(b"nothing", b"404 Not Found"))
    else:
        ACTIONS[action](s, path, argument)


def answer(s):
    with s:
        try:
            serve(s)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(os.path.join(home, "port.new"), "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(os.path.join(home, "port.new"), os.path.join(home, "port"))
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
