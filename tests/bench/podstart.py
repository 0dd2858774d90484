#!/usr/bin/env python3
"""How long a pod takes from its creation to Running: podstart.py KUBECONFIG-JSON COUNT. Run where the API server can be reached. Its image is
there already. Prints one JSON object, in seconds."""
import base64
import http.client
import json
import ssl
import sys
import tempfile
import time
import urllib.parse

config, count = json.load(open(sys.argv[1])), int(sys.argv[2])
user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
context = ssl._create_unverified_context()
with tempfile.NamedTemporaryFile() as pair:
    pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
    pair.flush()
    context.load_cert_chain(pair.name)
connection = http.client.HTTPSConnection(urllib.parse.urlparse(cluster["server"]).netloc, context=context)
PODS = "/api/v1/namespaces/default/pods"


def ask(method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


took = []
for i in range(count):
    name = f"start-{i}"
    began = time.monotonic()
    ask("POST", PODS, {"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
        {"name": "c", "image": "coracle.test/busybox:1", "command": ["sleep", "3600"]}]}})
    while ask("GET", f"{PODS}/{name}").get("status", {}).get("phase") != "Running":
        if time.monotonic() - began > 60: sys.exit(f"{name} does not run")
        time.sleep(0.01)
    took.append(time.monotonic() - began)
    ask("DELETE", f"{PODS}/{name}")
    time.sleep(0.5)
took.sort()
print(json.dumps({"p50": took[len(took) // 2], "most": took[-1]}))
