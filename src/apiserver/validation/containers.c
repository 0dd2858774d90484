/* Containers: what they run, see and need. */
#include "apiserver/validation/rules.h"

/* ---- ports ---- */

static void container_ports(RULE) {
    size_t i = 0;
    JSON_EACH(port, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(port, "name");
        struct name_errors errors = name_port(name);
        if (*name && errors.len) field_invalid_names(e, FIELD(at, "name"), name, errors);
        else if (*name) unique(e, at, o, i, "name");
        if (json_int(port, "containerPort", 0) == 0) field_required(e, FIELD(at, "containerPort"), "");
        else field_check_port_number(e, FIELD(at, "containerPort"), json_int(port, "containerPort", 0));
        if (json_int(port, "hostPort", 0) != 0) field_check_port_number(e, FIELD(at, "hostPort"), json_int(port, "hostPort", 0));
        choice_needed(e, at, port, "protocol", "SCTP TCP UDP");
        i++;
    }
}

static const char *host_port(struct arena *a, const struct json *port) {
    return arena_printf(a, "%s/%s/%lld", str_of(port, "protocol"), str_of(port, "hostIP"), (long long)json_int(port, "hostPort", 0));
}

/* Over the containers from `first` to before `end`; paths count from the first, as upstream's. */
static void host_port_conflicts(struct field_errors *e, const struct field_path *p, const struct json *list, size_t first, size_t end) {
    struct json_array seen = {.arena = e->arena};
    for (size_t i = first; i < end; i++) {
        size_t k = 0;
        const struct field_path *ports = FIELD(FIELD_INDEX(p, i - first), "ports");
        JSON_EACH(port, json_member(json_at(list, i), "ports")) {
            k++;
            if (json_int(port, "hostPort", 0) == 0) continue;
            const struct json *key = json_string(e->arena, host_port(e->arena, port));
            bool taken = false;
            for (size_t n = 0; n < seen.len; n++) taken |= json_equal(&seen.items[n], key);
            if (taken) field_duplicate(e, FIELD(FIELD_INDEX(ports, k - 1), "hostPort"), key);
            else json_array_add(&seen, key);
        }
    }
}

/* ---- environment ---- */

/* path['key']: the path's length, and the key; false if there is no subscript. */
static bool subscripted(struct arena *a, const char *s, const char **path, const char **key) {
    const char *open = strstr(s, "['");
    size_t n = strlen(s);
    *path = s;
    *key = "";
    if (!open || open == s || !str_ends(s, "']") || n < (size_t)(open - s) + 4) return false;
    *path = arena_strndup(a, s, (size_t)(open - s));
    *key = arena_strndup(a, open + 2, n - (size_t)(open - s) - 4);
    return true;
}

void object_field_selector(RULE, const char *allowed) {
    static const char known[] = "metadata.annotations metadata.labels metadata.name metadata.namespace metadata.uid spec.nodeName spec.restartPolicy spec.serviceAccountName spec.schedulerName status.phase status.hostIP status.hostIPs status.podIP status.podIPs spec.host";
    const char *version = str_of(o, "apiVersion"), *field = str_of(o, "fieldPath"), *path, *key, *problem = NULL;
    if (!need(e, p, o, "apiVersion") || !need(e, p, o, "fieldPath")) return;
    bool sub = subscripted(e->arena, field, &path, &key);
    if (strcmp(version, "v1") != 0) problem = arena_printf(e->arena, "unsupported pod version: %s", version);
    else if (sub && !word_in(path, "metadata.annotations metadata.labels")) problem = arena_printf(e->arena, "field label does not support subscript: %s", field);
    else if (!sub && !word_in(field, known)) problem = arena_printf(e->arena, "field label not supported: %s", field);
    if (problem) {
        field_invalid_str(e, FIELD(p, "fieldPath"), field, "error converting fieldPath: %s", problem);
        return;
    }
    if (strcmp(path, "spec.host") == 0) path = "spec.nodeName";
    char *low = arena_strdup(e->arena, key);
    for (char *c = low; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    if (sub) label_name(e, p, strcmp(path, "metadata.annotations") == 0 ? low : key);
    else if (!word_in(path, allowed)) unsupported(e, FIELD(p, "fieldPath"), path, allowed);
}

static void divisor(RULE) {
    static const char sizes[] = "1 1k 1M 1G 1T 1P 1E 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei";
    static const struct { const char *resources, *name; } kinds[] = {
        {"limits.memory requests.memory", "memory"}, {"limits.ephemeral-storage requests.ephemeral-storage", "local ephemeral storage"}};
    const char *resource = str_of(o, "resource"), *what = NULL, *text = quantity_text(e->arena, json_member(o, "divisor"));
    if (quantity_cmp(json_member(o, "divisor"), NULL) == 0) return;
    if (word_in(resource, "limits.cpu requests.cpu") && !word_in(text, "1m 1"))
        field_invalid_str(e, FIELD(p, "divisor"), resource, "only divisor's values 1m and 1 are supported with the cpu resource");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) if (word_in(resource, kinds[i].resources)) what = kinds[i].name;
    if (str_starts(resource, "requests.hugepages-") || str_starts(resource, "limits.hugepages-")) what = "hugepages";
    if (what && !word_in(text, sizes))
        field_invalid_str(e, FIELD(p, "divisor"), resource, "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the %s resource", what);
}

void resource_field_selector(RULE, bool volume) {
    static const char known[] = "limits.cpu limits.ephemeral-storage limits.memory requests.cpu requests.ephemeral-storage requests.memory";
    const char *resource = str_of(o, "resource");
    if (volume && !*str_of(o, "containerName")) field_required(e, FIELD(p, "containerName"), "");
    else if (!*resource) field_required(e, FIELD(p, "resource"), "");
    else if (!word_in(resource, known) && !str_starts(resource, "limits.hugepages-") && !str_starts(resource, "requests.hugepages-"))
        unsupported(e, FIELD(p, "resource"), resource, known);
    divisor(e, p, o);
}

static void env_field(RULE) {
    object_field_selector(e, p, o, "metadata.name metadata.namespace metadata.uid spec.nodeName spec.serviceAccountName status.hostIP status.hostIPs status.podIP status.podIPs");
}
static void env_resource(RULE) { resource_field_selector(e, p, o, false); }
static void env_key(RULE) {
    field_invalid_names(e, FIELD(p, "name"), str_of(o, "name"), name_dns1123_subdomain(str_of(o, "name")));
    named_needed(e, p, o, "key", name_config_map_key);
}
static void env_file(RULE) {
    named_needed(e, p, o, "key", name_env_var_relaxed);
    named_needed(e, p, o, "volumeName", name_dns1123_label);
    if (need(e, p, o, "path")) no_backsteps(e, FIELD(p, "path"), str_of(o, "path"));
}

static void env_source(RULE, bool has_value) {
    static const struct { const char *name; rule_fn *fn; } kinds[] = {
        {"fieldRef", env_field}, {"resourceFieldRef", env_resource}, {"configMapKeyRef", env_key}, {"secretKeyRef", env_key}, {"fileKeyRef", env_file}};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        n += has(o, kinds[i].name);
        rule_at(e, p, o, kinds[i].name, kinds[i].fn);
    }
    if (n == 0) field_invalid_str(e, p, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
    else if (has_value) field_invalid_str(e, p, "", "may not be specified when `value` is not empty");
    else if (n > 1) field_invalid_str(e, p, "", "may not have more than one field specified at a time");
}

static void env_var(RULE) {
    named_needed(e, p, o, "name", name_env_var_relaxed);
    if (has(o, "valueFrom")) env_source(e, FIELD(p, "valueFrom"), json_member(o, "valueFrom"), *str_of(o, "value"));
}

static void env_ref(RULE) { named_needed(e, p, o, "name", name_dns1123_subdomain); }

static void env_from(RULE) {
    size_t i = 0;
    JSON_EACH(v, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        size_t n = (size_t)has(v, "configMapRef") + has(v, "secretRef");
        i++;
        named(e, at, v, "prefix", name_env_var_relaxed);
        rule_at(e, at, v, "configMapRef", env_ref);
        rule_at(e, at, v, "secretRef", env_ref);
        if (n == 0) field_invalid_str(e, p, "", "must specify one of: `configMapRef` or `secretRef`");
        else if (n > 1) field_invalid_str(e, p, "", "may not have more than one field specified at a time");
    }
}

/* ---- mounts ---- */

static bool any_with(const struct json *list, const char *field, const char *s) {
    JSON_EACH(v, list) if (strcmp(str_of(v, field), s) == 0) return true;
    return false;
}

static void propagation(RULE, const struct json *container) {
    static const char modes[] = "Bidirectional HostToContainer None", reading[] = "Disabled Enabled IfPossible";
    const char *mode = json_str(o, "mountPropagation"), *recursive = json_str(o, "recursiveReadOnly");
    if (mode) {
        const struct field_path *at = FIELD(p, "mountPropagation");
        if (!word_in(mode, modes)) unsupported(e, at, mode, modes);
        if (strcmp(mode, "Bidirectional") == 0 && !json_bool(container, "securityContext.privileged", false))
            field_forbidden(e, at, "Bidirectional mount propagation is available only to privileged containers");
    }
    if (!recursive || strcmp(recursive, "Disabled") == 0) return;
    const struct field_path *at = FIELD(p, "recursiveReadOnly");
    if (!word_in(recursive, reading)) {
        unsupported(e, at, recursive, reading);
        return;
    }
    if (!json_bool(o, "readOnly", false)) field_forbidden(e, at, "may only be specified when readOnly is true");
    if (mode && strcmp(mode, "None") != 0) field_forbidden(e, at, "may only be specified when mountPropagation is None or not specified");
}

static void mounts(RULE, const struct pod_rules *r) {
    const struct json *list = json_member(o, "volumeMounts"), *devices = json_member(o, "volumeDevices");
    size_t i = 0;
    JSON_EACH(m, list) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(m, "name"), *path = str_of(m, "mountPath"), *sub = str_of(m, "subPath"), *expr = str_of(m, "subPathExpr");
        need(e, at, m, "name");
        if (!named_item(r->volumes, name)) field_not_found(e, FIELD(at, "name"), json_string(e->arena, name));
        need(e, at, m, "mountPath");
        bool doubled = false;
        for (size_t k = 0; k < i; k++) doubled |= strcmp(str_of(json_at(list, k), "mountPath"), path) == 0;
        if (doubled) field_invalid_str(e, FIELD(at, "mountPath"), path, "must be unique");
        if (any_with(devices, "name", name)) field_invalid_str(e, FIELD(at, "name"), name, "must not already exist in volumeDevices");
        if (any_with(devices, "devicePath", path)) field_invalid_str(e, FIELD(at, "mountPath"), path, "must not already exist as a path in volumeDevices");
        if (*sub) local_path(e, FIELD(p, "subPath"), sub);
        if (*expr && *sub) field_invalid_str(e, FIELD(at, "subPathExpr"), expr, "subPathExpr and subPath are mutually exclusive");
        if (*expr) local_path(e, FIELD(p, "subPathExpr"), expr);
        propagation(e, p, m, o);
        i++;
    }
}

static void devices(RULE, const struct pod_rules *r) {
    const struct json *list = json_member(o, "volumeDevices"), *mounted = json_member(o, "volumeMounts");
    size_t i = 0;
    JSON_EACH(d, list) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(d, "name"), *path = str_of(d, "devicePath");
        const struct json *volume = named_item(r->volumes, name);
        bool name_taken = false, path_taken = false;
        for (size_t k = 0; k < i; k++) {
            name_taken |= *name && strcmp(str_of(json_at(list, k), "name"), name) == 0;
            path_taken |= strcmp(str_of(json_at(list, k), "devicePath"), path) == 0;
        }
        need(e, at, d, "name");
        if (name_taken) field_invalid_str(e, FIELD(at, "name"), name, "must be unique");
        if (volume && !has(volume, "persistentVolumeClaim") && !has(volume, "ephemeral"))
            field_invalid_str(e, FIELD(at, "name"), name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        if (!volume) field_not_found(e, FIELD(at, "name"), json_string(e->arena, name));
        need(e, at, d, "devicePath");
        if (path_taken) field_invalid_str(e, FIELD(at, "devicePath"), path, "must be unique");
        struct field_errors ignored = {.arena = e->arena};
        if (*path && !no_backsteps(&ignored, at, path)) field_invalid_str(e, FIELD(at, "devicePath"), path, "can not contain backsteps ('..')");
        if (any_with(mounted, "name", name)) field_invalid_str(e, FIELD(at, "name"), name, "must not already exist in volumeMounts");
        if (any_with(mounted, "mountPath", path)) field_invalid_str(e, FIELD(at, "devicePath"), path, "must not already exist as a path in volumeMounts");
        i++;
    }
}

/* ---- handlers and probes ---- */

static void exec(RULE) { need(e, p, o, "command"); }
static void port_of(RULE) { port_or_name(e, FIELD(p, "port"), json_member(o, "port")); }
static void http_get(RULE) {
    need(e, p, o, "path");
    port_of(e, p, o);
    if (!word_in(str_of(o, "scheme"), "HTTP HTTPS")) unsupported(e, FIELD(p, "scheme"), str_of(o, "scheme"), "HTTP HTTPS");
    JSON_EACH(h, json_member(o, "httpHeaders")) field_invalid_names(e, FIELD(p, "httpHeaders"), str_of(h, "name"), name_http_header(str_of(h, "name")));
}

static void handler(RULE, const struct json *grace) {
    static const struct { const char *name; rule_fn *fn; } kinds[] = {{"exec", exec}, {"httpGet", http_get}, {"tcpSocket", port_of}, {"grpc", port_of}, {"sleep", NULL}};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct json *v = json_member(o, kinds[i].name);
        const struct field_path *at = FIELD(p, kinds[i].name);
        if (v == NULL) continue;
        int64_t seconds = json_int(v, "seconds", 0), limit = json_int(grace, NULL, 0);
        if (any) field_forbidden(e, at, "may not specify more than 1 handler type");
        else if (kinds[i].fn) kinds[i].fn(e, at, v);
        else if (grace && (seconds < 0 || seconds > limit))
            field_invalid_int(e, at, seconds, "must be non-negative and less than terminationGracePeriodSeconds (%lld)", (long long)limit);
        any = true;
    }
    if (!any) field_required(e, p, "must specify a handler type");
}

static void probe(RULE, const char *name, const struct json *grace) {
    const struct json *v = json_member(o, name);
    if (v == NULL) return;
    p = FIELD(p, name);
    handler(e, p, v, grace);
    nonnegative(e, p, v, "initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold");
    bool readiness = strcmp(name, "readinessProbe") == 0;
    int64_t seconds = json_int(v, "terminationGracePeriodSeconds", 1);
    if (seconds <= 0) field_invalid_int(e, FIELD(p, "terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    if (readiness && has(v, "terminationGracePeriodSeconds"))
        field_invalid_int(e, FIELD(p, "terminationGracePeriodSeconds"), seconds, "must not be set for readinessProbes");
    if (!readiness && json_int(v, "successThreshold", 0) != 1)
        field_invalid_int(e, FIELD(p, "successThreshold"), json_int(v, "successThreshold", 0), "must be 1");
}

static void probes(RULE, const struct json *grace) {
    probe(e, p, o, "livenessProbe", grace);
    probe(e, p, o, "readinessProbe", grace);
    probe(e, p, o, "startupProbe", grace);
}

static void lifecycle(RULE, const struct json *grace) {
    static const char *const hooks[] = {"postStart", "preStop"};
    const struct json *v = json_member(o, "lifecycle");
    p = FIELD(p, "lifecycle");
    for (size_t i = 0; i < 2; i++) if (has(v, hooks[i])) handler(e, FIELD(p, hooks[i]), json_member(v, hooks[i]), grace);
}

/* ---- policies ---- */

static void resize_policy(RULE, const char *pod_policy) {
    size_t i = 0;
    JSON_EACH(v, o) {
        const char *name = str_of(v, "resourceName"), *policy = str_of(v, "restartPolicy");
        bool doubled = false;
        for (size_t k = 0; k < i; k++) doubled |= strcmp(str_of(json_at(o, k), "resourceName"), name) == 0;
        if (doubled) field_duplicate(e, FIELD_INDEX(p, i), json_string(e->arena, name));
        if (!*name) field_required(e, p, "");
        else if (!word_in(name, "cpu memory")) unsupported(e, p, name, "cpu memory");
        if (!*policy) field_required(e, p, "");
        else if (!word_in(policy, "NotRequired RestartContainer")) unsupported(e, p, policy, "NotRequired RestartContainer");
        if (strcmp(pod_policy, "Never") == 0 && strcmp(policy, "NotRequired") != 0)
            field_invalid_str(e, p, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'");
        i++;
    }
}

static void restart_rule(RULE) {
    if (!word_in(str_of(o, "action"), "Restart")) unsupported(e, FIELD(p, "action"), str_of(o, "action"), "Restart");
    const struct json *codes = json_member(o, "exitCodes");
    const struct field_path *at = FIELD(p, "exitCodes");
    if (!codes) {
        field_required(e, at, "must be specified");
        return;
    }
    if (!word_in(str_of(codes, "operator"), "In NotIn")) unsupported(e, FIELD(at, "operator"), str_of(codes, "operator"), "In NotIn");
    if (json_len(json_member(codes, "values")) > 255) field_too_long(e, FIELD(at, "values"), 255);
}

static void restart_policy(RULE, bool init) {
    const char *policy = json_str(o, "restartPolicy");
    size_t rules = json_len(json_member(o, "restartPolicyRules"));
    if (!policy && rules == 0) return;
    if (!policy) field_required(e, FIELD(p, "restartPolicy"), "must specify restartPolicy when restart rules are used");
    if (!policy && init) return;
    if (init && strcmp(policy, "Always") == 0) {
        if (rules) field_forbidden(e, FIELD(p, "restartPolicyRules"), "restartPolicyRules are not allowed for init containers with restart policy Always");
        return;
    }
    choice(e, p, o, "restartPolicy", "Always Never OnFailure");
    if (rules > 20) field_too_long(e, FIELD(p, "restartPolicyRules"), 20);
    rule_each(e, p, o, "restartPolicyRules", restart_rule);
}

/* ---- all of it ---- */

static void container(RULE, const struct pod_rules *r) {
    named_needed(e, p, o, "name", name_dns1123_label);
    need(e, p, o, "image");
    choice_needed(e, p, o, "terminationMessagePolicy", "File FallbackToLogsOnError");
    container_ports(e, FIELD(p, "ports"), json_member(o, "ports"));
    rule_each(e, p, o, "env", env_var);
    env_from(e, FIELD(p, "envFrom"), json_member(o, "envFrom"));
    mounts(e, FIELD(p, "volumeMounts"), o, r);
    devices(e, FIELD(p, "volumeDevices"), o, r);
    pull_policy(e, FIELD(p, "imagePullPolicy"), str_of(o, "imagePullPolicy"));
    resource_requirements(e, FIELD(p, "resources"), json_member(o, "resources"), json_member(r->spec, "resourceClaims"), false);
    resize_policy(e, FIELD(p, "resizePolicy"), json_member(o, "resizePolicy"), str_of(r->spec, "restartPolicy"));
    if (has(o, "securityContext")) container_security_context(e, FIELD(p, "securityContext"), json_member(o, "securityContext"), r->host_users);
}

static void init_containers(RULE, const struct pod_rules *r, const struct json *grace) {
    const struct json *regular = json_member(r->spec, "containers");
    size_t i = 0;
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(c, "name");
        bool taken = named_item(regular, name) != NULL;
        container(e, at, c, r);
        restart_policy(e, at, c, true);
        for (size_t k = 0; k < i; k++) taken |= *name && strcmp(str_of(json_at(o, k), "name"), name) == 0;
        if (taken) field_duplicate(e, FIELD(at, "name"), json_string(e->arena, name));
        host_port_conflicts(e, p, o, i, i + 1);
        if (json_str_is(c, "restartPolicy", "Always")) {
            if (has(c, "lifecycle")) lifecycle(e, at, c, grace);
            probes(e, at, c, grace);
        } else {
            static const char *const none[] = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"};
            for (size_t k = 0; k < ARRAY_LEN(none); k++) forbid(e, at, c, none[k], "may not be set for init containers without restartPolicy=Always");
        }
        i++;
    }
}

static void trimmed_image(RULE) {
    const char *s = str_of(o, "image");
    size_t n = strlen(s);
    if (n && (strchr(" \t\n\r\v\f", s[0]) || strchr(" \t\n\r\v\f", s[n - 1])))
        field_invalid_str(e, FIELD(p, "image"), s, "must not have leading or trailing whitespace");
}

static void ephemeral_containers(RULE, const struct pod_rules *r) {
    static const char *const barred[] = {"ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"};
    size_t i = 0;
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(c, "name"), *target = str_of(c, "targetContainerName");
        const struct json *init = json_member(r->spec, "initContainers"), *regular = json_member(r->spec, "containers");
        bool taken = named_item(init, name) || named_item(regular, name);
        container(e, at, c, r);
        trimmed_image(e, at, c);
        for (size_t k = 0; k < i; k++) taken |= strcmp(str_of(json_at(o, k), "name"), name) == 0;
        if (taken) field_duplicate(e, FIELD(at, "name"), json_string(e->arena, name));
        if (*target && !named_item(init, target) && !named_item(regular, target)) field_not_found(e, FIELD(at, "targetContainerName"), json_string(e->arena, target));
        for (size_t k = 0; k < ARRAY_LEN(barred); k++)
            if (has(c, barred[k]) && (strcmp(barred[k], "resources") != 0 || json_len(json_member(c, "resources")))) field_forbidden(e, FIELD(at, barred[k]), "cannot be set for an Ephemeral Container");
        size_t k = 0;
        JSON_EACH(m, json_member(c, "volumeMounts")) {
            const struct field_path *mount = FIELD_INDEX(FIELD(at, "volumeMounts"), k);
            if (*str_of(m, "subPath")) field_forbidden(e, FIELD(mount, "subPath"), "cannot be set for an Ephemeral Container");
            if (*str_of(m, "subPathExpr")) field_forbidden(e, FIELD(mount, "subPathExpr"), "cannot be set for an Ephemeral Container");
            k++;
        }
        i++;
    }
}

static void regular_containers(RULE, const struct pod_rules *r, const struct json *grace) {
    size_t i = 0;
    if (json_len(o) == 0) {
        field_required(e, p, "");
        return;
    }
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        container(e, at, c, r);
        unique(e, at, o, i, "name");
        if (has(c, "lifecycle")) lifecycle(e, at, c, grace);
        probes(e, at, c, grace);
        restart_policy(e, at, c, false);
        i++;
    }
    host_port_conflicts(e, p, o, 0, json_len(o));
}

void pod_containers(struct field_errors *e, const struct field_path *spec, const struct pod_rules *r) {
    const struct json *grace = json_member(r->spec, "terminationGracePeriodSeconds");
    regular_containers(e, FIELD(spec, "containers"), json_member(r->spec, "containers"), r, grace);
    init_containers(e, FIELD(spec, "initContainers"), json_member(r->spec, "initContainers"), r, grace);
    ephemeral_containers(e, FIELD(spec, "ephemeralContainers"), json_member(r->spec, "ephemeralContainers"), r);
}

void containers_trimmed(struct field_errors *e, const struct field_path *spec, const struct json *o) {
    rule_each(e, spec, o, "containers", trimmed_image);
    rule_each(e, spec, o, "initContainers", trimmed_image);
}
