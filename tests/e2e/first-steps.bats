#!/usr/bin/env bats
# A new user's first ten minutes: the acceptance test of the whole. One node, the real kubectl, real containers.
load lib.bash

setup_file() { cluster_start e2e1 10.93.0; k create namespace t; k config set-context --current --namespace=t; }
teardown_file() { cluster_stop; }

@test "the cluster introduces itself" {
    has "is running at https" k cluster-info
    has "Ready" k get nodes -o wide
    has "containerd://" k get nodes -o wide
    has "deployments" k api-resources
    has "CustomResourceDefinition" k explain customresourcedefinition
    has "replicas" k explain deployment.spec
    has "yes" k auth can-i create pods
    has "no" k auth can-i create pods --as nobody
}

@test "configuration is made from files and literals" {
    printf 'color=blue\n' > "$BATS_TEST_TMPDIR/app.conf"
    k create configmap app --from-file "$BATS_TEST_TMPDIR/app.conf" --from-literal mode=test
    k create secret generic pass --from-literal password=s3cret
    has "color=blue" k get configmap app -o 'jsonpath={.data.app\.conf}'
    has "czNjcmV0" k get secret pass -o yaml
}

web() { # web REPLICAS IMAGE
    cat <<K
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: $1
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: web
        image: $2
        env:
        - {name: CONFIG, value: /etc/app/app.conf}
        - {name: LINGER, value: "3"}
        - {name: GREETING, valueFrom: {secretKeyRef: {name: pass, key: password}}}
        ports: [{containerPort: 8080, name: http}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 5}
        volumeMounts: [{name: conf, mountPath: /etc/app}]
      volumes: [{name: conf, configMap: {name: app}}]
K
}

@test "a web application with configuration, secret and probes becomes available" {
    web 3 coracle.test/web:1 | k apply -f -
    k rollout status deployment/web --timeout 60s
    has "3/3" k get deployment web
    has "Started" k describe pod -l app=web
}

@test "it answers by name through a ClusterIP from another pod" {
    k expose deployment web --port 80 --target-port http
    k run client --image coracle.test/busybox:1 --restart Never -- sleep 3600
    k wait --for condition=Ready pod/client --timeout 30s
    eventually 20 has "greeting=s3cret config=color=blue" k exec client -- fetch web
    has "greeting=s3cret" k exec client -- fetch web.t.svc.cluster.local
    has "web.t.svc.cluster.local" k exec client -- nslookup web.t.svc.cluster.local
}

@test "it answers through a node port from the host" {
    k expose deployment web --name web-node --type NodePort --port 80 --target-port http
    local port; port=$(k get service web-node -o 'jsonpath={.spec.ports[0].nodePort}')
    eventually 20 has "greeting=s3cret" host curl -s -m 2 "http://$NET.11:$port/"
}

@test "a killed container is restarted, a deleted pod replaced" {
    local pod; pod=$(k get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')
    k exec "$pod" -- kill 1
    eventually 30 has "1" k get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].restartCount}'
    k delete pod "$pod" --wait=false
    eventually 60 has "3/3" k get deployment web
}

@test "a rolling update loses no request" {
    local ip; ip=$(k get service web -o 'jsonpath={.spec.clusterIP}')
    k rollout status deployment/web --timeout 60s
    host bash -c "for i in \$(seq 300); do curl -s -m 3 -o /dev/null -w '%{http_code}\n' http://$ip/ || echo failed; sleep 0.05; done" > "$BATS_TEST_TMPDIR/codes" 3>&- &
    local load=$!
    k set image deployment/web web=coracle.test/web:2
    k rollout status deployment/web --timeout 90s
    wait $load
    [ "$(sort "$BATS_TEST_TMPDIR/codes" | uniq -c | awk '{print $2}' | tr '\n' ' ')" = "200 " ]
    has "2" k rollout history deployment/web
}

@test "rollouts are undone, paused, restarted, scaled" {
    k rollout undo deployment/web
    k rollout status deployment/web --timeout 90s
    has "coracle.test/web:1" k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
    k rollout pause deployment/web; k rollout resume deployment/web
    k rollout restart deployment/web; k rollout status deployment/web --timeout 90s
    k scale deployment/web --replicas 1; eventually 30 has "1/1" k get deployment web
    k autoscale deployment/web --min 1 --max 3 --cpu-percent 80
    has "web" k get hpa; k delete hpa web
}

@test "objects are shown in every form" {
    has '"kind": "Deployment"' k get deployment web -o json
    has "kind: Deployment" k get deployment web -o yaml
    has "coracle.test/web" k get deployment web -o wide
    has "kube-dns" k get services -A
    has "client" k get pods --field-selector status.phase=Running --sort-by .metadata.name
    has "client" k get pods -l run=client
    k get pods --watch-only --request-timeout 2s || true
}

@test "objects are labelled, annotated, patched, edited, replaced" {
    k label pod client tier=test; k annotate pod client note=hello
    has "tier=test" k get pod client --show-labels
    k patch configmap app -p '{"data":{"a":"1"}}'
    k patch configmap app --type merge -p '{"data":{"b":"2"}}'
    k patch configmap app --type json -p '[{"op":"remove","path":"/data/a"}]'
    has "map[app.conf:color=blue" k get configmap app -o 'go-template={{.data}}'
    KUBE_EDITOR="sed -i s/mode:.test/mode:\ edited/" k edit configmap app
    has "edited" k get configmap app -o yaml
    k get configmap app -o yaml > "$BATS_TEST_TMPDIR/app.yaml"
    k replace --force -f "$BATS_TEST_TMPDIR/app.yaml"
    k create configmap ss --from-literal x=1 --dry-run=client -o yaml | k apply --server-side -f -
    has "serverside-applied" bash -c "$(declare -f k); HERE=$HERE CLUSTER=$CLUSTER KUBECTL=$KUBECTL; k create configmap ss --from-literal x=2 --dry-run=client -o yaml | k apply --server-side -f -"
    run k diff -f - <<< '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ss"},"data":{"x":"3"}}'
    [ "$status" -eq 1 ]
}

@test "logs are read, followed, limited, of earlier runs" {
    k run talker --image coracle.test/busybox:1 --restart Never -- sh -c 'for i in 1 2 3; do echo line $i; sleep 0.3; done'
    eventually 30 has "Succeeded" k get pod talker -o 'jsonpath={.status.phase}'
    [ "$(k logs talker | tail -1)" = "line 3" ]
    [ "$(k logs talker --tail 1)" = "line 3" ]
    has "T" k logs talker --timestamps
    has "line 1" k logs talker --since 10m -c talker
    k run follower --image coracle.test/busybox:1 --restart Never -- sh -c 'echo begin; sleep 2; echo end'
    eventually 20 has "begin" k logs follower
    has "end" k logs -f follower
    k run crasher --image coracle.test/busybox:1 -- sh -c 'echo dying; sleep 1; exit 3'
    eventually 40 has "dying" k logs -p crasher
    k delete pod talker follower crasher --force --grace-period 0
}

@test "exec, attach, cp, port-forward, run -it, debug, proxy work" {
    [ "$(echo hello | k exec -i client -- cat)" = hello ]
    run k exec client -- sh -c 'exit 7'; [ "$status" -eq 7 ]
    echo data > "$BATS_TEST_TMPDIR/f"; k cp "$BATS_TEST_TMPDIR/f" client:/tmp/f; has data k exec client -- cat /tmp/f
    k cp client:/tmp/f "$BATS_TEST_TMPDIR/g"; has data cat "$BATS_TEST_TMPDIR/g"
    has "7" k run adder --rm -i --image coracle.test/busybox:1 --restart Never -- sh -c 'read a; echo $((a+4))' <<< 3
    local pod; pod=$(k get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')
    host timeout 20 "$KUBECTL" port-forward "$pod" 18080:8080 > "$BATS_TEST_TMPDIR/pf" 2>&1 3>&- &
    eventually 10 has "greeting=s3cret" host curl -s -m 2 http://127.0.0.1:18080/
    host timeout 20 "$KUBECTL" proxy --port 18001 > /dev/null 2>&1 3>&- &
    eventually 10 has '"v1"' host curl -s -m 2 http://127.0.0.1:18001/api
    k debug client --image coracle.test/busybox:1 --container dbg -- true || true
    eventually 20 has "dbg" k get pod client -o 'jsonpath={.spec.ephemeralContainers[0].name}'
}

@test "nodes are tainted, cordoned, drained; metrics are shown" {
    local node; node=$(k get nodes -o 'jsonpath={.items[0].metadata.name}')
    k taint node "$node" a=b:NoSchedule; k taint node "$node" a-
    k cordon "$node"; has "SchedulingDisabled" k get nodes
    k drain "$node" --ignore-daemonsets --delete-emptydir-data --force --timeout 60s
    k uncordon "$node"
    eventually 60 has "1/1" k get deployment web
    eventually 60 has "%" k top nodes
    eventually 60 has "web" k top pods
}

@test "jobs, cron jobs, quotas, roles and tokens are created" {
    k create job once --image coracle.test/busybox:1 -- echo done
    k wait --for condition=complete job/once --timeout 40s
    k create cronjob tick --image coracle.test/busybox:1 --schedule '*/5 * * * *' -- true; has tick k get cronjobs
    k create quota q --hard pods=50; eventually 10 has "pods" k get quota q
    k create serviceaccount robot; k create role reader --verb get,list --resource pods
    k create rolebinding rb --role reader --serviceaccount t:robot
    local token; token=$(k create token robot)
    has "once-" k --token "$token" --kubeconfig /dev/null --server https://127.0.0.1:6443 --insecure-skip-tls-verify -n t get pods
    has "Forbidden" k --token "$token" --kubeconfig /dev/null --server https://127.0.0.1:6443 --insecure-skip-tls-verify -n t get secrets
    has "Scheduled" k get events
}

@test "volumes keep data across pods" {
    k apply -f - <<K
{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"disk"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"10Mi"}}}}
K
    pod() { echo "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"$1\"},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"coracle.test/busybox:1\",\"command\":[\"sh\",\"-c\",\"$2\"],\"volumeMounts\":[{\"name\":\"d\",\"mountPath\":\"/d\"}]}],\"volumes\":[{\"name\":\"d\",\"persistentVolumeClaim\":{\"claimName\":\"disk\"}}]}}"; }
    pod writer 'echo kept > /d/f' | k apply -f -
    eventually 40 has "Succeeded" k get pod writer -o 'jsonpath={.status.phase}'
    pod reader 'cat /d/f' | k apply -f -
    eventually 40 has "kept" k logs reader
}

@test "deletion: foreground, background, orphan, forced; namespaces go with everything" {
    k delete deployment web --cascade=orphan; has "web" k get rs -l app=web
    k delete rs -l app=web --cascade=foreground --timeout 60s
    k run forced --image coracle.test/busybox:1 -- sleep 3600
    k wait --for condition=Ready pod/forced --timeout 30s
    k delete pod forced --force --grace-period 0
    k delete namespace t --timeout 90s
    run k get namespace t; [ "$status" -ne 0 ]
}

@test "after a restart everything is as it was and pods have kept running" {
    k create namespace r
    k -n r run stayer --image coracle.test/busybox:1 --restart Always -- sleep 3600
    k -n r wait --for condition=Ready pod/stayer --timeout 30s
    local id; id=$(k -n r get pod stayer -o 'jsonpath={.status.containerStatuses[0].containerID}')
    "$HERE/cluster" restart "$CLUSTER"
    eventually 30 has "Running" k -n r get pod stayer
    [ "$(k -n r get pod stayer -o 'jsonpath={.status.containerStatuses[0].containerID}')" = "$id" ]
    [ "$(k -n r get pod stayer -o 'jsonpath={.status.containerStatuses[0].restartCount}')" = 0 ]
    has "hi" k -n r exec stayer -- echo hi
}
