#!/usr/bin/env bats
# A whole sign-in by OpenID Connect: an issuer over TLS, the flags of the API server, and EKS's identity provider configs.
load lib.bash

ISSUER=https://localhost:8443 SECOND=https://localhost:8444

setup_file() {
    aws_cli
    T=$BATS_FILE_TMPDIR; export T
    printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' > "$T/audit.yaml"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=issuer-ca -keyout "$T/ca.pem" -out "$T/ca.crt" 2> /dev/null
    unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ACCESS_KEY_ID AWS_CA_BUNDLE REQUESTS_CA_BUNDLE http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
    issuer one; issuer two
    cluster_start cor-oidc 10.86.9 -- --oidc-issuer-url $ISSUER --oidc-client-id kubernetes --oidc-ca-file "$T/ca.crt" --oidc-username-claim email --oidc-username-prefix oidc: \
        --oidc-groups-claim groups --oidc-groups-prefix oidc: --oidc-required-claim hd=example.com --oidc-signing-algs RS256,PS256 \
        --audit-log-path "$T/audit.log" --audit-policy-file "$T/audit.yaml"
    host python3 "$HERE/oidc_issuer.py" serve "$T/one" $ISSUER 8443 > "$T/one.log" 2>&1 3>&- & echo $! > "$T/pids"
    host python3 "$HERE/oidc_issuer.py" serve "$T/two" $SECOND 8444 > "$T/two.log" 2>&1 3>&- & echo $! >> "$T/pids"
    eventually 10 host curl -s --cacert "$T/ca.crt" $ISSUER/keys
    eventually 10 host curl -s --cacert "$T/ca.crt" $SECOND/keys
    k create clusterrolebinding readers --clusterrole view --group oidc:readers
}
teardown_file() {
    # shellcheck disable=SC2046
    kill $(cat "$T/pids") 2> /dev/null || true
    cluster_stop
}

issuer() { # issuer DIR: a certificate and a key to sign with
    mkdir -p "$T/$1"
    openssl req -newkey rsa:2048 -nodes -subj /CN=issuer -keyout "$T/$1/tls.pem" -out "$T/$1/tls.csr" 2> /dev/null
    openssl x509 -req -in "$T/$1/tls.csr" -CA "$T/ca.crt" -CAkey "$T/ca.pem" -CAcreateserial -days 1 -extfile <(echo subjectAltName=DNS:localhost) -out "$T/$1/tls.crt" 2> /dev/null
    openssl genrsa -out "$T/$1/one.key" 2048 2> /dev/null
}
token() { python3 "$HERE/oidc_issuer.py" token "$T/one" $ISSUER "$@"; }
with() { local t=$1; shift; host "$KUBECTL" --kubeconfig /dev/null --server https://127.0.0.1:6443 --insecure-skip-tls-verify --token "$t" "$@"; }
a() { host env -u KUBECONFIG HOME="$T/home" AWS_PROFILE=coracle "$AWS" "$@"; }
# refused WHY CLAIM...: a plain 401, and why in the audit log
refused() {
    local why=$1 body; shift
    body=$(host curl -sk -w '%{http_code}' -H "authorization: Bearer $(token "$@")" https://127.0.0.1:6443/api/v1/pods)
    [ "$(jq -r .message <<< "${body%401}")" = Unauthorized ]
    [[ $body == *401 ]]
    lacks "$why" echo "$body"
    eventually 5 grep -q "authentication.coracle.io/refused.*$why" "$T/audit.log"
}

@test "a good token signs in with prefixed user and groups" {
    local t; t=$(token 'groups=["readers","b"]' jti=t-17)
    has "oidc:jane@example.com" with "$t" auth whoami
    has "[oidc:readers oidc:b system:authenticated]" with "$t" auth whoami
    has "JTI=t-17" with "$t" auth whoami -o json
}
@test "RBAC decides by the token's groups" {
    with "$(token 'groups=["readers"]')" get pods
    has "orbidden" with "$(token 'groups=["readers"]')" create configmap no
    has "orbidden" with "$(token 'groups=["others"]')" get pods
    has "orbidden" with "$(token)" get pods
    with "$(token groups=readers)" get pods
}
@test "PS256 is accepted since the flag names it" { has "oidc:jane" with "$(token alg=PS256)" auth whoami; }
@test "another audience is refused" { refused "another audience" aud=other; }
@test "an expired token is refused" { refused "has expired" ttl=-5; }
@test "another issuer is refused" { refused "no authenticator knows" iss=https://localhost:9999; }
@test "a wrong required claim is refused" { refused "hd value does not match" hd=elsewhere.org; }
@test "a missing required claim is refused" { refused "no string" hd=null; }
@test "alg none is refused" { refused "no authenticator knows" alg=none; }
@test "HS256 with the public key is refused" { refused "no authenticator knows" alg=HS256; }
@test "a wrong key is refused" {
    mkdir -p "$T/stranger"; [ -e "$T/stranger/one.key" ] || openssl genrsa -out "$T/stranger/one.key" 2048 2> /dev/null
    local t; t=$(python3 "$HERE/oidc_issuer.py" token "$T/stranger" $ISSUER)
    has "must be logged in" with "$t" get pods
    eventually 5 grep -q "signature is not right" "$T/audit.log"
}
@test "an email that is not verified is refused" { refused "email not verified" email_verified=false; }
@test "groups that are no strings are refused" { refused "parse groups claim" groups=5; }

@test "an associated identity provider config signs in, and no longer once it is disassociated" {
    mkdir -p "$T/home"; host env HOME="$T/home" "$CORACLE" aws init --data-dir "$CLUSTER/n1/data" > /dev/null
    local t config; t=$(python3 "$HERE/oidc_issuer.py" token "$T/two" $SECOND aud=eks 'roles=["readers"]')
    has "must be logged in" with "$t" get pods
    a eks associate-identity-provider-config --cluster-name coracle --tags team=red --oidc "identityProviderConfigName=second,issuerUrl=$SECOND,clientId=eks,usernameClaim=email,usernamePrefix=two:,groupsClaim=roles,groupsPrefix=oidc:,requiredClaims={hd=example.com}" > /dev/null
    config=$(a eks describe-identity-provider-config --cluster-name coracle --identity-provider-config type=oidc,name=second)
    [ "$(jq -r '.identityProviderConfig.oidc | .status + .issuerUrl + .clientId + .tags.team' <<< "$config")" = "ACTIVE${SECOND}eksred" ]
    [ "$(a eks list-identity-provider-configs --cluster-name coracle --query 'identityProviderConfigs[0].name' --output text)" = second ]
    has "two:jane@example.com" with "$t" auth whoami
    with "$t" get pods
    has "oidc:jane" with "$(token)" auth whoami
    has "must be logged in" with "$(python3 "$HERE/oidc_issuer.py" token "$T/two" $SECOND aud=kubernetes)" get pods
    has "must be logged in" with "$(python3 "$HERE/oidc_issuer.py" token "$T/one" $SECOND aud=eks)" get pods
    has "ResourceInUseException" a eks associate-identity-provider-config --cluster-name coracle --oidc "identityProviderConfigName=third,issuerUrl=https://x,clientId=eks"
    a eks disassociate-identity-provider-config --cluster-name coracle --identity-provider-config type=oidc,name=second > /dev/null
    has "must be logged in" with "$t" get pods
    has "ResourceNotFoundException" a eks describe-identity-provider-config --cluster-name coracle --identity-provider-config type=oidc,name=second
}
@test "a new key of the issuer is found, and a withdrawn one ends" {
    has "oidc:jane" with "$(token)" auth whoami
    openssl genrsa -out "$T/one/next.key" 2048 2> /dev/null
    mv "$T/one/one.key" "$T/old.pem"
    eventually 45 has "oidc:jane" with "$(token key=next)" auth whoami
    mv "$T/old.pem" "$T/stranger/one.key"
    has "must be logged in" with "$(python3 "$HERE/oidc_issuer.py" token "$T/stranger" $ISSUER)" get pods
}
