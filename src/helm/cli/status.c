/* helm status */
#include "base/str.h"
#include "client/object.h"
#include "helm/cli/cluster.h"
#include "helm/cli/commands.h"
#include "schema/schema.h"

struct options {
    int64_t revision;
    bool description, resources;
    enum helm_format format;
};
static const struct helm_flag flags[] = {
    {"revision", 0, HELM_INT, offsetof(struct options, revision), NULL, NULL, "of this revision", NULL, false},
    {"output", 'o', HELM_FORMAT, offsetof(struct options, format), NULL, NULL, "table, json or yaml", NULL, false},
    {"show-desc", 0, HELM_BOOL, offsetof(struct options, description), NULL, NULL, "show the description", NULL, false},
    {"show-resources", 0, HELM_BOOL, offsetof(struct options, resources), NULL, NULL, "show what the release made", NULL, false},
};

struct found {
    struct helm *helm;
    struct action *action;
    bool table;
    const struct json *by_kind, *selectors; /* {"v1/Pod": [...]}; label selectors whose pods are there already */
};

static void add(struct found *f, const char *key, const struct json *v) {
    struct arena *a = &f->helm->arena;
    const struct json *list = json_member(f->by_kind, key);
    f->by_kind = json_with_member(a, f->by_kind, key, json_append(a, list != NULL ? list : &json_empty_array, v));
}

/* Labels that the pods of a workload have, NULL for other kinds. */
static const struct json *pod_labels(const struct json *o) {
    static const char *const kinds[] = {"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", NULL};
    const char *kind = json_str_or(o, "kind", "");
    if (str_in(kind, kinds)) return json_get(o, "spec.selector.matchLabels");
    return str_eq(kind, "ReplicationController") ? json_get(o, "spec.selector") : NULL;
}

static void add_pods(struct found *f, const struct kube_object *o) {
    struct arena *a = &f->helm->arena;
    const struct json *labels = pod_labels(o->object), *pods;
    struct selector *selector;
    if (labels == NULL) return;
    JSON_EACH(known, f->selectors)
        if (json_equal(known, labels)) return;
    f->selectors = json_append(a, f->selectors, labels);
    const struct kube_object all = {.resource = &resource_pods, .ns = o->ns};
    struct error *e = label_selector_from_json(a, json_make(a, "{'matchLabels':%v}", labels), &selector);
    if (e == NULL) e = kube_get_table(f->action->kube, &all, label_selector_text(a, selector), f->table, &pods);
    if (e != NULL) kube_log(f->action->kube, "Warning: get the relation pod is failed, err:%s", e->message);
    else if (f->table) add(f, "v1/Pod(related)", pods);
    else JSON_EACH(pod, json_member(pods, "items"))
        add(f, "v1/Pod(related)", json_with_member(a, json_with_member(a, pod, "apiVersion", json_string(a, "v1")), "kind", json_string(a, "Pod")));
    error_free(e);
}

static struct error *find_resources(struct helm *h, struct action *x, bool table, struct release *r) {
    struct kube_objects objects;
    struct found f = {h, x, table, &json_empty_object, &json_empty_array};
    TRY(kube_build(x->kube, r->manifest, strlen(r->manifest), false, &objects));
    for (size_t i = 0; i < objects.len; i++) {
        const struct kube_object *o = objects.items[i];
        const struct json *live;
        cleanup_error struct error *missing = kube_get_table(x->kube, o, NULL, table, &live);
        if (missing != NULL) continue;
        add(&f, arena_printf(&h->arena, "%s/%s", o->resource->version, o->resource->kind), live);
        add_pods(&f, o);
    }
    r->resources = f.by_kind;
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    cleanup_cluster struct action x = {0};
    struct release *r;
    TRY(cluster_open(h, &x));
    TRY(kube_reachable(x.kube));
    TRY(action_release(&x, argv[0], o->revision, &r));
    if (o->resources) TRY(find_resources(h, &x, o->format == HELM_TABLE, r));
    r->chart = NULL;
    return status_print(h, o->format, r, &(struct status_options){.description = o->description, .resources = o->resources});
}

const struct helm_command helm_status = {
    .name = "status",
    .arguments = "RELEASE_NAME",
    .summary = "shows how a release is",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
