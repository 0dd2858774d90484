#!/usr/bin/env python3
"""A client that speaks plain WebSocket to the API server, as a browser does.

usage: websocket_client.py [-p PROTOCOL]... [-n MESSAGES] [-s HEX] PATH

Reads the cluster's address and a certificate from what `kubectl config view --raw -o json` says on stdin. -s sends one message. Prints
each message as its kind and its bytes (as Python writes them), until the server says goodbye or MESSAGES have come; a refusal as its
status line."""
import argparse, base64, json, socket, ssl, struct, sys, tempfile, os
from urllib.parse import urlparse


def connect(config):
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    url = urlparse(cluster["server"])
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as f:
        f.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        f.flush()
        context.load_cert_chain(f.name)
    raw = socket.create_connection((url.hostname, url.port), timeout=20)
    return context.wrap_socket(raw, server_hostname=url.hostname), url.netloc


def read(f, n):
    data = f.read(n)
    if len(data) < n:
        sys.exit("the connection ended in the middle of a frame")
    return data


def send(s, payload):
    mask = os.urandom(4)
    s.sendall(bytes([0x82, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-p", action="append", default=[])
    p.add_argument("-n", type=int, default=0)
    p.add_argument("-s", default="")
    p.add_argument("path")
    a = p.parse_args()
    s, host = connect(json.load(sys.stdin))
    head = [f"GET {a.path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(), f"Origin: https://{host}"]
    head += [f"Sec-WebSocket-Protocol: {', '.join(a.p)}"] if a.p else []
    s.sendall("\r\n".join(head + ["", ""]).encode())
    f = s.makefile("rb")
    status = f.readline().decode().strip()
    while f.readline().strip():
        pass
    if " 101 " not in status:
        sys.exit(status)
    if a.s:
        send(s, bytes.fromhex(a.s))
    count = 0
    while a.n == 0 or count < a.n:
        kind, size = read(f, 2)
        size = struct.unpack(">H", read(f, 2))[0] if size == 126 else struct.unpack(">Q", read(f, 8))[0] if size == 127 else size
        data = read(f, size)
        if kind & 15 == 8:
            return print("end", int.from_bytes(data[:2], "big"))
        print({1: "text", 2: "binary"}[kind & 15], data, flush=True)
        count += 1


main()
