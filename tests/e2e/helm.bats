#!/usr/bin/env bats
# coracle helm on a running cluster: releases that the real helm can take over at any step and the other way round, hooks, waiting,
# failures and their remedies, repositories and registries. The real helm is $HELM, one in PATH, or one that the Go client builds into
# a cache; without any the cases that compare are skipped.
load lib.bash

real_helm() { # prints where helm 3.19 is, nothing if there is none
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/coracle-tests
    if [ -n "${HELM:-}" ]; then echo "$HELM"; return; fi
    type -P helm && return # the file, not the function below
    [ -x "$cache/helm" ] && { echo "$cache/helm"; return; }
    command -v go > /dev/null || return 0
    mkdir -p "$cache"
    GOBIN=$cache nice timeout 900 go install helm.sh/helm/v3/cmd/helm@v3.19.2 > "$cache/helm.log" 2>&1 && echo "$cache/helm" || true
}

setup_file() {
    HELM=$(real_helm); export HELM
    cluster_start e2e5 10.97.0
    HOME=$CLUSTER/home; export HOME; mkdir -p "$HOME"
    make_chart "$CLUSTER/app"
}
teardown_file() {
    for f in "$CLUSTER"/*.pid; do [ -e "$f" ] && kill "$(cat "$f")" 2> /dev/null || true; done
    cluster_stop
}

make_chart() { # a web server, a configuration, hooks of every kind, a test, notes
    mkdir -p "$1/templates"
    printf 'apiVersion: v2\nname: app\nversion: 0.1.0\nappVersion: "1.2"\ndescription: A web server\n' > "$1/Chart.yaml"
    printf 'replicas: 1\nimage: coracle.test/web:1\nfail: {pre: false, post: false}\nextra: {}\n' > "$1/values.yaml"
    printf 'Hello {{ .Release.Name }}, revision {{ .Release.Revision }}\n' > "$1/templates/NOTES.txt"
    cat > "$1/templates/app.yaml" <<'Y'
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  replicas: {{ .Values.replicas | quote }}
  {{- range $key, $value := .Values.extra }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-kept, annotations: {helm.sh/resource-policy: keep}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: {{ .Values.image }}}]
Y
    cat > "$1/templates/hooks.yaml" <<'Y'
{{- range $event := list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback" "post-rollback" "pre-delete" "post-delete" }}
{{- $bad := or (and $.Values.fail.pre (eq $event "pre-upgrade")) (and $.Values.fail.post (eq $event "post-upgrade")) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ $event }}
  annotations: {helm.sh/hook: {{ $event }}, helm.sh/hook-weight: "1", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded",
    helm.sh/hook-output-log-policy: "hook-succeeded,hook-failed"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: job, image: coracle.test/busybox:1, command: [sh, -c, "echo ran {{ $event }}; exit {{ if $bad }}1{{ else }}0{{ end }}"]}]
{{- end }}
Y
    cat > "$1/templates/test.yaml" <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: test, image: coracle.test/busybox:1, command: [sh, -c, "echo tested"]}]
Y
}

helm() { host "$HELM" "$@"; }
coracle() { host "$CORACLE" helm "$@"; }
need_helm() { [ -n "$HELM" ] || skip "there is no helm to compare with, and no Go to build it"; }

same() { # same ARGUMENTS: helm and coracle print the same and end alike
    local a b x=0 y=0
    a=$(helm "$@" 2>&1) || x=$?
    b=$(coracle "$@" 2>&1) || y=$?
    [ "$x" = "$y" ] && [ "$a" = "$b" ] || { diff <(echo "$a") <(echo "$b") >&2; echo "differ: helm $* ($x, $y)" >&2; return 1; }
}
same_release() { # everything that can be asked about a release
    local what format
    for format in table json yaml; do same list -a -o $format; same history "$1" -o $format; same status "$1" -o $format; same get values "$1" -o $format; done
    for what in all values manifest hooks notes metadata; do same get $what "$1"; done
    same get values "$1" --all; same get metadata "$1" -o json; same status "$1" --show-desc; same list -q; same list --date --reverse
}
images() { k get deployment "$1" -o 'jsonpath={.spec.replicas}'; }

@test "install with helm, upgrade with coracle, roll back with helm, uninstall with coracle" {
    need_helm
    helm install one "$CLUSTER/app" --set extra.a=1 2> /dev/null; same_release one
    coracle upgrade one "$CLUSTER/app" --set replicas=2 --description "by coracle" -l team=x; same_release one
    [ "$(images one)" = 2 ]; [ -z "$(k get configmap one -o 'jsonpath={.data.a}')" ]
    helm rollback one 1; same_release one
    [ "$(images one)" = 1 ]; [ "$(k get configmap one -o 'jsonpath={.data.a}')" = 1 ]
    has "[ConfigMap] one-kept" coracle uninstall one
    same list -a; same status one
    fails "NotFound" k get deployment one
    k delete configmap one-kept
}

@test "install with coracle, upgrade with helm, roll back with coracle, uninstall with helm" {
    need_helm
    coracle install two "$CLUSTER/app" --set extra.a=1; same_release two
    helm upgrade two "$CLUSTER/app" --reuse-values --set replicas=2 2> /dev/null; same_release two
    [ "$(images two)" = 2 ]; [ "$(k get configmap two -o 'jsonpath={.data.a}')" = 1 ]
    coracle rollback two; same_release two
    coracle upgrade two "$CLUSTER/app" --reset-then-reuse-values --set extra.b=2; same_release two
    coracle upgrade two "$CLUSTER/app" --reset-values; same_release two
    helm uninstall two --keep-history 2> /dev/null; same_release two
    coracle upgrade two "$CLUSTER/app" --install; same_release two
    helm uninstall two 2> /dev/null
    k delete configmap two-kept
}

@test "what is wrong is said in the same words" {
    need_helm
    coracle install wrong "$CLUSTER/app" --no-hooks
    same install wrong "$CLUSTER/app"; same install Wrong_1 "$CLUSTER/app"; same install x "$CLUSTER/nothing"; same install "$CLUSTER/app"
    same upgrade absent "$CLUSTER/app"; same rollback absent; same rollback wrong 9; same rollback wrong x; same uninstall absent; same status absent
    same uninstall absent --ignore-not-found; same history absent; same get values absent; same list --filter '('; same list -l 'a in ('
    same uninstall wrong --cascade never; same install y "$CLUSTER/app" -l owner=me; same install y "$CLUSTER/app" --hide-secret
    same list --kube-context nowhere; same list --kube-apiserver https://127.0.0.1:1; same list --kube-token bad; same list --kube-as-user eve
    k create configmap taken
    same install taken "$CLUSTER/app"
    coracle install taken "$CLUSTER/app" --take-ownership --no-hooks; same_release taken
    printf 'apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n' > "$CLUSTER/app/templates/thing.yaml"
    same install thing "$CLUSTER/app"; same upgrade wrong "$CLUSTER/app"
    rm "$CLUSTER/app/templates/thing.yaml"
    coracle uninstall wrong taken --no-hooks
    k delete configmap wrong-kept taken-kept
}

@test "hooks run in order, their logs are shown, they go away" {
    run coracle install hooks "$CLUSTER/app" --wait --timeout 60s
    [ "$status" = 0 ]; [[ $output == *"ran pre-install"* && $output == *"ran post-install"* ]]
    lacks "hooks-p" k get jobs
    has "Succeeded" coracle test hooks --logs
    has "tested" coracle test hooks --logs
    k delete pod hooks-test
    coracle uninstall hooks --wait --timeout 60s
    lacks "hooks" k get deployments,jobs
    k delete configmap hooks-kept
}

@test "a failed upgrade leaves its record; --atomic goes back by itself" {
    coracle install atomic "$CLUSTER/app" --wait --timeout 60s
    fails "pre-upgrade hooks failed" coracle upgrade atomic "$CLUSTER/app" --set fail.pre=true --timeout 30s
    has "failed" coracle list
    fails "rolled back due to atomic being set" coracle upgrade atomic "$CLUSTER/app" --set fail.post=true,replicas=3 --atomic --timeout 60s
    [ "$(images atomic)" = 1 ]
    has "Rollback to" coracle history atomic
    fails "context deadline exceeded" coracle upgrade atomic "$CLUSTER/app" --set image=coracle.test/absent:1 --wait --timeout 5s
    fails "uninstalled due to atomic being set" coracle install gone "$CLUSTER/app" --set image=coracle.test/absent:1 --atomic --timeout 5s
    fails "not found" coracle status gone
    coracle uninstall atomic
    k delete configmap atomic-kept gone-kept
}

# As a helm that was killed half way leaves it.
interrupt() { # interrupt RELEASE REVISION STATE
    local s=sh.helm.release.v1.$1.v$2 data
    data=$(k get secret "$s" -o 'jsonpath={.data.release}' | base64 -d | base64 -d | gunzip | sed "s/\"status\":\"deployed\"/\"status\":\"$3\"/" | gzip | base64 -w0 | base64 -w0)
    k patch secret "$s" --type merge -p "{\"metadata\":{\"labels\":{\"status\":\"$3\"}},\"data\":{\"release\":\"$data\"}}"
}

@test "a change that was broken off is named with its remedies, and they work" {
    coracle install stuck "$CLUSTER/app" --no-hooks
    coracle upgrade stuck "$CLUSTER/app" --no-hooks --set replicas=2
    interrupt stuck 2 pending-upgrade
    fails "another operation (install/upgrade/rollback) is in progress" coracle upgrade stuck "$CLUSTER/app" --no-hooks
    fails "--take-ownership" coracle upgrade stuck "$CLUSTER/app" --no-hooks
    coracle rollback stuck 1 --no-hooks
    coracle upgrade stuck "$CLUSTER/app" --no-hooks
    interrupt stuck 4 pending-upgrade
    coracle upgrade stuck "$CLUSTER/app" --no-hooks --take-ownership --set replicas=3
    [ "$(images stuck)" = 3 ]
    has "deployed" coracle status stuck
    coracle uninstall stuck --no-hooks
    coracle install first "$CLUSTER/app" --no-hooks
    interrupt first 1 pending-install
    fails "in progress" coracle upgrade first "$CLUSTER/app" --no-hooks
    coracle upgrade first "$CLUSTER/app" --no-hooks --take-ownership
    coracle uninstall first --no-hooks
    k delete configmap stuck-kept first-kept
}

@test "a signal lets a change fail instead of staying pending" {
    coracle install signal "$CLUSTER/app" --no-hooks
    host timeout -s INT 3 "$CORACLE" helm upgrade signal "$CLUSTER/app" --no-hooks --wait --set image=coracle.test/nothing:1 && return 1
    has 'Upgrade "signal" failed: context canceled' coracle history signal
    coracle upgrade signal "$CLUSTER/app" --no-hooks
    coracle uninstall signal --no-hooks; k delete configmap signal-kept
}

@test "the history is limited, drivers are told apart, a dry run changes nothing" {
    coracle install many "$CLUSTER/app" --no-hooks --dry-run=server | grep -q "Dry run complete" || true
    lacks "many" coracle list -a
    coracle install many "$CLUSTER/app" --no-hooks
    for i in 2 3 4; do coracle upgrade many "$CLUSTER/app" --no-hooks --set replicas=$i --history-max 2; done
    [ "$(k get secrets -l owner=helm,name=many --no-headers | wc -l)" = 2 ]
    coracle uninstall many --no-hooks
    host env HELM_DRIVER=configmap "$CORACLE" helm install mapped "$CLUSTER/app" --no-hooks
    k get configmap sh.helm.release.v1.mapped.v1
    lacks "mapped" coracle list -a
    [ -z "$HELM" ] || host env HELM_DRIVER=configmap "$HELM" status mapped
    host env HELM_DRIVER=configmap "$CORACLE" helm uninstall mapped --no-hooks
    fails "HELM_DRIVER=secret" host env HELM_DRIVER=sql "$CORACLE" helm list
    k delete configmap many-kept mapped-kept
}

@test "custom resources: definitions first, then objects, patched and kept" {
    cp -r "$CLUSTER/app" "$CLUSTER/custom"; mkdir "$CLUSTER/custom/crds"
    cat > "$CLUSTER/custom/crds/things.yaml" <<'Y'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
Y
    cat > "$CLUSTER/custom/templates/thing.yaml" <<'Y'
apiVersion: example.com/v1
kind: Thing
metadata: {name: {{ .Release.Name }}}
spec: {count: {{ .Values.replicas }}, seen: {{ (lookup "v1" "Namespace" "" "default").metadata.name | quote }}}
Y
    coracle install custom "$CLUSTER/custom" --no-hooks
    [ "$(k get thing custom -o 'jsonpath={.spec.count}-{.spec.seen}')" = 1-default ]
    coracle upgrade custom "$CLUSTER/custom" --no-hooks --set replicas=2
    [ "$(k get thing custom -o 'jsonpath={.spec.count}')" = 2 ]
    [ -z "$HELM" ] || same_release custom
    coracle uninstall custom --no-hooks
    fails "NotFound" k get thing custom
    k get crd things.example.com
    k delete configmap custom-kept
}

@test "another's cluster: a token from a program, a server behind flags" {
    local token config=$CLUSTER/exec.kubeconfig server ca
    k create serviceaccount lister; k create clusterrolebinding lister --clusterrole cluster-admin --serviceaccount default:lister
    token=$(k create token lister)
    server=$(k config view --raw -o 'jsonpath={.clusters[0].cluster.server}'); ca=$(k config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
    printf '#!/bin/sh\necho "{\\"kind\\":\\"ExecCredential\\",\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"status\\":{\\"token\\":\\"%s\\"}}"\n' "$token" > "$CLUSTER/sign-in"
    chmod +x "$CLUSTER/sign-in"
    cat > "$config" <<Y
current-context: c
contexts: [{name: c, context: {cluster: c, user: u, namespace: kube-system}}]
clusters: [{name: c, cluster: {server: $server, certificate-authority-data: $ca}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./sign-in, interactiveMode: Never}}}]
Y
    coracle list --kubeconfig "$config"
    [ -z "$HELM" ] || same list -A --kubeconfig "$config"
    host env KUBECONFIG= "$CORACLE" helm list --kube-apiserver "$server" --kube-token "$token" --kube-insecure-skip-tls-verify
    fails "nobody" coracle list --kube-as-user nobody --kube-as-group system:authenticated
    k delete clusterrolebinding lister; k delete serviceaccount lister
}

# ---- repositories and registries, on the loopback of the node's namespace ----

serve() { # serve NAME COMMAND...: in the background, until the file's end
    local name=$1; shift
    host setsid "$@" > "$CLUSTER/$name.log" 2>&1 3>&- & echo $! > "$CLUSTER/$name.pid"
}

@test "a repository over TLS with a password" {
    local dir=$CLUSTER/repo url=https://127.0.0.1:8443
    mkdir -p "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 -subj /CN=repo -addext subjectAltName=IP:127.0.0.1 2> /dev/null
    coracle package "$CLUSTER/app" -d "$dir"; coracle package "$CLUSTER/app" -d "$dir" --version 0.2.0; coracle repo index "$dir"
    cat > "$CLUSTER/repo.py" <<'P'
import base64, http.server, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:secret").decode():
            return self.send_error(401)
        super().do_GET()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), lambda *a: Handler(*a, directory=sys.argv[1]))
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
P
    serve repo python3 "$CLUSTER/repo.py" "$dir"
    eventually 10 host curl -sk -o /dev/null "$url"
    fails "certificate" coracle repo add mine $url
    fails "401 Unauthorized" coracle repo add mine $url --ca-file "$dir/cert.pem"
    coracle repo add mine $url --ca-file "$dir/cert.pem" --username me --password secret
    coracle repo update
    has "mine/app	0.2.0" coracle search repo app
    has "mine/app	0.1.0" coracle search repo app --versions
    coracle pull mine/app --version 0.1.0 -d "$CLUSTER"
    cmp "$CLUSTER/app-0.1.0.tgz" "$dir/app-0.1.0.tgz"
    coracle pull mine/app --untar --untardir "$CLUSTER/unpacked"; grep -q 'version: 0.2.0' "$CLUSTER/unpacked/app/Chart.yaml"
    coracle install repo mine/app --no-hooks
    has "app-0.2.0" coracle list
    fails "not found in mine index" coracle pull mine/app --version 7
    if [ -n "$HELM" ]; then same repo list; same search repo -l -o json; same pull mine/nothing; same show chart mine/app; fi
    coracle uninstall repo --no-hooks; k delete configmap repo-kept
    coracle repo remove mine
    fails "no repositories to show" coracle repo list
}

@test "a signed chart is checked before it is used" {
    local dir=$CLUSTER/signed GNUPGHOME=$CLUSTER/gnupg sum
    command -v gpg > /dev/null || skip "no gpg"
    export GNUPGHOME; mkdir -pm 700 "$GNUPGHOME" "$dir"
    gpg --batch --passphrase '' --quick-gen-key signer@test 2> /dev/null; gpg --export signer@test > "$CLUSTER/signer.gpg"
    gpg --batch --passphrase '' --quick-gen-key other@test 2> /dev/null; gpg --export other@test > "$CLUSTER/other.gpg"
    coracle package "$CLUSTER/app" -d "$dir"
    sum=$(sha256sum < "$dir/app-0.1.0.tgz" | cut -d' ' -f1)
    printf 'name: app\n\n...\nfiles:\n  app-0.1.0.tgz: sha256:%s\n' "$sum" | gpg --batch -u signer@test --clearsign > "$dir/app-0.1.0.tgz.prov"
    has "Signed by: signer@test" coracle verify "$dir/app-0.1.0.tgz" --keyring "$CLUSTER/signer.gpg"
    if [ -n "$HELM" ]; then same verify "$dir/app-0.1.0.tgz" --keyring "$CLUSTER/signer.gpg"; fi
    fails "made by unknown entity" coracle verify "$dir/app-0.1.0.tgz" --keyring "$CLUSTER/other.gpg"
    fails "failed to load keyring" coracle verify "$dir/app-0.1.0.tgz"
    coracle repo index "$dir"
    serve signed python3 -m http.server 8445 --bind 127.0.0.1 -d "$dir"
    eventually 10 host curl -s -o /dev/null http://127.0.0.1:8445
    has "Chart Hash Verified: sha256:$sum" coracle pull app --repo http://127.0.0.1:8445 -d "$CLUSTER" --verify --keyring "$CLUSTER/signer.gpg"
    echo >> "$dir/app-0.1.0.tgz"
    fails "sha256 sum does not match" coracle pull app --repo http://127.0.0.1:8445 -d "$CLUSTER" --verify --keyring "$CLUSTER/signer.gpg"
    fails "sha256 sum does not match" coracle install signed app --repo http://127.0.0.1:8445 --verify --keyring "$CLUSTER/signer.gpg"
    sed -i 's/^name: app/name: ape/' "$dir/app-0.1.0.tgz.prov"
    fails "invalid signature" coracle verify "$dir/app-0.1.0.tgz" --keyring "$CLUSTER/signer.gpg"
    rm "$dir/app-0.1.0.tgz.prov"
    fails "failed to fetch provenance" coracle pull app --repo http://127.0.0.1:8445 -d "$CLUSTER" --verify --keyring "$CLUSTER/signer.gpg"
}

@test "a registry: push, sign in, pull, install" {
    command -v docker-registry > /dev/null || skip "there is no docker-registry"
    local dir=$CLUSTER/registry host=127.0.0.1:5000
    mkdir -p "$dir"
    python3 -c 'import crypt; print("me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH)).replace("$2b$", "$2y$"))' > "$dir/htpasswd" 2> /dev/null
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: "%s"}\nauth: {htpasswd: {realm: r, path: %s/htpasswd}}\n' "$dir" $host "$dir" > "$dir/config.yml"
    serve registry docker-registry serve "$dir/config.yml"
    eventually 10 host curl -s -o /dev/null http://$host/v2/
    coracle package "$CLUSTER/app" -d "$dir"; coracle package "$CLUSTER/app" -d "$dir" --version 0.2.0+build
    fails "basic credential not found" coracle push "$dir/app-0.1.0.tgz" oci://$host/charts
    fails "401" coracle registry login $host -u me -p wrong
    has "Login Succeeded" coracle registry login $host -u me -p secret
    has "Digest: sha256:" coracle push "$dir/app-0.1.0.tgz" oci://$host/charts
    has "0.2.0_build" coracle push "$dir/app-0.2.0+build.tgz" oci://$host/charts
    coracle pull oci://$host/charts/app --version 0.1.0 -d "$CLUSTER"; cmp "$CLUSTER/app-0.1.0.tgz" "$dir/app-0.1.0.tgz"
    coracle install oci oci://$host/charts/app --no-hooks
    has "app-0.2.0+build" coracle list
    fails "not found" coracle pull oci://$host/charts/app --version 7.0.0
    if [ -n "$HELM" ]; then
        same show chart oci://$host/charts/app; same pull oci://$host/charts/app --version '>7'; same pull oci://$host/charts/app --version 7.0.0
        same push "$dir/app-0.1.0.tgz" oci://$host/charts; same push "$dir" oci://$host/charts
    fi
    coracle uninstall oci --no-hooks; k delete configmap oci-kept
    coracle registry logout $host
    fails "basic credential not found" coracle pull oci://$host/charts/app --version 0.1.0
}
