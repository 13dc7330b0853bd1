"""A static mirror for stories: serves a folder with ETags and notes each request as "STATUS PATH".

    mirror.py FOLDER PORT-FILE [drip|hang|garbage]
        drip: every body is sent a byte a second, without an end; hang: no request is answered;
        garbage: each is, with bytes that mean nothing"""

import http.server
import os
import sys
import time

FOLDER, PORT_FILE = sys.argv[1:3]
MODE = sys.argv[3] if len(sys.argv) > 3 else ""


class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code="-", size="-"):
        print(getattr(code, "value", code), self.path, flush=True)

    def say(self, status, body=b"", etag=None):
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x")
                time.sleep(1)
        except OSError:
            pass  # they have had enough
        self.close_connection = True

    def hang(self):
        self.log_request("-")
        self.rfile.read(1)  # until they have had enough
        self.close_connection = True

    def garbage(self):
        self.say(200, b"\xff{" + os.urandom(1000))

    def do_GET(self):
        path = os.path.join(FOLDER, self.path.lstrip("/"))
        if MODE:
            return getattr(self, MODE)()
        if ".." in self.path or not os.path.isfile(path):
            return self.say(404)
        with open(path, "rb") as f:
            body = f.read()
        st = os.stat(path)
        etag = f'"{st.st_mtime_ns}-{st.st_size}"'
        if self.headers.get("If-None-Match") == etag:
            return self.say(304, etag=etag)
        return self.say(200, body, etag)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
server.daemon_threads = True
with open(PORT_FILE + ".new", "w") as f:
    print(server.server_port, file=f)
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
