#!/usr/bin/env bats
# Watches: every stream of a view tells the same, whatever others see.
load lib.bash

setup() { D=$BATS_TEST_TMPDIR/data; PORT=$(free_port); echo "watch-token,admin,admin,system:masters" > "$BATS_TEST_TMPDIR/tokens"; }
teardown() { [ -z "${SERVER:-}" ] || kill -9 "$SERVER" 2>/dev/null || true; }

@test "many streams of several views, while objects change, get what is theirs, in order, and the same" {
    "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT" --token-auth-file "$BATS_TEST_TMPDIR/tokens" \
        --controllers=serviceaccount-controller > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- & SERVER=$!
    eventually 20 has ok curl -sk -m 2 "https://127.0.0.1:$PORT/readyz"
    python3 "$HERE/watch_client.py" "$PORT" watch-token
}
