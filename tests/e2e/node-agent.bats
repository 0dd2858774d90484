#!/usr/bin/env bats
# What the node agent does beside running pods from the API: static pods, log rotation, eviction, and the lesser known ways of
# giving a container files, names and ports.
load lib.bash

setup_file() {
    export MANIFESTS=$BATS_FILE_TMPDIR/manifests; mkdir -p "$MANIFESTS"
    cluster_start e2e6 10.83.0 -- --pod-manifest-path "$MANIFESTS" --container-log-max-size 100Ki --container-log-max-files 3
}
teardown_file() { cluster_stop; }

pod() { # pod NAME SPEC-MEMBERS: in YAML's flow style
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {terminationGracePeriodSeconds: 0, restartPolicy: Never, %s}\n' "$1" "$2" | k apply -f -
}
ended() { k wait --for jsonpath='{.status.phase}'="${2:-Succeeded}" "pod/$1" --timeout 30s; }

@test "a static pod runs, has a mirror, and follows its manifest" {
    local manifest='{apiVersion: v1, kind: Pod, metadata: {name: fixed}, spec: {containers: [{name: a, image: "coracle.test/busybox:1", command: [sh, -c, "echo REV; exec sleep 3600"]}], terminationGracePeriodSeconds: 0}}'
    echo "${manifest/REV/one}" > "$MANIFESTS/fixed.yaml"
    eventually 40 has one k logs fixed-node-1
    has "file" k get pod fixed-node-1 -o 'jsonpath={.metadata.annotations.kubernetes\.io/config\.source}'
    k delete pod fixed-node-1 --wait=false
    eventually 40 has Running k get pod fixed-node-1
    echo "${manifest/REV/two}" > "$MANIFESTS/fixed.yaml"
    eventually 60 has two k logs fixed-node-1
    rm "$MANIFESTS/fixed.yaml"
    eventually 60 has NotFound k get pod fixed-node-1
}

@test "logs are rotated and the newest lines stay readable" {
    pod chatty 'containers: [{name: a, image: "coracle.test/busybox:1", command: [sh, -c, "while :; do i=$((i+1)); echo $i aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; [ $((i % 400)) != 0 ] || sleep 1; done"]}]'
    k wait --for condition=Ready pod/chatty --timeout 30s
    rotated() { on_node 1 sh -c "ls $CLUSTER/n1/data/log/pods/default_chatty_*/a | wc -l"; }
    eventually 60 has 3 rotated
    local before # the newest file alone is read, as upstream does it: nothing is there until the container writes again
    eventually 20 has aaaa k logs chatty --tail 1
    newest() { k logs chatty --tail 1 | grep -o '^[0-9]*'; }
    newer() { local n; n=$(newest) && [ "$n" -gt "$before" ]; }
    before=$(eventually 20 newest)
    eventually 20 newer
    k delete pod chatty
}

@test "a memory volume is as large as it may be" {
    pod memory 'volumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 8Mi}}, {name: p, emptyDir: {medium: Memory}}],
        containers: [{name: a, image: "coracle.test/busybox:1", resources: {limits: {memory: 64Mi}}, command: [sh, -c, "df -k /m /p | tail -2 | tr -s \" \" | cut -d\" \" -f1,2"],
        volumeMounts: [{name: m, mountPath: /m}, {name: p, mountPath: /p}]}]'
    ended memory
    [ "$(k logs memory | tr '\n' ' ')" = "tmpfs 8192 tmpfs 65536 " ]
}

@test "a pod that outgrows its volume's limit is evicted" {
    pod greedy 'volumes: [{name: d, emptyDir: {sizeLimit: 1Mi}}],
        containers: [{name: a, image: "coracle.test/busybox:1", command: [sh, -c, "dd if=/dev/zero of=/d/x bs=1M count=3; sleep 3600"], volumeMounts: [{name: d, mountPath: /d}]}]'
    ended greedy Failed
    has 'Usage of EmptyDir volume "d" exceeds the limit "1Mi".' k get pod greedy -o 'jsonpath={.status.reason} {.status.message}'
}

@test "an evicted pod that somebody still needs keeps its reason" {
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: held, finalizers: [coracle.test/hold]}\nspec: {containers: [{name: a, image: "coracle.test/busybox:1", command: [sleep, "3600"]}], terminationGracePeriodSeconds: 1}\n' | k apply -f -
    k wait --for condition=Ready pod/held --timeout 30s
    echo '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "held"}}' | k create --raw /api/v1/namespaces/default/pods/held/eviction -f -
    eventually 20 has Failed k get pod held -o 'jsonpath={.status.phase}'
    has EvictionByEvictionAPI k get pod held -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}'
    k patch pod held --type json -p '[{"op": "remove", "path": "/metadata/finalizers"}]'
}

@test "names, expanded sub-paths and sidecars" {
    pod many 'hostname: h, subdomain: s, hostAliases: [{ip: 192.0.2.7, hostnames: [far.example]}], volumes: [{name: d, emptyDir: {}}],
        initContainers: [{name: side, image: "coracle.test/busybox:1", restartPolicy: Always, command: [sh, -c, "mkdir -p /d/many; echo here > /d/many/f; exec sleep 3600"],
            startupProbe: {exec: {command: [test, -e, /d/many/f]}, periodSeconds: 1}, volumeMounts: [{name: d, mountPath: /d}]},
          {name: dir, image: "coracle.test/busybox:1", command: ["true"]}],
        containers: [{name: a, image: "coracle.test/busybox:1", command: [sh, -c, "hostname; cat /etc/hosts /sub/f"],
            env: [{name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}], volumeMounts: [{name: d, mountPath: /sub, subPathExpr: $(ME)}]}]'
    ended many
    has far.example k logs many -c a
    has here k logs many -c a
    has "h.s.default.svc.cluster.local" k logs many -c a
}

@test "a host port leads to the pod" {
    pod port 'containers: [{name: a, image: "coracle.test/web:1", ports: [{containerPort: 8080, hostPort: 18080}]}]'
    k wait --for condition=Ready pod/port --timeout 30s
    has host=port host curl -s -m 5 "http://10.83.0.11:18080/"
}

@test "logs, watches and commands come over a plain WebSocket" {
    local pods=/api/v1/namespaces/default/pods
    websocket() { k config view --raw -o json | host python3 "$HERE/websocket_client.py" "$@"; }
    pod talker 'containers: [{name: a, image: "coracle.test/busybox:1", command: [sh, -c, "echo hello from afar; exec sleep 3600"]}]'
    k wait --for condition=Ready pod/talker --timeout 30s
    eventually 10 has "hello from afar" k logs talker
    [ "$(websocket -p binary.k8s.io "$pods/talker/log")" = "binary b''
binary b'hello from afar\\n'
end 1000" ]
    [ "$(websocket -n 2 -p base64.binary.k8s.io "$pods/talker/log?follow=true")" = "text b''
text b'aGVsbG8gZnJvbSBhZmFyCg=='" ]
    fails "HTTP/1.1 403" websocket -p channel.k8s.io "$pods/talker/log"
    has '"type":"ADDED","object":{"kind":"Pod"' websocket -n 1 "$pods?watch=1&fieldSelector=metadata.name%3Dtalker"
    has "binary b'\\x01hi\\n'" websocket -p v4.channel.k8s.io "$pods/talker/exec?command=echo&command=hi&stdout=1"
    has "text b'1aGkK'" websocket -p base64.channel.k8s.io "$pods/talker/exec?command=echo&command=hi&stdout=1"
    k delete pod talker
}

@test "a runtime that dies is started again, and pods go on" {
    pod steady 'containers: [{name: a, image: "coracle.test/busybox:1", command: [sleep, "3600"]}]'
    k wait --for condition=Ready pod/steady --timeout 30s
    local id; id=$(k get pod steady -o 'jsonpath={.status.containerStatuses[0].containerID}')
    kill -9 "$(cat "$CLUSTER/n1/data/containerd/pid")"
    eventually 20 has "containerd ended (signal 9), starting it again" cat "$CLUSTER/n1/coracle.log"
    eventually 30 has hello k exec steady -- echo hello
    [ "$(k get pod steady -o 'jsonpath={.status.containerStatuses[0].containerID}')" = "$id" ]
    k delete pod steady
}

@test "a node under pressure says so and evicts" {
    echo 'SERVER_FLAGS="--eviction-hard memory.available<99% --eviction-pressure-transition-period 1s"' >> "$CLUSTER/env"
    "$HERE/cluster" restart "$CLUSTER"
    pod victim 'containers: [{name: a, image: "coracle.test/busybox:1", command: [sleep, "3600"]}]'
    eventually 40 has "The node was low on resource: memory" k get pod victim -o 'jsonpath={.status.message}'
    has TerminationByKubelet k get pod victim -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}'
    eventually 20 has KubeletHasInsufficientMemory k get node node-1 -o 'jsonpath={.status.conditions[*].reason}'
    eventually 20 has node.kubernetes.io/memory-pressure k get node node-1 -o 'jsonpath={.spec.taints}'
}
