#!/usr/bin/env bats
# Sign-in by IAM role and roles for pods, with the real aws CLI, kubectl, boto3 and the AWS SDK for JavaScript. Two nodes.
load lib.bash

setup_file() {
    aws_cli
    T=$BATS_FILE_TMPDIR; export T
    printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' > "$T/audit.yaml"
    cluster_start cor-id 10.86.5 --nodes 2 -- --audit-log-path "$T/audit.log" --audit-policy-file "$T/audit.yaml"
    export HOME=$T/home; mkdir -p "$HOME"
    unset AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ACCESS_KEY_ID AWS_CA_BUNDLE REQUESTS_CA_BUNDLE http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
    host env HOME="$HOME" "$CORACLE" aws init --data-dir "$CLUSTER/n1/data" > /dev/null
    export AWS_PROFILE=coracle
    ACCOUNT=$(a sts get-caller-identity --query Account --output text); export ACCOUNT
    ISSUER=$(a eks describe-cluster --name coracle --query cluster.identity.oidc.issuer --output text); export ISSUER
    a iam create-open-id-connect-provider --url "$ISSUER" --client-id-list sts.amazonaws.com > /dev/null
    role admin-role "{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"}" sts:AssumeRole; role viewer "{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"}" sts:AssumeRole /team/
    role pod-role "{\"Service\":\"pods.eks.amazonaws.com\"}" '["sts:AssumeRole","sts:TagSession"]'
    trust_account app
    k create serviceaccount app; k annotate serviceaccount app "eks.amazonaws.com/role-arn=arn:aws:iam::$ACCOUNT:role/irsa"
    a eks update-kubeconfig --name coracle --alias user --user-alias user > /dev/null
    eventually 60 has "node-2   Ready" k get nodes
}
teardown_file() { cluster_stop; }

a() { host env -u KUBECONFIG HOME="$HOME" "$AWS" "$@"; }
as() { local c=$1; shift; host env KUBECONFIG="$HOME/.kube/config" HOME="$HOME" PATH="$PATH" "$KUBECTL" --context "$c" "$@"; }
role() { # role NAME PRINCIPAL ACTIONS [PATH]
    case $3 in [*) act=$3;; *) act="\"$3\"";; esac
    a iam create-role --role-name "$1" ${4:+--path "$4"} --assume-role-policy-document "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":$2,\"Action\":$act}]}" > /dev/null
}
trust_account() { # the role irsa trusts this service account of the namespace default
    local i=${ISSUER#https://}
    echo "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Federated\":\"arn:aws:iam::$ACCOUNT:oidc-provider/$i\"},\"Action\":\"sts:AssumeRoleWithWebIdentity\",
      \"Condition\":{\"StringEquals\":{\"$i:sub\":\"system:serviceaccount:default:$1\",\"$i:aud\":\"sts.amazonaws.com\"}}}]}" > "$T/trust.json"
    a iam create-role --role-name irsa --assume-role-policy-document "file://$T/trust.json" > /dev/null
}
entry() { # entry PRINCIPAL POLICY SCOPE...
    a eks create-access-entry --cluster-name coracle --principal-arn "$1" > /dev/null
    a eks associate-access-policy --cluster-name coracle --principal-arn "$1" --policy-arn "arn:aws:eks::aws:cluster-access-policy/$2" --access-scope "$3" > /dev/null
}
# A pod of the service account in which the real SDKs run: the machine's own libraries and the environment of aws-venv inside.
sdk_pod() { # sdk_pod NAME ACCOUNT [NODE]
    k apply -f - <<EOF
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"$1"},"spec":{"nodeName":"${3:-node-1}","serviceAccountName":"$2","terminationGracePeriodSeconds":0,"containers":[{"name":"c","image":"coracle.test/busybox:1",
 "command":["sleep","3600"],"volumeMounts":[{"name":"usr","mountPath":"/usr","readOnly":true},{"name":"lib","mountPath":"/lib","readOnly":true},{"name":"lib64","mountPath":"/lib64","readOnly":true},{"name":"venv","mountPath":"/sdk","readOnly":true}]}],
 "volumes":[{"name":"usr","hostPath":{"path":"/usr"}},{"name":"lib","hostPath":{"path":"/usr/lib"}},{"name":"lib64","hostPath":{"path":"/usr/lib64"}},{"name":"venv","hostPath":{"path":"$VENV"}}]}}
EOF
    k wait --for=condition=Ready --timeout=60s "pod/$1"
}
PY='import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
JS='const {STSClient,GetCallerIdentityCommand}=require("/sdk/js/node_modules/@aws-sdk/client-sts");new STSClient({}).send(new GetCallerIdentityCommand({})).then(r=>console.log(r.Arn),e=>{console.log(e.name,e.message);process.exit(1)})'
python_in() { k exec "$1" -- env PYTHONPATH=/sdk/lib/python3.11/site-packages "${@:2}" /usr/bin/python3 -c "$PY"; }
node_in() { k exec "$1" -- "${@:2}" /sdk/js/node -e "$JS"; }

@test "the user of coracle aws init signs in and is administrator" {
    has ":user/admin" as user auth whoami
    has "yes" as user auth can-i '*' '*' --all-namespaces
}
@test "whoami shows the ARN extras" {
    local out; out=$(as user auth whoami -o json)
    [ "$(jq -r '.status.userInfo.extra.canonicalArn[0]' <<< "$out")" = "arn:aws:iam::$ACCOUNT:user/admin" ]
    [ "$(jq -r '.status.userInfo.extra.arn[0]' <<< "$out")" = "arn:aws:iam::$ACCOUNT:user/admin" ]
    jq -e '.status.userInfo.extra | has("accessKeyId") and has("principalId") and has("sessionName")' <<< "$out"
    [[ $(jq -r .status.userInfo.uid <<< "$out") == "aws-iam-authenticator:$ACCOUNT:AIDA"* ]]
}
@test "a role without an access entry is refused, and the audit log says why" {
    a eks update-kubeconfig --name coracle --alias viewer --user-alias viewer --role-arn "arn:aws:iam::$ACCOUNT:role/team/viewer" > /dev/null
    has "must be logged in" as viewer get pods
    eventually 5 grep -q "authentication.coracle.io/refused.*role/viewer has neither an access entry" "$T/audit.log"
}
@test "two access levels: one role administers, another with a path only reads" {
    entry "arn:aws:iam::$ACCOUNT:role/admin-role" AmazonEKSClusterAdminPolicy type=cluster
    entry "arn:aws:iam::$ACCOUNT:role/team/viewer" AmazonEKSViewPolicy type=cluster
    a eks update-kubeconfig --name coracle --alias boss --user-alias boss --role-arn "arn:aws:iam::$ACCOUNT:role/admin-role" > /dev/null
    has "assumed-role/admin-role/EKSGetTokenAuth" as boss auth whoami
    as boss create configmap made-by-role
    as viewer get configmap made-by-role
    has "Forbidden" as viewer delete configmap made-by-role
    has "Forbidden" as viewer get secrets
}
@test "an access policy can be limited to namespaces" {
    a eks associate-access-policy --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/team/viewer" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=namespace,namespaces=kube-system > /dev/null
    as viewer -n kube-system get pods
    has "Forbidden" as viewer -n default get pods
}
@test "aws-auth maps roles, users and accounts, until the mode is API alone" {
    role mapped "{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"}" sts:AssumeRole
    k -n kube-system create configmap aws-auth --from-literal=mapRoles="- {rolearn: arn:aws:iam::$ACCOUNT:role/mapped, username: 'm:{{AccountID}}:{{SessionName}}', groups: [readers]}"
    a eks update-kubeconfig --name coracle --alias mapped --user-alias mapped --role-arn "arn:aws:iam::$ACCOUNT:role/mapped" > /dev/null
    eventually 5 has "m:$ACCOUNT:EKSGetTokenAuth" as mapped auth whoami
    has "[readers system:authenticated]" as mapped auth whoami
    a eks update-cluster-config --name coracle --access-config authenticationMode=API > /dev/null
    has "must be logged in" as mapped auth whoami
    has ":user/admin" as user auth whoami
    has "InvalidParameterException" a eks update-cluster-config --name coracle --access-config authenticationMode=CONFIG_MAP
}
@test "errors of EKS have its names" {
    has "ResourceNotFoundException" a eks describe-cluster --name other
    has "ResourceInUseException" a eks create-access-entry --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/admin-role"
    has "InvalidParameterException" a eks create-access-entry --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/absent"
    has "InvalidParameterException" a eks associate-access-policy --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/admin-role" --policy-arn arn:x:y --access-scope type=cluster
    has "AccessDenied" a eks list-clusters --profile none 2>/dev/null || has "could not be found" a eks list-clusters --profile none
}
@test "a token for another cluster is refused" {
    local token body; token=$(a eks get-token --cluster-name other --query status.token --output text)
    body=$(host curl -sk -H "authorization: Bearer $token" https://127.0.0.1:6443/api/v1/pods) # why is for the audit log alone
    [ "$(jq -S -c 'del(.metadata)' <<< "$body")" = '{"apiVersion":"v1","code":401,"kind":"Status","message":"Unauthorized","reason":"Unauthorized","status":"Failure"}' ]
    eventually 5 grep -q 'api/v1/pods.*authentication.coracle.io/refused' "$T/audit.log"
    [ "$(host curl -sk -o /dev/null -w '%{http_code}' -H "authorization: Bearer $token" https://127.0.0.1:6443/api)" = 401 ]
    token=$(a eks get-token --cluster-name coracle --query status.token --output text)
    host curl -sk -H "authorization: Bearer $token" https://127.0.0.1:6443/api/v1/namespaces | grep -q NamespaceList
    [ "$(host curl -sk -o /dev/null -w '%{http_code}' -H "authorization: Bearer ${token}A" https://127.0.0.1:6443/api)" = 401 ]
}
@test "a deleted access key ends the sign-in at once" {
    a iam create-user --user-name brief > /dev/null
    local key id; key=$(a iam create-access-key --user-name brief --output json); id=$(jq -r .AccessKey.AccessKeyId <<< "$key")
    entry "arn:aws:iam::$ACCOUNT:user/brief" AmazonEKSViewPolicy type=cluster
    local token; token=$(host env -u AWS_PROFILE HOME="$HOME" AWS_ACCESS_KEY_ID="$id" AWS_SECRET_ACCESS_KEY="$(jq -r .AccessKey.SecretAccessKey <<< "$key")" AWS_DEFAULT_REGION=us-east-1 "$AWS" eks get-token --cluster-name coracle --query status.token --output text)
    code() { host curl -sk -o /dev/null -w '%{http_code}' -H "authorization: Bearer $token" https://127.0.0.1:6443/api/v1/pods; }
    [ "$(code)" = 200 ]
    a iam delete-access-key --user-name brief --access-key-id "$id"
    [ "$(code)" = 401 ]
}

@test "IRSA: boto3 and the JavaScript SDK in a pod get the role of its service account" {
    sdk_pod irsa app
    has "assumed-role/irsa/" python_in irsa
    has "assumed-role/irsa/" node_in irsa
}
@test "IRSA: another service account is refused" {
    k create serviceaccount other; k annotate serviceaccount other "eks.amazonaws.com/role-arn=arn:aws:iam::$ACCOUNT:role/irsa"
    sdk_pod irsa-other other
    has "AccessDenied" python_in irsa-other
}
@test "IRSA: another audience is refused" {
    k create serviceaccount aud; k annotate serviceaccount aud "eks.amazonaws.com/role-arn=arn:aws:iam::$ACCOUNT:role/irsa" eks.amazonaws.com/audience=elsewhere
    sdk_pod irsa-aud aud
    has "InvalidIdentityToken" python_in irsa-aud
}
web_identity() { a sts assume-role-with-web-identity --role-arn "arn:aws:iam::$ACCOUNT:role/irsa" --role-session-name test --web-identity-token "$1" "${@:2}"; }
@test "IRSA: the token of a deleted service account is refused" {
    k create serviceaccount gone
    local token; token=$(k create token app --audience sts.amazonaws.com)
    web_identity "$token" > /dev/null
    token=$(k create token gone --audience sts.amazonaws.com)
    k delete serviceaccount gone
    has "IDPRejectedClaim" web_identity "$token"
}
@test "IRSA: an expired token is refused" {
    # the key of this test cluster signs a token that ended a minute ago
    local uid now; uid=$(k get serviceaccount app -o jsonpath='{.metadata.uid}'); now=$(date +%s)
    b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
    local head body; head=$(printf '{"alg":"RS256"}' | b64)
    body=$(printf '{"aud":["sts.amazonaws.com"],"exp":%d,"iat":%d,"iss":"%s","nbf":%d,"sub":"system:serviceaccount:default:app","kubernetes.io":{"namespace":"default","serviceaccount":{"name":"app","uid":"%s"}}}' $((now - 60)) $((now - 3600)) "$ISSUER" $((now - 3600)) "$uid" | b64)
    has "ExpiredTokenException" web_identity "$head.$body.$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign "$CLUSTER/n1/data/tls/service-account.key" | b64)"
}
@test "the issuer's discovery document and keys are for everybody" {
    host curl -sk https://127.0.0.1:6443/.well-known/openid-configuration | jq -e --arg i "$ISSUER" '.issuer == $i'
    host curl -sk https://127.0.0.1:6443/openid/v1/jwks | jq -e '.keys[0].kid'
}

@test "Pod Identity: SDKs in a pod get the associated role" {
    k create serviceaccount pi
    a eks create-pod-identity-association --cluster-name coracle --namespace default --service-account pi --role-arn "arn:aws:iam::$ACCOUNT:role/pod-role" > /dev/null
    sdk_pod pi pi
    has "assumed-role/pod-role/eks-coracle-pi-" python_in pi
    has "assumed-role/pod-role/eks-coracle-pi-" node_in pi
}
@test "Pod Identity: a further node's agent asks the server" {
    sdk_pod pi2 pi node-2
    has "assumed-role/pod-role/eks-coracle-pi2-" python_in pi2
}
@test "Pod Identity: a service account without association is refused" {
    k exec pi -- cat /var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token > "$T/pi-token"
    local id; id=$(a eks list-pod-identity-associations --cluster-name coracle --query 'associations[0].associationId' --output text)
    has "169.254.170.23" k get pod pi -o yaml
    a eks delete-pod-identity-association --cluster-name coracle --association-id "$id" > /dev/null
    has "ResourceNotFoundException" host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials
}
@test "instance metadata is there for the node, and not for pods" {
    local token; token=$(host curl -s -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
    [ "$(host curl -s -H "x-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/placement/region)" = us-east-1 ]
    [[ $(host curl -s -H "x-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id) == i-* ]]
    [ "$(host curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/)" = 401 ]
    has "403" k exec pi -- wget -S -O- http://169.254.169.254/latest/meta-data/
}
@test "the node's role is there for who may have it" {
    role coracle-node "{\"Service\":\"ec2.amazonaws.com\"}" sts:AssumeRole
    host env -u AWS_PROFILE HOME="$BATS_TEST_TMPDIR" AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="$(head -1 "$CLUSTER/n1/data/aws-endpoint")" AWS_CA_BUNDLE="$CLUSTER/n1/data/ca.crt" "$AWS" sts get-caller-identity | grep -q assumed-role/coracle-node/i-
}
# ---- EKS: tags, types of entries, target roles ----

tagged() { a eks list-tags-for-resource --resource-arn "$1" --query tags --output json | jq -c -S .; }
@test "resources have tags that come and go after their creation" {
    local arn
    for arn in "$(a eks describe-cluster --name coracle --query cluster.arn --output text)" "$(a eks describe-access-entry --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/team/viewer" --query accessEntry.accessEntryArn --output text)" \
        "$(a eks describe-nodegroup --cluster-name coracle --nodegroup-name nodes --query nodegroup.nodegroupArn --output text)" \
        "$(a eks create-pod-identity-association --cluster-name coracle --namespace default --service-account tagged --role-arn "arn:aws:iam::$ACCOUNT:role/pod-role" --query association.associationArn --output text)"; do
        a eks tag-resource --resource-arn "$arn" --tags team=red,env=test
        [ "$(tagged "$arn")" = '{"env":"test","team":"red"}' ]
        a eks tag-resource --resource-arn "$arn" --tags team=blue
        a eks untag-resource --resource-arn "$arn" --tag-keys env absent
        [ "$(tagged "$arn")" = '{"team":"blue"}' ]
    done
    [ "$(a eks describe-cluster --name coracle --query cluster.tags.team --output text)" = blue ]
    [ "$(a eks describe-nodegroup --cluster-name coracle --nodegroup-name nodes --query nodegroup.tags.team --output text)" = blue ]
    has "NotFoundException" a eks list-tags-for-resource --resource-arn "arn:aws:eks:us-east-1:$ACCOUNT:nodegroup/coracle/absent"
    has "NotFoundException" a eks tag-resource --resource-arn "arn:aws:eks:us-east-1:$ACCOUNT:cluster/other" --tags a=b
    has "BadRequestException" a eks tag-resource --resource-arn "arn:aws:s3:::bucket" --tags a=b
    has "BadRequestException" a eks tag-resource --resource-arn "$arn" --tags aws:x=b
}
@test "policies decide about tags by the resource's own" {
    a iam create-user --user-name tagger > /dev/null
    local key arn; key=$(a iam create-access-key --user-name tagger --output json); arn=$(a eks describe-cluster --name coracle --query cluster.arn --output text)
    a iam put-user-policy --user-name tagger --policy-name p --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:TagResource","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"},"ForAllValues:StringEquals":{"aws:TagKeys":["note"]}}}]}'
    by() { host env -u AWS_PROFILE HOME="$HOME" AWS_ACCESS_KEY_ID="$(jq -r .AccessKey.AccessKeyId <<< "$key")" AWS_SECRET_ACCESS_KEY="$(jq -r .AccessKey.SecretAccessKey <<< "$key")" AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="$(head -1 "$CLUSTER/n1/data/aws-endpoint")" AWS_CA_BUNDLE="$CLUSTER/n1/data/ca.crt" "$AWS" "$@"; }
    by eks tag-resource --resource-arn "$arn" --tags note=x
    has "AccessDenied" by eks tag-resource --resource-arn "$arn" --tags team=mine
    a eks tag-resource --resource-arn "$arn" --tags team=red
    has "AccessDenied" by eks tag-resource --resource-arn "$arn" --tags note=y
}
@test "types of access entries have their rules" {
    create() { a eks create-access-entry --cluster-name coracle --principal-arn "$@"; }
    role nodes-linux '{"Service":"ec2.amazonaws.com"}' sts:AssumeRole; role nodes-auto '{"Service":"ec2.amazonaws.com"}' sts:AssumeRole
    local arn=arn:aws:iam::$ACCOUNT:role/nodes-linux out
    has "InvalidParameterException" create "$arn" --type EC2_LINUX --username me
    has "InvalidParameterException" create "$arn" --type EC2_LINUX --kubernetes-groups g
    has "InvalidParameterException" create "arn:aws:iam::$ACCOUNT:user/admin2" --type EC2_LINUX
    has "InvalidParameterException" create "arn:aws:iam::444455556666:role/x" --type EC2_LINUX
    has "InvalidParameterException" create "arn:aws:iam::$ACCOUNT:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
    has "InvalidParameterException" create "arn:aws:sts::$ACCOUNT:assumed-role/x/y"
    has "InvalidParameterException" create "$arn" --username 'me{{SessionName}}'
    has "InvalidParameterException" create "$arn" --username system:me
    out=$(create "$arn" --type EC2_LINUX --output json)
    [ "$(jq -r '.accessEntry | .username + " " + .kubernetesGroups[0] + " " + .type' <<< "$out")" = "system:node:{{EC2PrivateDNSName}} system:nodes EC2_LINUX" ]
    has "InvalidParameterException" a eks update-access-entry --cluster-name coracle --principal-arn "$arn" --username me
    has "InvalidParameterException" a eks associate-access-policy --cluster-name coracle --principal-arn "$arn" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster
    create "arn:aws:iam::$ACCOUNT:role/nodes-auto" --type EC2 > /dev/null
    a eks associate-access-policy --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/nodes-auto" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster > /dev/null
    has "InvalidParameterException" a eks associate-access-policy --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/nodes-auto" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSHybridPolicy --access-scope type=cluster
    out=$(a eks update-access-entry --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/team/viewer" --username v:me --kubernetes-groups g1 g2 --output json)
    [ "$(jq -r '.accessEntry | .username + (.kubernetesGroups | join(","))' <<< "$out")" = "v:meg1,g2" ]
}
@test "lists come in pages" {
    local all pages
    all=$(a eks list-access-entries --cluster-name coracle --query accessEntries --output text | wc -w)
    pages=$(a eks list-access-entries --cluster-name coracle --page-size 2 --query accessEntries --output text | wc -w)
    [ "$all" -gt 3 ]; [ "$all" = "$pages" ]
    [ "$(a eks list-access-entries --cluster-name coracle --max-items 2 --output json | jq '(.accessEntries | length), has("NextToken")' | tr '\n' ' ')" = "2 true " ]
    has "InvalidParameterException" a eks list-access-entries --cluster-name coracle --no-paginate --max-results 101
    has "InvalidParameterException" a eks list-access-entries --cluster-name coracle --no-paginate --next-token nonsense
}
@test "namespaces of an access policy can be patterns" {
    a eks associate-access-policy --cluster-name coracle --principal-arn "arn:aws:iam::$ACCOUNT:role/team/viewer" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope 'type=namespace,namespaces=kube-*' > /dev/null
    as viewer -n kube-public get pods
    has "orbidden" as viewer -n default get pods
}
@test "a role that was deleted and made anew has lost its entry" {
    a iam delete-role --role-name viewer; role viewer "{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"}" sts:AssumeRole /team/
    has "must be logged in" as viewer -n kube-public get pods
    eventually 5 grep -q "authentication.coracle.io/refused.*earlier principal" "$T/audit.log"
}
# Credentials that the agent gives the pod pi, as the environment of the aws CLI.
agent_env() { host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials | jq -r '"AWS_ACCESS_KEY_ID=" + .AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + .SecretAccessKey, "AWS_SESSION_TOKEN=" + .Token'; }
# shellcheck disable=SC2046
by_pod() { host env -u AWS_PROFILE HOME="$HOME" $(agent_env) AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="$(head -1 "$CLUSTER/n1/data/aws-endpoint")" AWS_CA_BUNDLE="$CLUSTER/n1/data/ca.crt" "$AWS" "$@"; }
trust_of_target() { # trust_of_target ACTIONS CONDITION
    a iam update-assume-role-policy --role-name target --policy-document "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$ACCOUNT:role/pod-role\"},\"Action\":$1,\"Condition\":$2}]}"
}
@test "Pod Identity: the associated role assumes a target role, if both let it" {
    role target "{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"}" '["sts:AssumeRole","sts:TagSession"]'
    local id target=arn:aws:iam::$ACCOUNT:role/target; id=$(a eks create-pod-identity-association --cluster-name coracle --namespace default --service-account pi --role-arn "arn:aws:iam::$ACCOUNT:role/pod-role" --target-role-arn "$target" --query association.associationId --output text)
    echo "$id" > "$T/association"
    [ "$(a eks describe-pod-identity-association --cluster-name coracle --association-id "$id" --query association.externalId --output text)" = "us-east-1/$ACCOUNT/coracle/default/pi" ]
    has "AccessDeniedException" host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials
    a iam put-role-policy --role-name pod-role --policy-name chain --policy-document "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sts:AssumeRole\",\"sts:TagSession\"],\"Resource\":\"$target\"}]}"
    has "assumed-role/target/eks-coracle-pi-" by_pod sts get-caller-identity
    has "assumed-role/target/eks-coracle-pi-" python_in pi
    local tags='{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"default","aws:PrincipalTag/kubernetes-service-account":"pi","aws:RequestTag/eks-cluster-name":"coracle"}}'
    trust_of_target '["sts:AssumeRole","sts:TagSession"]' "$tags"
    has "assumed-role/target/" by_pod sts get-caller-identity
    trust_of_target '["sts:AssumeRole","sts:TagSession"]' "${tags/default/other}"
    has "AccessDeniedException" host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials
    trust_of_target '"sts:AssumeRole"' '{}'
    has "AccessDeniedException" host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials
}
@test "Pod Identity: without session tags there is an external id, and a session policy may limit" {
    local id; id=$(cat "$T/association")
    update() { a eks update-pod-identity-association --cluster-name coracle --association-id "$id" "$@"; }
    a iam attach-role-policy --role-name target --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
    update --disable-session-tags > /dev/null
    trust_of_target '"sts:AssumeRole"' "{\"StringEquals\":{\"sts:ExternalId\":\"us-east-1/$ACCOUNT/coracle/default/other\"}}"
    has "AccessDeniedException" host curl -s -H "authorization: $(cat "$T/pi-token")" http://169.254.170.23/v1/credentials
    trust_of_target '"sts:AssumeRole"' "{\"StringEquals\":{\"sts:ExternalId\":\"us-east-1/$ACCOUNT/coracle/default/pi\"}}"
    by_pod iam list-users > /dev/null
    has "InvalidParameterException" update --policy '{"Version":"2012-10-17"}'
    update --policy '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}]}' > /dev/null
    by_pod iam list-roles > /dev/null
    has "AccessDenied" by_pod iam list-users
    has "InvalidParameterException" update --no-disable-session-tags
    update --policy "" > /dev/null; update --target-role-arn "" > /dev/null
    [ "$(a eks describe-pod-identity-association --cluster-name coracle --association-id "$id" --query 'association.[targetRoleArn,policy,externalId]' --output text)" = "$(printf 'None\tNone\tNone')" ]
    has "assumed-role/pod-role/" by_pod sts get-caller-identity
    has "InvalidRequestException" update --target-role-arn arn:aws:iam::444455556666:role/elsewhere
    has "InvalidParameterException" update --target-role-arn "arn:aws:iam::$ACCOUNT:role/absent"
}

# Instance metadata of a node, to a process of that node: imds N PATH.
imds() { on_node "$1" curl -m 3 -sf -H "x-aws-ec2-metadata-token: $(imds_token "$1")" "http://169.254.169.254/latest/$2"; }
imds_token() { on_node "$1" curl -m 3 -s -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token; }
imds_code() { on_node 2 curl -m 3 -s -o /dev/null -w '%{http_code}' "$@"; }
@test "a further node serves metadata of its own" {
    eventually 20 imds 2 meta-data/instance-id
    local own; own=$(a ec2 describe-instances --filters Name=private-dns-name,Values=node-2 --query 'Reservations[0].Instances[0].InstanceId' --output text)
    [ "$(imds 2 meta-data/instance-id)" = "$own" ]
    [ "$(imds 1 meta-data/instance-id)" != "$own" ]
    [ "$(imds 2 meta-data/local-ipv4)" = "$NET.12" ]
    [ "$(imds 2 meta-data/placement/availability-zone)" = us-east-1a ]
    [ "$(imds 2 dynamic/instance-identity/document | jq -r '.instanceId + .region')" = "${own}us-east-1" ]
    [ "$(imds 2 meta-data/placement/)" = "$(printf 'availability-zone\nregion')" ]
}
@test "a further node's role is its own identity" {
    eventually 10 imds 2 meta-data/iam/security-credentials/coracle-node
    local own; own=$(imds 2 meta-data/instance-id)
    on_node 2 env -u KUBECONFIG -u AWS_PROFILE HOME="$BATS_TEST_TMPDIR" AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL="$(head -1 "$CLUSTER/n1/data/aws-endpoint")" AWS_CA_BUNDLE="$CLUSTER/n1/data/ca.crt" "$AWS" sts get-caller-identity | grep -q "assumed-role/coracle-node/$own"
}
@test "a further node's metadata wants a session token, and no proxy" {
    local url=http://169.254.169.254/latest
    [ "$(imds_code $url/meta-data/)" = 401 ]
    [ "$(imds_code -H 'x-aws-ec2-metadata-token: 7fffffff.AAAA' $url/meta-data/)" = 401 ]
    [ "$(imds_code -H "x-aws-ec2-metadata-token: $(imds_token 1)" $url/meta-data/)" = 401 ]
    [ "$(imds_code -X PUT $url/api/token)" = 400 ]
    [ "$(imds_code -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 21601' $url/api/token)" = 400 ]
    [ "$(imds_code -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' -H 'x-forwarded-for: 192.0.2.1' $url/api/token)" = 403 ]
    [ "$(imds_code -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' $url/api/token)" = 200 ]
}
@test "a pod on a further node is refused its metadata, one in the node's network is not" {
    has "403" k exec pi2 -- wget -S -O- http://169.254.169.254/latest/meta-data/
    k run hostnet --image coracle.test/busybox:1 --overrides '{"spec":{"nodeName":"node-2","hostNetwork":true,"terminationGracePeriodSeconds":0}}' -- sleep 3600
    k wait --for=condition=Ready --timeout=60s pod/hostnet
    has "401" k exec hostnet -- wget -S -O- http://169.254.169.254/latest/meta-data/
}
@test "another machine of the network is refused" {
    ip -n "$NAME-sw" route replace 169.254.169.254/32 via "$NET.12"
    local code; code=$(ip netns exec "$NAME-sw" curl -s -m 3 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/) || true
    [ "$code" = 403 ]
}
@test "a node's metadata is given to nothing but its client certificate" {
    has "client certificate" k get --raw /coracle/instance-metadata
    has "client certificate" k get --raw /coracle/instance-metadata --as system:node:node-2 --as-group system:nodes
    has "orbidden" k get --raw /coracle/instance-metadata --as nobody
}
@test "IRSA: a pod on a further node gets the role of its service account" {
    sdk_pod irsa2 app node-2
    has "assumed-role/irsa/" python_in irsa2
}
