#!/usr/bin/env bats
# From `make run` to `coracle uninstall`: what a user sees of starting and stopping, and that nothing stays behind.
load lib.bash

setup_file() {
    cluster_prepare e2e3 10.95.0
    export DATA=$CLUSTER/n1/data
    mkdir -p "$DATA/images"; cp "$IMAGES_TAR" "$DATA/images/" # imported at the start
    export FLAGS="--data-dir $DATA --node-name node-1 --node-ip $NET.11 --cgroup-root /$NAME-n1 --resolv-conf $CLUSTER/n1/resolv.conf"
    traces > "$CLUSTER/before"
}
teardown_file() { cluster_stop; }

# Everything that a node might leave on a machine.
traces() {
    host iptables-save -t nat | grep -v "^#" # makes an empty table
    host nft list tables
    host ip -o link | sed 's/@.*//' | awk '{print $2}'
    host ip route
    host ip -6 route
    host cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
    host awk -v d="$CLUSTER" 'index($5, d) == 1 {print $5}' /proc/self/mountinfo
    find /sys/fs/cgroup -type d -path "*$NAME-n1/*" | sort
    host ls /run/netns /var/run/netns 2>/dev/null
    ip netns pids "$NAME-n1" | wc -l
}

# `make run` on a terminal; what is written to $CLUSTER/keys is typed there.
make_run() {
    rm -f "$CLUSTER/keys" "$CLUSTER/terminal"; mkfifo "$CLUSTER/keys"
    host script -qfec "make -s -C $HERE/../.. BUILD=$(dirname "$CORACLE") ARGS='$FLAGS' run" "$CLUSTER/terminal" < "$CLUSTER/keys" > /dev/null 2>&1 3>&- &
    MAKE=$!
    exec 4> "$CLUSTER/keys"
    eventually 60 grep -q "The cluster is ready" "$CLUSTER/terminal"
}
ready_since() { local o; for o in node/node-1 pod/stayer; do k get $o -o "jsonpath={.status.conditions[?(@.type==\"Ready\")].status} {.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}"; done; }
ctrl_c() { printf '\003' >&4; exec 4>&-; wait "$MAKE" || true; }

@test "make run shows each component with its time, the kubeconfig and three commands" {
    make_run
    local part
    for part in certificates store "API server" controllers scheduler "node agent"; do grep -aE "✓ $part +ready in [0-9]+ ms" "$CLUSTER/terminal"; done
    grep -a "… API server .*starting" "$CLUSTER/terminal"
    has $'\r\x1b[K20' grep -a "INFO apiserver: serving" "$CLUSTER/terminal" # on a line of its own
    grep -a "kubeconfig is $DATA/kubeconfig" "$CLUSTER/terminal"
    [ "$(grep -acE '^ +kubectl ' "$CLUSTER/terminal")" -eq 3 ]
    eventually 30 has " Ready" k get nodes
    k create configmap c --from-literal a=b
    k apply -f - <<K
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: stayer, labels: {app: stayer}}
spec:
  containers:
  - name: c
    image: coracle.test/busybox:1
    command: [sleep, "3600"]
    ports: [{containerPort: 80, hostPort: 8081}]
    volumeMounts: [{name: memory, mountPath: /m}, {name: conf, mountPath: /c}, {name: conf, mountPath: /s, subPath: a}, {name: disk, mountPath: /d}]
  volumes:
  - {name: memory, emptyDir: {medium: Memory}}
  - {name: conf, configMap: {name: c}}
  - {name: disk, persistentVolumeClaim: {claimName: disk}}
K
    k expose pod stayer --port 80 --type NodePort
    k wait --for condition=Ready pod/stayer --timeout 60s
    k get pod stayer -o 'jsonpath={.status.containerStatuses[0].containerID}' > "$CLUSTER/id"
    ready_since > "$CLUSTER/since"
    ctrl_c
}

@test "Ctrl-C stopped it cleanly, and the pod goes on" {
    grep -a "Stopping" "$CLUSTER/terminal"
    run grep -aE "Error|rror:|Killed|core dumped|\*\*\*" "$CLUSTER/terminal"; [ "$status" -ne 0 ]
    [ ! -e "$DATA/server" ]
    run host curl -sk -m 2 https://127.0.0.1:6443/readyz; [ "$status" -ne 0 ]
    has "sleep 3600" ps -ef
    ip netns pids "$NAME-n1" | xargs ps -o args= -p | grep -c containerd-shim
}

@test "a second make run finds everything as it was, pods still running" {
    make_run
    eventually 30 has "Running" k get pod stayer
    [ "$(k get pod stayer -o 'jsonpath={.status.containerStatuses[0].containerID}')" = "$(cat "$CLUSTER/id")" ]
    [ "$(k get pod stayer -o 'jsonpath={.status.containerStatuses[0].restartCount}')" = 0 ]
    has hello k exec stayer -- echo hello # so the runtime has come up
    [ "$(ready_since)" = "$(cat "$CLUSTER/since")" ]
    lacks "NodeNotReady" k get events -A
    lacks "rpc error" cat "$CLUSTER/terminal"
    has "b" k get configmap c -o 'jsonpath={.data.a}'
    run host "$CORACLE" uninstall --data-dir "$DATA" --yes
    [ "$status" -eq 1 ]; [[ $output == *"stop it first"* ]]
    ctrl_c
}

@test "uninstall asks first, and only takes what is Coracle's" {
    run host "$CORACLE" uninstall --data-dir "$DATA" < /dev/null
    [ "$status" -eq 1 ]; [[ $output == *"nothing was removed"* ]]
    [ -e "$DATA/state.db" ]
    run host "$CORACLE" uninstall --data-dir /etc --yes
    [ "$status" -eq 1 ]; [[ $output == *"/etc is no data directory"* ]]
}

@test "uninstall leaves nothing behind" {
    traces > "$CLUSTER/running"
    run diff "$CLUSTER/before" "$CLUSTER/running"; [ "$status" -ne 0 ] # or the comparison says nothing
    host "$CORACLE" uninstall --data-dir "$DATA" --cgroup-root "/$NAME-n1" --yes
    [ ! -e "$DATA" ]
    traces > "$CLUSTER/after"
    diff "$CLUSTER/before" "$CLUSTER/after"
}
