/* Which fields requests may not own, per resource (the GetResetFields of upstream's strategies), and the managers of Scale. */
#include "base/str.h"
#include "schema/managed.h"

static const char *const status_only[] = {"status", NULL}, *const spec_only[] = {"spec", NULL}, *const spec_metadata[] = {"metadata", "spec", NULL},
                         *const nothing[] = {NULL};

static const struct {
    const char *group, *plural, *subresource;
    const char *paths[5];
} resets[] = {
    {"admissionregistration.k8s.io", "validatingadmissionpolicies", "status", {"metadata", "spec"}},
    {"apiextensions.k8s.io", "customresourcedefinitions", "status", {"metadata", "spec"}},
    {"apiregistration.k8s.io", "apiservices", "status", {"metadata", "spec"}},
    {"apps", "deployments", "status", {"spec", "metadata.labels"}},
    {"certificates.k8s.io", "certificatesigningrequests", "", {"spec", "status"}},
    {"certificates.k8s.io", "certificatesigningrequests", "status", {"spec", "status.conditions"}},
    {"certificates.k8s.io", "certificatesigningrequests", "approval", {"spec", "status.certificate"}},
    {"", "pods", "status", {"spec", "metadata.deletionTimestamp", "metadata.ownerReferences"}},
    {"", "pods", "ephemeralcontainers", {"=spec.ephemeralContainers"}},
    {"", "pods", "resize", {"=spec.containers.*.resources", "spec.containers.*.resizePolicy", "spec.initContainers.*.resources",
                                     "spec.initContainers.*.resizePolicy"}},
    {"", "namespaces", "finalize", {"status"}},
    {"networking.k8s.io", "servicecidrs", "", {NULL}},
    {"networking.k8s.io", "servicecidrs", "status", {NULL}},
    {"storage.k8s.io", "volumeattachments", "status", {"metadata", "spec"}},
};
static const char *const with_metadata[] = {"flowcontrol.apiserver.k8s.io", "resource.k8s.io", "storagemigration.k8s.io", NULL};

const char *const *schema_reset_fields(const struct resource *r, const char *subresource) {
    bool status = str_eq(subresource, "status"), plain = subresource == NULL || *subresource == '\0';
    for (size_t i = 0; i < ARRAY_LEN(resets); i++)
        if (str_eq(resets[i].group, r->group) && str_eq(resets[i].plural, r->plural) && str_eq(resets[i].subresource, plain ? "" : subresource))
            return resets[i].paths;
    if (plain) return resource_subresource(r, "status") ? status_only : nothing;
    if (!status) return nothing;
    return str_in(r->group, with_metadata) ? spec_metadata : spec_only;
}

/* ---- Scale ---- */

static const char scale_version[] = "autoscaling/v1";

static struct fieldset *path_set(struct arena *a, const char *path) {
    struct fieldset *s = ARENA_NEW(a, struct fieldset);
    fieldset_add_path(a, s, *path == '.' ? path + 1 : path);
    return s;
}

static bool has(struct arena *a, const struct fieldset *s, const struct fieldset *path) {
    return !fieldset_empty(fieldset_intersection(a, s, path));
}

const struct json *schema_scale_managed(struct arena *a, const struct json *parent, const char *version, const char *path) {
    struct managers m, out = {0};
    struct fieldset *replicas = path_set(a, path);
    if (!managers_decode(a, parent, &m)) return NULL;
    for (size_t i = 0; i < m.len; i++) {
        struct manager e = m.items[i];
        if (!str_eq(e.version, version) || !has(a, e.set, replicas)) continue;
        e.version = scale_version;
        e.set = path_set(a, "spec.replicas");
        managers_add(a, &out, &e);
    }
    return managers_encode(a, &out);
}

const struct json *schema_scale_managed_back(struct arena *a, const struct json *parent, const struct json *scale, const char *version,
                                             const char *path) {
    struct managers old, new, out = {0};
    struct fieldset *replicas = path_set(a, path), *in_scale = path_set(a, "spec.replicas");
    if (!managers_decode(a, parent, &old) || !managers_decode(a, scale, &new)) return parent;
    for (size_t i = 0; i < old.len; i++) {
        struct manager e = old.items[i], *same = managers_find(&new, &e);
        if (!str_eq(e.version, version)) continue;
        if (has(a, e.set, replicas)) {
            if (same) managers_remove(&new, same);
            else e.set = fieldset_difference(a, e.set, replicas);
        }
        if (!fieldset_empty(e.set)) managers_add(a, &out, &e);
    }
    for (size_t i = 0; i < new.len; i++) {
        struct manager e = new.items[i];
        if (!has(a, e.set, in_scale)) continue;
        struct manager *known = managers_find(&old, &e);
        e.time = known ? known->time : NULL;
        e.set = replicas;
        e.version = version;
        managers_add(a, &out, &e);
    }
    return managers_encode(a, &out);
}
