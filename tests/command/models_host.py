#!/usr/bin/env python3
"""A host of models for tests, on 127.0.0.1: models_host.py FOLDER PORT_FILE LOG_FILE

Serves the files of a folder with ranges and entity tags. What goes wrong is in the address, as a first part:
  cut-N       the connection is cut after N bytes of content, each time
  slow        some 6 MB a second
  plain       knows no ranges and gives no entity tag
  busy-N      answers 503 to the first N requests
  moved       redirects to the same file
  changing    another entity tag each time
  endless     no length, and garbage for ever
The log has one line for each request: path, Range, If-Range, status, bytes sent.
"""
import http.server
import os
import re
import socket
import sys
import threading
import time

FOLDER, PORT_FILE, LOG = sys.argv[1:4]
BLOCK = 65536
counts, lock = {}, threading.Lock()


class Host(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status, sent):
        with lock, open(LOG, "a") as log:
            print(self.path, self.headers.get("Range", "-"), self.headers.get("If-Range", "-"), status, sent, file=log)

    def refuse(self, status):
        body = b"<html>no model at all</html>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.note(status, 0)

    def endless(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        sent = 0
        try:
            while True:
                sent += self.wfile.write(b"x" * BLOCK)
        except OSError:
            self.note(200, sent)
        self.close_connection = True

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        way, name = parts[0] if len(parts) > 1 else "", parts[-1].split("?")[0]
        with lock:
            counts[self.path] = counts.get(self.path, 0) + 1
            nth = counts[self.path]
        number = int(re.sub(r"\D", "", way) or 0)
        if way.startswith("busy") and nth <= number:
            return self.refuse(503)
        if way == "moved":
            self.send_response(302)
            self.send_header("Location", "/" + name)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return self.note(302, 0)
        if way == "endless":
            return self.endless()
        try:
            with open(os.path.join(FOLDER, name), "rb") as file:
                body = file.read()
        except OSError:
            return self.refuse(404)
        tag = f'"{way}-{nth if way == "changing" else len(body)}"'
        first, wanted = 0, self.headers.get("Range")
        fresh = self.headers.get("If-Range", tag) == tag
        if wanted and fresh and way != "plain":
            first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if first >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return self.note(416, 0)
        status = 206 if first else 200
        self.send_response(status)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if way != "plain":
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        end = min(len(body), first + number) if way.startswith("cut") else len(body)
        sent = first
        try:
            while sent < end:
                sent += self.wfile.write(body[sent:min(end, sent + BLOCK)])
                if way == "slow":
                    time.sleep(BLOCK / 6e6)
        except OSError:
            pass
        self.note(status, sent - first)
        if end < len(body):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return None


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
with open(PORT_FILE + ".new", "w") as port:
    print(server.server_address[1], file=port)
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
