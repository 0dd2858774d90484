#!/usr/bin/env python3
"""A conversion webhook for tests: v1 has spec.address ("host:port"), v2 spec.host and spec.port.

usage: conversion_webhook.py CERT KEY PORT-FILE    a file "hang" beside PORT-FILE makes it think for a minute
"""
import http.server
import json
import os
import ssl
import sys
import time

CERT, KEY, PORT_FILE = sys.argv[1:]


def convert(o, version):
    spec = dict(o["spec"])
    if version.endswith("/v2"):
        host, _, port = spec.pop("address", "").partition(":")
        spec.update(host=host, port=port)
    else:
        spec["address"] = spec.pop("host", "") + ":" + spec.pop("port", "")
    return dict(o, apiVersion=version, spec=spec)


class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = review["request"]
        if os.path.exists(os.path.join(os.path.dirname(PORT_FILE), "hang")):
            time.sleep(60)
        converted = [convert(o, request["desiredAPIVersion"]) for o in request["objects"]]
        response = {"uid": request["uid"], "convertedObjects": converted, "result": {"status": "Success"}}
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
server.daemon_threads = True
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(CERT, KEY)
server.socket = tls.wrap_socket(server.socket, server_side=True)
with open(PORT_FILE + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
