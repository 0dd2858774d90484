#!/usr/bin/env python3
"""Watches many views of ConfigMaps while they change, and compares what each was told: watch_client.py PORT TOKEN

Streams of one view must have the same bytes. A view of one namespace, or of what a selector chooses, must be that part of the whole.
"""
import collections, json, ssl, socket, sys, threading

PORT, TOKEN = int(sys.argv[1]), sys.argv[2]
NAMESPACES, OBJECTS, CLIENTS, STREAMS = ("left", "right"), 150, 8, 12
CONTEXT = ssl._create_unverified_context()


def connect(method, path, body=b"", accept="application/json"):
    s = CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", PORT), 30))
    s.settimeout(30)
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nAccept: {accept}\r\n"
              f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return s.makefile("rb")


def ask(method, path, value=None):
    f = connect(method, path, json.dumps(value).encode() if value else b"")
    status = int(f.readline().split()[1])
    while f.readline().strip(): pass
    text = f.read()
    if status >= 300: sys.exit(f"{method} {path}: {status} {text[:300]}")
    return text


class Stream(threading.Thread):
    """Reads until the end, an object of the name "last" in each namespace it sees."""

    def __init__(self, path, accept="application/json", ends=len(NAMESPACES)):
        super().__init__(daemon=True)
        self.bytes, self.ends = b"", ends
        self.file = connect("GET", path, accept=accept)
        while self.file.readline().strip(): pass
        self.start()

    def run(self):
        while self.bytes.count(b"the-last-of-all") < self.ends:
            size = int(self.file.readline(), 16)
            if size == 0: return
            self.bytes += self.file.read(size)
            self.file.readline()

    def events(self): return [json.loads(line) for line in self.bytes.splitlines()]


def change(n):
    for i in range(n, OBJECTS, CLIENTS):
        ns = NAMESPACES[i % 2]
        path = f"/api/v1/namespaces/{ns}/configmaps"
        o = {"metadata": {"name": f"c-{i}", "labels": {"third": str(i % 3)}}, "data": {"key": "x" * (i * 37 % 3000)}}
        ask("POST", path, o)
        if i % 4 == 0: ask("PUT", f"{path}/c-{i}", dict(o, data={"key": "y" * 20000 if i % 20 == 0 else "y"}))
        if i % 5 == 0: ask("DELETE", f"{path}/c-{i}")


def told(stream):  # of an event what its place in the order is not part of
    return [(e["type"], e["object"]["metadata"]["namespace"], e["object"]["metadata"]["name"], e["object"]["metadata"]["resourceVersion"])
            for e in stream.events()]


def main():
    for ns in NAMESPACES: ask("POST", "/api/v1/namespaces", {"metadata": {"name": ns}})
    revision = json.loads(ask("GET", "/api/v1/namespaces?limit=1"))["metadata"]["resourceVersion"]
    every = f"/api/v1/configmaps?watch=1&resourceVersion={revision}&labelSelector="
    protobuf = "application/vnd.kubernetes.protobuf;stream=watch,application/vnd.kubernetes.protobuf"
    views = collections.OrderedDict(
        all=lambda: Stream(f"/api/v1/configmaps?watch=1&resourceVersion={revision}"),
        left=lambda: Stream(f"/api/v1/namespaces/left/configmaps?watch=1&resourceVersion={revision}", ends=1),
        right=lambda: Stream(f"/api/v1/namespaces/right/configmaps?watch=1&resourceVersion={revision}", ends=1),
        labels=lambda: Stream(every + "third%3D1"),
        protobuf=lambda: Stream(f"/api/v1/configmaps?watch=1&resourceVersion={revision}", accept=protobuf))
    streams = {name: [] for name in views}
    for _ in range(STREAMS):
        for name, make in views.items(): streams[name].append(make())
    clients = [threading.Thread(target=change, args=(n,)) for n in range(CLIENTS)]
    for c in clients: c.start()
    for _ in range(STREAMS): # some come while it happens
        for name, make in views.items(): streams[name].append(make())
    for c in clients: c.join()
    for ns in NAMESPACES:
        ask("POST", f"/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "the-last", "labels": {"third": "1"}}, "data": {"a": "the-last-of-all"}})
    for name, of_view in streams.items():
        for s in of_view:
            s.join(30)
            if s.bytes != of_view[0].bytes: sys.exit(f"{name}: streams differ: {len(s.bytes)} and {len(of_view[0].bytes)} bytes")
    whole = [e for e in told(streams["all"][0]) if e[1] in NAMESPACES]
    if [int(e[3]) for e in whole] != sorted(int(e[3]) for e in whole): sys.exit("not in the order of revisions")
    wanted = OBJECTS + len(range(0, OBJECTS, 4)) + len(range(0, OBJECTS, 5)) + len(NAMESPACES)
    if len(whole) != wanted: sys.exit(f"{len(whole)} events, not {wanted}")
    for ns in NAMESPACES:
        part = [e for e in told(streams[ns][0])]
        if [e for e in whole if e[1] == ns] != part: sys.exit(f"{ns} is not that part of the whole")
    thirds = {f"c-{i}" for i in range(1, OBJECTS, 3)} | {"the-last"}
    if [e for e in whole if e[2] in thirds] != told(streams["labels"][0]): sys.exit("what the selector chooses is not that part of the whole")
    if streams["protobuf"][0].bytes.count(b"k8s\0") < wanted: sys.exit("protobuf: events are missing")
    print(f"{len(whole)} events, {sum(map(len, streams.values()))} streams")


main()
