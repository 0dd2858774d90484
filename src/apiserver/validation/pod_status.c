/* Status of pods. */
#include "apiserver/validation/rules.h"
#include "schema/ip.h"

static void conditions(RULE) {
    size_t i = 0;
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i++);
        if (json_int(c, "observedGeneration", 0) < 0) field_invalid_int(e, FIELD(at, "observedGeneration"), json_int(c, "observedGeneration", 0), "must be a non-negative integer");
        if (!word_in(str_of(c, "type"), "PodScheduled Ready Initialized")) label_name(e, FIELD(at, "Type"), str_of(c, "type"));
    }
}

/* podutil.ContainerShouldRestart. */
static bool may_restart(const struct json *container, const struct json *spec, int64_t code) {
    const char *own = json_str(container, "restartPolicy"), *policy = own ? own : str_of(spec, "restartPolicy");
    JSON_EACH(rule, own ? json_member(container, "restartPolicyRules") : NULL) {
        bool listed = false;
        JSON_EACH(v, json_get(rule, "exitCodes.values")) listed |= json_int(v, NULL, 0) == code;
        if (has(rule, "exitCodes") && listed == json_str_is(rule, "exitCodes.operator", "In") && json_str_is(rule, "action", "Restart")) return true;
    }
    return strcmp(policy, "Always") == 0 || (strcmp(policy, "OnFailure") == 0 && code != 0);
}

/* Containers that ended begin anew only if they may; `containers` NULL: never. */
static void transitions(RULE, const struct json *old, const struct json *containers, const struct json *spec) {
    size_t i = 0;
    JSON_EACH(was, old) {
        const struct field_path *at = FIELD(FIELD_INDEX(p, i++), "state");
        const struct json *now = named_item(o, str_of(was, "name")), *c = named_item(containers, str_of(was, "name"));
        if (!has(was, "state.terminated") || !now || has(now, "state.terminated")) continue;
        if (!c || !may_restart(c, spec, json_int(was, "state.terminated.exitCode", 0))) field_forbidden(e, at, "may not be transitioned to non-terminated state");
    }
}

static void claim_statuses(RULE, const struct json *claims) {
    size_t i = 0;
    JSON_EACH(s, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(s, "name"), *claim = json_str(s, "resourceClaimName");
        if (!named_item(claims, name)) field_invalid_str(e, FIELD(at, "name"), name, "must match the name of an entry in `spec.resourceClaims`");
        unique(e, at, o, i, "name");
        if (claim) field_invalid_names(e, FIELD(at, "name"), claim, name_dns1123_subdomain(claim));
        i++;
    }
}

static void addresses(RULE, const struct json *old, const char *type) {
    bool v4 = false, v6 = false;
    size_t i = 0;
    JSON_EACH(a, o) {
        const char *ip = str_of(a, "ip");
        bool known = false;
        JSON_EACH(was, old) known |= strcmp(str_of(was, "ip"), ip) == 0;
        if (!known) field_check_ip_legacy(e, FIELD_INDEX(p, i), ip, false);
        struct ip parsed;
        if (ip_parse(ip, &parsed)) *(ip_is_v4(&parsed) ? &v4 : &v6) = true;
        i++;
    }
    if (json_len(o) > 1 && (!v4 || !v6 || json_len(o) > 2)) field_invalid(e, p, go_form(e->arena, type, o), "may specify no more than one IP for each IP family");
}

static void users(RULE, const char *os) {
    size_t i = 0;
    JSON_EACH(s, o) {
        const struct json *v = json_get(s, "user.linux");
        const struct field_path *at = FIELD(FIELD(FIELD_INDEX(p, i++), "user"), "linux");
        if (!v) continue;
        if (strcmp(os, "windows") == 0) field_forbidden(e, at, "cannot be set for a windows pod");
        if (strcmp(os, "linux") != 0) continue;
        between(e, at, v, "uid", 0, INT32_MAX);
        between(e, at, v, "gid", 0, INT32_MAX);
        size_t k = 0;
        JSON_EACH(g, json_member(v, "supplementalGroups")) field_check_range(e, FIELD_INDEX(FIELD(at, "supplementalGroups"), k++), json_int(g, NULL, 0), 0, INT32_MAX);
    }
}

static bool has_claim(struct arena *a, const struct json *container, const char *name) {
    JSON_EACH(c, json_get(container, "resources.claims")) {
        const char *request = str_of(c, "request");
        if (strcmp(arena_printf(a, "claim:%s%s%s", str_of(c, "name"), *request ? "/" : "", request), name) == 0) return true;
    }
    return false;
}

static void allocated(RULE, const struct json *container) {
    size_t i = 0;
    JSON_EACH(r, o) {
        const struct field_path *at = FIELD_INDEX(p, i++);
        const char *name = str_of(r, "name");
        bool claim = str_starts(name, "claim:");
        bool found = claim ? has_claim(e->arena, container, name) : json_member(json_get(container, "resources.requests"), name) != NULL;
        if (container && !found)
            field_invalid_str(e, FIELD(at, "name"), name, "%s", claim ? "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
                                                                      : "must match one of the container's resource requests");
        const struct json *list = json_member(r, "resources");
        size_t k = 0;
        JSON_EACH(v, list) {
            const struct field_path *one = FIELD_INDEX(FIELD(at, "resources"), k);
            if (!word_in(str_of(v, "health"), "Healthy Unhealthy Unknown")) unsupported(e, FIELD(one, "health"), str_of(v, "health"), "Healthy Unhealthy Unknown");
            unique(e, one, list, k, "resourceID");
            k++;
        }
    }
}

static void extended_claim(RULE, const struct json *spec) {
    const struct json *list = json_member(o, "requestMappings");
    const struct field_path *maps = FIELD(p, "requestMappings");
    size_t i = 0;
    need_why(e, p, o, "requestMappings", "at least one request mapping is required");
    JSON_EACH(m, list) {
        const struct field_path *at = FIELD_INDEX(maps, i);
        const struct json *c = named_item(json_member(spec, "containers"), str_of(m, "containerName"));
        if (!c) c = named_item(json_member(spec, "initContainers"), str_of(m, "containerName"));
        if (!c)
            field_invalid_str(e, FIELD(at, "containerName"), str_of(m, "containerName"), "must match the name of an entry in spec.initContainers.name or spec.containers.name");
        else if (!json_member(json_get(c, "resources.requests"), str_of(m, "resourceName")))
            field_invalid_str(e, FIELD(at, "resourceName"), str_of(m, "resourceName"),
                              "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests");
        field_invalid_names(e, FIELD(p, "requestName"), str_of(m, "requestName"), name_dns1123_label(str_of(m, "requestName")));
        for (size_t k = 0; k < i; k++) {
            if (!json_equal(json_at(list, k), m)) continue;
            static const char *const parts[] = {"containerName", "resourceName", "requestName"};
            for (size_t n = 0; n < 3; n++) field_duplicate(e, FIELD(at, parts[n]), json_member(m, parts[n]));
            break;
        }
        i++;
    }
    named_needed(e, p, o, "resourceClaimName", name_dns1123_subdomain);
}

void validate_pod_status(struct field_errors *e, const struct json *o, const struct json *old) {
    static const struct { const char *status, *containers; } kinds[] = {
        {"containerStatuses", "containers"}, {"initContainerStatuses", "initContainers"}, {"ephemeralContainerStatuses", NULL}};
    const struct json *s = json_member(o, "status"), *was = json_member(old, "status"), *spec = json_member(o, "spec");
    const char *nominated = str_of(s, "nominatedNodeName"), *old_nominated = str_of(was, "nominatedNodeName");
    bool changed = *nominated && strcmp(nominated, old_nominated) != 0;
    pod_annotations(e, FIELD(META, "annotations"), json_get(o, "metadata.annotations"), spec);
    conditions(e, FIELD(STATUS, "conditions"), json_member(s, "conditions"));
    if (changed) named(e, STATUS, s, "nominatedNodeName", name_dns1123_subdomain);
    if (changed && *json_str_or(old, "spec.nodeName", ""))
        field_forbidden(e, FIELD(STATUS, "nominatedNodeName"), "may not be set on pods that are already bound to a node");
    if (json_int(s, "observedGeneration", 0) < 0)
        field_invalid_int(e, FIELD(STATUS, "observedGeneration"), json_int(s, "observedGeneration", 0), "must be a non-negative integer");
    if (strcmp(str_of(s, "qosClass"), str_of(was, "qosClass")) != 0) field_invalid_str(e, FIELD(STATUS, "qosClass"), str_of(s, "qosClass"), "field is immutable");
    for (size_t i = 0; i < 3; i++)
        transitions(e, FIELD(STATUS, kinds[i].status), json_member(s, kinds[i].status), json_member(was, kinds[i].status),
                    kinds[i].containers ? json_member(json_member(old, "spec"), kinds[i].containers) : NULL, json_member(old, "spec"));
    claim_statuses(e, FIELD(STATUS, "resourceClaimStatuses"), json_member(s, "resourceClaimStatuses"), json_member(spec, "resourceClaims"));
    if (has(s, "extendedResourceClaimStatus")) extended_claim(e, FIELD(STATUS, "extendedResourceClaimStatus"), json_member(s, "extendedResourceClaimStatus"), spec);
    addresses(e, FIELD(STATUS, "podIPs"), json_member(s, "podIPs"), json_member(was, "podIPs"), "core/v1/PodIP");
    const struct json *hosts = json_member(s, "hostIPs");
    const char *first = json_str_or(json_at(hosts, 0), "ip", "");
    if (json_len(hosts) && strcmp(first, str_of(s, "hostIP")) != 0)
        field_invalid_str(e, FIELD(FIELD_INDEX(FIELD(STATUS, "hostIPs"), 0), "ip"), first, "must be equal to `hostIP`");
    addresses(e, FIELD(STATUS, "hostIPs"), hosts, json_member(was, "hostIPs"), "core/v1/HostIP");
    for (size_t i = 0; i < 3; i++) users(e, FIELD(STATUS, kinds[i].status), json_member(s, kinds[i].status), json_str_or(spec, "os.name", "linux"));
    for (size_t i = 0; i < 3; i++) {
        size_t k = 0;
        JSON_EACH(c, json_member(s, kinds[i].status)) {
            const struct json *list = json_member(c, "allocatedResourcesStatus");
            const struct field_path *at = FIELD(FIELD_INDEX(FIELD(STATUS, kinds[i].status), k++), "allocatedResourcesStatus");
            if (kinds[i].containers) allocated(e, at, list, named_item(json_member(spec, kinds[i].containers), str_of(c, "name")));
            else if (json_len(list)) field_forbidden(e, at, "must not be specified in container status");
        }
    }
}
