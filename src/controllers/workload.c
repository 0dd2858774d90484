#include "controllers/workload.h"
#include "base/str.h"
#include <math.h>
#include <stdio.h>

/* ---- pods ---- */

const struct json *workload_pod(struct arena *a, const struct json *template, const char *prefix, const struct json *ref) {
    return json_make(a, "{'apiVersion':'v1','kind':'Pod','metadata':{'generateName':%s,'labels':%v,'annotations':%v,'finalizers':%v,'ownerReferences':[%v]},'spec':%v}",
                     arena_printf(a, "%s-", prefix), json_get(template, "metadata.labels"), json_get(template, "metadata.annotations"),
                     json_get(template, "metadata.finalizers"), ref, json_get(template, "spec"));
}

bool error_namespace_terminating(const struct error *e) {
    for (size_t i = 0; e && i < e->cause_count; i++) {
        if (str_eq(e->causes[i].reason, "NamespaceTerminating")) return true;
    }
    return false;
}

struct error *workload_create_pod(struct runner *r, const struct doc *owner, const struct json *pod) {
    cleanup_doc struct doc *created = NULL;
    struct error *e = client_create(r->client, &resource_pods, doc_namespace(owner), pod, &created);
    if (!e) recorder_event(r->events, owner->root, "Normal", "SuccessfulCreate", "Created pod: %s", doc_name(created));
    else if (!error_namespace_terminating(e)) recorder_event(r->events, owner->root, "Warning", "FailedCreate", "Error creating: %s", e->message);
    return e;
}

struct error *workload_delete_pod(struct runner *r, const struct doc *owner, const struct doc *pod) {
    struct delete_options o = {.grace_period = -1};
    struct error *e = client_delete(r->client, &resource_pods, doc_namespace(pod), doc_name(pod), &o);
    if (error_is(e, "NotFound")) return error_free(e), NULL;
    if (!e) recorder_event(r->events, owner->root, "Normal", "SuccessfulDelete", "Deleted pod: %s", doc_name(pod));
    else recorder_event(r->events, owner->root, "Warning", "FailedDelete", "Error deleting: %s", e->message);
    return e;
}

struct error *workload_slow_start(size_t count, struct error *(*fn)(size_t i, void *arg), void *arg) {
    struct error *first = NULL;
    size_t done = 0;
    for (size_t batch = 1; done < count && !first; batch *= 2) {
        for (size_t end = MIN(count, done + batch); done < end; done++) {
            struct error *e = fn(done, arg);
            if (first) error_free(e);
            else first = e;
        }
    }
    return first;
}

/* ---- selectors ---- */

const struct json *workload_selector(struct arena *a, const struct json *owner) {
    const struct json *s = json_get(owner, "spec.selector");
    return json_str_is(owner, "kind", "ReplicationController") ? json_make(a, "{'matchLabels':%v}", s) : s;
}

static bool same_owner_and_labels(const struct doc *before, const struct doc *after) {
    return before && json_semantic_equal(object_labels(before->root), object_labels(after->root)) &&
           json_semantic_equal(controller_of(before->root), controller_of(after->root));
}

void workload_orphan_keys(struct runner *r, const struct resource *owners, const struct doc *before, const struct doc *after) {
    if (!after || controller_of(after->root) || object_deleting(after->root) || same_owner_and_labels(before, after)) return;
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, owners, doc_namespace(after), &all);
    for (size_t i = 0; i < all.len; i++) {
        struct selector *s;
        struct error *e = label_selector_from_json(&a, workload_selector(&a, all.items[i]->root), &s);
        if (e) error_free(e);
        else if (!label_selector_empty(s) && label_selector_matches(s, object_labels(after->root))) runner_add_object(r, all.items[i]);
    }
}

/* ---- values ---- */

int64_t scaled_value(const struct json *v, int64_t total, bool round_up, int64_t absent) {
    if (!json_is(v, JSON_STRING)) return json_int(v, NULL, absent);
    double share = (double)atoi(v->s) * (double)total / 100;
    return (int64_t)(round_up ? ceil(share) : floor(share));
}

static uint32_t fnv(uint32_t h, const void *p, size_t n) {
    for (const uint8_t *b = p; n--; b++) h = (h ^ *b) * 16777619U;
    return h;
}

static uint32_t hash_value(const struct json *v) {
    uint32_t h = 2166136261U, sum = 0;
    if (!v || v->type == JSON_NULL || (v->type >= JSON_ARRAY && v->len == 0)) return 0;
    h = fnv(h, &(uint8_t){v->type}, 1);
    if (v->type == JSON_STRING) return fnv(h, v->s, v->len);
    if (v->type == JSON_BOOL) return fnv(h, &v->b, 1);
    if (v->type == JSON_INT || v->type == JSON_DOUBLE) return fnv(h, &v->i, 8);
    JSON_EACH(item, v) h = fnv(h, &(uint32_t){hash_value(item)}, 4);
    JSON_EACH_MEMBER(m, v) {
        uint32_t member = hash_value(&m->value);
        if (member) sum += fnv(fnv(2166136261U, m->key, m->key_len), &member, 4);
    }
    return fnv(h, &sum, 4);
}

const char *object_hash(struct arena *a, const struct json *v, const struct json *collisions) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    uint32_t h = hash_value(v), count = (uint32_t)json_int(collisions, NULL, 0);
    if (collisions) h = fnv(h, &count, 4);
    char *s = arena_printf(a, "%u", h);
    for (char *p = s; *p; p++) *p = alphabet[(size_t)*p % (sizeof(alphabet) - 1)];
    return s;
}

struct error *workload_update_status(struct runner *r, struct arena *a, const struct resource *resource, const struct doc *d,
                                     const struct json *status) {
    if (json_semantic_equal(json_get(d->root, "status"), status)) return NULL;
    return client_update(r->client, resource, doc_namespace(d), doc_name(d), "status", json_with(a, d->root, "status", status), NULL);
}

int64_t workload_next_available(const struct doc_list *pods, int64_t min_ready_seconds, int64_t now) {
    int64_t next = 0;
    for (size_t i = 0; i < pods->len && min_ready_seconds > 0; i++) {
        int64_t at = pod_available_at(pods->items[i]->root, min_ready_seconds);
        if (at > now && (next == 0 || at < next)) next = at;
    }
    return next ? next - now : 0;
}

int compare_names(const void *x, const void *y) { return strcmp(doc_name(*(struct doc *const *)x), doc_name(*(struct doc *const *)y)); }

int compare_created(const void *x, const void *y) {
    int64_t a = object_created((*(struct doc *const *)x)->root), b = object_created((*(struct doc *const *)y)->root);
    return a != b ? (a < b ? -1 : 1) : compare_names(x, y);
}
