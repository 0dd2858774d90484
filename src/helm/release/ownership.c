/* Whose object is it: a label and two annotations say to which release it belongs. */
#include "base/str.h"
#include "client/object.h"
#include "helm/release/action.h"

#define MANAGED_BY "app.kubernetes.io/managed-by"
#define RELEASE_NAME "meta.helm.sh/release-name"
#define RELEASE_NAMESPACE "meta.helm.sh/release-namespace"

static const struct json *with_text(struct arena *a, const struct json *object, const char *map, const char *key, const char *value) {
    const struct json *m = json_get(object, map);
    m = json_with_member(a, json_is(m, JSON_OBJECT) ? m : &json_empty_object, key, json_string(a, value));
    return json_with(a, object, map, m);
}

void ownership_mark(struct action *x, struct kube_objects *l, const char *release) {
    for (size_t i = 0; i < l->len; i++) {
        const struct json *o = l->items[i]->object;
        o = with_text(x->arena, o, "metadata.labels", MANAGED_BY, "Helm");
        o = with_text(x->arena, o, "metadata.annotations", RELEASE_NAME, release);
        l->items[i]->object = with_text(x->arena, o, "metadata.annotations", RELEASE_NAMESPACE, x->ns);
    }
}

static void require(struct buf *problems, const char *what, const char *actual, const char *key, const char *value) {
    if (actual && strcmp(actual, value) == 0) return;
    buf_printf(problems, "; %s validation error: ", what);
    if (!actual) buf_printf(problems, "missing key \"%s\": must be set to \"%s\"", key, value);
    else buf_printf(problems, "key \"%s\" must equal \"%s\": current value is \"%s\"", key, value, actual);
}

static struct error *check(struct action *x, const struct kube_object *o, const struct json *live, const char *release) {
    cleanup_buf struct buf problems = {0};
    require(&problems, "label", object_label(live, MANAGED_BY), MANAGED_BY, "Helm");
    require(&problems, "annotation", object_annotation(live, RELEASE_NAME), RELEASE_NAME, release);
    require(&problems, "annotation", object_annotation(live, RELEASE_NAMESPACE), RELEASE_NAMESPACE, x->ns);
    if (problems.len == 0) return NULL;
    return error_new("%s exists and cannot be imported into the current release: invalid ownership metadata%s",
                     kube_object_text(x->kube, o), problems.data);
}

struct error *ownership_existing(struct action *x, const struct kube_objects *l, const char *release, bool take, struct kube_objects *out) {
    *out = (struct kube_objects){0};
    for (size_t i = 0; i < l->len; i++) {
        const struct json *live;
        struct error *e = kube_find(x->kube, l->items[i], &live);
        if (e) return error_wrap(e, "could not get information about the resource %s", kube_object_text(x->kube, l->items[i]));
        if (!live) continue;
        if (!take) TRY(check(x, l->items[i], live, release));
        kube_objects_add(x->kube, out, l->items[i]);
    }
    return NULL;
}
