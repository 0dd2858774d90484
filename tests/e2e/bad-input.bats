#!/usr/bin/env bats
# What goes wrong is said with its cause and remedy, and nothing is lost.
load lib.bash

setup() { D=$BATS_TEST_TMPDIR/data; LOG=$BATS_TEST_TMPDIR/log; PORT=$(free_port); KUBECTL=$(newest_kubectl); }
teardown() { [ -z "${SERVER:-}" ] || kill -9 "$SERVER" 2>/dev/null || true; }

FLAGS() { echo --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT"; }
server() { timeout 20 "$CORACLE" server $(FLAGS) "$@"; }
up() { eventually 20 has ok curl -sk -m 2 "https://127.0.0.1:$PORT/readyz"; }
# serve [COMMAND...]: a server in the background, ready; the command is put before it
serve() { exec_server "$@" > "$LOG" 2>&1 3>&- & SERVER=$!; up; }
exec_server() { exec "$@" "$CORACLE" server $(FLAGS); }
stop() { kill -TERM "$SERVER"; wait "$SERVER"; SERVER=; }
kc() { "$KUBECTL" --kubeconfig "$D/kubeconfig" "$@"; }
cm() { echo "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"$1\"},\"data\":{\"x\":\"${2:-}\"}}"; }
# ask METHOD PATH TYPE BODY: status code and body, as admin
ask() {
    [ -e "$D/admin.pem" ] || { kc config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}{"\n"}{.users[0].user.client-key-data}{"\n"}' | while read -r l; do base64 -d <<< "$l"; done > "$D/admin.pem"; }
    curl -sk -m 5 ${HTTP:-} --cert "$D/admin.pem" -X "$1" -H "Content-Type: $3" --data-binary "$4" -w '%{http_code} ' "https://127.0.0.1:$PORT$2" -o "$D/answer"; cat "$D/answer"
}

# ---- the command line ----

@test "wrong verbs and flags are named" {
    fails 'unknown verb "serve"' "$CORACLE" serve
    fails "unknown flag: --no-such-flag" server --no-such-flag
    fails "flag needs an argument: --data-dir" "$CORACLE" server --data-dir
    fails 'unexpected argument "now"' server now
    fails 'unknown verb "serve"' "$CORACLE" help serve
    run server --no-such-flag; [ "$status" -eq 2 ]
}

@test "a word too many is refused before anything happens" {
    local verb
    for verb in agent kubeconfig token check uninstall version "snapshot one" "restore one" "completion bash" "aws init"; do
        # shellcheck disable=SC2086
        run "$CORACLE" $verb "$BATS_TEST_TMPDIR/other"
        [ "$status" -eq 2 ]
        [[ $output == *"unexpected argument \"$BATS_TEST_TMPDIR/other\""* ]]
    done
    [ ! -e one ]
}

@test "a bad value is named with what is allowed" {
    fails "true or false" server --agent=perhaps
    fails "a whole number" server --secure-port https
    fails "a duration such as" "$CORACLE" kubeconfig --lifetime long
    fails '"nonsense" for "--service-cluster-ip-range": expected a network such as' server --service-cluster-ip-range nonsense
    fails "expected a network such as" server --cluster-cidr 10.42.0.0/33
    fails "a number from 1 to 65535" server --secure-port 65536
    fails "a number from -1 to 65535" server --aws-port -2
    fails "expected an IP address" server --advertise-address 192.0.2.256
    fails "expected sqlite or memory" server --storage-backend etcd
    fails 'invalid argument "ABAC" for "--authorization-mode": expected Node, RBAC, AlwaysAllow or AlwaysDeny' server --authorization-mode RBAC,ABAC
    fails 'enable-admission-plugins plugin "NoSuch" is unknown' server --enable-admission-plugins NoSuch
    fails "expected NAME=true or NAME=false" server --feature-gates NoSuch
    fails 'service-node-port-range: "1-99999" is not a range' server --service-node-port-range 1-99999
    fails "no-such" server --controllers no-such-controller
    fails "error, warn, info or debug" server --log-level loud
    fails "at least 10s" server --cluster-signing-duration 1s
    local node=(timeout 10 "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT")
    fails '--node-name: "A_B": a lowercase RFC 1123 subdomain' "${node[@]}" --node-name A_B
    fails '--cluster-domain: "-x"' "${node[@]}" --cluster-domain -x
    fails '--node-labels: "a b=c"' "${node[@]}" --node-labels "a b=c"
    fails 'a path that begins with /' "${node[@]}" --cgroup-root kube
    fails "name the cluster with --server, and --token" timeout 10 "$CORACLE" agent --data-dir "$D"
    fails "--token: expected ID.SECRET.HASH" timeout 10 "$CORACLE" agent --data-dir "$D" --server https://127.0.0.1:1 --token x
    fails "--server: expected https://HOST:PORT" timeout 10 "$CORACLE" agent --data-dir "$D" --server 127.0.0.1 --token "a.b.$(printf '%064d' 0)"
}

@test "a bad configuration file is named with the place" {
    echo "no-such: 1" > "$D.yaml"; fails 'unknown option "no-such"' server --config "$D.yaml"
    echo "data-dir: [a, b]" > "$D.yaml"; fails "data-dir: expected one value" server --config "$D.yaml"
    printf 'a: [\n' > "$D.yaml"; fails "$D.yaml: " server --config "$D.yaml"
    fails "$D.none" server --config "$D.none"
}

@test "an occupied port is named" {
    python3 -c "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',$PORT)); s.listen(); time.sleep(15)" 3>&- & local p=$!
    sleep 0.5
    run server; kill $p
    [ "$status" -ne 0 ]; [[ $output == *"$PORT"* && $output == *"in use"* ]]
}

@test "a second server on the same data is refused, with the first one's process" {
    serve
    PORT=$((PORT + 1)) fails "another coracle (process $SERVER) uses $D" server
    fails "state.db" server
    fails "stop it first" "$CORACLE" restore /dev/null --data-dir "$D" --force
    stop
}

# ---- what the machine lacks ----

@test "who is not root is told so before anything is made" {
    fails "only root can run a node" unshare -U "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT"
    fails "--agent=false runs a control plane alone" unshare -U "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT"
    fails "only root can run a node" unshare -U "$CORACLE" agent --data-dir "$D" --server https://127.0.0.1:1 --token x
    [ ! -e "$D" ]
}

@test "missing programs and plugins are named, with the command that installs them" {
    local few=$BATS_TEST_TMPDIR/bin; mkdir -p "$few"; ln -s "$(command -v containerd)" "$few/containerd"
    run env PATH="$few" "$CORACLE" check --cni-bin-dir "$few"
    [ "$status" -eq 1 ]
    [[ $output == *"MISSING runc"*"-> apt-get install -y runc"* ]]
    [[ $output == *"MISSING CNI plugin ptp"*"-> apt-get install -y containernetworking-plugins"* ]]
    [[ $output == *"ok      containerd"* ]]
    fails "runc: not found in PATH: apt-get install -y runc" timeout 20 env PATH="$few" "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT"
    fails "containerd: not found in PATH: apt-get install -y containerd" timeout 20 env PATH=/nowhere "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT"
    fails "CNI plugin ptp: $few/ptp" timeout 20 "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT" --cni-bin-dir "$few"
}

@test "missing libraries are named, with the command that installs them" {
    without() { # without LIBRARY COMMAND...: an empty file stands in its place
        local file; file=$(readlink -f "$(gcc -print-file-name="$1")"); shift
        unshare -m sh -c 'mount --bind /dev/null "$1" && shift && exec "$@"' sh "$file" "$@"
    }
    run without libnftables.so.1 "$CORACLE" check
    [ "$status" -eq 1 ]
    [[ $output == *"MISSING nftables library"*"-> apt-get install -y libnftables1"* ]]
    run without libssl.so.3 "$CORACLE" check
    [ "$status" -eq 1 ]
    [[ $output == *"MISSING TLS library"*"-> apt-get install -y libssl3"* ]]
    fails "\`coracle check\` tells what this machine lacks" without libssl.so.3 timeout 20 "$CORACLE" server --data-dir "$D" --bind-address 127.0.0.1 --secure-port "$PORT"
}

@test "a machine that has everything passes the check" { "$CORACLE" check; }

# ---- the disk ----

# A disk of its own for the data directory: 24 MB of memory in a mount namespace.
on_small_disk() { mkdir -p "$D"; serve unshare -m --propagation private bash -c "mount -t tmpfs -o size=24m tmpfs '$D' && exec \"\$@\"" bash; D=/proc/$SERVER/root$D; }

@test "a full disk fails writes with the cause, keeps what was acknowledged, and recovers by itself" {
    on_small_disk
    local n=0 kept; kc create configmap before --from-literal a=b
    head -c 30M /dev/zero > "$D/filler" 2> /dev/null || true
    while [ $n -lt 60 ] && head -c 200000 /dev/zero | tr '\0' x > "$BATS_TEST_TMPDIR/big" && kc create configmap "fill$n" --from-file "$BATS_TEST_TMPDIR/big" 2> "$BATS_TEST_TMPDIR/refusal"; do n=$((n + 1)); done
    [ $n -lt 60 ]
    grep -q "disk is full" "$BATS_TEST_TMPDIR/refusal"; grep -q "free some space" "$BATS_TEST_TMPDIR/refusal"
    has "disk is full" cat "$LOG"
    has "before" kc get configmap before                      # reading goes on
    kept=$(kc get configmaps -o name | grep -c fill || true); [ "$kept" = "$n" ] # what was refused is not there
    rm "$D/filler"
    eventually 20 kc create configmap after --from-literal a=b
    has "after" kc get configmaps
    has "commits succeed again" cat "$LOG"
}

@test "a disk that can only be read is named" {
    serve; stop
    fails "cannot be written" unshare -m bash -c "mount --bind '$D' '$D' && mount -o remount,ro,bind '$D' && timeout 20 '$CORACLE' server $(FLAGS)"
    serve; stop # nothing was harmed
}

# ---- the database ----

@test "a file that is no database is refused with a remedy and left as it is" {
    mkdir -p "$D"; head -c 8192 /dev/urandom > "$D/state.db"; local sum; sum=$(md5sum < "$D/state.db")
    fails "is not a database (damaged or another kind of file); restore a backup" server
    [ "$(md5sum < "$D/state.db")" = "$sum" ]
}

# A cluster with some objects in the database file itself.
with_database() {
    serve
    local i; for i in 1 2 3 4 5 6; do kc create configmap "c$i" --from-literal v="$(head -c 30000 /dev/zero | tr '\0' "$i")"; done
    stop
    cp "$D/state.db" "$D/whole.db"
}

@test "a damaged header, a damaged page and a cut file are refused with a remedy; the whole file works again" {
    with_database
    local pages=$(($(stat -c %s "$D/state.db") / 4096))
    printf 'XXXXXXXX' | dd of="$D/state.db" bs=1 seek=0 conv=notrunc status=none
    fails "state.db is not a database" server
    cp "$D/whole.db" "$D/state.db"
    head -c 4096 /dev/urandom | dd of="$D/state.db" bs=4096 seek=$((pages / 2)) conv=notrunc status=none
    fails "state.db is damaged; restore a backup, or repair it with" server
    cp "$D/whole.db" "$D/state.db"; truncate -s $((4096 * (pages / 2))) "$D/state.db"
    fails "state.db is damaged" server
    cp "$D/whole.db" "$D/state.db"; sqlite3_page_one_byte "$D/state.db"
    fails "state.db" server
    cp "$D/whole.db" "$D/state.db"
    serve; has "c6" kc get configmaps; stop
}
sqlite3_page_one_byte() { printf '\377' | dd of="$1" bs=1 seek=100 conv=notrunc status=none; } # the kind of the first page's tree

@test "a damaged log is refused, as acknowledged commits stand in it; a torn last commit is not" {
    serve
    local i; for i in 1 2 3 4; do kc create configmap "c$i" --from-literal v=1; done
    kill -9 "$SERVER"; wait "$SERVER" || true
    cp "$D/state.db-wal" "$D/whole-wal"; cp "$D/state.db" "$D/whole.db"
    printf 'XXXXXXXXXXXXXXXX' | dd of="$D/state.db-wal" bs=1 seek=6000 conv=notrunc status=none
    fails "state.db-wal is damaged; restore a backup, or move the log away" server
    head -c 8000 /dev/urandom | dd of="$D/state.db-wal" conv=notrunc status=none
    fails "state.db-wal is damaged" server
    cp "$D/whole-wal" "$D/state.db-wal"; truncate -s -5 "$D/state.db-wal" # as a power cut leaves it: half of what came last
    serve; has "c3" kc get configmaps; stop
}

@test "a snapshot taken while running is restored elsewhere; what is no snapshot is refused" {
    serve
    kc create configmap kept --from-literal a=b; kc create secret generic hidden --from-literal a=b
    "$CORACLE" snapshot "$BATS_TEST_TMPDIR/snap" --data-dir "$D"
    kc delete configmap kept
    kill -9 "$SERVER"; wait "$SERVER" || true
    fails "--force replaces it" "$CORACLE" restore "$BATS_TEST_TMPDIR/snap" --data-dir "$D"
    head -c 10000 /dev/urandom > "$BATS_TEST_TMPDIR/junk"
    fails "is not a database" "$CORACLE" restore "$BATS_TEST_TMPDIR/junk" --data-dir "$D" --force
    "$CORACLE" restore "$BATS_TEST_TMPDIR/snap" --data-dir "$D" --force # although the server was killed
    serve
    has "kept" kc get configmaps
    [ "$(kc get secret hidden -o 'jsonpath={.data.a}')" = Yg== ]
    stop
    "$CORACLE" snapshot "$BATS_TEST_TMPDIR/stopped" --data-dir "$D"
    [ "$(head -c 15 "$BATS_TEST_TMPDIR/stopped")" = "SQLite format 3" ]
    mv "$D/tls/encryption.key" "$D/away"
    fails "without the key the Secrets in" "$CORACLE" snapshot "$BATS_TEST_TMPDIR/x" --data-dir "$D"
}

# ---- clocks ----

# A server whose clock is that of the file $BATS_TEST_TMPDIR/clock ("+2d", "-3h"), asked anew each time.
serve_faked() {
    serve env LD_PRELOAD="$(ls /usr/lib/*/faketime/libfaketimeMT.so.1)" FAKETIME_TIMESTAMP_FILE="$BATS_TEST_TMPDIR/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
}

@test "a clock that jumps harms nothing" {
    echo +0 > "$BATS_TEST_TMPDIR/clock"; serve_faked
    kc create configmap one --from-literal a=b
    echo +20d > "$BATS_TEST_TMPDIR/clock"
    kc create configmap two --from-literal a=b
    [[ $(kc get configmap two -o 'jsonpath={.metadata.creationTimestamp}') == "$(date -u -d '20 days' +%Y-%m-%d)"* ]]
    echo -20m > "$BATS_TEST_TMPDIR/clock"
    kc create configmap three --from-literal a=b
    [ "$(kc get configmaps -o 'jsonpath={.items[*].metadata.name}' | tr ' ' '\n' | grep -cE '^(one|two|three)$')" = 3 ]
    timeout 10 "$KUBECTL" --kubeconfig "$D/kubeconfig" get configmaps --watch-only -o name > "$BATS_TEST_TMPDIR/seen" 3>&- & local w=$!
    sleep 1; kc create configmap four --from-literal a=b
    eventually 5 grep -q configmap/four "$BATS_TEST_TMPDIR/seen"; kill $w || true
    stop; serve; has "two" kc get configmaps; stop
}

@test "a clock before the cluster's beginning is named; one far ahead renews certificates" {
    serve; stop
    echo -30d > "$BATS_TEST_TMPDIR/clock"
    SERVER=; run env LD_PRELOAD="$(ls /usr/lib/*/faketime/libfaketimeMT.so.1)" FAKETIME_TIMESTAMP_FILE="$BATS_TEST_TMPDIR/clock" timeout 20 "$CORACLE" server $(FLAGS)
    [ "$status" -eq 1 ]; [[ $output == *"the clock says"*"only valid from"*"set the clock"* ]]
    local before; before=$(openssl x509 -in "$D/tls/server.crt" -noout -serial)
    echo +3000d > "$BATS_TEST_TMPDIR/clock"; serve_faked
    [ "$(openssl x509 -in "$D/tls/server.crt" -noout -serial)" != "$before" ]
    # the administrator's new certificate is from the future: the server accepts it, kubectl here does not trust the server's
    fails "is not yet valid" kc get namespaces
    kill -9 "$SERVER"
    serve; kc get namespaces; stop
}

@test "a client whose certificate is of another time is told to authenticate, and the log says why" {
    serve
    "$CORACLE" kubeconfig --data-dir "$D" --user late --groups system:masters --lifetime 2s > "$BATS_TEST_TMPDIR/late"
    "$KUBECTL" --kubeconfig "$BATS_TEST_TMPDIR/late" get namespaces
    sleep 3
    fails "" "$KUBECTL" --kubeconfig "$BATS_TEST_TMPDIR/late" get namespaces
    has "certificate has expired" cat "$LOG"
    stop
}

# ---- requests ----

@test "malformed JSON, YAML and protobuf are refused with the reason" {
    serve
    local p=/api/v1/namespaces/default/configmaps
    has "400 " ask POST $p application/json '{"kind":'
    has "unexpected end of JSON input" ask POST $p application/json '{"kind":'
    has "400 " ask POST $p application/json '[1,2]'
    has "invalid character" ask POST $p application/json '{"a" 1}'
    has "400 " ask POST $p application/json "$(cm x | sed 's/"data":{"x":""}/"data":{"x":7}/')"
    has "cannot unmarshal number into Go struct field" ask POST $p application/json "$(cm x | sed 's/"data":{"x":""}/"data":{"x":7}/')"
    has "400 " ask POST $p application/yaml $'a: b: c'
    has "mapping values are not allowed" ask POST $p application/yaml $'a: b: c'
    has "400 " ask POST $p application/vnd.kubernetes.protobuf 'k8s'
    has "does not appear to be a protobuf message" ask POST $p application/vnd.kubernetes.protobuf 'nonsense'
    has "415 " ask POST $p application/toml 'a = 1'
    has "422 " ask POST $p application/json "$(cm 'Bad_Name!')"
    kc create configmap x
    has "422 " ask PATCH $p/x application/json-patch+json '[{"op":"fly","path":"/a"}]'
    has "415 " ask PATCH $p/x text/plain '{}'
    has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    stop
}

@test "bodies that are too big or too deep are refused" {
    serve
    local p=/api/v1/namespaces/default/configmaps
    head -c 4000000 /dev/zero | tr '\0' x > "$BATS_TEST_TMPDIR/big"
    HTTP=--http1.1 # curl's HTTP/2 does not show an answer that comes before it has sent everything
    has "413 " ask POST $p application/json "@$BATS_TEST_TMPDIR/big"
    python3 -c "print('['*100000)" > "$BATS_TEST_TMPDIR/deep"
    has "400 " ask POST $p application/json "@$BATS_TEST_TMPDIR/deep"
    python3 -c "print('a: &a [x,x,x,x,x,x,x,x,x,x]'); [print(f'{chr(98+i)}: &{chr(98+i)} [' + ','.join(['*'+chr(97+i)]*10) + ']') for i in range(9)]" > "$BATS_TEST_TMPDIR/laughs"
    has "400 " ask POST $p application/yaml "@$BATS_TEST_TMPDIR/laughs"
    has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    stop
}

raw() { timeout 5 openssl s_client -connect "127.0.0.1:$PORT" -quiet 2> /dev/null | head -1; }

@test "malformed HTTP is answered or hung up on, and the server lives on" {
    serve
    has "400" raw < <(printf 'GARBAGE\r\n\r\n'; sleep 1)
    has "400" raw < <(printf 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'; sleep 1)
    has "400" raw < <(printf 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n'; sleep 1)
    has "431" raw < <(printf 'GET / HTTP/1.1\r\nHost: x\r\nX: '; head -c 2000000 /dev/zero | tr '\0' x; printf '\r\n\r\n'; sleep 1)
    head -c 100000 /dev/urandom | raw > /dev/null || true
    head -c 100000 /dev/urandom > "/dev/tcp/127.0.0.1/$PORT" || true # not even TLS
    has "404" curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$PORT/no/such/path" --cert "$D/admin.pem" || has "403" curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$PORT/no/such/path"
    has "400" curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$PORT/%zz"
    has "401" curl -sk -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer nonsense' "https://127.0.0.1:$PORT/api"
    has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    stop
}

@test "SIGTERM ends the server with status 0" { serve; stop; }
