/* What the cluster serves: the aggregated form in two requests where the server has it, else one request per group version. */
#include "base/str.h"
#include "helm/kube/private.h"

#define AGGREGATED "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

static void add_version(struct kube *k, const char *text) {
    for (size_t i = 0; i < k->api_version_count; i++)
        if (strcmp(k->api_versions[i], text) == 0) return;
    if (k->api_version_count % 64 == 0)
        k->api_versions = arena_grow(k->arena, k->api_versions, k->api_version_count * sizeof(*k->api_versions),
                                     (k->api_version_count + 64) * sizeof(*k->api_versions));
    k->api_versions[k->api_version_count++] = text;
}

static const char *group_version(struct kube *k, const char *group, const char *version) {
    return *group ? arena_printf(k->arena, "%s/%s", group, version) : version;
}

static void add_kind(struct kube *k, const char *group, const char *version, const char *kind) {
    add_version(k, arena_printf(k->arena, "%s/%s", group_version(k, group, version), kind));
}

static void add_resource(struct kube *k, const char *group, const char *version, const char *kind, const char *plural, bool namespaced) {
    struct resource *r = ARENA_NEW(k->arena, struct resource);
    *r = (struct resource){.group = group, .version = version, .kind = kind, .plural = plural, .singular = "", .namespaced = namespaced,
                           .list_kind = arena_printf(k->arena, "%sList", kind),
                           .type = type_find_kind(group_version(k, group, version), kind)};
    if (k->resource_count % 64 == 0)
        k->resources = arena_grow(k->arena, k->resources, k->resource_count * sizeof(*k->resources),
                                  (k->resource_count + 64) * sizeof(*k->resources));
    k->resources[k->resource_count++] = r;
}

/* ---- APIGroupDiscoveryList ---- */

static void read_aggregated(struct kube *k, const struct json *list) {
    JSON_EACH(group, json_member(list, "items")) {
        const char *name = json_str_or(group, "metadata.name", "");
        JSON_EACH(version, json_member(group, "versions")) {
            const char *v = json_str_or(version, "version", "");
            add_version(k, group_version(k, name, v));
            JSON_EACH(r, json_member(version, "resources")) {
                const char *kind = json_str_or(r, "responseKind.kind", "");
                if (!*kind) continue;
                add_kind(k, name, v, kind);
                add_resource(k, name, v, kind, json_str_or(r, "resource", ""), json_str_is(r, "scope", "Namespaced"));
                JSON_EACH(sub, json_member(r, "subresources"))
                    if (json_str(sub, "responseKind.kind")) add_kind(k, name, v, json_str(sub, "responseKind.kind"));
            }
        }
    }
}

/* ---- APIVersions, APIGroupList and an APIResourceList each ---- */

static struct error *read_list(struct kube *k, const char *group, const char *version) {
    const struct json *list;
    add_version(k, group_version(k, group, version));
    const char *path = *group ? arena_printf(k->arena, "/apis/%s/%s", group, version) : arena_printf(k->arena, "/api/%s", version);
    struct error *e = kube_get_path(k, path, NULL, &list);
    if (e && e->code == 0) return e;
    if (e) { /* a group whose server is away does not stop the rest */
        kube_log(k, "WARNING: The Kubernetes server has an orphaned API service. Server reports: %s", e->message);
        error_free(e);
        return NULL;
    }
    JSON_EACH(r, json_member(list, "resources")) {
        const char *name = json_str_or(r, "name", ""), *kind = json_str_or(r, "kind", "");
        add_kind(k, group, version, kind);
        if (!strchr(name, '/')) add_resource(k, group, version, kind, name, json_bool(r, "namespaced", false));
    }
    return NULL;
}

static struct error *read_legacy(struct kube *k, const struct json *core, const struct json *groups) {
    JSON_EACH(version, json_member(core, "versions")) TRY(read_list(k, "", json_str_or(version, NULL, "")));
    JSON_EACH(group, json_member(groups, "groups"))
        JSON_EACH(version, json_member(group, "versions"))
            TRY(read_list(k, json_str_or(group, "name", ""), json_str_or(version, "version", "")));
    return NULL;
}

static struct error *discover(struct kube *k) {
    const struct json *core, *groups;
    if (k->resources) return NULL;
    TRY(kube_get_path(k, "/api", AGGREGATED, &core));
    TRY(kube_get_path(k, "/apis", AGGREGATED, &groups));
    if (!json_str_is(core, "kind", "APIGroupDiscoveryList") || !json_str_is(groups, "kind", "APIGroupDiscoveryList"))
        return read_legacy(k, core, groups);
    read_aggregated(k, core);
    read_aggregated(k, groups);
    return NULL;
}

/* ---- questions ---- */

struct error *kube_api_versions(struct kube *k, const char *const **out, size_t *count) {
    struct error *e = discover(k);
    if (e) return error_wrap(e, "could not get apiVersions from Kubernetes");
    *out = k->api_versions;
    *count = k->api_version_count;
    return NULL;
}

struct error *kube_mapping(struct kube *k, const char *api_version, const char *kind, const struct resource **out) {
    *out = NULL;
    TRY(discover(k));
    for (size_t i = 0; i < k->resource_count && !*out; i++) {
        const struct resource *r = k->resources[i];
        if (strcmp(r->kind, kind) == 0 && strcmp(group_version(k, r->group, r->version), api_version) == 0) *out = r;
    }
    return NULL;
}

void kube_forget_discovery(struct kube *k) {
    k->resources = NULL;
    k->api_versions = NULL;
    k->resource_count = k->api_version_count = 0;
}

bool kube_is_typed(const struct resource *r) { return r->type != NULL; }

/* `example.com/v1, Kind=Thing`, as Go prints a GroupVersionKind. */
static struct error *no_such_kind(const char *api_version, const char *kind) {
    return error_new("unable to get apiresource from unstructured: %s, Kind=%s: the server could not find the requested resource",
                     strchr(api_version, '/') ? api_version : "", kind);
}

struct error *kube_lookup(struct kube *k, const char *api_version, const char *kind, const char *ns, const char *name,
                          const struct json **out) {
    const struct resource *r;
    struct client *c;
    *out = &json_empty_object;
    TRY(kube_client(k, &c));
    TRY(kube_mapping(k, api_version, kind, &r));
    if (!r) return no_such_kind(api_version, kind);
    const char *path = arena_printf(k->arena, "%s%s%s%s/%s%s%s", *r->group ? "/apis/" : "/api/", group_version(k, r->group, r->version),
                                    r->namespaced && *ns ? "/namespaces/" : "", r->namespaced ? ns : "", r->plural, *name ? "/" : "", name);
    struct error *e = kube_get_path(k, path, NULL, out);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    *out = &json_empty_object;
    return NULL;
}
