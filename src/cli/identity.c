#include "cli/identity.h"
#include "base/str.h"
#include "platform/aws/instance_metadata.h"

struct identity {
    struct arena arena;
    struct apiserver *api;
    struct aws *aws;
    struct eks *eks;
    const char *pods_url; /* NULL: not told to pods */
    bool tls;
    struct instance_metadata_options metadata;
};

struct error *identity_exchange(struct arena *a, const char *token, const struct json **out, void *arg) {
    return eks_pod_credentials(((struct identity *)arg)->eks, a, token, out);
}

struct error *identity_describe_node(struct identity *i, struct arena *a, const char *node_name, const struct json **out) {
    return instance_metadata(i->aws, a, node_name, &i->metadata, out);
}

/* ---- what further nodes' agents ask; short enough for the loop ---- */

/* Takes the error. */
static void reply_json(struct http_exchange *x, struct error *e, const struct json *out) {
    struct arena *a = &x->arena;
    if (e != NULL && e->code == 0) e->code = 400;
    if (e != NULL) out = json_make(a, "{'kind':'Status','apiVersion':'v1','status':'Failure','reason':%s,'message':%s,'code':%d}", e->reason ? e->reason : "BadRequest", e->message, e->code);
    const char *text = json_text(a, out);
    http_reply(x, e ? e->code : 200, (struct http_header[]){{"content-type", "application/json"}}, 1, text, strlen(text), NULL, NULL);
    error_free(e);
}

/* {"token": …} */
static void serve_exchange(struct http_exchange *x, void *arg) {
    const struct json *body = NULL, *out = NULL;
    struct error *e = json_parse(&x->arena, x->body ? x->body : "", x->body_len, &(struct json_limits){.max_depth = 4, .max_elements = 10}, NULL, &body);
    if (e == NULL) e = identity_exchange(&x->arena, json_str_or(body, "token", ""), &out, arg);
    reply_json(x, e, out);
}

/* The node is who the client certificate says, and nothing in the request: credentials of a node are for itself. */
static const char *node_of_peer(const struct http_peer *p) {
    bool node = p && p->common_name && p->organizations && str_starts(p->common_name, "system:node:") && str_in("system:nodes", p->organizations);
    return node ? p->common_name + strlen("system:node:") : NULL;
}

static void serve_metadata(struct http_exchange *x, void *arg) {
    const char *node = node_of_peer(x->peer);
    const struct json *out = NULL;
    if (node == NULL) return reply_json(x, error_api(403, "Forbidden", "instance metadata is given to nodes that show their client certificate"), NULL);
    struct error *e = identity_describe_node(arg, &x->arena, node, &out);
    reply_json(x, e, out);
}

/* ---- what the API server asks ---- */

static bool sign_in(struct arena *a, const char *token, struct user *out, const char **why, void *arg) {
    struct identity *i = arg;
    struct eks_user u;
    if (!eks_sign_in(i->eks, a, token, &u, why)) return false;
    struct user_extra *extra = arena_calloc(a, u.extra_count, sizeof(*extra));
    for (size_t k = 0; k < u.extra_count; k++) {
        const char **values = arena_calloc(a, 2, sizeof(*values));
        values[0] = u.extra[k].value;
        extra[k] = (struct user_extra){u.extra[k].key, values};
    }
    *out = (struct user){.name = u.name, .uid = u.uid, .groups = u.groups, .extra = extra, .extra_count = u.extra_count};
    return true;
}

static const char *extra_of(const struct user *u, const char *key) {
    for (size_t i = 0; i < u->extra_count; i++) {
        if (strcmp(u->extra[i].key, key) == 0) return u->extra[i].values[0];
    }
    return NULL;
}

static const struct user_grant *grants_of(struct arena *a, const struct user *u, size_t *count, void *arg) {
    struct identity *i = arg;
    const char *arn = extra_of(u, "canonicalArn");
    const struct eks_grant *grants;
    size_t n = arn && str_starts(u->uid, "aws-iam-authenticator:") ? eks_grants(i->eks, a, arn, &grants) : 0;
    struct user_grant *out = arena_calloc(a, n + 1, sizeof(*out));
    for (size_t k = 0; k < n; k++) {
        out[k] = (struct user_grant){.source = "EKS Access Policy", .binding = grants[k].binding, .role = grants[k].role, .rules = grants[k].rules, .ns = grants[k].ns};
    }
    *count = n;
    return out;
}

static void pod_identity(struct arena *a, const char *ns, const char *account, struct pod_identity *out, void *arg) {
    struct identity *i = arg;
    *out = (struct pod_identity){.region = i->aws->region, .endpoint_url = i->pods_url, .cluster_ca = i->pods_url && i->tls,
                                 .associated = eks_associated_role(i->eks, a, ns, account) != NULL};
}

static bool identity_provider(struct arena *a, struct oidc_provider *out, void *arg) {
    static const char *const algs[] = {"RS256", "ES256", NULL};
    const struct json *o = eks_identity_provider(((struct identity *)arg)->eks, a);
    *out = (struct oidc_provider){json_str(o, "issuerUrl"), json_str(o, "clientId"), json_str(o, "usernameClaim"), json_str(o, "usernamePrefix"), json_str(o, "groupsClaim"),
                                  json_str(o, "groupsPrefix"), json_member(o, "requiredClaims"), algs};
    return o != NULL;
}

/* ---- what the AWS side asks ---- */

static enum eks_issued check_issued(struct arena *a, const char *token, const char **why, void *arg) {
    switch (apiserver_check_issued_token(((struct identity *)arg)->api, a, token, why)) {
    case TOKEN_GOOD: return EKS_TOKEN_GOOD;
    case TOKEN_REVOKED: return EKS_TOKEN_REVOKED;
    case TOKEN_FORGED: break;
    }
    return EKS_TOKEN_FORGED;
}

/* The endpoint by every name of this machine, as sign-in tokens may call it. */
static const char *const *own_hosts(struct arena *a, const struct identity_config *c) {
    static const char *const local[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    const char *authority = strstr(c->aws_url, "://") + 3, *port = strrchr(authority, ':') + 1;
    size_t n = 0, count = 0;
    while (c->names[n]) n++;
    const char **out = arena_calloc(a, n + ARRAY_LEN(local) + 2, sizeof(*out));
    out[count++] = arena_strdup(a, authority);
    for (size_t i = 0; local[i]; i++) out[count++] = arena_printf(a, "%s:%s", local[i], port);
    for (size_t i = 0; i < n; i++) out[count++] = arena_printf(a, strchr(c->names[i], ':') ? "[%s]:%s" : "%s:%s", c->names[i], port);
    return out;
}

struct error *identity_start(const struct identity_config *c, struct identity **out) {
    struct identity *i = *out = xcalloc(1, sizeof(*i));
    i->api = c->api;
    i->aws = c->aws;
    i->tls = c->options->tls;
    i->metadata = (struct instance_metadata_options){!c->options->real, c->options->pod_metadata, c->options->metadata_v1}; /* genuine AWS: the machine's own service stays */
    i->pods_url = c->options->pod_endpoint ? arena_strdup(&i->arena, c->aws_url) : NULL;
    struct eks_config e = {.aws = c->aws, .cluster = c->options->cluster_name, .endpoint = c->endpoint, .ca_pem = c->ca_pem, .issuer = apiserver_issuer(c->api), .service_cidr = c->service_cidr,
                           .version = "1.35", .check_issued = check_issued, .arg = i, .own_hosts = own_hosts(&i->arena, c), .real = c->options->real,
                           .partition = c->options->partition, .client_loop = c->client_loop};
    TRY(eks_open(&e, &i->eks));
    apiserver_add_token_authenticator(c->api, &(struct apiserver_token_authenticator){.prefix = "k8s-aws-v1.", .authenticate = sign_in, .blocks = c->options->real, .arg = i});
    apiserver_add_grants(c->api, grants_of, i);
    apiserver_set_pod_identity(c->api, pod_identity, i);
    apiserver_add_path(c->api, POD_CREDENTIALS_PATH, serve_exchange, i);
    apiserver_add_path(c->api, INSTANCE_METADATA_PATH, serve_metadata, i);
    return apiserver_add_oidc(c->api, identity_provider, i);
}

void identity_free(struct identity *i) {
    if (i == NULL) return;
    eks_close(i->eks);
    arena_free(&i->arena);
    free(i);
}
