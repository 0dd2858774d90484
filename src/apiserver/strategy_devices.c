/* resource.k8s.io: admin access to devices is for namespaces that are labelled for it (pkg/registry/resource/utils.go); what is said of
 * devices goes with them. */
#include "apiserver/strategy.h"

#define ADMIN_LABEL "resource.kubernetes.io/admin-access"

static void check_namespace(struct change *c, struct field_errors *e, const struct field_path *p) {
    cleanup_doc struct doc *ns = registry_get(c->r->server, &resource_namespaces, "", c->ns);
    const struct json *label = ns ? json_member(json_get(ns->root, "metadata.labels"), ADMIN_LABEL) : NULL;
    if (!str_eq(json_str_or(label, NULL, ""), "true"))
        field_forbidden(e, p, "admin access to devices requires the `" ADMIN_LABEL ": true` label on the containing namespace");
}

/* The first element that asks for it; -1: none. `field`: where in an element. */
static int64_t first_admin(const struct json *list, const char *field) {
    for (size_t i = 0; i < json_len(list); i++)
        if (json_bool(json_at(list, i), field, false)) return (int64_t)i;
    return -1;
}

void devices_check(struct change *c, struct field_errors *e) {
    bool is_template = c->resource == &resource_resource_resourceclaimtemplates, status = strcmp(c->sub, "status") == 0;
    if (!is_template && c->resource != &resource_resource_resourceclaims) return;
    if (status) {
        int64_t i = first_admin(json_get(c->object, "status.allocation.devices.results"), "adminAccess");
        bool granted = first_admin(json_get(c->old, "status.allocation.devices.results"), "adminAccess") >= 0;
        const struct field_path *p = FIELD(FIELD(FIELD(FIELD(NULL, "status"), "allocation"), "devices"), "results");
        if (i >= 0 && !granted) check_namespace(c, e, FIELD(FIELD_INDEX(p, i), "adminAccess"));
    } else if (c->old == NULL) { /* the spec never changes */
        int64_t i = first_admin(json_get(c->object, is_template ? "spec.spec.devices.requests" : "spec.devices.requests"), "exactly.adminAccess");
        const struct field_path *p = FIELD(FIELD(FIELD(NULL, "spec"), "devices"), "requests");
        if (i >= 0) check_namespace(c, e, FIELD(FIELD_INDEX(p, i), "adminAccess"));
    }
}

static bool has_device(const struct json *results, const struct json *device) {
    static const char *const id[] = {"driver", "pool", "device"};
    JSON_EACH(r, results) {
        bool same = true;
        for (size_t i = 0; i < ARRAY_LEN(id); i++) same &= str_eq(json_str_or(r, id[i], ""), json_str_or(device, id[i], ""));
        if (same) return true;
    }
    return false;
}

/* dropDeallocatedStatusDevices */
const struct json *device_claim_status(struct change *c, const struct json *o, const struct json *old) {
    static const char path[] = "status.devices", results[] = "status.allocation.devices.results";
    struct json_array kept = {.arena = c->r->arena};
    const struct json *list = json_get(o, path);
    JSON_EACH(d, list)
        if (has_device(json_get(o, results), d) || !has_device(json_get(old, results), d)) json_array_add(&kept, d);
    if (kept.len == json_len(list)) return o;
    return kept.len ? json_with(c->r->arena, o, path, json_array_done(&kept)) : json_without(c->r->arena, o, path);
}
