#include "controllers/endpoint_slices.h"
#include "base/map.h"
#include "base/str.h"
#include "controllers/endpoint_util.h"
#include "controllers/workload.h"

/* A slice in the making; `doc` is NULL for a new one. */
struct slice {
    const struct doc *doc;
    const struct slice_group *group; /* NULL: nobody wants it */
    struct json_array endpoints;
    bool changed;
};
struct plan {
    struct slices_wanted *w;
    struct slice *slices;
    size_t len;
};

/* ---- keys ---- */

static const char *ports_key(struct arena *a, const struct json *ports) {
    struct buf b = {0};
    char *lines[128];
    size_t n = 0;
    JSON_EACH(p, ports) {
        if (n == ARRAY_LEN(lines)) break;
        lines[n++] = arena_printf(a, "%s/%s/%d/%s;", json_str_or(p, "name", ""), json_str_or(p, "protocol", "TCP"), (int)json_int(p, "port", 0),
                                  json_str_or(p, "appProtocol", ""));
        for (size_t i = n - 1; i > 0 && strcmp(lines[i - 1], lines[i]) > 0; i--) {
            char *swap = lines[i];
            lines[i] = lines[i - 1], lines[i - 1] = swap;
        }
    }
    for (size_t i = 0; i < n; i++) buf_adds(&b, lines[i]);
    const char *key = arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return key;
}

/* What makes two endpoints the same one, perhaps in another state. */
static const char *endpoint_key(struct arena *a, const struct json *e) {
    return arena_printf(a, "%s|%s|%s/%s", json_text(a, json_member(e, "addresses")), json_str_or(e, "hostname", ""),
                        json_str_or(e, "targetRef.namespace", ""), json_str_or(e, "targetRef.name", ""));
}

struct slice_group *slices_group(struct slices_wanted *w, const char *type, const struct json *ports) {
    const char *key = ports_key(w->arena, ports);
    for (size_t i = 0; i < w->group_count; i++) {
        if (str_eq(w->groups[i].address_type, type) && str_eq(w->groups[i].ports_key, key)) return &w->groups[i];
    }
    size_t n = w->group_count++ * sizeof(*w->groups);
    w->groups = arena_grow(w->arena, w->groups, n, n + sizeof(*w->groups));
    struct slice_group *g = &w->groups[w->group_count - 1];
    *g = (struct slice_group){.address_type = type, .ports = ports, .ports_key = key, .endpoints = {.arena = w->arena}};
    return g;
}

void slices_of(struct runner *r, const char *ns, const char *service, const char *manager, struct doc_list *out) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_discovery_endpointslices, ns, &all);
    for (size_t i = 0; i < all.len; i++) {
        const struct json *s = all.items[i]->root;
        if (str_eq(object_label(s, LABEL_SERVICE_NAME), service) && str_eq(object_label(s, LABEL_SLICE_MANAGER), manager) && !object_deleting(s)) {
            doc_list_add(out, all.items[i]);
        }
    }
}

const struct json *slice_labels(struct arena *a, const struct json *owner, const char *service, const char *manager, bool headless) {
    static const char *const reserved[] = {LABEL_SERVICE_NAME, LABEL_SLICE_MANAGER, LABEL_HEADLESS, NULL};
    struct json_object labels = {.arena = a};
    JSON_EACH_MEMBER(m, object_labels(owner)) {
        if (!str_in(m->key, reserved)) json_object_add(&labels, m->key, &m->value);
    }
    if (headless) json_object_add(&labels, LABEL_HEADLESS, &json_empty_string);
    json_object_add(&labels, LABEL_SLICE_MANAGER, json_string(a, manager));
    json_object_add(&labels, LABEL_SERVICE_NAME, json_string(a, service));
    return json_object_done(&labels);
}

/* ---- which endpoint goes where ---- */

static struct slice *add_slice(struct plan *p, const struct doc *doc, const struct slice_group *g) {
    size_t n = p->len++ * sizeof(*p->slices);
    p->slices = arena_grow(p->w->arena, p->slices, n, n + sizeof(*p->slices));
    p->slices[p->len - 1] = (struct slice){.doc = doc, .group = g, .endpoints = {.arena = p->w->arena}};
    return &p->slices[p->len - 1];
}

static bool labels_right(const struct slices_wanted *w, const struct json *slice) {
    return json_semantic_equal(object_labels(slice), w->labels) &&
           (!w->annotations || json_semantic_equal(json_get(slice, "metadata.annotations"), w->annotations));
}

/* Keeps of an existing slice what is still wanted. A slice that loses all is nobody's, so that it can be used anew. */
static void keep_endpoints(struct plan *p, struct slice *s, struct map *wanted) {
    struct arena *a = p->w->arena;
    const struct json *old = json_get(s->doc->root, "endpoints");
    JSON_EACH(e, old) {
        const struct json *now = map_remove(wanted, endpoint_key(a, e));
        if (!now) continue;
        bool same = json_semantic_equal(json_without(a, e, "hints"), now);
        json_array_add(&s->endpoints, same ? e : now);
        s->changed = s->changed || !same;
    }
    s->changed = s->changed || s->endpoints.len != json_len(old) || !labels_right(p->w, s->doc->root);
    if (s->endpoints.len == 0 && s->group->endpoints.len > 0) s->group = NULL;
}

/* Of the slices of the group with room for n: the fullest; for changed ones one place is enough. */
static struct slice *slice_to_fill(struct plan *p, const struct slice_group *g, bool changed, size_t n) {
    struct slice *best = NULL;
    for (size_t i = 0; i < p->len; i++) {
        struct slice *s = &p->slices[i];
        if (s->group != g || s->changed != changed || s->endpoints.len + n > p->w->max) continue;
        if (!best || s->endpoints.len > best->endpoints.len) best = s;
    }
    return best;
}

static void place_rest(struct plan *p, const struct slice_group *g, struct map *wanted) {
    struct slice *s = NULL;
    for (size_t i = 0; i < g->endpoints.len && wanted->count > 0; i++) {
        const struct json *e = &g->endpoints.items[i];
        const char *key = endpoint_key(p->w->arena, e);
        if (!map_has(wanted, key)) continue;
        if (!s || s->endpoints.len >= p->w->max) s = slice_to_fill(p, g, true, 1);
        if (!s && wanted->count < p->w->max) s = slice_to_fill(p, g, false, wanted->count);
        if (!s) s = add_slice(p, NULL, g);
        s->changed = true;
        json_array_add(&s->endpoints, e);
        map_remove(wanted, key);
    }
}

static void plan_group(struct plan *p, const struct slice_group *g) {
    struct map wanted = {0};
    bool present = false;
    for (size_t i = 0; i < g->endpoints.len; i++) map_set(&wanted, endpoint_key(p->w->arena, &g->endpoints.items[i]), &g->endpoints.items[i]);
    for (size_t i = 0; i < p->len; i++) {
        struct slice *s = &p->slices[i];
        if (s->group != g) continue;
        if (g->endpoints.len == 0 && present) s->group = NULL; /* one empty slice is enough */
        else keep_endpoints(p, s, &wanted);
        present = true;
    }
    if (g->endpoints.len == 0 && !present) add_slice(p, NULL, g)->changed = true;
    place_rest(p, g, &wanted);
    map_free(&wanted, NULL);
}

static const struct slice_group *group_of(const struct slices_wanted *w, const struct json *slice) {
    const char *key = ports_key(w->arena, json_get(slice, "ports"));
    for (size_t i = 0; i < w->group_count; i++) {
        if (json_str_is(slice, "addressType", w->groups[i].address_type) && str_eq(key, w->groups[i].ports_key)) return &w->groups[i];
    }
    return NULL;
}

/* Turns creations into updates of slices that would be deleted. */
static void recycle(struct plan *p) {
    for (size_t i = 0; i < p->len; i++) {
        if (p->slices[i].doc) continue;
        for (size_t j = 0; j < p->len; j++) {
            const struct slice *old = &p->slices[j];
            if (!old->doc || old->group || !json_str_is(old->doc->root, "addressType", p->slices[i].group->address_type)) continue;
            if (!controlled_by(old->doc->root, doc_uid(p->w->owner))) continue;
            p->slices[i].doc = old->doc;
            p->slices[j].doc = NULL;
            break;
        }
    }
}

/* ---- topology hints (KEP-4444, KEP-3015) ---- */

static const struct json *hints_of(const struct slices_wanted *w, const struct json *e) {
    if (!w->distribution || !json_bool(e, "conditions.ready", true)) return NULL;
    bool same_node = str_eq(w->distribution, "PreferSameNode");
    const char *zone = json_str(e, "zone"), *node = same_node ? json_str(e, "nodeName") : NULL;
    if (!zone && !node) return NULL;
    return json_make(w->arena, "{'forZones':%v,'forNodes':%v}", zone ? json_make(w->arena, "[{'name':%s}]", zone) : NULL,
                     node ? json_make(w->arena, "[{'name':%s}]", node) : NULL);
}

static const struct json *with_hints(struct slice *s, const struct slices_wanted *w) {
    struct json_array out = {.arena = w->arena};
    for (size_t i = 0; i < s->endpoints.len; i++) {
        const struct json *e = &s->endpoints.items[i], *hints = hints_of(w, e);
        if (json_semantic_equal(hints, json_member(e, "hints"))) json_array_add(&out, e);
        else json_array_add(&out, json_with(w->arena, e, "hints", hints)), s->changed = true;
    }
    return json_array_done(&out);
}

/* ---- writing ---- */

static const struct json *annotations_of(const struct slices_wanted *w, const struct doc *old) {
    if (w->annotations) return w->annotations;
    const struct json *present = old ? json_get(old->root, "metadata.annotations") : NULL;
    const struct json *trigger = w->trigger ? json_string(w->arena, w->trigger) : NULL;
    return present || trigger ? json_with_member(w->arena, present, ANNOTATION_TRIGGER_TIME, trigger) : NULL;
}

static struct error *write_slice(struct slices_wanted *w, struct slice *s) {
    struct arena *a = w->arena;
    struct client *c = w->runner->client;
    const char *ns = doc_namespace(w->owner);
    if (!s->group) {
        struct error *e = s->doc ? client_delete(c, &resource_discovery_endpointslices, ns, doc_name(s->doc), &(struct delete_options){.grace_period = -1}) : NULL;
        return error_is(e, "NotFound") ? error_free(e), NULL : e;
    }
    const struct json *endpoints = with_hints(s, w), *o;
    if (!s->changed && s->doc && group_of(w, s->doc->root) == s->group) return NULL;
    if (s->doc) {
        o = json_with(a, s->doc->root, "metadata.labels", w->labels);
        o = json_with(a, json_with(a, o, "metadata.annotations", annotations_of(w, s->doc)), "endpoints", json_len(endpoints) ? endpoints : &json_null);
        o = json_with(a, o, "ports", json_len(s->group->ports) ? s->group->ports : &json_null);
        return client_update(c, &resource_discovery_endpointslices, ns, doc_name(s->doc), NULL, o, NULL);
    }
    if (object_deleting(w->owner->root)) return NULL;
    o = json_make(a, "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'generateName':%s,'labels':%v,'annotations':%v,'ownerReferences':[%v]},"
                     "'addressType':%s,'endpoints':%v,'ports':%v}",
                  arena_printf(a, "%s-", doc_name(w->owner)), w->labels, annotations_of(w, NULL), owner_reference(a, w->owner_resource, w->owner),
                  s->group->address_type, json_len(endpoints) ? endpoints : &json_null, json_len(s->group->ports) ? s->group->ports : &json_null);
    return client_create(c, &resource_discovery_endpointslices, ns, o, NULL);
}

struct error *slices_write(struct slices_wanted *w, const struct doc_list *existing) {
    struct plan p = {.w = w};
    for (size_t i = 0; i < existing->len; i++) add_slice(&p, existing->items[i], group_of(w, existing->items[i]->root));
    for (size_t i = 0; i < w->group_count; i++) plan_group(&p, &w->groups[i]);
    recycle(&p);
    for (size_t i = 0; i < p.len; i++) {
        struct error *e = write_slice(w, &p.slices[i]);
        if (error_namespace_terminating(e)) return error_free(e), NULL;
        TRY(e);
    }
    return NULL;
}
