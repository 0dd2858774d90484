/* Pod specs and pod templates. */
#include "apiserver/validation/rules.h"

/* ---- parts of the spec ---- */

static void resource_claim(RULE, const struct json *list, size_t i) {
    static const char *const refs[] = {"resourceClaimName", "resourceClaimTemplateName"};
    const char *name = str_of(o, "name");
    bool taken = false;
    for (size_t k = 0; k < i; k++) taken |= strcmp(str_of(json_at(list, k), "name"), name) == 0;
    if (!*name) field_required(e, FIELD(p, "name"), "");
    else if (taken) field_duplicate(e, FIELD(p, "name"), json_member(o, "name"));
    else named(e, p, o, "name", name_dns1123_label);
    bool by_name = has(o, refs[0]), by_template = has(o, refs[1]);
    const struct json *shown = go_form(e->arena, "core/v1/PodResourceClaim", o);
    if (by_name && by_template) field_invalid(e, p, shown, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    if (!by_name && !by_template) field_invalid(e, p, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    for (size_t k = 0; k < 2; k++) if (has(o, refs[k])) field_invalid_names(e, FIELD(p, refs[k]), str_of(o, refs[k]), name_dns1123_subdomain(str_of(o, refs[k])));
}

static bool is_mirror(const struct json *meta) { return json_member(json_member(meta, "annotations"), "kubernetes.io/config.mirror") != NULL; }

static void resource_claims(RULE, const struct json *meta) {
    size_t i = 0;
    JSON_EACH(c, o) {
        if (is_mirror(meta)) field_forbidden(e, FIELD_KEY(NULL, ""), "static pods do not support resource claims");
        else resource_claim(e, FIELD_INDEX(p, i), c, o, i);
        i++;
    }
}

/* What all containers request (or may use) together: sidecars count beside the others, init containers one at a time. */
static struct quantity aggregate(const struct json *spec, const char *kind, const char *name, bool *found) {
    struct quantity sum = {0}, sidecars = {0}, most = {0};
    JSON_EACH(c, json_member(spec, "containers")) {
        const struct json *q = json_member(json_member(json_member(c, "resources"), kind), name);
        struct quantity v = quantity_of(q);
        *found |= q != NULL;
        quantity_add(&sum, &v);
    }
    JSON_EACH(c, json_member(spec, "initContainers")) {
        const struct json *q = json_member(json_member(json_member(c, "resources"), kind), name);
        struct quantity v = quantity_of(q);
        *found |= q != NULL;
        if (json_str_is(c, "restartPolicy", "Always")) {
            quantity_add(&sum, &v);
            quantity_add(&sidecars, &v);
            v = sidecars;
        } else {
            quantity_add(&v, &sidecars);
        }
        if (quantity_compare(&v, &most) > 0) most = v;
    }
    return quantity_compare(&most, &sum) > 0 ? most : sum;
}

static void within_aggregate(RULE, const struct json *spec, const char *kind, const char *what) {
    JSON_EACH_MEMBER(m, json_member(o, kind)) {
        bool found = false;
        struct quantity all = aggregate(spec, kind, m->key, &found), mine = quantity_of(&m->value);
        if (!found || (*kind == 'l' && !is_hugepage(m->key)) || quantity_compare(&all, &mine) <= 0) continue;
        field_invalid_str(e, FIELD_KEY(FIELD(p, kind), m->key), quantity_text(e->arena, &m->value), "must be greater than or equal to aggregate container %s of %s",
                          what, quantity_format(e->arena, &all));
    }
}

static void whole_resources(RULE, const struct json *spec) {
    if (json_str_is(spec, "os.name", "windows")) {
        field_forbidden(e, p, "may not be set for a windows pod");
        return;
    }
    if (has(o, "claims")) field_forbidden(e, FIELD(p, "claims"), "claims may not be set for Resources at pod-level");
    resource_requirements(e, p, o, json_member(spec, "resourceClaims"), true);
    within_aggregate(e, p, o, spec, "requests", "requests");
    within_aggregate(e, p, o, spec, "limits", "limits");
    size_t i = 0;
    JSON_EACH(c, json_member(spec, "containers")) {
        JSON_EACH_MEMBER(m, json_get(c, "resources.limits")) {
            const struct json *limit = json_member(json_member(o, "limits"), m->key);
            if (limit && quantity_cmp(&m->value, limit) > 0)
                field_invalid_str(e, FIELD(FIELD_KEY(FIELD_INDEX(FIELD(p, "containers"), i), m->key), "limits"), quantity_text(e->arena, &m->value),
                                  "must be less than or equal to pod limits of %s", quantity_text(e->arena, limit));
        }
        i++;
    }
}

static void host_network_ports(RULE, bool is_pod) {
    if (!json_bool(o, "hostNetwork", false)) return;
    size_t i = 0;
    JSON_EACH(c, json_member(o, "containers")) {
        size_t k = 0;
        JSON_EACH(port, json_member(c, "ports")) {
            int64_t host = json_int(port, "hostPort", 0);
            if ((is_pod || host != 0) && host != json_int(port, "containerPort", 0))
                field_invalid_int(e, FIELD(FIELD_INDEX(FIELD(FIELD_INDEX(FIELD(p, "containers"), i), "ports"), k), "hostPort"), host,
                                  "must match `containerPort` when `hostNetwork` is true");
            k++;
        }
        i++;
    }
}

static void dns_config(RULE, const char *policy) {
    const struct json *servers = json_member(o, "nameservers"), *searches = json_member(o, "searches");
    size_t chars = 0, i = 0;
    if (strcmp(policy, "None") == 0 && !o) {
        field_required(e, p, "must provide `dnsConfig` when `dnsPolicy` is None");
        return;
    }
    if (strcmp(policy, "None") == 0 && json_len(servers) == 0) {
        field_required(e, FIELD(p, "nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
        return;
    }
    if (json_len(servers) > 3) field_invalid(e, FIELD(p, "nameservers"), servers, "must not have more than 3 nameservers");
    JSON_EACH(s, servers) field_check_ip_legacy(e, FIELD_INDEX(FIELD(p, "nameservers"), i++), text_of(s), false);
    JSON_EACH(s, searches) chars += s->len + 1;
    if (json_len(searches) > 32) field_invalid(e, FIELD(p, "searches"), searches, "must not have more than 32 search paths");
    if (chars > 2049) field_invalid(e, FIELD(p, "searches"), searches, "must not have more than 2048 characters (including spaces) in the search list");
    i = 0;
    JSON_EACH(s, searches) {
        const char *name = text_of(s);
        const struct field_path *at = FIELD_INDEX(FIELD(p, "searches"), i++);
        if (strcmp(name, ".") == 0) continue;
        if (str_ends(name, ".")) name = arena_strndup(e->arena, name, strlen(name) - 1);
        field_invalid_names(e, at, name, name_dns1123_subdomain_underscore(name));
    }
    i = 0;
    JSON_EACH(option, json_member(o, "options")) {
        if (!*str_of(option, "name")) field_required(e, FIELD_INDEX(FIELD(p, "options"), i), "must not be empty");
        i++;
    }
}

static void readiness_gate(RULE) { label_name(e, FIELD(p, "conditionType"), str_of(o, "conditionType")); }

static void scheduling_gates(RULE) {
    size_t i = 0;
    JSON_EACH(g, o) {
        bool taken = false;
        for (size_t k = 0; k < i; k++) taken |= strcmp(str_of(json_at(o, k), "name"), str_of(g, "name")) == 0;
        label_name(e, FIELD_INDEX(p, i), str_of(g, "name"));
        if (taken) field_duplicate(e, FIELD_INDEX(p, i), json_member(g, "name"));
        i++;
    }
}

static void host_process(RULE) {
    const struct json *whole = json_get(o, "securityContext.windowsOptions.hostProcess");
    size_t all = 0, count = 0;
    EACH_CONTAINER_KIND(k) {
        size_t i = 0;
        JSON_EACH(c, json_member(o, *k)) {
            const struct json *own = json_get(c, "securityContext.windowsOptions.hostProcess");
            const struct field_path *at = FIELD(FIELD(FIELD(FIELD_INDEX(FIELD(p, *k), i), "securityContext"), "windowsOptions"), "hostProcess");
            if (whole && own && !json_equal(whole, own))
                field_invalid(e, at, own, "pod hostProcess value must be identical if both are specified, was %s", json_bool(whole, NULL, false) ? "true" : "false");
            count += json_bool(own ? own : whole, NULL, false);
            all++;
            i++;
        }
    }
    if (count == 0) return;
    if (count != all) field_invalid_str(e, p, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers");
    if (!json_bool(o, "hostNetwork", false))
        field_invalid(e, FIELD(p, "hostNetwork"), &json_false, "hostNetwork must be true if pod contains any hostProcess containers");
}

static void host_users(RULE) {
    if (json_bool(o, "hostUsers", true)) return;
    if (json_bool(o, "hostNetwork", false)) field_forbidden(e, FIELD(p, "hostNetwork"), "when `hostUsers` is false");
    if (json_bool(o, "hostPID", false)) field_forbidden(e, FIELD(p, "HostPID"), "when `hostUsers` is false");
    if (json_bool(o, "hostIPC", false)) field_forbidden(e, FIELD(p, "HostIPC"), "when `hostUsers` is false");
    EACH_CONTAINER_KIND(k) {
        size_t i = 0;
        JSON_EACH(c, json_member(o, *k)) {
            if (json_len(json_member(c, "volumeDevices"))) field_forbidden(e, FIELD(FIELD_INDEX(FIELD(p, *k), i), "volumeDevices"), "when `hostUsers` is false");
            i++;
        }
    }
}

static void hostname_override(RULE) {
    const char *name = json_str(o, "hostnameOverride");
    const struct field_path *at = FIELD(p, "hostnameOverride");
    if (name == NULL) return;
    if (json_bool(o, "setHostnameAsFQDN", false)) field_forbidden(e, at, "may not be specified when setHostnameAsFQDN is true");
    if (json_bool(o, "hostNetwork", false)) field_forbidden(e, at, "may not be specified when hostNetwork is true");
    if (strlen(name) > 64) field_too_long(e, at, 64);
    field_invalid_names(e, at, name, name_dns1123_subdomain(name));
}

static void host_alias(RULE) {
    size_t i = 0;
    field_check_ip_legacy(e, FIELD(p, "ip"), str_of(o, "ip"), false);
    JSON_EACH(h, json_member(o, "hostnames")) {
        field_invalid_names(e, FIELD_INDEX(FIELD(p, "hostnames"), i), text_of(h), name_dns1123_subdomain(text_of(h)));
        i++;
    }
}

/* Fields that mean nothing on the pod's operating system; pod-level ones stand in the security context or beside it. */
static void operating_system(RULE) {
    static const char *const pod_fields[] = {"*appArmorProfile", "*seLinuxOptions", "hostUsers", "hostPID", "hostIPC", "*seccompProfile", "*fsGroup",
                                             "*fsGroupChangePolicy", "*sysctls", "shareProcessNamespace", "*runAsUser", "*runAsGroup", "*supplementalGroups",
                                             "*supplementalGroupsPolicy", "*seLinuxChangePolicy"};
    static const char *const container_fields[] = {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
                                                   "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"};
    const char *os = json_str_or(o, "os.name", "");
    const struct json *context = json_member(o, "securityContext");
    if (!*os) field_required(e, FIELD(FIELD(p, "os"), "name"), "");
    else if (!word_in(os, "linux windows")) unsupported(e, FIELD(p, "os"), os, "linux windows");
    bool on_linux = strcmp(os, "linux") == 0;
    if (on_linux) forbid(e, FIELD(p, "securityContext"), context, "windowsOptions", "windows options cannot be set for a linux pod");
    else if (strcmp(os, "windows") != 0) return;
    for (size_t i = 0; !on_linux && i < ARRAY_LEN(pod_fields); i++) {
        const char *name = pod_fields[i];
        if (*name == '*') forbid(e, FIELD(p, "securityContext"), context, name + 1, "cannot be set for a windows pod");
        else if (json_bool(o, name, false) || (has(o, name) && word_in(name, "hostUsers shareProcessNamespace"))) field_forbidden(e, FIELD(p, name), "cannot be set for a windows pod");
    }
    EACH_CONTAINER_KIND(k) {
        size_t i = 0;
        JSON_EACH(c, json_member(o, *k)) {
            const struct field_path *at = FIELD(FIELD_INDEX(FIELD(p, *k), i), "securityContext");
            const struct json *own = json_member(c, "securityContext");
            if (on_linux) forbid(e, at, own, "windowsOptions", "windows options cannot be set for a linux pod");
            for (size_t n = 0; !on_linux && n < ARRAY_LEN(container_fields); n++) forbid(e, at, own, container_fields[n], "cannot be set for a windows pod");
            i++;
        }
    }
}

static void file_key_volumes(RULE) {
    EACH_CONTAINER_KIND(k) {
        size_t i = 0;
        JSON_EACH(c, json_member(o, *k)) {
            size_t n = 0;
            JSON_EACH(v, json_member(c, "env")) {
                const struct json *ref = json_get(v, "valueFrom.fileKeyRef");
                const char *name = str_of(ref, "volumeName");
                const struct json *volume = named_item(json_member(o, "volumes"), name);
                const struct field_path *at = FIELD(FIELD(FIELD(FIELD_INDEX(FIELD(FIELD_INDEX(FIELD(p, *k), i), "env"), n), "valueFrom"), "fileKeyRef"), "volumeName");
                n++;
                if (!ref) continue;
                if (!volume) field_not_found(e, at, json_string(e->arena, name));
                else if (!has(volume, "emptyDir")) field_invalid_str(e, at, name, "referenced volume must be of type emptyDir");
            }
            i++;
        }
    }
}

/* ---- the spec ---- */

void pod_spec(RULE, const struct json *meta, const struct json *old, bool is_pod) {
    struct pod_rules r = {.spec = o, .meta = meta, .old = old, .is_pod = is_pod, .host_users = json_bool(o, "hostUsers", true)};
    const char *dns = str_of(o, "dnsPolicy");
    if (!has(o, "terminationGracePeriodSeconds")) field_required(e, FIELD(p, "terminationGracePeriodSeconds"), "");
    pod_volumes(e, FIELD(p, "volumes"), json_member(o, "volumes"), &r);
    resource_claims(e, FIELD(p, "resourceClaims"), json_member(o, "resourceClaims"), meta);
    pod_containers(e, p, &r);
    if (has(o, "resources")) whole_resources(e, FIELD(p, "resources"), json_member(o, "resources"), o);
    host_network_ports(e, p, o, is_pod);
    choice_needed(e, p, o, "restartPolicy", "Always OnFailure Never");
    choice_needed(e, p, o, "dnsPolicy", "ClusterFirstWithHostNet ClusterFirst Default None");
    validate_labels(e, FIELD(p, "nodeSelector"), json_member(o, "nodeSelector"));
    pod_security_context(e, FIELD(p, "securityContext"), json_member(o, "securityContext"), &r);
    rule_at(e, p, o, "affinity", affinity);
    dns_config(e, FIELD(p, "dnsConfig"), json_member(o, "dnsConfig"), dns);
    rule_each(e, p, o, "readinessGates", readiness_gate);
    scheduling_gates(e, FIELD(p, "schedulingGates"), json_member(o, "schedulingGates"));
    spread_constraints(e, FIELD(p, "topologySpreadConstraints"), json_member(o, "topologySpreadConstraints"));
    host_process(e, p, o);
    host_users(e, p, o);
    hostname_override(e, p, o);
    named(e, p, o, "serviceAccountName", name_dns1123_subdomain);
    named(e, p, o, "nodeName", name_dns1123_subdomain);
    between(e, p, o, "activeDeadlineSeconds", 1, INT32_MAX);
    named(e, p, o, "hostname", name_dns1123_label);
    named(e, p, o, "subdomain", name_dns1123_label);
    tolerations(e, FIELD(p, "tolerations"), json_member(o, "tolerations"));
    rule_each(e, p, o, "hostAliases", host_alias);
    named(e, p, o, "priorityClassName", name_dns1123_subdomain);
    const char *runtime = json_str(o, "runtimeClassName");
    if (runtime) field_invalid_names(e, FIELD(p, "runtimeClassName"), runtime, name_dns1123_subdomain(runtime));
    if (has(o, "preemptionPolicy")) choice_needed(e, p, o, "preemptionPolicy", "PreemptLowerPriority Never");
    if (has(o, "overhead")) resource_requirements(e, FIELD(p, "overhead"), json_make(e->arena, "{'limits':%v}", json_member(o, "overhead")), NULL, false);
    if (has(o, "os")) operating_system(e, p, o);
    file_key_volumes(e, p, o);
}

/* `o` has metadata and spec; `old` is the spec that was there before. */
void pod_template(RULE, const struct json *old) {
    const struct json *meta = json_member(o, "metadata"), *spec = json_member(o, "spec");
    const struct field_path *m = p, *s = FIELD(p, "spec");
    validate_labels(e, FIELD(m, "labels"), json_member(meta, "labels"));
    validate_annotations(e, FIELD(m, "annotations"), json_member(meta, "annotations"));
    pod_annotations(e, FIELD(m, "annotations"), json_member(meta, "annotations"), spec);
    pod_spec(e, s, spec, NULL, old, false);
    pod_template_annotations(e, p, o, s);
    if (json_len(json_member(spec, "ephemeralContainers"))) field_forbidden(e, FIELD(s, "ephemeralContainers"), "ephemeral containers not allowed in pod template");
}

void validate_pod_template(struct field_errors *e, const struct json *o, const struct json *old) {
    pod_template(e, FIELD(NULL, "template"), json_member(o, "template"), json_get(old, "template.spec"));
}
