#!/usr/bin/env bats
# A new user's first ten minutes: the acceptance test of the whole. One node, the real kubectl ($KUBECTL, any version from 1.20
# on; else the newest there is), real containers. `make run` itself: lifecycle.bats.
load lib.bash

setup_file() { cluster_start e2e1 10.93.0; k create namespace t; k config set-context --current --namespace=t; }
teardown_file() { cluster_stop; }

yaml() { k apply -f -; }
pod_of() { k get pods -l "app=$1" -o 'jsonpath={.items[0].metadata.name}'; }

@test "the cluster introduces itself" {
    has "is running at" k cluster-info
    has "kube-dns:dns/proxy" k cluster-info
    has " Ready" k get nodes -o wide
    has "containerd://" k get nodes -o wide
    has "v1.35" k version
    local version
    version=$(k get nodes -o 'jsonpath={.items[*].status.nodeInfo.kubeletVersion}')
    has "\"gitVersion\":\"$version\"" k get --raw /version
    has "deployments " k api-resources
    has "pods " k api-resources --namespaced=true
    lacks "pods " k api-resources --namespaced=false
    has "apps/v1" k api-versions
    has "ok" k get --raw /readyz
}

@test "explain and auth can-i" {
    has "CustomResourceDefinition" k explain customresourcedefinition
    has "replicas" k explain deployment.spec
    has "rollingUpdate" k explain deployment.spec.strategy --recursive
    fails "does not exist" k explain deployment.spec.nonsense
    has "yes" k auth can-i create pods
    fails "no" k auth can-i create pods --as nobody
    has "*.*" k auth can-i --list
}

@test "configuration is made from files and literals" {
    printf 'color=blue\n' > "$BATS_TEST_TMPDIR/app.conf"
    printf 'A=1\nB=2\n' > "$BATS_TEST_TMPDIR/env"
    k create configmap app --from-file "$BATS_TEST_TMPDIR/app.conf" --from-literal mode=test
    k create configmap named --from-file key="$BATS_TEST_TMPDIR/app.conf"
    k create configmap fromenv --from-env-file "$BATS_TEST_TMPDIR/env"
    k create secret generic pass --from-literal password=s3cret
    k create secret docker-registry reg --docker-server r.example --docker-username u --docker-password p
    has "color=blue" k get configmap app -o 'jsonpath={.data.app\.conf}'
    has "color=blue" k get configmap named -o 'jsonpath={.data.key}'
    [ "$(k get configmap fromenv -o 'jsonpath={.data.A}{.data.B}')" = 12 ]
    has "czNjcmV0" k get secret pass -o yaml
    has "kubernetes.io/dockerconfigjson" k get secret reg
    lacks "s3cret" k describe secret pass
    fails "already exists" k create configmap app
}

web() { # web REPLICAS IMAGE
    cat <<K
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: $1
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
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
        startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 20}
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 5}
        volumeMounts: [{name: conf, mountPath: /etc/app}]
      volumes: [{name: conf, configMap: {name: app}}]
K
}

@test "a web application with configuration, secret and probes becomes available" {
    web 3 coracle.test/web:1 > "$BATS_FILE_TMPDIR/web.yaml"
    has "deployment.apps/web created" k apply -f "$BATS_FILE_TMPDIR/web.yaml"
    has "deployment.apps/web unchanged" k apply -f "$BATS_FILE_TMPDIR/web.yaml"
    has "successfully rolled out" k rollout status deployment/web --timeout 60s
    has "3/3" k get deployment web
    k wait --for=condition=Available deployment/web --timeout 10s
    k wait --for=condition=Ready pod -l app=web --timeout 20s
    fails "timed out" k wait --for=condition=Nonsense deployment/web --timeout 1s
}

@test "describe shows what there is to know, with events" {
    eventually 10 has "ScalingReplicaSet" k describe deployment web
    has "StrategyType:           RollingUpdate" k describe deployment web
    local pod; pod=$(pod_of web)
    has "Scheduled" k describe pod "$pod"
    has "Started" k describe pod "$pod"
    has "Readiness:      http-get http://:http/healthz" k describe pod "$pod"
    has "Allocated resources" k describe node node-1
    has "$pod" k describe node node-1
    has "Scheduled" k get events
    has "Scheduled" k get events --field-selector "involvedObject.name=$pod" --sort-by .lastTimestamp
    if k_since 26; then has "Scheduled" k events --for "pod/$pod"; fi
}

@test "it answers by name through a ClusterIP from another pod" {
    k expose deployment web --port 80 --target-port http
    k run client --image coracle.test/busybox:1 --restart Never -- sleep 3600
    k wait --for condition=Ready pod/client --timeout 30s
    eventually 20 has "greeting=s3cret config=color=blue" k exec client -- fetch web
    has "greeting=s3cret" k exec client -- fetch web.t.svc.cluster.local
    has "web.t.svc.cluster.local" k exec client -- nslookup web.t.svc.cluster.local
    has "Endpoints:" k describe service web
}

@test "it answers through a node port from the host" {
    k expose deployment web --name web-node --type NodePort --port 80 --target-port http
    local port; port=$(k get service web-node -o 'jsonpath={.spec.ports[0].nodePort}')
    eventually 20 has "greeting=s3cret" host curl -s -m 2 "http://$NET.11:$port/"
}

@test "a killed container is restarted, a deleted pod replaced" {
    local pod; pod=$(pod_of web)
    k exec "$pod" -- kill 1
    eventually 30 has "1" k get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].restartCount}'
    k delete pod "$pod" --wait=false
    eventually 60 has "3/3" k get deployment web
    eventually 30 fails "NotFound" k get pod "$pod"
}

@test "a container that keeps dying waits longer and longer" {
    k run crasher --image coracle.test/busybox:1 -- sh -c 'echo dying; sleep 1; exit 3'
    eventually 60 has "CrashLoopBackOff" k get pod crasher
    has "back-off 10s restarting failed container" k get pod crasher -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}'
    has "Back-off restarting failed container" k describe pod crasher
    [ "$(k get pod crasher -o 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}')" = 3 ]
    local i; for i in {1..40}; do has "dying" k logs -p crasher; sleep 0.3; done # also when the back-off ends and the next one begins
    k delete pod crasher --now
}

@test "a rolling update loses no request" {
    local ip load stop=$BATS_TEST_TMPDIR/stop; ip=$(k get service web -o 'jsonpath={.spec.clusterIP}')
    k rollout status deployment/web --timeout 60s
    host python3 - "http://$ip/" "$stop" > "$BATS_TEST_TMPDIR/codes" 3>&- <<'P' &
import os, sys, time, urllib.request
n = 0
while n < 200 or not os.path.exists(sys.argv[2]):
    n += 1
    try: print(urllib.request.urlopen(sys.argv[1], timeout=3).status)
    except Exception as e: print("failed:", e)
    time.sleep(0.01)
P
    load=$!
    k set image deployment/web web=coracle.test/web:2
    k rollout status deployment/web --timeout 90s
    touch "$stop"; wait $load
    [ "$(sort -u "$BATS_TEST_TMPDIR/codes")" = 200 ]
    echo "$(wc -l < "$BATS_TEST_TMPDIR/codes") requests"; [ "$(wc -l < "$BATS_TEST_TMPDIR/codes")" -ge 200 ]
    [ "$(k get pods -l app=web -o 'jsonpath={.items[*].spec.containers[0].image}' | tr ' ' '\n' | sort -u | tail -1)" = coracle.test/web:2 ]
}

@test "rollouts have a history, are undone, paused, resumed, restarted, scaled" {
    [ "$(k rollout history deployment/web | grep -cE '^[0-9]')" = 2 ]
    has "coracle.test/web:2" k rollout history deployment/web --revision 2
    k rollout undo deployment/web
    k rollout status deployment/web --timeout 90s
    has "coracle.test/web:1" k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
    k rollout undo deployment/web --to-revision 2; has "coracle.test/web:2" k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}'
    k rollout status deployment/web --timeout 90s
    k rollout pause deployment/web
    has "true" k get deployment web -o 'jsonpath={.spec.paused}'
    k set env deployment/web COLOR=red
    sleep 1; lacks "COLOR" k get rs -l app=web -o yaml
    fails "paused" k rollout undo deployment/web
    k rollout resume deployment/web
    eventually 20 has "COLOR" k get rs -l app=web -o yaml
    k rollout status deployment/web --timeout 90s
    k rollout restart deployment/web; has "restartedAt" k get deployment web -o yaml
    k rollout status deployment/web --timeout 90s
    k scale deployment/web --replicas 1; eventually 30 has "1/1" k get deployment web
    fails "" k scale deployment/web --current-replicas 7 --replicas 2
    k autoscale deployment/web --min 1 --max 3 --cpu-percent 80
    has "Deployment/web" k get hpa; k delete hpa web
}

@test "objects are shown in every form" {
    has '"kind": "Deployment"' k get deployment web -o json
    has "kind: Deployment" k get deployment web -o yaml
    has "coracle.test/web" k get deployment web -o wide
    has "kube-dns" k get services -A
    has "web" k get deployment,service,rs
    [ "$(k get deployment web -o name)" = deployment.apps/web ]
    [ "$(k get pod client -o 'jsonpath={.metadata.name} {.spec.nodeName}')" = "client node-1" ]
    [ "$(k get pod client -o 'custom-columns=N:.metadata.name,P:.status.phase' --no-headers | tr -s ' ')" = "client Running" ]
    [ "$(k get pod client -o 'go-template={{.metadata.name}}')" = client ]
    fails "NotFound" k get pod nobody
    has "resource type" k get nonsense
}

@test "lists are selected and sorted" {
    local i; for i in 1 2 3; do k create configmap "s$i" --from-literal n=$((9 - i)); k label configmap "s$i" set=yes n=$i; done
    [ "$(k get configmaps -l set=yes -o name --sort-by .data.n | xargs)" = "configmap/s3 configmap/s2 configmap/s1" ]
    [ "$(k get configmaps -l set=yes -o name --sort-by .metadata.name | xargs)" = "configmap/s1 configmap/s2 configmap/s3" ]
    [ "$(k get configmaps -l 'n in (1,3)' -o name | xargs)" = "configmap/s1 configmap/s3" ]
    [ "$(k get configmaps -l 'set=yes,n!=2' -o name | xargs)" = "configmap/s1 configmap/s3" ]
    [ "$(k get configmaps --field-selector metadata.name=s2 -o name)" = configmap/s2 ]
    has "client" k get pods --field-selector status.phase=Running,spec.nodeName=node-1
    lacks "client" k get pods --field-selector status.phase!=Running
    fails "field label not supported" k get pods --field-selector spec.nonsense=1
    [ "$(k get configmaps -l set=yes -o name --chunk-size 1 | wc -l)" = 3 ]
    k delete configmaps -l set=yes; [ -z "$(k get configmaps -l set=yes -o name)" ]
}

@test "lists are watched" {
    k create configmap old; k label configmap old w=1
    host timeout 30 "$KUBECTL" get configmaps -l w=1 -w -o name > "$BATS_TEST_TMPDIR/all" 2>&1 3>&- & local one=$!
    host timeout 30 "$KUBECTL" get configmaps -l w=1 --watch-only --output-watch-events > "$BATS_TEST_TMPDIR/new" 2>&1 3>&- & local two=$!
    eventually 10 grep -q configmap/old "$BATS_TEST_TMPDIR/all"
    sleep 1
    yaml <<< '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"young","labels":{"w":"1"}}}'
    k delete configmap young
    eventually 10 grep -q DELETED "$BATS_TEST_TMPDIR/new"
    eventually 10 grep -q configmap/young "$BATS_TEST_TMPDIR/all"
    grep -qE "ADDED +young" "$BATS_TEST_TMPDIR/new"
    run grep -q old "$BATS_TEST_TMPDIR/new"; [ "$status" -ne 0 ]
    kill $one $two || true
}

@test "objects are labelled, annotated, patched, edited, replaced" {
    k label pod client tier=test; k annotate pod client note=hello
    fails "overwrite" k label pod client tier=other
    k label pod client tier=other --overwrite
    has "tier=other" k get pod client --show-labels
    has "other" k get pod client -L tier
    [ "$(k get pod client -o 'jsonpath={.metadata.annotations.note}')" = hello ]
    k annotate pod client note-; [ -z "$(k get pod client -o 'jsonpath={.metadata.annotations.note}')" ]
    k patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"EXTRA","value":"1"}]}]}}}}'
    has "GREETING LINGER" bash -c "$(declare -f k); $(declare -p HERE CLUSTER KUBECTL | sed 's/declare -x/declare/'); k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].env[*].name}' | tr ' ' '\n' | sort | xargs"
    k patch configmap app --type merge -p '{"data":{"b":"2"}}'
    has "2" k get configmap app -o 'jsonpath={.data.b}'
    k patch configmap app --type json -p '[{"op":"remove","path":"/data/b"}]'
    [ -z "$(k get configmap app -o 'jsonpath={.data.b}')" ]
    KUBE_EDITOR="sed -i s/mode:.test/mode:\ edited/" k edit configmap app
    has "edited" k get configmap app -o 'jsonpath={.data.mode}'
    k get configmap app -o yaml > "$BATS_TEST_TMPDIR/app.yaml"
    local uid; uid=$(k get configmap app -o 'jsonpath={.metadata.uid}')
    sed -i 's/mode: edited/mode: replaced/' "$BATS_TEST_TMPDIR/app.yaml"; k replace -f "$BATS_TEST_TMPDIR/app.yaml"
    has "replaced" k get configmap app -o 'jsonpath={.data.mode}'
    fails "Conflict" k replace -f "$BATS_TEST_TMPDIR/app.yaml"
    k replace --force -f "$BATS_TEST_TMPDIR/app.yaml"
    [ "$(k get configmap app -o 'jsonpath={.metadata.uid}')" != "$uid" ]
}

cm() { echo "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"$1\"},\"data\":{\"x\":\"$2\"}}"; }

@test "apply merges three ways, on the client and on the server; diff shows what would change" {
    cm three 1 | k apply -f -; k patch configmap three --type merge -p '{"data":{"other":"kept"}}'
    cm three 2 | k apply -f -
    [ "$(k get configmap three -o 'jsonpath={.data.x}{.data.other}')" = 2kept ]
    has "serverside-applied" k apply --server-side -f - <<< "$(cm ss 1)"
    has "kubectl" k get configmap ss -o 'jsonpath={.metadata.managedFields[0].manager}'
    fails "conflict" k apply --server-side --field-manager someone -f - <<< "$(cm ss 2)"
    k apply --server-side --field-manager someone --force-conflicts -f - <<< "$(cm ss 2)"
    has "2" k get configmap ss -o 'jsonpath={.data.x}'
    run k diff -f - <<< "$(cm three 3)"; [ "$status" -eq 1 ]; [[ $output == *'+  x: "3"'* ]]
    run k diff -f - <<< "$(cm three 2)"; [ "$status" -eq 0 ]
    has "created (server dry run)" k apply --dry-run=server -f - <<< "$(cm dry 1)"
    fails "NotFound" k get configmap dry
}

@test "logs are read, followed, limited, by container, of earlier runs" {
    k run talker --image coracle.test/busybox:1 --restart Never -- sh -c 'for i in 1 2 3; do echo line $i; sleep 1; done'
    eventually 30 has "line 1" k logs talker
    has "line 3" k logs -f talker
    eventually 30 has "Succeeded" k get pod talker -o 'jsonpath={.status.phase}'
    [ "$(k logs talker | tail -1)" = "line 3" ]
    [ "$(k logs talker --tail 1)" = "line 3" ]
    [[ $(k logs talker --timestamps | head -1) =~ ^20[0-9-]+T[0-9:.]+Z\ line\ 1$ ]]
    [ "$(k logs talker --since 10m -c talker | wc -l)" = 3 ]
    local second; second=$(k logs talker --timestamps | sed -n 's/ line 2$//p')
    lacks "line 1" k logs talker --since-time "$second"
    [ "$(k logs talker --limit-bytes 4)" = line ]
    fails "not valid" k logs talker -c nobody
    k run follower --image coracle.test/busybox:1 --restart Never -- sh -c 'echo begin; sleep 3; echo end'
    eventually 20 has "begin" k logs follower
    has "end" k logs -f follower
    yaml <<< '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"two","labels":{"run":"two"}},"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"coracle.test/busybox:1","command":["echo","from a"]},{"name":"b","image":"coracle.test/busybox:1","command":["echo","from b"]}]}}'
    eventually 30 has "Succeeded" k get pod two -o 'jsonpath={.status.phase}'
    [ "$(k logs two -c b)" = "from b" ]
    has "from a" k logs two --all-containers
    has "[pod/two/b] from b" k logs -l run=two --all-containers --prefix
    k delete pod talker follower two --force --grace-period 0
}

@test "exec and attach carry bytes, exit codes and terminals" {
    [ "$(echo hello | k exec -i client -- cat)" = hello ]
    run k exec client -- sh -c 'exit 7'; [ "$status" -eq 7 ]
    run k exec client -- no-such-program; [ "$status" -ne 0 ]
    [ "$(k exec client -- sh -c 'echo out; echo err >&2' 2> /dev/null)" = out ]
    [ "$(head -c 3000000 /dev/zero | k exec -i client -- wc -c)" = 3000000 ]
    [ "$(k exec client -- head -c 3000000 /dev/zero | wc -c)" = 3000000 ]
    has "a terminal" terminal "$KUBECTL" exec -it client -- sh -c 'test -t 0 && test -t 1 && echo a terminal'
    has "33 77" terminal "$KUBECTL" exec -it client -- sh -c 'sleep 0.5; stty size'
    has "no terminal" k exec client -- sh -c 'test -t 0 || echo no terminal'
    yaml <<< '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"parrot"},"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"c","image":"coracle.test/busybox:1","stdin":true,"command":["sh","-c","while read l; do echo said $l; done; sleep 3600"]}]}}'
    k wait --for=condition=Ready pod/parrot --timeout 30s
    has "said hello" bash -c "(echo hello; sleep 2) | timeout 5 $HERE/cluster exec $CLUSTER $KUBECTL attach -i parrot"
    has "said hello" k logs parrot
    k delete pod parrot
}

@test "cp copies files and directories both ways" {
    mkdir -p "$BATS_TEST_TMPDIR/dir/sub"; head -c 200000 /dev/urandom > "$BATS_TEST_TMPDIR/dir/sub/f"; echo data > "$BATS_TEST_TMPDIR/f"
    k cp "$BATS_TEST_TMPDIR/f" client:/tmp/f; has data k exec client -- cat /tmp/f
    k cp client:/tmp/f "$BATS_TEST_TMPDIR/g"; cmp "$BATS_TEST_TMPDIR/f" "$BATS_TEST_TMPDIR/g"
    k cp "$BATS_TEST_TMPDIR/dir" t/client:/tmp/dir -c client
    k cp client:tmp/dir "$BATS_TEST_TMPDIR/back"; cmp "$BATS_TEST_TMPDIR/dir/sub/f" "$BATS_TEST_TMPDIR/back/sub/f"
}

@test "port-forward and proxy" {
    local pod; pod=$(pod_of web)
    host timeout 30 "$KUBECTL" port-forward "$pod" 18080:8080 > "$BATS_TEST_TMPDIR/pod" 2>&1 3>&- & local a=$!
    host timeout 30 "$KUBECTL" port-forward service/web 18081:80 > "$BATS_TEST_TMPDIR/service" 2>&1 3>&- & local b=$!
    host timeout 30 "$KUBECTL" proxy --port 18001 > /dev/null 2>&1 3>&- & local c=$!
    eventually 10 has "greeting=s3cret" host curl -s -m 2 http://127.0.0.1:18080/
    eventually 10 has "greeting=s3cret" host curl -s -m 2 http://127.0.0.1:18081/
    local i; for i in 1 2 3 4 5; do has "host=$pod" host curl -s -m 2 http://127.0.0.1:18080/; done
    eventually 10 has '"v1"' host curl -s -m 2 http://127.0.0.1:18001/api
    has "greeting=s3cret" host curl -s -m 2 "http://127.0.0.1:18001/api/v1/namespaces/t/services/web:80/proxy/"
    has "greeting=s3cret" host curl -s -m 2 "http://127.0.0.1:18001/api/v1/namespaces/t/pods/$pod:8080/proxy/"
    kill $a $b $c || true
}

@test "run --rm -it: a pod for one command" {
    has "7" k run adder --rm -i --image coracle.test/busybox:1 --restart Never -- sh -c 'read a; echo $((a+4))' <<< 3
    has "typed abc" bash -c "$(declare -f terminal host); $(declare -p HERE CLUSTER KUBECTL); (sleep 4; echo abc; sleep 2) | terminal $KUBECTL run typist --rm -it --image coracle.test/busybox:1 --restart Never -- sh -c 'test -t 0 && read a && echo typed \$a'"
    eventually 20 fails "NotFound" k get pod adder
    eventually 20 fails "NotFound" k get pod typist
}

@test "debug: a container in a pod, a copy of a pod, a pod on a node" {
    if k_since 25; then
        k debug client --image coracle.test/busybox:1 --container dbg --target client -- sh -c 'ps; echo seen'
        eventually 20 has "seen" k logs client -c dbg
        has "sleep 3600" k logs client -c dbg
        has "dbg" k get pod client -o 'jsonpath={.spec.ephemeralContainers[0].name}'
    fi
    k debug client --copy-to twin --image coracle.test/busybox:1 --container extra -- sleep 3600
    eventually 30 has "Running" k get pod twin
    has "client" k get pod twin -o 'jsonpath={.spec.containers[*].name}'
    k debug node/node-1 --image coracle.test/busybox:1 -- cat /host/etc/hostname
    local pod; pod=$(k get pods -o name | grep node-debugger)
    eventually 30 has "$(cat /etc/hostname)" k logs "$pod"
    k delete "$pod" pod/twin --force --grace-period 0
}

@test "nodes are tainted, cordoned, drained; metrics are shown" {
    k taint node node-1 a=b:NoSchedule; has "a=b:NoSchedule" k describe node node-1
    k run tainted --image coracle.test/busybox:1 -- sleep 3600
    eventually 10 has "untolerated taint" k get pod tainted -o 'jsonpath={.status.conditions[0].message}'
    k taint node node-1 a-
    k wait --for=condition=Ready pod/tainted --timeout 30s
    k cordon node-1; has "SchedulingDisabled" k get nodes
    fails "" k drain node-1 --timeout 10s
    k drain node-1 --ignore-daemonsets --delete-emptydir-data --force --timeout 60s
    eventually 20 has "0/1" k get deployment web
    k uncordon node-1; lacks "SchedulingDisabled" k get nodes
    eventually 60 has "1/1" k get deployment web
    eventually 60 has "%" k top nodes
    eventually 60 has "web" k top pods --containers
    [[ $(k top nodes --no-headers) =~ ^node-1\ +[0-9]+m\ +[0-9]+%\ +[0-9]+Mi ]]
}

@test "jobs, cron jobs, quotas and other things are created" {
    k create job once --image coracle.test/busybox:1 -- echo done
    k wait --for condition=complete job/once --timeout 40s
    has "done" k logs job/once
    if k_since 21; then # older ones only know batch/v1beta1 and policy/v1beta1
        k create cronjob tick --image coracle.test/busybox:1 --schedule '*/5 * * * *' -- echo tick; has '*/5 * * * *' k get cronjobs
        k create job now --from cronjob/tick; k wait --for condition=complete job/now --timeout 40s
        k create poddisruptionbudget careful --selector app=web --min-available 1; has "careful" k get pdb
    fi
    k create namespace small; k create quota q --hard configmaps=1 -n small # kube-root-ca.crt is the one
    eventually 10 has "configmaps: 1/1" k get quota q -n small
    fails "exceeded quota" k create configmap more -n small
    k create service clusterip one --tcp 80:8080; has "80/TCP" k get service one
    k create ingress in --rule example.test/=web:80; has "example.test" k get ingress in
    k create priorityclass high --value 1000; has "1000" k get priorityclass high
    k create deployment made --image coracle.test/web:1 --replicas 2 --port 8080; has "made" k get deployment made -o 'jsonpath={.spec.template.metadata.labels.app}'
    k delete deployment made --wait=false
}

@test "roles and tokens let a service account in, but only so far" {
    k create serviceaccount robot; k create role reader --verb get,list --resource pods
    k create rolebinding rb --role reader --serviceaccount t:robot
    k create clusterrole seer --verb list --resource nodes; k create clusterrolebinding seers --clusterrole seer --serviceaccount t:robot
    has "yes" k auth can-i list pods --as system:serviceaccount:t:robot
    k_since 24 || skip "this kubectl has no create token"
    local token; token=$(k create token robot --duration 10m)
    as() { k --token "$token" --kubeconfig /dev/null --server https://127.0.0.1:6443 --insecure-skip-tls-verify -n t "$@"; }
    has "once-" as get pods
    has "node-1" as get nodes
    fails 'User "system:serviceaccount:t:robot" cannot list resource "secrets"' as get secrets
    fails "Unauthorized" as --token nonsense get pods
}

@test "volumes keep data across pods" {
    yaml <<< '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"disk"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"10Mi"}}}}'
    pod() { echo "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"$1\"},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"coracle.test/busybox:1\",\"command\":[\"sh\",\"-c\",\"$2\"],\"volumeMounts\":[{\"name\":\"d\",\"mountPath\":\"/d\"}]}],\"volumes\":[{\"name\":\"d\",\"persistentVolumeClaim\":{\"claimName\":\"disk\"}}]}}"; }
    pod writer 'echo kept > /d/f' | yaml
    eventually 40 has "Succeeded" k get pod writer -o 'jsonpath={.status.phase}'
    has "Bound" k get pvc disk
    pod reader 'cat /d/f' | yaml
    eventually 40 has "kept" k logs reader
}

@test "deletion: foreground, background, orphan, forced; namespaces go with everything" {
    k create deployment back --image coracle.test/busybox:1 -- sleep 3600
    eventually 20 has "back-" k get rs -l app=back
    k delete deployment back --cascade=background; eventually 20 lacks "back-" k get rs -l app=back
    k delete deployment web --cascade=orphan; has "web" k get rs -l app=web
    k delete rs -l app=web --cascade=foreground --timeout 60s; [ -z "$(k get pods -l app=web -o name)" ]
    k run forced --image coracle.test/busybox:1 -- sleep 3600
    k wait --for condition=Ready pod/forced --timeout 30s
    has "force deleted" k delete pod forced --force --grace-period 0; fails "NotFound" k get pod forced
    k run waited --image coracle.test/busybox:1 --restart Never -- sleep 2
    k delete pod waited --wait=false --grace-period 1; k wait --for=delete pod/waited --timeout 30s
    k delete namespace t --timeout 90s
    fails "NotFound" k get namespace t
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
