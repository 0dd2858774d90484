#!/usr/bin/env bats
# The scheduler against an API server without nodes of its own: the Nodes are objects only.
load lib.bash

setup() { D=$BATS_TEST_TMPDIR/data; LOG=$BATS_TEST_TMPDIR/log; PORT=$(free_port); KUBECTL=$(newest_kubectl); }
teardown() { [ -z "${SERVER:-}" ] || kill -9 "$SERVER" 2>/dev/null || true; }

serve() { # serve CONTROLLERS
    "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT" "--controllers=$1" > "$LOG" 2>&1 3>&- & SERVER=$!
    eventually 20 has ok curl -sk -m 2 "https://127.0.0.1:$PORT/readyz"
}
stop() { kill -TERM "$SERVER"; wait "$SERVER"; SERVER=; }
kc() { "$KUBECTL" --kubeconfig "$D/kubeconfig" "$@"; }
node() { printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"%s"},"conditions":[{"type":"Ready","status":"True"}]}}\n' "$1" "$2"; }
pod() { printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","namespace":"default"},"spec":{"tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"none"}]}}\n' "$1"; }
bound() { kc get pods --no-headers -o 'custom-columns=:spec.nodeName' | grep -vc none; }

@test "pods that waited while nobody placed them are looked at when all nodes and pods are known" {
    local i others='-node-lifecycle-controller,-ttl-controller,-node-ipam-controller,-pod-garbage-collector-controller'
    serve serviceaccount-controller
    eventually 20 has default kc get serviceaccounts
    for i in $(seq 40); do node "node-$i" 5; done | kc create -f - > /dev/null
    for i in $(seq 150); do pod "pod-$i"; done | kc create -f - > /dev/null
    stop
    serve "*,$others"
    eventually 20 eval '[ "$(bound)" = 150 ]'
    stop # those that have a node count when the rest comes
    serve serviceaccount-controller
    for i in $(seq 151 200); do pod "pod-$i"; done | kc create -f - > /dev/null
    stop
    serve "*,$others"
    eventually 20 eval '[ "$(bound)" = 200 ]'
    [ -z "$(kc get events --field-selector reason=FailedScheduling -o name)" ]
    [ "$(kc get pods --no-headers -o 'custom-columns=:spec.nodeName' | sort | uniq -c | awk '$1 != 5' | wc -l)" = 0 ]
}
