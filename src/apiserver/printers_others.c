/* Table cells of the remaining groups. */
#include "apiserver/internal.h"
#include "apiserver/table.h"

static const char *join(struct cells *c, const struct json *list, const char *field, const char *sep) {
    const char *out = "";
    size_t n = 0;
    JSON_EACH(v, list) {
        const char *s = field ? json_str_or(v, field, "") : json_str_or(v, NULL, "");
        out = n++ ? arena_printf(c->arena, "%s%s%s", out, sep, s) : s;
    }
    return out;
}

/* ---- networking ---- */

static void ingress(struct cells *c, const struct json *o) {
    const char *class = json_str_or(o, "spec.ingressClassName", json_str_or(json_get(o, "metadata.annotations"), "kubernetes.io/ingress.class", "<none>"));
    const char *hosts = "", *address = "";
    size_t shown = 0;
    JSON_EACH(r, json_get(o, "spec.rules")) {
        const char *h = json_str_or(r, "host", "");
        if (!*h) continue;
        if (shown < 3) hosts = shown ? arena_printf(c->arena, "%s,%s", hosts, h) : h;
        shown++;
    }
    if (shown > 3) hosts = arena_printf(c->arena, "%s + %zu more...", hosts, shown - 3);
    JSON_EACH(i, json_get(o, "status.loadBalancer.ingress")) {
        const char *s = json_str_or(i, "ip", json_str_or(i, "hostname", ""));
        address = *address ? arena_printf(c->arena, "%s,%s", address, s) : s;
    }
    cell_str(c, class);
    cell_str(c, shown ? hosts : "*");
    cell_str(c, address);
    cell_str(c, json_len(json_get(o, "spec.tls")) ? "80, 443" : "80");
    cell_age(c, o);
}

static void ingress_class(struct cells *c, const struct json *o) {
    const struct json *p = json_get(o, "spec.parameters");
    const char *group = json_str_or(p, "apiGroup", "");
    cell_str(c, json_str_or(o, "spec.controller", "<none>"));
    if (p == NULL) cell_str(c, "<none>");
    else if (*group) cell_strf(c, "%s.%s/%s", json_str_or(p, "kind", ""), group, json_str_or(p, "name", ""));
    else cell_strf(c, "%s/%s", json_str_or(p, "kind", ""), json_str_or(p, "name", ""));
    cell_age(c, o);
}

static void network_policy(struct cells *c, const struct json *o) {
    cell_str(c, cell_selector(c, json_get(o, "spec.podSelector")));
    cell_age(c, o);
}

static void service_cidr(struct cells *c, const struct json *o) {
    cell_str(c, join(c, json_get(o, "spec.cidrs"), NULL, ","));
    cell_age(c, o);
}

static void ip_address(struct cells *c, const struct json *o) {
    const struct json *p = json_get(o, "spec.parentRef");
    const char *group = json_str_or(p, "group", ""), *ns = json_str_or(p, "namespace", "");
    const char *resource = json_str_or(p, "resource", "");
    if (*group) resource = arena_printf(c->arena, "%s.%s", resource, group);
    *ns ? cell_strf(c, "%s/%s/%s", resource, ns, json_str_or(p, "name", "")) : cell_strf(c, "%s/%s", resource, json_str_or(p, "name", ""));
}

static void endpoint_slice(struct cells *c, const struct json *o) {
    const char *ports = "", *addresses = "";
    size_t n = 0, count = 0;
    JSON_EACH(p, json_member(o, "ports")) {
        int64_t port = json_int(p, "port", 0);
        const char *text = port ? arena_printf(c->arena, "%ld", (long)port) : "*";
        if (n < 3) ports = n ? arena_printf(c->arena, "%s,%s", ports, text) : text;
        n++;
    }
    JSON_EACH(e, json_member(o, "endpoints")) {
        JSON_EACH(a, json_member(e, "addresses")) {
            if (count < 3) addresses = count ? arena_printf(c->arena, "%s,%s", addresses, json_str_or(a, NULL, "")) : json_str_or(a, NULL, "");
            count++;
        }
    }
    if (n > 3) ports = arena_printf(c->arena, "%s + %zu more...", ports, n - 3);
    if (count > 3) addresses = arena_printf(c->arena, "%s + %zu more...", addresses, count - 3);
    cell_str(c, json_str_or(o, "addressType", ""));
    cell_str(c, n ? ports : "<unset>");
    cell_str(c, count ? addresses : "<unset>");
    cell_age(c, o);
}

/* ---- rbac ---- */

static void binding(struct cells *c, const struct json *o) {
    const char *lists[3] = {"", "", ""};
    static const char *const kinds[] = {"User", "Group", "ServiceAccount"};
    JSON_EACH(s, json_member(o, "subjects")) {
        for (size_t i = 0; i < 3; i++) {
            if (!json_str_is(s, "kind", kinds[i])) continue;
            const char *name = json_str_or(s, "name", "");
            if (i == 2) name = arena_printf(c->arena, "%s/%s", json_str_or(s, "namespace", ""), name);
            lists[i] = *lists[i] ? arena_printf(c->arena, "%s, %s", lists[i], name) : name;
        }
    }
    cell_strf(c, "%s/%s", json_str_or(o, "roleRef.kind", ""), json_str_or(o, "roleRef.name", ""));
    cell_age(c, o);
    for (size_t i = 0; i < 3; i++) cell_str(c, lists[i]);
}

static void created_at(struct cells *c, const struct json *o) { cell_str(c, json_str_or(o, "metadata.creationTimestamp", "")); }

/* ---- storage ---- */

static void csi_driver(struct cells *c, const struct json *o) {
    const struct json *spec = json_member(o, "spec");
    cell_bool(c, json_bool(spec, "attachRequired", true));
    cell_bool(c, json_bool(spec, "podInfoOnMount", false));
    cell_bool(c, json_bool(spec, "storageCapacity", false));
    const char *tokens = join(c, json_member(spec, "tokenRequests"), "audience", ",");
    cell_str(c, json_len(json_member(spec, "tokenRequests")) ? tokens : "<unset>");
    cell_bool(c, json_bool(spec, "requiresRepublish", false));
    const char *modes = join(c, json_member(spec, "volumeLifecycleModes"), NULL, ",");
    cell_str(c, *modes ? modes : "<none>");
    cell_age(c, o);
}

static void csi_node(struct cells *c, const struct json *o) {
    cell_int(c, (int64_t)json_len(json_get(o, "spec.drivers")));
    cell_age(c, o);
}

static void storage_class(struct cells *c, const struct json *o) {
    const struct json *annotations = json_get(o, "metadata.annotations");
    bool fallback = str_eq(json_str(annotations ? json_member(annotations, "storageclass.kubernetes.io/is-default-class") : NULL, NULL), "true") ||
                    str_eq(json_str(json_member(annotations, "storageclass.beta.kubernetes.io/is-default-class"), NULL), "true");
    if (fallback) {
        c->out.len = 0;
        cell_strf(c, "%s (default)", json_str_or(o, "metadata.name", ""));
    }
    cell_str(c, json_str_or(o, "provisioner", ""));
    cell_str(c, json_str_or(o, "reclaimPolicy", "Delete"));
    cell_str(c, json_str_or(o, "volumeBindingMode", "Immediate"));
    cell_bool(c, json_bool(o, "allowVolumeExpansion", false));
    cell_age(c, o);
}

static void volume_attachment(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "spec.attacher", ""));
    cell_str(c, json_str_or(o, "spec.source.persistentVolumeName", ""));
    cell_str(c, json_str_or(o, "spec.nodeName", ""));
    cell_bool(c, json_bool(o, "status.attached", false));
    cell_age(c, o);
}

static void attributes_class(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "driverName", ""));
    cell_age(c, o);
}

/* ---- extension ---- */

static void webhooks(struct cells *c, const struct json *o) {
    cell_int(c, (int64_t)json_len(json_member(o, "webhooks")));
    cell_age(c, o);
}

static void policy(struct cells *c, const struct json *o) {
    const struct json *kind = json_get(o, "spec.paramKind");
    cell_int(c, (int64_t)json_len(json_get(o, "spec.validations")));
    kind ? cell_strf(c, "%s/%s", json_str_or(kind, "apiVersion", ""), json_str_or(kind, "kind", "")) : cell_str(c, "<unset>");
    cell_age(c, o);
}

static void policy_binding(struct cells *c, const struct json *o) {
    const struct json *ref = json_get(o, "spec.paramRef");
    const char *ns = json_str_or(ref, "namespace", "");
    cell_str(c, json_str_or(o, "spec.policyName", ""));
    if (ref == NULL) cell_str(c, "<unset>");
    else if (json_member(ref, "selector")) cell_str(c, cell_selector(c, json_member(ref, "selector")));
    else *ns ? cell_strf(c, "%s/%s", ns, json_str_or(ref, "name", "")) : cell_strf(c, "*/%s", json_str_or(ref, "name", ""));
    cell_age(c, o);
}

static void api_service(struct cells *c, const struct json *o) {
    const struct json *s = json_get(o, "spec.service");
    const char *available = "Unknown";
    s ? cell_strf(c, "%s/%s", json_str_or(s, "namespace", ""), json_str_or(s, "name", "")) : cell_str(c, "Local");
    JSON_EACH(k, json_get(o, "status.conditions")) {
        if (!json_str_is(k, "type", "Available")) continue;
        available = json_str_or(k, "status", "Unknown");
        if (strcmp(available, "True") != 0) available = arena_printf(c->arena, "%s (%s)", available, json_str_or(k, "reason", ""));
    }
    cell_str(c, available);
    cell_age(c, o);
}

/* ---- the rest ---- */

static void csr(struct cells *c, const struct json *o) {
    const char *status = "Pending", *issued = json_str_or(o, "status.certificate", "");
    bool approved = false, denied = false, failed = false;
    JSON_EACH(k, json_get(o, "status.conditions")) {
        approved |= json_str_is(k, "type", "Approved");
        denied |= json_str_is(k, "type", "Denied");
        failed |= json_str_is(k, "type", "Failed");
    }
    if (denied) status = "Denied";
    else if (approved) status = "Approved";
    if (failed) status = arena_printf(c->arena, "%s,Failed", status);
    if (*issued) status = arena_printf(c->arena, "%s,Issued", status);
    cell_age(c, o);
    cell_str(c, json_str_or(o, "spec.signerName", "<none>"));
    cell_str(c, json_str_or(o, "spec.username", "<none>"));
    const struct json *seconds = json_get(o, "spec.expirationSeconds");
    char text[TIME_STRING_MAX];
    cell_str(c, seconds ? time_human_duration(text, SECONDS(seconds->i)) : "<none>");
    cell_str(c, status);
}

static void priority_class(struct cells *c, const struct json *o) {
    cell_int(c, json_int(o, "value", 0));
    cell_bool(c, json_bool(o, "globalDefault", false));
    cell_age(c, o);
    cell_str(c, json_str_or(o, "preemptionPolicy", ""));
}

static void lease(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "spec.holderIdentity", ""));
    cell_age(c, o);
}

static void runtime_class(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "handler", ""));
    cell_age(c, o);
}

static void age_only(struct cells *c, const struct json *o) { cell_age(c, o); }

static void resource_claim(struct cells *c, const struct json *o) {
    const char *state = json_get(o, "status.allocation") ? "allocated" : "pending";
    if (json_len(json_get(o, "status.reservedFor"))) state = arena_printf(c->arena, "%s,reserved", state);
    if (json_get(o, "metadata.deletionTimestamp")) state = arena_printf(c->arena, "deleted,%s", state);
    cell_str(c, state);
    cell_age(c, o);
}

static void resource_slice(struct cells *c, const struct json *o) {
    cell_str(c, json_str_or(o, "spec.nodeName", ""));
    cell_str(c, json_str_or(o, "spec.driver", ""));
    cell_str(c, json_str_or(o, "spec.pool.name", ""));
    cell_age(c, o);
}

static void flow_schema(struct cells *c, const struct json *o) {
    const char *dangling = "?";
    cell_str(c, json_str_or(o, "spec.priorityLevelConfiguration.name", "<none>"));
    cell_int(c, json_int(o, "spec.matchingPrecedence", 0));
    cell_str(c, json_str_or(o, "spec.distinguisherMethod.type", "<none>"));
    cell_age(c, o);
    JSON_EACH(k, json_get(o, "status.conditions")) {
        if (json_str_is(k, "type", "Dangling")) dangling = json_str_or(k, "status", "?");
    }
    cell_str(c, dangling);
}

static void number_or_none(struct cells *c, const struct json *v) { v ? cell_int(c, v->i) : cell_str(c, "<none>"); }

static void priority_level(struct cells *c, const struct json *o) {
    const struct json *limited = json_get(o, "spec.limited"), *exempt = json_get(o, "spec.exempt");
    const struct json *queuing = json_get(limited, "limitResponse.queuing");
    cell_str(c, json_str_or(o, "spec.type", ""));
    number_or_none(c, json_member(limited ? limited : exempt, "nominalConcurrencyShares"));
    number_or_none(c, json_member(queuing, "queues"));
    number_or_none(c, json_member(queuing, "handSize"));
    number_or_none(c, json_member(queuing, "queueLengthLimit"));
    cell_age(c, o);
}

const struct printer printers_others[] = {
    {&resource_networking_ingresses, ingress},
    {&resource_networking_ingressclasses, ingress_class},
    {&resource_networking_networkpolicies, network_policy},
    {&resource_networking_servicecidrs, service_cidr},
    {&resource_networking_ipaddresses, ip_address},
    {&resource_discovery_endpointslices, endpoint_slice},
    {&resource_rbac_rolebindings, binding},
    {&resource_rbac_clusterrolebindings, binding},
    {&resource_rbac_roles, created_at},
    {&resource_rbac_clusterroles, created_at},
    {&resource_storage_csidrivers, csi_driver},
    {&resource_storage_csinodes, csi_node},
    {&resource_storage_storageclasses, storage_class},
    {&resource_storage_csistoragecapacities, created_at},
    {&resource_storage_volumeattachments, volume_attachment},
    {&resource_storage_volumeattributesclasses, attributes_class},
    {&resource_admissionregistration_mutatingwebhookconfigurations, webhooks},
    {&resource_admissionregistration_validatingwebhookconfigurations, webhooks},
    {&resource_admissionregistration_validatingadmissionpolicies, policy},
    {&resource_admissionregistration_validatingadmissionpolicybindings, policy_binding},
    {&resource_apiextensions_customresourcedefinitions, created_at},
    {&resource_apiregistration_apiservices, api_service},
    {&resource_certificates_certificatesigningrequests, csr},
    {&resource_scheduling_priorityclasses, priority_class},
    {&resource_coordination_leases, lease},
    {&resource_node_runtimeclasses, runtime_class},
    {&resource_resource_deviceclasses, age_only},
    {&resource_resource_resourceclaims, resource_claim},
    {&resource_resource_resourceclaimtemplates, age_only},
    {&resource_resource_resourceslices, resource_slice},
    {&resource_flowcontrol_flowschemas, flow_schema},
    {&resource_flowcontrol_prioritylevelconfigurations, priority_level},
    {0},
};
