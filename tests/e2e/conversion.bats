#!/usr/bin/env bats
# Custom resources of two versions, converted by a webhook; what a webhook that hangs or is gone holds up, and what not.
load lib.bash

setup_file() {
    export D=$BATS_FILE_TMPDIR PORT KUBECTL
    PORT=$(free_port)
    KUBECTL=$(newest_kubectl)
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$D/key.pem" -out "$D/cert.pem" -days 2 -subj /CN=webhook -addext subjectAltName=IP:127.0.0.1 2> /dev/null
    python3 "$BATS_TEST_DIRNAME/conversion_webhook.py" "$D/cert.pem" "$D/key.pem" "$D/port" 3>&- & echo $! > "$D/webhook.pid"
    "$CORACLE" server --data-dir "$D/data" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT" > "$D/log" 2>&1 3>&- & echo $! > "$D/server.pid"
    eventually 20 has ok curl -sk -m 2 "https://127.0.0.1:$PORT/readyz"
    eventually 10 test -s "$D/port"
    eventually 10 kc get serviceaccount default
    definition "https://127.0.0.1:$(cat "$D/port")/convert" | kc apply -f -
    eventually 10 kc get widgets.v2.example.com
}
teardown_file() { kill "$(cat "$D/server.pid")" "$(cat "$D/webhook.pid")" 2>/dev/null || true; }

kc() { "$KUBECTL" --kubeconfig "$D/data/kubeconfig" "$@"; }
version() { # NAME STORAGE FIELD...
    local f fields=; for f in "${@:3}"; do fields+="$f: {type: string}, "; done
    echo "  - {name: $1, served: true, storage: $2, selectableFields: [{jsonPath: .spec.$3}], schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {$fields}}}}}}"
}
definition() { # URL
    cat <<K
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: "$1", caBundle: $(base64 -w0 "$D/cert.pem")}}
  versions:
$(version v1 true address)
$(version v2 false host port)
K
}
widget() { echo "{\"apiVersion\":\"example.com/v2\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"$1\"},\"spec\":{\"host\":\"$2\",\"port\":\"$3\"}}"; }

@test "an object is shown and changed in both versions" {
    widget a h 80 | kc apply --server-side -f -
    [ "$(kc get widgets.v1.example.com a -o 'jsonpath={.spec.address}')" = h:80 ]
    [ "$(kc get widgets.v2.example.com a -o 'jsonpath={.spec.host}')" = h ]
    kc patch widgets.v1.example.com a --type merge -p '{"spec":{"address":"g:81"}}'
    [ "$(kc get widgets.v2.example.com a -o 'jsonpath={.spec.host} {.spec.port}')" = "g 81" ]
}

@test "lists and watches are selected by the fields of their version" {
    widget b x 1 | kc apply -f -
    widget c y 1 | kc apply -f -
    [ "$(kc get widgets.v2.example.com --field-selector spec.host=x -o name)" = widget.example.com/b ]
    fails "field label not supported: spec.host" kc get widgets.v1.example.com --field-selector spec.host=x
    kc get widgets.v2.example.com -w --field-selector spec.host=y --output-watch-events -o 'jsonpath={.type} {.object.metadata.name} {.object.apiVersion}{"\n"}' > "$D/events" 3>&- & watcher=$!
    eventually 10 has "ADDED c example.com/v2" cat "$D/events"
    kc patch widgets.v1.example.com c --type merge -p '{"spec":{"address":"z:1"}}'
    eventually 10 has "DELETED c example.com/v2" cat "$D/events"
    kill "$watcher"
}

@test "a webhook that hangs holds up nothing else" {
    touch "$D/hang"
    kc patch widgets.v1.example.com b --type merge -p '{"spec":{"address":"new:1"}}'
    for i in 1 2 3 4 5 6 7 8; do kc get widgets.v2.example.com b > "$D/held.$i" 2>&1 3>&- & done
    timeout 5 "$KUBECTL" --kubeconfig "$D/data/kubeconfig" create configmap other
    timeout 5 "$KUBECTL" --kubeconfig "$D/data/kubeconfig" get widgets.v1.example.com b
    wait
    has "context deadline exceeded" cat "$D/held.1"
    rm "$D/hang"
    kc get widgets.v2.example.com b
}

@test "a webhook that is gone is told, and its objects can still be deleted as they are stored" {
    kill "$(cat "$D/webhook.pid")"
    kc patch widgets.v1.example.com b --type merge -p '{"spec":{"address":"newer:1"}}'
    fails "conversion webhook for example.com/v1, Kind=Widget failed: Post" kc get widgets.v2.example.com b
    fails "connect: connection refused" kc get widgets.v2.example.com
    kc delete widgets.v1.example.com a
    timeout 20 "$KUBECTL" --kubeconfig "$D/data/kubeconfig" delete crd widgets.example.com
}
