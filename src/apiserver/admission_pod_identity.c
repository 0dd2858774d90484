/* PodIdentity: AWS roles for pods, as amazon-eks-pod-identity-webhook injects them (pkg/handler/handler.go). A pod whose
 * service account carries eks.amazonaws.com/role-arn gets a token that AssumeRoleWithWebIdentity takes, and where SDKs find it;
 * one whose account has an association of EKS Pod Identity gets the container credentials' address instead.
 *
 * The account is read from the store's present state behind the plug-in ServiceAccount, which refuses pods whose account is not
 * there yet: an account and its pod that are created together cannot miss each other. */
#include "apiserver/admission.h"
#include "apiserver/auth.h"

#define DOMAIN "eks.amazonaws.com/"
#define SKIP_LABEL DOMAIN "skip-pod-identity-webhook"
#define DEFAULT_EXPIRATION INT64_C(86400)
#define JITTERED_MINIMUM INT64_C(79200)
#define MIN_EXPIRATION INT64_C(600)

struct injection {
    struct arena *a;
    struct pod_identity identity;
    const char *const *skip; /* names of containers; ends with NULL; may be NULL */
    int64_t expiration;
    bool regional_sts;
    const char *role_arn;    /* NULL: container credentials */
    const char *volume, *mount_path, *token_name, *audience;
};

static const struct json *annotation_of(const struct json *o, const char *name) {
    return json_member(json_get(o, "metadata.annotations"), name);
}

static void read_expiration(const struct json *o, int64_t *out) {
    const char *text = json_str(annotation_of(o, DOMAIN "token-expiration"), NULL);
    int64_t seconds;
    if (text && str_to_int64(text, &seconds)) *out = MAX(seconds, MIN_EXPIRATION);
}

/* Go's ParseBool; other texts change nothing. */
static void read_bool(const struct json *o, const char *name, bool *out) {
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL}, *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};
    const char *text = json_str(annotation_of(o, name), NULL);
    if (str_in(text, yes)) *out = true;
    if (str_in(text, no)) *out = false;
}

static const char *const *read_skipped(struct arena *a, const struct json *pod) {
    const char *text = json_str_or(annotation_of(pod, DOMAIN "skip-containers"), NULL, "");
    const char *const *out = NULL;
    while (*text) out = strings_add(a, out, csv_field(a, &text));
    return out;
}

/* ---- containers ---- */

static const struct json *env_of(const struct json *container, const char *name) {
    JSON_EACH(e, json_member(container, "env")) {
        if (json_str_is(e, "name", name)) return e;
    }
    return NULL;
}
static bool has_env(const struct json *container, const char *a, const char *b) { return env_of(container, a) || env_of(container, b); }

static const struct json *with_env(struct arena *a, const struct json *container, const char *name, const char *value) {
    const struct json *env = json_member(container, "env");
    return json_with_member(a, container, "env", json_append(a, env ? env : &json_empty_array, json_make(a, "{'name':%s,'value':%s}", name, value)));
}

static const struct json *with_mount(const struct injection *in, const struct json *container) {
    const struct json *mounts = json_member(container, "volumeMounts");
    JSON_EACH(m, mounts) {
        if (json_str_is(m, "name", in->volume)) return container;
    }
    const struct json *mount = json_make(in->a, "{'name':%s,'readOnly':true,'mountPath':%s}", in->volume, in->mount_path);
    return json_with_member(in->a, container, "volumeMounts", json_append(in->a, mounts ? mounts : &json_empty_array, mount));
}

static const struct json *with_credentials(const struct injection *in, const struct json *c) {
    const char *token = arena_printf(in->a, "%s/%s", in->mount_path, in->token_name);
    if (in->role_arn) {
        c = with_env(in->a, c, "AWS_ROLE_ARN", in->role_arn);
        return with_env(in->a, c, "AWS_WEB_IDENTITY_TOKEN_FILE", token);
    }
    c = with_env(in->a, c, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
    return with_env(in->a, c, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
}

/* Where the platform's own endpoint is, and whom to trust there; what the container sets itself stays. */
static const struct json *with_endpoint(const struct injection *in, const struct json *c) {
    static const char *const bundles[] = {"AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"};
    if (in->identity.endpoint_url == NULL || env_of(c, "AWS_ENDPOINT_URL")) return c;
    c = with_env(in->a, c, "AWS_ENDPOINT_URL", in->identity.endpoint_url);
    for (size_t i = 0; in->identity.cluster_ca && i < ARRAY_LEN(bundles); i++) {
        if (!env_of(c, bundles[i])) c = with_env(in->a, c, bundles[i], arena_printf(in->a, "%s/ca.crt", in->mount_path));
    }
    return c;
}

static const struct json *inject(const struct injection *in, const struct json *c) {
    if (in->skip && str_in(json_str_or(c, "name", ""), in->skip)) return c;
    bool own = in->role_arn ? has_env(c, "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
                            : has_env(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    bool region = has_env(c, "AWS_REGION", "AWS_DEFAULT_REGION"), sts = env_of(c, "AWS_STS_REGIONAL_ENDPOINTS") != NULL;
    if (own && region && sts) return c;
    if (!sts && in->regional_sts) c = with_env(in->a, c, "AWS_STS_REGIONAL_ENDPOINTS", "regional");
    if (!region && in->identity.region) {
        c = with_env(in->a, c, "AWS_DEFAULT_REGION", in->identity.region);
        c = with_env(in->a, c, "AWS_REGION", in->identity.region);
    }
    if (!own) c = with_endpoint(in, with_credentials(in, c));
    return with_mount(in, c);
}

/* ---- the pod ---- */

static const struct json *token_volume(const struct injection *in) {
    const struct json *ca = in->identity.endpoint_url && in->identity.cluster_ca
                                ? json_make(in->a, "{'configMap':{'name':'kube-root-ca.crt','items':[{'key':'ca.crt','path':'ca.crt'}]}}") : NULL;
    return json_make(in->a, "{'name':%s,'projected':{'sources':[{'serviceAccountToken':{'audience':%s,'expirationSeconds':%ld,'path':%s}},%v],'defaultMode':420}}",
                     in->volume, in->audience, in->expiration, in->token_name, ca);
}

static const struct json *with_volume(const struct injection *in, const struct json *pod) {
    struct json_array out = {.arena = in->a};
    json_array_add(&out, token_volume(in));
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        if (json_str_is(v, "name", in->volume)) return pod;
        json_array_add(&out, v);
    }
    return json_with(in->a, pod, "spec.volumes", json_array_done(&out));
}

static const struct json *with_identity(const struct injection *in, const struct json *pod) {
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json_array out = {.arena = in->a};
        JSON_EACH(container, json_get(pod, lists[i])) json_array_add(&out, inject(in, container));
        if (out.len > 0) pod = json_with(in->a, pod, lists[i], json_array_done(&out));
    }
    if (in->role_arn == NULL) {
        const struct json *labels = json_get(pod, "metadata.labels");
        pod = json_with(in->a, pod, "metadata.labels", json_with_member(in->a, labels ? labels : &json_empty_object, DOMAIN "pod-identity", json_string(in->a, "enabled")));
    }
    return with_volume(in, pod);
}

/* So that a cluster's tokens are not all renewed at the same time. */
static int64_t jittered(int64_t seconds) {
    uint32_t random;
    random_bytes(&random, sizeof(random));
    return seconds == DEFAULT_EXPIRATION ? JITTERED_MINIMUM + random % (DEFAULT_EXPIRATION - JITTERED_MINIMUM + 1) : seconds;
}

static void read_injection(struct injection *in, const struct json *pod, const struct json *account) {
    in->regional_sts = true; /* as EKS runs its webhook */
    in->expiration = DEFAULT_EXPIRATION;
    read_bool(account, DOMAIN "sts-regional-endpoints", &in->regional_sts);
    read_expiration(account, &in->expiration);
    read_expiration(pod, &in->expiration);
    in->skip = read_skipped(in->a, pod);
    if (in->identity.associated) {
        in->expiration = jittered(in->expiration);
        in->volume = in->token_name = "eks-pod-identity-token";
        in->mount_path = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount";
        in->audience = "pods.eks.amazonaws.com";
        return;
    }
    const char *role = json_str(annotation_of(account, DOMAIN "role-arn"), NULL), *audience = json_str(annotation_of(account, DOMAIN "audience"), NULL);
    in->role_arn = role && *role ? arena_strdup(in->a, role) : NULL;
    in->volume = "aws-iam-token";
    in->token_name = "token";
    in->mount_path = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    in->audience = arena_strdup(in->a, audience ? audience : "sts.amazonaws.com");
}

struct error *pod_identity(struct change *c) {
    struct apiserver *s = c->r->server;
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE || annotation_of(c->object, "kubernetes.io/config.mirror")) return NULL;
    if (json_member(json_get(c->object, "metadata.labels"), SKIP_LABEL)) return NULL;
    const char *name = json_str_or(c->object, "spec.serviceAccountName", "");
    cleanup_doc struct doc *account = registry_get(s, &resource_serviceaccounts, c->ns, name);
    if (account == NULL) return NULL;
    struct injection in = {.a = c->r->arena};
    if (s->pod_identity.fn) s->pod_identity.fn(in.a, c->ns, name, &in.identity, s->pod_identity.arg);
    read_injection(&in, c->object, account->root);
    if (in.role_arn || in.identity.associated) c->object = with_identity(&in, c->object);
    return NULL;
}
