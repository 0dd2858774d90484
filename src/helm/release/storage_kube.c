/* Releases in Secrets and ConfigMaps: one object per revision, labelled for queries. The two drivers differ in their resource, in how
 * data is held and in how much of an error they say. */
#include "base/str.h"
#include "helm/release/storage.h"

static bool in_secrets(const struct storage *s) { return s->driver == &storage_secrets; }
static const struct resource *resource_of(const struct storage *s) { return in_secrets(s) ? &resource_secrets : &resource_configmaps; }
static const char *ns_or_all(const struct storage *s) { return *s->ns ? s->ns : NULL; }

static struct error *wrapped(const struct storage *s, struct error *e, const char *context) {
    return e && in_secrets(s) ? error_wrap(e, "%s", context) : e;
}

/* ---- to objects ---- */

static const struct json *labels_of(struct arena *a, const struct release *r, const char *stamp) {
    const struct json *labels = &json_empty_object;
    JSON_EACH_MEMBER(m, r->labels) labels = json_with_member(a, labels, m->key, &m->value);
    labels = json_with_member(a, labels, stamp, json_strf(a, "%lld", (long long)(clock_wall(&clock_real) / NSEC_PER_SEC)));
    labels = json_with_member(a, labels, "name", json_string(a, r->name));
    labels = json_with_member(a, labels, "owner", json_string(a, "helm"));
    labels = json_with_member(a, labels, "status", json_string(a, r->status_text));
    return json_with_member(a, labels, "version", json_strf(a, "%lld", (long long)r->version));
}

static struct error *object_of(struct storage *s, const char *key, const struct release *r, const char *stamp, const struct json **out) {
    struct arena *a = s->arena;
    const char *text;
    cleanup_buf struct buf coded = {0};
    TRY(release_encode(a, r, &text));
    base64_encode(&coded, text, strlen(text));
    bool secret = in_secrets(s);
    *out = json_make(a, "{'apiVersion':'v1','kind':%s,'metadata':{'name':%s,'labels':%v},'type':%s,'data':{'release':%s}}",
                     secret ? "Secret" : "ConfigMap", key, labels_of(a, r, stamp), secret ? "helm.sh/release.v1" : NULL,
                     secret ? buf_str(&coded) : text);
    return NULL;
}

static struct error *create(struct storage *s, const char *key, const struct release *r) {
    struct client *c;
    const struct json *o;
    TRY(object_of(s, key, r, "createdAt", &o));
    TRY(kube_client(s->kube, &c));
    struct error *e = client_create(c, resource_of(s), s->ns, o, NULL);
    if (!error_is(e, "AlreadyExists")) return wrapped(s, e, "create: failed to create");
    error_free(e);
    return error_api(0, STORAGE_EXISTS, "release: already exists");
}

static struct error *update(struct storage *s, const char *key, const struct release *r) {
    struct client *c;
    const struct json *o;
    TRY(object_of(s, key, r, "modifiedAt", &o));
    TRY(kube_client(s->kube, &c));
    return wrapped(s, client_update(c, resource_of(s), s->ns, key, NULL, o, NULL), "update: failed to update");
}

/* ---- from objects ---- */

static struct error *read_record(struct storage *s, const struct json *o, struct release *out) {
    struct arena *a = s->arena;
    const char *text = json_str_or(o, "data.release", "");
    size_t len = strlen(text);
    char *plain;
    if (in_secrets(s)) {
        if (!base64_decode(a, text, len, &plain, &len)) return error_new("illegal base64 data at input byte 0");
        text = plain;
    }
    return release_decode(a, text, len, out);
}

static const struct json *own_labels(struct arena *a, const struct json *labels) {
    const struct json *own = &json_empty_object;
    JSON_EACH_MEMBER(m, labels)
        if (!storage_is_system_label(m->key)) own = json_with_member(a, own, m->key, &m->value);
    return json_copy(a, own);
}

static struct error *get(struct storage *s, const char *key, struct release *out) {
    struct client *c;
    cleanup_doc struct doc *d = NULL;
    TRY(kube_client(s->kube, &c));
    struct error *e = client_get(c, resource_of(s), s->ns, key, &d);
    if (error_is(e, "NotFound")) {
        error_free(e);
        return error_api(0, STORAGE_NOT_FOUND, "release: not found");
    }
    if (e) return in_secrets(s) ? error_wrap(e, "get: failed to get \"%s\"", key) : e;
    e = read_record(s, d->root, out);
    if (e) return in_secrets(s) ? error_wrap(e, "get: failed to decode data \"%s\"", key) : e;
    out->labels = own_labels(s->arena, json_get(d->root, "metadata.labels"));
    return NULL;
}

/* The labels of queried releases are all that the object has, as in helm: `list --selector` sees the record's own too. */
static struct error *query(struct storage *s, const char *selector, struct release_list *out) {
    struct client *c;
    cleanup_doc_list struct doc_list all = {0};
    TRY(kube_client(s->kube, &c));
    struct error *e = client_list(c, resource_of(s), ns_or_all(s), selector, NULL, &all, NULL);
    if (e) return wrapped(s, e, strcmp(selector, "owner=helm") == 0 ? "list: failed to list" : "query: failed to query with labels");
    for (size_t i = 0; i < all.len; i++) {
        struct release *r = ARENA_NEW(s->arena, struct release);
        e = read_record(s, all.items[i]->root, r);
        if (e) {
            kube_log(s->kube, "query: failed to decode release: %s", e->message);
            error_free(e);
            continue;
        }
        r->labels = json_copy(s->arena, json_get(all.items[i]->root, "metadata.labels"));
        release_list_add(s->arena, out, r);
    }
    return NULL;
}

static struct error *remove_record(struct storage *s, const char *key, const char *name UNUSED) {
    struct client *c;
    struct release ignored;
    TRY(get(s, key, &ignored));
    TRY(kube_client(s->kube, &c));
    return client_delete(c, resource_of(s), s->ns, key, &(struct delete_options){.grace_period = -1});
}

const struct storage_driver storage_secrets = {"Secret", get, query, create, update, remove_record};
const struct storage_driver storage_configmaps = {"ConfigMap", get, query, create, update, remove_record};
