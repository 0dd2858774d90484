#!/usr/bin/env bats
# Certificates are renewed while everything runs: here they live 24 seconds, and nothing is restarted.
load lib.bash

setup_file() { cluster_start e2e4 10.96.0 --nodes 2 -- --cluster-signing-duration 24s; }
teardown_file() { cluster_stop; }

serial() { openssl x509 -in "$CLUSTER/$1.crt" -noout -serial; }
left() { local end; end=$(openssl x509 -in "$CLUSTER/$1.crt" -noout -enddate); echo $(($(date -d "${end#*=}" +%s) - $(date +%s))); }
pids() { cat "$CLUSTER"/n?/coracle.pid | xargs; }

@test "all certificates are renewed before they expire; server, nodes, pods and watches do not notice" {
    local before=() cert all=(n1/data/tls/server n1/data/tls/apiserver-client n1/data/tls/kubelet n2/data/tls/kubelet-client n2/data/tls/kubelet)
    for cert in "${all[@]}"; do before+=("$(serial "$cert")"); done
    local processes; processes=$(pids)
    k run there --image coracle.test/busybox:1 --overrides '{"spec":{"nodeName":"node-2","terminationGracePeriodSeconds":0}}' -- sh -c 'while sleep 1; do date; done'
    k wait --for condition=Ready pod/there --timeout 30s
    host timeout 200 "$KUBECTL" get configmaps --watch-only -o name > "$CLUSTER/seen" 2> /dev/null 3>&- & local watch=$!
    local i; for i in $(seq 45); do k get --raw /readyz > /dev/null; host true; sleep 1; done # almost two lives
    for i in "${!all[@]}"; do
        [ "$(serial "${all[$i]}")" != "${before[$i]}" ]
        [ "$(left "${all[$i]}")" -gt 0 ]
    done
    [ "$(pids)" = "$processes" ]; kill -0 $processes
    [ "$(k get nodes --no-headers | grep -cw Ready)" = 2 ]
    [ "$(k get node node-2 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
    k get lease node-2 -n kube-node-lease -o 'jsonpath={.spec.renewTime}' > "$CLUSTER/lease"
    eventually 30 not_same "$CLUSTER/lease" k get lease node-2 -n kube-node-lease -o 'jsonpath={.spec.renewTime}'
    k exec there -- true # with the API server's new certificate to the node's new one
    has "there" k logs there --tail 1 --prefix
    k create configmap news; eventually 10 grep -q configmap/news "$CLUSTER/seen"
    kill $watch || true
}
not_same() { local file=$1; shift; [ "$("$@")" != "$(cat "$file")" ]; }
