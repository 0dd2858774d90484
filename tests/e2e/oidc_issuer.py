#!/usr/bin/env python3
"""A small OpenID Connect issuer for tests: discovery document and keys over TLS, and tokens, good and bad.

oidc_issuer.py serve DIR ISSUER PORT       keys are DIR/*.key, named by their files, read anew for every request
oidc_issuer.py token DIR ISSUER [KEY=VALUE]...  prints a token; KEY is a claim (VALUE is JSON, or a string), or one of
    key=NAME (of DIR, default "one"), alg=ALG (default RS256; none and HS256 with the public key as well), ttl=SECONDS, kid=ID"""
import base64
import glob
import hashlib
import hmac
import http.server
import json
import os
import ssl
import subprocess
import sys
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def jwk(path):
    modulus = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().partition("=")[2]
    return {"kty": "RSA", "use": "sig", "kid": os.path.basename(path)[:-4], "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}


def serve(directory, issuer, port):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answers = {"/.well-known/openid-configuration": lambda: {"issuer": issuer, "jwks_uri": issuer + "/keys"},
                       "/keys": lambda: {"keys": [jwk(p) for p in sorted(glob.glob(directory + "/*.key"))]}}
            answer = answers.get(self.path)
            body = json.dumps(answer() if answer else {}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/tls.crt", directory + "/tls.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


SIGNERS = {
    "none": lambda path, text: b"",
    "HS256": lambda path, text: hmac.new(openssl("rsa", "-in", path, "-pubout"), text, hashlib.sha256).digest(),
    "RS256": lambda path, text: openssl("dgst", "-sha256", "-sign", path, stdin=text),
    "PS256": lambda path, text: openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1", "-sign", path, stdin=text),
}


def value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def token(directory, issuer, *given):
    claims = {"iss": issuer, "aud": "kubernetes", "sub": "1", "email": "jane@example.com", "email_verified": True, "hd": "example.com"}
    how = {"key": "one", "alg": "RS256", "ttl": "600", "kid": None}
    for item in given:
        name, _, text = item.partition("=")
        if name in how:
            how[name] = text
        else:
            claims[name] = value(text)
    claims = {"exp": int(time.time()) + int(how["ttl"]), **claims}
    head = {"alg": how["alg"], "kid": how["kid"] or how["key"]}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    print(text + "." + b64(SIGNERS[how["alg"]](f"{directory}/{how['key']}.key", text.encode())))


if __name__ == "__main__":
    {"serve": serve, "token": token}[sys.argv[1]](*sys.argv[2:])
