#!/usr/bin/env bats
# What goes wrong is said with its cause and remedy, and nothing is lost.
load lib.bash

setup() { D=$BATS_TEST_TMPDIR/data; PORT=$((20000 + RANDOM % 10000)); }
serve() { exec "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT"; } # for the background
teardown() { [ -z "${SERVER:-}" ] || kill -9 "$SERVER" 2>/dev/null || true; }
server() { timeout 20 "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT" "$@"; }

@test "an unknown flag is named" {
    run server --no-such-flag; [ "$status" -ne 0 ]; [[ $output == *"unknown flag: --no-such-flag"* ]]
}

@test "a bad value is named with what is allowed" {
    run server --agent=perhaps; [ "$status" -ne 0 ]; [[ $output == *"true or false"* ]]
    run server --service-cluster-ip-range nonsense; [ "$status" -ne 0 ]; [[ $output == *"service-cluster-ip-range"* ]]
    run server --controllers no-such-controller; [ "$status" -ne 0 ]; [[ $output == *"no-such"* ]]
}

@test "an occupied port is named" {
    python3 -c "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',$PORT)); s.listen(); time.sleep(15)" 3>&- & local p=$!
    sleep 0.5
    run server; kill $p
    [ "$status" -ne 0 ]; [[ $output == *"$PORT"* ]]
}

@test "a corrupt database is refused with a remedy and left as it is" {
    mkdir -p "$D"; head -c 8192 /dev/urandom > "$D/state.db"; local sum; sum=$(md5sum < "$D/state.db")
    run server; [ "$status" -ne 0 ]; [[ $output == *"state.db"* ]]
    [ "$(md5sum < "$D/state.db")" = "$sum" ]
}

@test "a second server on the same data is refused" {
    serve > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & local p=$!; SERVER=$p
    eventually 10 has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    PORT=$((PORT + 1)); run server; kill $p; wait $p || true
    [ "$status" -ne 0 ]; [[ $output == *"state.db"* ]]
}

@test "malformed requests get clear answers and the server lives on" {
    serve > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & local p=$!; SERVER=$p
    eventually 10 has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    local kc=$D/kubeconfig
    has "does not contain" "$(newest_kubectl)" --kubeconfig "$kc" create --raw /api/v1/namespaces -f /dev/null || true
    printf 'GARBAGE\r\n\r\n' | timeout 3 openssl s_client -connect "127.0.0.1:$PORT" -quiet 2>/dev/null | head -c 100 > /dev/null || true
    head -c 100000 /dev/urandom | timeout 3 openssl s_client -connect "127.0.0.1:$PORT" -quiet > /dev/null 2>&1 || true
    has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    kill $p; wait $p || true
}

@test "a snapshot taken while running is restored elsewhere" {
    serve > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & local p=$!; SERVER=$p
    eventually 10 has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    local kubectl; kubectl=$(newest_kubectl)
    "$kubectl" --kubeconfig "$D/kubeconfig" create configmap kept --from-literal a=b
    "$CORACLE" snapshot "$BATS_TEST_TMPDIR/snap" --data-dir "$D"
    "$kubectl" --kubeconfig "$D/kubeconfig" delete configmap kept
    kill $p; wait $p || true
    "$CORACLE" restore "$BATS_TEST_TMPDIR/snap" --data-dir "$D" --force
    serve > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & p=$!; SERVER=$p
    eventually 10 has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    has "kept" "$kubectl" --kubeconfig "$D/kubeconfig" get configmaps
    kill $p; wait $p || true
}

@test "SIGTERM ends the server with status 0" {
    serve > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & local p=$!; SERVER=$p
    eventually 10 has ok curl -sk "https://127.0.0.1:$PORT/readyz"
    kill -TERM $p; wait $p
}
