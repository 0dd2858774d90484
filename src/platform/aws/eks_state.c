/* EKS's objects in the store, and the view that readers share. */
#include "base/log.h"
#include "base/str.h"
#include "client/object.h"
#include "net/http_client.h"
#include "net/issuer_keys.h"
#include "platform/aws/eks_internal.h"
#include <ctype.h>
#include <stdio.h>

#define LOG_COMPONENT "eks"
#define TYPE "coracle.io/aws-eks"
#define KIND_LABEL "coracle.io/aws-eks"

static const char *const kinds[EKS_KINDS] = {"cluster", "access-entry", "pod-identity", "identity-provider", "nodegroup"};

/* ---- the view ---- */

void eks_view_unref(struct eks_view *v) {
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1) return;
    map_free(&v->entries, NULL);
    doc_list_free(&v->docs);
    arena_free(&v->arena);
    free(v);
}

static const struct json *stored_json(struct arena *a, const struct json *secret) {
    const char *data = json_str(json_get(secret, "data.json"), NULL);
    const struct json *v = NULL;
    char *text;
    size_t n;
    if (data == NULL || !base64_decode(a, data, strlen(data), &text, &n)) return NULL;
    cleanup_error struct error *e = json_parse(a, text, n, NULL, NULL, &v);
    return e ? NULL : v;
}

static int by_key(const void *x, const void *y) { return strcmp(((const struct eks_object *)x)->key, ((const struct eks_object *)y)->key); }

static void add_object(struct eks_view *v, const struct json *secret, size_t room) {
    const char *kind = json_str(json_member(object_labels(secret), KIND_LABEL), NULL);
    for (size_t i = 0; i < EKS_KINDS; i++) {
        if (!str_eq(kind, kinds[i])) continue;
        const struct json *stored = stored_json(&v->arena, secret);
        const char *key = json_str(stored, "key");
        if (key == NULL) return;
        if (v->kinds[i].items == NULL) v->kinds[i].items = arena_calloc(&v->arena, room, sizeof(struct eks_object));
        v->kinds[i].items[v->kinds[i].count++] = (struct eks_object){key, json_member(stored, "object")};
    }
}

static void index_entries(struct eks_view *v) {
    for (size_t i = 0; i < v->kinds[EKS_ACCESS_ENTRY].count; i++) {
        struct eks_object *o = &v->kinds[EKS_ACCESS_ENTRY].items[i];
        const char *bare = arn_without_path(&v->arena, o->key);
        map_set(&v->entries, o->key, o);
        if (!map_has(&v->entries, bare)) map_set(&v->entries, bare, o);
    }
}

static struct eks_view *compile(struct eks *e) {
    struct eks_view *v = xcalloc(1, sizeof(*v));
    cleanup_doc_list struct doc_list secrets = {0};
    v->refs = 1;
    cache_list(e->aws->cache, &resource_secrets, AWS_NAMESPACE, &secrets);
    for (size_t i = 0; i < secrets.len; i++) {
        if (json_str_is(secrets.items[i]->root, "type", TYPE)) add_object(v, secrets.items[i]->root, secrets.len);
    }
    for (size_t i = 0; i < EKS_KINDS; i++) {
        if (v->kinds[i].count > 1) qsort(v->kinds[i].items, v->kinds[i].count, sizeof(struct eks_object), by_key);
    }
    index_entries(v);
    struct doc *aws_auth = cache_get(e->aws->cache, &resource_configmaps, "kube-system", "aws-auth");
    if (aws_auth != NULL) aws_auth_read(v, aws_auth->root);
    doc_unref(aws_auth);
    return v;
}

struct eks_view *eks_view(struct eks *e) {
    pthread_mutex_lock(&e->lock);
    if (atomic_exchange(&e->changed, false) || e->view == NULL) {
        eks_view_unref(e->view);
        e->view = compile(e);
    }
    struct eks_view *v = e->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&e->lock);
    return v;
}

const struct eks_object *eks_find(const struct eks_view *v, enum eks_kind kind, const char *key) {
    struct eks_object wanted = {.key = key};
    if (v->kinds[kind].count == 0) return NULL;
    return bsearch(&wanted, v->kinds[kind].items, v->kinds[kind].count, sizeof(wanted), by_key);
}

const char *eks_authentication_mode(const struct eks_view *v) {
    const struct eks_object *o = eks_find(v, EKS_CLUSTER, "config");
    return json_str_or(o ? o->json : NULL, "authenticationMode", "API_AND_CONFIG_MAP");
}

static void on_event(const struct resource *r, struct doc *before, struct doc *after, void *arg) {
    const struct doc *d = after ? after : before;
    bool ours = r == &resource_secrets ? str_eq(doc_namespace(d), AWS_NAMESPACE) && json_str_is(d->root, "type", TYPE)
                                       : str_eq(doc_namespace(d), "kube-system") && str_eq(doc_name(d), "aws-auth");
    if (ours) atomic_store(&((struct eks *)arg)->changed, true);
}

/* ---- writing ---- */

static const char *secret_name(struct arena *a, enum eks_kind kind, const char *key) {
    uint8_t sum[32];
    cleanup_buf struct buf hex = {0};
    sha256(key, strlen(key), sum);
    hex_encode(&hex, sum, 12);
    return arena_printf(a, "eks-%s-%s", kinds[kind], hex.data);
}

static const struct json *secret_data(struct arena *a, const char *key, const struct json *json) {
    cleanup_buf struct buf encoded = {0};
    const char *text = json_text(a, json_make(a, "{'key':%s,'object':%v}", key, json));
    base64_encode(&encoded, text, strlen(text));
    return json_make(a, "{'json':%s}", encoded.data);
}

static struct error *create_object(struct client *c, enum eks_kind kind, const char *key, const struct json *json) {
    cleanup_arena struct arena a = {0};
    return client_create(c, &resource_secrets, AWS_NAMESPACE,
                         json_make(&a, "{'metadata':{'name':%s,'labels':{'" KIND_LABEL "':%s}},'type':'" TYPE "','data':%v}", secret_name(&a, kind, key), kinds[kind],
                                   secret_data(&a, key, json)), NULL);
}

struct error *eks_create(struct eks *e, enum eks_kind kind, const char *key, const struct json *json) {
    TRY(create_object(e->aws->client, kind, key, json));
    atomic_store(&e->changed, true);
    return NULL;
}

struct change {
    eks_change_fn *fn;
    void *arg;
    const char *key;
};

static const struct json *change_secret(struct arena *a, struct doc *current, void *arg) {
    const struct change *c = arg;
    const struct json *stored = stored_json(a, current->root), *next = c->fn(a, json_member(stored, "object"), c->arg);
    return next ? json_with_member(a, current->root, "data", secret_data(a, c->key, next)) : NULL;
}

struct error *eks_change(struct eks *e, enum eks_kind kind, const char *key, eks_change_fn *change, void *arg) {
    cleanup_arena struct arena a = {0};
    struct change c = {change, arg, key};
    TRY(client_modify(e->aws->client, &resource_secrets, AWS_NAMESPACE, secret_name(&a, kind, key), NULL, change_secret, &c, NULL));
    atomic_store(&e->changed, true);
    return NULL;
}

struct error *eks_remove(struct eks *e, enum eks_kind kind, const char *key) {
    cleanup_arena struct arena a = {0};
    TRY(client_delete(e->aws->client, &resource_secrets, AWS_NAMESPACE, secret_name(&a, kind, key), &(struct delete_options){0}));
    atomic_store(&e->changed, true);
    return NULL;
}

struct error *eks_admit_admin(struct client *c, const char *principal_arn) {
    cleanup_arena struct arena a = {0};
    int64_t now = clock_wall(c->clock ? c->clock : &clock_real) / NSEC_PER_SEC;
    const struct json *policy = json_make(&a, "{'policyArn':'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy','accessScope':{'type':'cluster','namespaces':[]},"
                                              "'associatedAt':%ld,'modifiedAt':%ld}", now, now);
    const struct json *entry = json_make(&a, "{'principalArn':%s,'kubernetesGroups':[],'type':'STANDARD','createdAt':%ld,'modifiedAt':%ld,'tags':{},'policies':[%v]}",
                                         principal_arn, now, now, policy);
    struct error *e = create_object(c, EKS_ACCESS_ENTRY, ascii_lower(&a, principal_arn), entry);
    if (error_is(e, "AlreadyExists")) return error_free(e), NULL;
    return e;
}

/* ---- opening ---- */

static void copy_config(struct eks *e, const struct eks_config *c) {
    struct arena *a = &e->arena;
    size_t n = 0;
    e->config = *c;
    const char **copies[] = {&e->config.cluster, &e->config.endpoint, &e->config.ca_pem, &e->config.issuer, &e->config.service_cidr, &e->config.version};
    for (size_t i = 0; i < ARRAY_LEN(copies); i++) *copies[i] = arena_strdup(a, *copies[i]);
    e->config.partition = arena_strdup(a, c->partition ? c->partition : "aws");
    while (c->own_hosts && c->own_hosts[n]) n++;
    const char **hosts = arena_calloc(a, n + 1, sizeof(*hosts));
    for (size_t i = 0; i < n; i++) hosts[i] = arena_strdup(a, c->own_hosts[i]);
    e->config.own_hosts = hosts;
}

static struct error *ensure_cluster(struct eks *e) {
    cleanup_arena struct arena a = {0};
    const struct json *config = json_make(&a, "{'authenticationMode':'API_AND_CONFIG_MAP','createdAt':%ld,'tags':{}}", clock_wall(e->aws->clock) / NSEC_PER_SEC);
    struct error *err = create_object(e->aws->client, EKS_CLUSTER, "config", config);
    if (error_is(err, "AlreadyExists")) return error_free(err), NULL;
    return err;
}

struct error *eks_open(const struct eks_config *c, struct eks **out) {
    struct eks *e = xcalloc(1, sizeof(*e));
    e->aws = c->aws;
    e->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    copy_config(e, c);
    eks_policies_compile(e);
    e->signed_in = signin_cache_new();
    struct error *err = ensure_cluster(e);
    if (err == NULL && c->real && c->client_loop) {
        err = tls_config_client(&(struct tls_options){0}, &e->tls);
        if (err == NULL) e->http = http_client_new(c->client_loop);
    }
    if (e->http != NULL) e->foreign_keys = issuer_keys_new(e->http, e->tls, c->aws->clock);
    if (err != NULL) return eks_close(e), err;
    cache_add(c->aws->cache, &resource_secrets, NULL);
    cache_add(c->aws->cache, &resource_configmaps, NULL);
    e->subscriptions[0] = cache_subscribe(c->aws->cache, &resource_secrets, on_event, e);
    e->subscriptions[1] = cache_subscribe(c->aws->cache, &resource_configmaps, on_event, e);
    c->aws->eks = e;
    *out = e;
    return NULL;
}

void eks_close(struct eks *e) {
    if (e == NULL) return;
    for (size_t i = 0; i < ARRAY_LEN(e->subscriptions); i++) {
        if (e->subscriptions[i] != NULL) cache_unsubscribe(e->subscriptions[i]);
    }
    if (e->http != NULL) http_client_close(e->http);
    tls_config_unref(e->tls);
    signin_cache_free(e->signed_in);
    issuer_keys_free(e->foreign_keys);
    eks_view_unref(e->view);
    arena_free(&e->arena);
    free(e);
}
