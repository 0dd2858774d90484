#!/usr/bin/env bats
# The AWS endpoint as the real aws CLI and boto3 see it: STS, IAM and EC2. A control plane without nodes, one for the whole file.
load lib.bash

setup_file() {
    aws_cli
    export D=$BATS_FILE_TMPDIR/data HOME=$BATS_FILE_TMPDIR/home
    mkdir -p "$HOME"
    unset AWS_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ACCESS_KEY_ID AWS_CA_BUNDLE REQUESTS_CA_BUNDLE
    local port; port=$(free_port)
    "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port $port --aws-port $((port + 1)) > "$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
    echo $! > "$BATS_FILE_TMPDIR/pid"
    export PORT=$port
    eventually 20 [ -e "$D/aws-endpoint" ]
    eventually 20 has ok curl -sk "https://127.0.0.1:$port/readyz"
    "$CORACLE" aws init --data-dir "$D" > "$BATS_FILE_TMPDIR/init"
    export AWS_PROFILE=coracle
}
teardown_file() { kill "$(cat "$BATS_FILE_TMPDIR/pid")"; }
sdk() { env -u AWS_PROFILE bash -c 'eval "$("$CORACLE" aws init --env --data-dir "$D")"; python "$0" "$@"' "$HERE/aws_client.py" "$@"; }
secret() { sed -n 's/aws_secret_access_key = //p' "$HOME/.aws/credentials"; }
absent() { [ -n "$1" ] || return 1; if grep -qF -e "$@"; then return 1; fi; }

@test "init writes a profile that works, and the same one again" {
    grep -q 'endpoint_url  https://127.0.0.1' "$BATS_FILE_TMPDIR/init"
    absent "$(secret)" "$BATS_FILE_TMPDIR/init"
    [ "$(stat -c %a "$HOME/.aws/credentials")" = 600 ]
    has ':user/admin"' aws sts get-caller-identity
    cp "$HOME/.aws/credentials" "$BATS_FILE_TMPDIR/before"
    "$CORACLE" aws init --data-dir "$D"
    cmp "$HOME/.aws/credentials" "$BATS_FILE_TMPDIR/before"
}
@test "init leaves other profiles alone" {
    printf '[default]\nregion = eu-west-1\n\n[profile x]\nregion=y\n' > "$BATS_FILE_TMPDIR/config"
    AWS_CONFIG_FILE=$BATS_FILE_TMPDIR/config "$CORACLE" aws init --data-dir "$D"
    [ "$(head -5 "$BATS_FILE_TMPDIR/config")" = "$(printf '[default]\nregion = eu-west-1\n\n[profile x]\nregion=y')" ]
    grep -q '^\[profile coracle\]$' "$BATS_FILE_TMPDIR/config"
}
@test "status counts what there is" { has "users" "$CORACLE" aws status --data-dir "$D"; }
@test "bad options are named" {
    run timeout 10 "$CORACLE" server --data-dir "$BATS_FILE_TMPDIR/bad" --agent=false --bind-address 127.0.0.1 --secure-port $((PORT + 2)) --aws-port $((PORT + 3)) --aws-account-id 12
    [ "$status" -ne 0 ]; [[ $output == *'--aws-account-id: "12" is not a number of twelve digits'* ]]
}
@test "without an endpoint the verb says what to do" { has "start \`coracle server\`" "$CORACLE" aws init --data-dir "$BATS_FILE_TMPDIR/none"; }

@test "the CLI assumes a role named in a profile" {
    local a; a=$(aws sts get-caller-identity --query Account --output text)
    echo "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$a:user/admin\"},\"Action\":\"sts:AssumeRole\"}]}" > "$BATS_FILE_TMPDIR/trust"
    aws iam create-role --role-name cli --assume-role-policy-document "file://$BATS_FILE_TMPDIR/trust"
    aws iam attach-role-policy --role-name cli --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess
    aws configure set profile.cli.role_arn "arn:aws:iam::$a:role/cli"
    aws configure set profile.cli.source_profile coracle
    aws configure set profile.cli.region us-east-1
    aws configure set profile.cli.endpoint_url "$(head -1 "$D/aws-endpoint")"
    aws configure set profile.cli.ca_bundle "$D/ca.crt"
    has ":assumed-role/cli/" aws --profile cli sts get-caller-identity
    has '"RoleName": "cli"' aws --profile cli iam get-role --role-name cli
    has "AccessDenied" aws --profile cli iam create-user --user-name x
}

@test "users are made, read, listed and deleted" { sdk users_are_made_read_listed_and_deleted; }
@test "bad names are refused in the words of AWS" { sdk bad_names_are_refused_in_the_words_of_aws; }
@test "access keys live and die" { sdk access_keys_live_and_die; }
@test "users are renamed and moved, and their keys stay good" { sdk users_are_renamed_and_moved; }
@test "pages follow one another" { sdk pages_follow_one_another; }
@test "roles keep their trust policy and settings" { sdk roles_keep_their_trust_policy_and_settings; }
@test "a role trusts the user that was, not the next of that name" { sdk a_role_trusts_the_user_that_was_not_the_next_of_that_name; }
@test "inline policies are put, got, listed and deleted" { sdk inline_policies_are_put_got_listed_and_deleted; }
@test "managed policies have versions and attachments" { sdk managed_policies_have_versions_and_attachments; }
@test "OIDC providers and instance profiles" { sdk oidc_providers_and_instance_profiles; }
@test "policies decide" { sdk policies_decide; }
@test "the simulator tells what would be allowed" { sdk the_simulator_tells_what_would_be_allowed; }
@test "groups grant to their members, and to nobody else" { sdk groups_grant_to_their_members; }
@test "groups are made, renamed, listed and deleted" { sdk groups_are_made_renamed_listed_and_deleted; }
@test "boundaries limit" { sdk boundaries_limit; }
@test "roles are assumed as trust and identity allow" { sdk roles_are_assumed_as_trust_and_identity_allow; }
@test "session policies and external ids" { sdk session_policies_and_external_ids; }
@test "tags and source identity travel with the session" { sdk tags_and_source_identity_travel_with_the_session; }
@test "a session can be revoked by its age" { sdk a_session_can_be_revoked_by_its_age; }
@test "session tokens of users" { sdk session_tokens_of_users; }
@test "wrong signatures are refused" { sdk wrong_signatures_are_refused; }
@test "presigned requests are verified" { sdk presigned_requests_are_verified; }
@test "unknown actions and services" { sdk unknown_actions_and_services; }
@test "EC2 describes what is there" { sdk ec2_describes_what_is_there; }
@test "EC2 shows nodes as instances" {
    local node='{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"topology.kubernetes.io/region":"eu-west-1","topology.kubernetes.io/zone":"eu-west-1b",
        "node.kubernetes.io/instance-type":"m5.large"}},"spec":{"providerID":"aws:///eu-west-1b/i-0123456789abcdef0"}}'
    local status='{"status":{"capacity":{"cpu":"2","memory":"8Gi","pods":"10"},"nodeInfo":{"architecture":"amd64","bootID":"","containerRuntimeVersion":"","kernelVersion":"",
        "kubeProxyVersion":"","kubeletVersion":"","machineID":"","operatingSystem":"linux","osImage":"","systemUUID":""},
        "addresses":[{"type":"InternalIP","address":"192.0.2.7"}],"conditions":[{"type":"Ready","status":"True"}]}}'
    local kubectl; kubectl=$(newest_kubectl)
    echo "$node" | "$kubectl" --kubeconfig "$D/kubeconfig" create -f -
    "$kubectl" --kubeconfig "$D/kubeconfig" patch node n1 --subresource=status --type=merge -p "$status"
    sdk ec2_shows_nodes_as_instances
}

@test "state survives a restart, and no secret key stands in the log" {
    kill "$(cat "$BATS_FILE_TMPDIR/pid")"; eventually 10 [ ! -e "$D/aws-endpoint" ]
    eventually 10 eval '! kill -0 "$(cat "$BATS_FILE_TMPDIR/pid")" 2>/dev/null'
    "$CORACLE" server --data-dir "$D" --agent=false --bind-address 127.0.0.1 --secure-port "$PORT" --aws-port $((PORT + 1)) --aws-tls=false --log-level debug \
        > "$BATS_FILE_TMPDIR/log2" 2>&1 3>&- &
    echo $! > "$BATS_FILE_TMPDIR/pid"
    eventually 20 [ -e "$D/aws-endpoint" ]
    grep -q '^http:' "$D/aws-endpoint"
    has ":user/admin" aws --endpoint-url "$(head -1 "$D/aws-endpoint")" sts get-caller-identity
    absent "$(secret)" "$BATS_FILE_TMPDIR"/log*
    absent "$(secret)" -r "$D"
}
