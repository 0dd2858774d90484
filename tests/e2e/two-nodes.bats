#!/usr/bin/env bats
# A second node joins by token; pods and services reach each other over nodes.
load lib.bash

setup_file() { cluster_start e2e2 10.94.0 --nodes 2; }
teardown_file() { cluster_stop; }

@test "the second node has joined with certificates of its own" {
    has "node-2" k get nodes
    has "Approved,Issued" k get csr
}

@test "pods on different nodes reach each other and services" {
    k apply -f - <<K
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: "coracle.test/web:1", ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}], type: NodePort}
K
    k rollout status daemonset/web --timeout 60s
    local pod ip
    for pod in $(k get pods -l app=web -o name); do
        for ip in $(k get pods -l app=web -o 'jsonpath={.items[*].status.podIP}'); do
            has "host=web-" k exec "$pod" -- fetch "$ip:8080"
        done
    done
    k run client --image coracle.test/busybox:1 --overrides '{"spec":{"nodeName":"node-2","terminationGracePeriodSeconds":0}}' -- sleep 3600
    k wait --for condition=Ready pod/client --timeout 30s
    for ip in 1 2 3 4; do eventually 20 has "host=web-" k exec client -- fetch web; done
}

@test "a node port answers on both nodes" {
    local port; port=$(k get service web -o 'jsonpath={.spec.ports[0].nodePort}')
    eventually 10 has "host=web-" host curl -s -m 3 "http://$NET.11:$port/"
    eventually 10 has "host=web-" host curl -s -m 3 "http://$NET.12:$port/"
}

@test "logs, exec and stats go through to the second node" {
    local pod; pod=$(k get pods -l app=web -o name --field-selector spec.nodeName=node-2)
    has "listening" k logs "$pod"
    has "hello" k exec "$pod" -- busybox echo hello
    has "node-2" k get --raw /api/v1/nodes/node-2/proxy/stats/summary
}

@test "a restarted agent adopts its pods" {
    local before; before=$(k get pods -l app=web --field-selector spec.nodeName=node-2 -o 'jsonpath={.items[0].status.containerStatuses[0].containerID}')
    "$HERE/cluster" halt "$CLUSTER" 2
    "$HERE/cluster" run "$CLUSTER" 2
    eventually 30 has "True" k get node node-2 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    [ "$(k get pods -l app=web --field-selector spec.nodeName=node-2 -o 'jsonpath={.items[0].status.containerStatuses[0].containerID}')" = "$before" ]
}
