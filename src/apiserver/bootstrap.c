/* Objects that every cluster has: those of api/bootstrap, adapted to this server's addresses, the configuration for
 * extension servers, and the kubernetes service's endpoints, which follow the advertised address. */
#include "apiserver/bootstrap.h"
#include "apiserver/parts.h"
#include "schema/ip.h"

struct boot {
    struct apiserver *server;
    struct arena arena;
    struct store_op *ops;
    size_t len, cap;
    const char *first_ip; /* of the service range */
};

static const struct json *stamped(struct boot *b, const struct json *o) {
    struct arena *a = &b->arena;
    char uid[37], time[TIME_STRING_MAX];
    uuid_v4(uid);
    o = with_meta(a, o, "uid", json_string(a, uid));
    return with_meta(a, o, "creationTimestamp", json_string(a, time_format(time, clock_wall(b->server->clock))));
}

static void add(struct boot *b, const struct resource *r, const struct json *o, struct doc *old) {
    if (b->len == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 256;
        b->ops = xrealloc(b->ops, b->cap * sizeof(*b->ops));
    }
    const char *key = key_for(&b->arena, r, meta_str(o, "namespace"), meta_str(o, "name"));
    b->ops[b->len++] = (struct store_op){table_of(b->server, r), key, doc_new(o), old ? old->revision : 0};
}

/* ---- what depends on this server ---- */

static const struct json *adapt_service(struct boot *b, const struct json *o) {
    struct arena *a = &b->arena;
    bool v6 = strchr(b->first_ip, ':') != NULL;
    o = json_with(a, o, "spec.clusterIP", json_string(a, b->first_ip));
    o = json_with(a, o, "spec.clusterIPs", json_make(a, "[%s]", b->first_ip));
    if (v6) o = json_with(a, o, "spec.ipFamilies", json_make(a, "['IPv6']"));
    const struct json *port = json_with_member(a, json_at(json_get(o, "spec.ports"), 0), "targetPort", json_integer(a, b->server->config.secure_port));
    return json_with(a, o, "spec.ports", json_append(a, &json_empty_array, port));
}

static const struct json *adapt_address(struct boot *b, const struct json *o) {
    struct arena *a = &b->arena;
    bool v6 = strchr(b->first_ip, ':') != NULL;
    o = with_meta(a, o, "name", json_string(a, b->first_ip));
    if (v6) o = json_with(a, o, "metadata.labels", json_make(a, "{'ipaddress.kubernetes.io/ip-family':'IPv6','ipaddress.kubernetes.io/managed-by':'ipallocator.k8s.io'}"));
    return o;
}

static const struct json *adapt_range(struct boot *b, const struct json *o) {
    struct json_array cidrs = {.arena = &b->arena};
    for (const char *const *c = b->server->config.service_cidrs; *c; c++) json_array_add(&cidrs, json_string(&b->arena, *c));
    o = json_with(&b->arena, o, "spec.cidrs", json_array_done(&cidrs));
    return json_with(&b->arena, o, "status.conditions", json_make(&b->arena, "[{'type':'Ready','status':'True','lastTransitionTime':%s,'reason':'','message':'Kubernetes Service CIDR is ready'}]",
                                                                    "2026-01-01T00:00:00Z"));
}

static const struct json *adapt_endpoints(struct boot *b, const struct json *o) {
    const struct apiserver_config *c = &b->server->config;
    if (c->advertise_address == NULL) return NULL;
    return json_with(&b->arena, o, "subsets", json_make(&b->arena, "[{'addresses':[{'ip':%s}],'ports':[{'name':'https','port':%d,'protocol':'TCP'}]}]", c->advertise_address, c->secure_port));
}

static const struct json *adapt_slice(struct boot *b, const struct json *o) {
    const struct apiserver_config *c = &b->server->config;
    if (c->advertise_address == NULL) return NULL;
    o = json_with(&b->arena, o, "addressType", json_string(&b->arena, strchr(c->advertise_address, ':') ? "IPv6" : "IPv4"));
    o = json_with(&b->arena, o, "endpoints", json_make(&b->arena, "[{'addresses':[%s],'conditions':{'ready':true}}]", c->advertise_address));
    return json_with(&b->arena, o, "ports", json_make(&b->arena, "[{'name':'https','port':%d,'protocol':'TCP'}]", c->secure_port));
}

static const struct json *adapt_apiservice(struct boot *b, const struct json *o) {
    char now[TIME_STRING_MAX];
    return json_with(&b->arena, o, "status.conditions", json_make(&b->arena, "[{'type':'Available','status':'True','lastTransitionTime':%s,'reason':'Local','message':'Local APIServices are always available'}]",
                                                                    time_format(now, clock_wall(b->server->clock))));
}

static const struct json *adapt_flow_schema(struct boot *b, const struct json *o) {
    char now[TIME_STRING_MAX];
    const struct json *list = json_append(&b->arena, &json_empty_array, flow_dangling(&b->arena, o, true, time_format(now, clock_wall(b->server->clock))));
    return json_with(&b->arena, o, "status.conditions", list);
}

/* `follows`: changed at every start to what this server is now. */
static const struct { const char *kind; const struct json *(*fn)(struct boot *, const struct json *); bool follows; } adapters[] = {
    {"Service", adapt_service, false}, {"IPAddress", adapt_address, false}, {"ServiceCIDR", adapt_range, false},
    {"Endpoints", adapt_endpoints, true}, {"EndpointSlice", adapt_slice, true}, {"APIService", adapt_apiservice, false},
    {"FlowSchema", adapt_flow_schema, false},
};

static const struct json *adapt(struct boot *b, const char *kind, const struct json *o, bool *follows) {
    *follows = false;
    for (size_t i = 0; i < ARRAY_LEN(adapters); i++) {
        if (strcmp(adapters[i].kind, kind) != 0) continue;
        *follows = adapters[i].follows;
        return adapters[i].fn(b, o);
    }
    return o;
}

static const struct json *keep_identity(struct boot *b, const struct json *o, const struct doc *old) {
    static const char *const kept[] = {"uid", "creationTimestamp"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) o = with_meta(&b->arena, o, kept[i], json_member(json_member(old->root, "metadata"), kept[i]));
    return o;
}

static bool same_but_revision(struct boot *b, const struct json *o, const struct doc *old) {
    return json_semantic_equal(o, without_meta(&b->arena, old->root, "resourceVersion"));
}

static struct error *add_object(struct boot *b, const struct bootstrap_object *in) {
    struct arena *a = &b->arena;
    const struct json *o;
    bool follows;
    TRY(json_parse(a, in->json, strlen(in->json), NULL, NULL, &o));
    const char *slash = strchr(in->api_version, '/');
    const char *group = slash ? arena_strndup(a, in->api_version, (size_t)(slash - in->api_version)) : "";
    const struct resource *r = resource_find_kind(group, slash ? slash + 1 : in->api_version, in->kind);
    if (r == NULL || (o = adapt(b, in->kind, o, &follows)) == NULL) return NULL;
    TRY(schema_decode(a, r->type, o, NULL, &o));
    o = schema_default(a, r, o);
    o = json_with_member(a, json_with_member(a, o, "kind", json_string(a, in->kind)), "apiVersion", json_string(a, in->api_version));
    cleanup_doc struct doc *old = store_get_head(b->server->store, table_of(b->server, r), key_for(a, r, meta_str(o, "namespace"), meta_str(o, "name")));
    if (old == NULL) return add(b, r, stamped(b, o), NULL), NULL;
    if (!follows) return NULL;
    o = keep_identity(b, o, old);
    if (!same_but_revision(b, o, old)) add(b, r, o, old);
    return NULL;
}

static struct error *add_authentication_config(struct boot *b) {
    const struct apiserver_config *c = &b->server->config;
    struct arena *a = &b->arena;
    const struct json *names = c->requestheader_ca ? json_make(a, "{'requestheader-allowed-names':'[\"front-proxy-client\"]','requestheader-client-ca-file':%s,'requestheader-extra-headers-prefix':'[\"X-Remote-Extra-\"]','requestheader-group-headers':'[\"X-Remote-Group\"]','requestheader-username-headers':'[\"X-Remote-User\"]'}", c->requestheader_ca) : &json_empty_object;
    if (c->client_ca) names = json_with_member(a, names, "client-ca-file", json_string(a, c->client_ca));
    const struct json *o = json_make(a, "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'extension-apiserver-authentication','namespace':'kube-system'},'data':%v}", names);
    cleanup_doc struct doc *old = store_get_head(b->server->store, table_of(b->server, &resource_configmaps), "kube-system/extension-apiserver-authentication");
    if (old == NULL) return add(b, &resource_configmaps, stamped(b, o), NULL), NULL;
    o = keep_identity(b, o, old);
    if (!same_but_revision(b, o, old)) add(b, &resource_configmaps, o, old);
    return NULL;
}

static const char *first_address(struct arena *a, const char *cidr) {
    struct ip ip;
    int bits;
    bool zeros;
    char text[IP_TEXT_MAX];
    if (!cidr_parse(cidr, &ip, &bits, &zeros)) return "10.96.0.1";
    ip = ip_masked(&ip, bits);
    ip.bytes[15]++;
    return arena_strdup(a, ip_format(text, &ip));
}

static struct error *commit(struct boot *b) {
    for (size_t i = 0; i < b->len; i += STORE_MAX_OPS) {
        uint64_t revision;
        TRY(store_commit_wait(b->server->store, b->ops + i, MIN(b->len - i, STORE_MAX_OPS), &revision));
    }
    return NULL;
}

struct error *bootstrap_run(struct apiserver *s) {
    struct boot b = {.server = s};
    struct error *e = NULL;
    b.first_ip = first_address(&b.arena, s->config.service_cidrs[0]);
    for (const struct bootstrap_object *o = bootstrap_objects; e == NULL && o->json; o++) e = add_object(&b, o);
    if (e == NULL) e = add_authentication_config(&b);
    if (e == NULL) e = commit(&b);
    for (size_t i = 0; i < b.len; i++) doc_unref(b.ops[i].value);
    free(b.ops);
    arena_free(&b.arena);
    return e ? error_wrap(e, "making the cluster's first objects") : NULL;
}
