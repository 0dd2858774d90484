/* Admission webhooks, flow control and certificate requests. */
#include "apiserver/validation/rules.h"

static bool wildcard_among(const struct json *list) { return json_len(list) > 1 && list_contains(list, "*"); }

/* ---- webhooks ---- */

static void webhook_resources(RULE) {
    const struct json *list = o;
    bool double_wild = false, wild = false, plain = false;
    size_t i = 0;
    if (json_len(o) == 0) field_required(e, p, "");
    JSON_EACH(r, o) {
        const char *s = text_of(r), *slash = strchr(s, '/');
        const struct field_path *at = FIELD_INDEX(p, i++);
        if (!*s) {
            field_required(e, at, "");
            continue;
        }
        double_wild |= strcmp(s, "*/*") == 0;
        wild |= strcmp(s, "*") == 0;
        if (!slash) {
            plain = strcmp(s, "*") != 0;
            continue;
        }
        const char *resource = arena_strndup(e->arena, s, (size_t)(slash - s));
        bool all_subs = false, all_resources = false;
        for (size_t k = 0; k + 1 < i; k++) {
            const char *q = text_of(json_at(list, k));
            all_subs |= strcmp(q, arena_printf(e->arena, "%s/*", resource)) == 0;
            all_resources |= strcmp(q, arena_printf(e->arena, "*%s", slash)) == 0;
        }
        if (all_subs) field_invalid_str(e, at, s, "if '%s/*' is present, must not specify %s", resource, s);
        if (all_resources) field_invalid_str(e, at, s, "if '*%s' is present, must not specify %s", slash, s);
    }
    if (json_len(o) > 1 && double_wild) field_invalid(e, p, o, "if '*/*' is present, must not specify other resources");
    if (wild && plain) field_invalid(e, p, o, "if '*' is present, must not specify other resources without subresources");
}

void webhook_rule(RULE) {
    static const char operations[] = "* CONNECT CREATE DELETE UPDATE";
    const struct json *ops = json_member(o, "operations"), *groups = json_member(o, "apiGroups"), *versions = json_member(o, "apiVersions");
    size_t i = 0;
    need(e, p, o, "operations");
    if (wildcard_among(ops)) field_invalid(e, FIELD(p, "operations"), ops, "if '*' is present, must not specify other operations");
    JSON_EACH(op, ops) {
        if (!word_in(text_of(op), operations)) unsupported(e, FIELD_INDEX(FIELD(p, "operations"), i), text_of(op), operations);
        i++;
    }
    need(e, p, o, "apiGroups");
    if (wildcard_among(groups)) field_invalid(e, FIELD(p, "apiGroups"), groups, "if '*' is present, must not specify other API groups");
    need(e, p, o, "apiVersions");
    if (wildcard_among(versions)) field_invalid(e, FIELD(p, "apiVersions"), versions, "if '*' is present, must not specify other API versions");
    i = 0;
    JSON_EACH(v, versions) {
        if (!*text_of(v)) field_required(e, FIELD_INDEX(FIELD(p, "apiVersions"), i), "");
        i++;
    }
    webhook_resources(e, FIELD(p, "resources"), json_member(o, "resources"));
    choice(e, p, o, "scope", "* Cluster Namespaced");
}

static void webhook_url(struct field_errors *e, const struct field_path *p, const char *url) {
    static const char form[] = "; desired format: https://host[/path]";
    struct url_parts u;
    const char *problem = url_read(e->arena, url, &u);
    if (problem) {
        field_required(e, p, arena_printf(e->arena, "url must be a valid URL: %s%s", problem, form));
        return;
    }
    if (strcmp(u.scheme, "https") != 0) field_invalid_str(e, p, u.scheme, "'https' is the only allowed URL scheme%s", form);
    if (!*u.host) field_invalid_str(e, p, "", "host must be specified%s", form);
    if (u.user) field_invalid_str(e, p, u.user, "user information is not permitted in the URL");
    if (*u.fragment) field_invalid_str(e, p, u.fragment, "fragments are not permitted in the URL");
    if (*u.query) field_invalid_str(e, p, u.query, "query parameters are not permitted in the URL");
}

static void webhook_service(RULE) {
    const char *path = json_str(o, "path");
    const struct field_path *at = FIELD(p, "path");
    int64_t port = json_int(o, "port", 443);
    if (!*str_of(o, "namespace")) field_required(e, FIELD(p, "name"), ""); /* upstream mixes them up */
    if (!*str_of(o, "name")) field_required(e, FIELD(p, "namespace"), "");
    if (port < 1 || port > 65535) field_invalid_int(e, FIELD(p, "port"), port, "port is not valid: must be between 1 and 65535, inclusive");
    if (!path || !*path || strcmp(path, "/") == 0) return;
    if (strcmp(path, "//") == 0) {
        field_invalid_str(e, at, path, "segment[0] may not be empty");
        return;
    }
    if (*path != '/') field_invalid_str(e, at, path, "must start with a '/'");
    const char *checked = *path == '/' ? path + 1 : path;
    if (str_ends(checked, "/")) checked = arena_strndup(e->arena, checked, strlen(checked) - 1);
    char **steps = str_split(e->arena, checked, '/', NULL);
    for (size_t i = 0; steps[i]; i++) {
        struct name_errors errors = name_dns1123_subdomain(steps[i]);
        if (!*steps[i]) field_invalid_str(e, at, path, "segment[%zu] may not be empty", i);
        else for (size_t k = 0; k < errors.len; k++) field_invalid_str(e, at, path, "segment[%zu]: %s", i, errors.items[k]);
    }
}

void webhook_client(RULE) {
    if (has(o, "url") == has(o, "service")) field_required(e, p, "exactly one of url or service is required");
    else if (has(o, "url")) webhook_url(e, FIELD(p, "url"), str_of(o, "url"));
    else webhook_service(e, FIELD(p, "service"), json_member(o, "service"));
}

static void webhook(RULE, bool mutating) {
    const struct json *config = json_member(o, "clientConfig");
    const struct field_path *at = FIELD(p, "clientConfig");
    int64_t timeout = json_int(o, "timeoutSeconds", 10);
    field_check_fully_qualified_name(e, FIELD(p, "name"), str_of(o, "name"));
    rule_each(e, p, o, "rules", webhook_rule);
    choice(e, p, o, "failurePolicy", "Fail Ignore");
    choice(e, p, o, "matchPolicy", "Equivalent Exact");
    if (!has(o, "sideEffects")) field_required(e, FIELD(p, "sideEffects"), "must specify one of None, NoneOnDryRun");
    else choice(e, p, o, "sideEffects", "None NoneOnDryRun");
    if (timeout < 1 || timeout > 30) field_invalid_int(e, FIELD(p, "timeoutSeconds"), timeout, "the timeout value must be between 1 and 30 seconds");
    rule_at(e, p, o, "namespaceSelector", label_selector);
    rule_at(e, p, o, "objectSelector", label_selector);
    if (mutating) choice(e, p, o, "reinvocationPolicy", "IfNeeded Never");
    webhook_client(e, at, config);
    webhook_conditions(e, FIELD(p, "matchConditions"), json_member(o, "matchConditions"));
}

void webhook_review_versions(RULE) {
    bool known = false;
    size_t i = 0;
    if (json_len(o) == 0) {
        field_required(e, p, "must specify one of v1, v1beta1");
        return;
    }
    JSON_EACH(v, o) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(o, k), v);
        if (seen) field_invalid(e, FIELD_INDEX(p, i), v, "duplicate version");
        else field_invalid_names(e, FIELD_INDEX(p, i), text_of(v), name_dns1035_label(text_of(v)));
        known |= word_in(text_of(v), "v1 v1beta1");
        i++;
    }
    if (!known) field_invalid(e, p, o, "must include at least one of v1, v1beta1");
}

static void webhooks(struct field_errors *e, const struct json *o, bool mutating) {
    const struct json *list = json_member(o, "webhooks");
    size_t i = 0;
    JSON_EACH(w, list) {
        const struct field_path *at = FIELD_INDEX(FIELD(NULL, "webhooks"), i);
        webhook(e, at, w, mutating);
        webhook_review_versions(e, FIELD(at, "admissionReviewVersions"), json_member(w, "admissionReviewVersions"));
        if (*str_of(w, "name")) unique(e, at, list, i, "name");
        i++;
    }
}
void validate_mutating_webhooks(struct field_errors *e, const struct json *o, const struct json *old) { (void)old; webhooks(e, o, true); }
void validate_validating_webhooks(struct field_errors *e, const struct json *o, const struct json *old) { (void)old; webhooks(e, o, false); }

/* ---- flow control ---- */

static void flow_subject(RULE) {
    static const struct { const char *kind, *field; } kinds[] = {{"ServiceAccount", "serviceAccount"}, {"User", "user"}, {"Group", "group"}};
    const char *kind = str_of(o, "kind");
    if (!word_in(kind, "ServiceAccount User Group")) {
        unsupported(e, FIELD(p, "kind"), kind, "Group ServiceAccount User");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct json *v = json_member(o, kinds[i].field);
        const struct field_path *at = FIELD(p, kinds[i].field);
        if (strcmp(kind, kinds[i].kind) != 0) continue;
        if (!v) field_required(e, at, arena_printf(e->arena, "%s is required when subject kind is '%s'", kinds[i].field, kind));
        else if (need(e, at, v, "name") && i == 0 && !json_str_is(v, "name", "*")) named(e, at, v, "name", name_dns1123_subdomain);
        if (v && i == 0 && need_why(e, at, v, "namespace", "must specify namespace for service account")) named(e, at, v, "namespace", name_dns1123_label);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kind, kinds[i].kind) != 0 && has(o, kinds[i].field))
            field_forbidden(e, FIELD(p, kinds[i].field), "%s is forbidden when subject kind is not '%s'", kinds[i].field, kinds[i].kind);
}

static void flow_verbs(RULE) {
    static const char *const known[] = {"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch", NULL};
    const struct json *verbs = json_member(o, "verbs");
    bool all = true;
    JSON_EACH(v, verbs) all &= str_in(text_of(v), known);
    if (!need_why(e, p, o, "verbs", "verbs must contain at least one value")) return;
    if (wildcard_among(verbs)) field_invalid(e, FIELD(p, "verbs"), verbs, "if '*' is present, must not specify other verbs");
    else if (!all && !list_contains(verbs, "*")) field_not_supported(e, FIELD(p, "verbs"), verbs, known);
}

static void flow_list(RULE, const char *name, const char *what, const char *why) {
    const struct json *list = json_member(o, name);
    if (need_why(e, p, o, name, why) && wildcard_among(list)) field_invalid(e, FIELD(p, name), list, "if '*' is present, must not specify other %s", what);
}

static void flow_resource_rule(RULE) {
    const struct json *list = json_member(o, "namespaces");
    size_t i = 0;
    flow_verbs(e, p, o);
    flow_list(e, p, o, "apiGroups", "api groups", "resource rules must supply at least one api group");
    flow_list(e, p, o, "resources", "resources", "resource rules must supply at least one resource");
    if (json_len(list) == 0 && !json_bool(o, "clusterScope", false))
        field_required(e, FIELD(p, "namespaces"), "resource rules that are not cluster scoped must supply at least one namespace");
    if (wildcard_among(list)) field_invalid(e, FIELD(p, "namespaces"), list, "if '*' is present, must not specify other namespaces");
    JSON_EACH(ns, list_contains(list, "*") ? NULL : list)
        field_checks(e, FIELD_INDEX(FIELD(p, "namespaces"), i++), text_of(ns), name_dns1123_label(text_of(ns)), "each member of this list must be '*' or a DNS-1123 label; ");
}

static const char *url_problem(const char *url) {
    const char *star = strchr(url, '*');
    size_t n = strlen(url);
    if (n == 0) return "must not be empty";
    if (*url != '/') return "must start with slash";
    if (strchr(url, ' ')) return "must not contain white-space";
    if (strstr(url, "//")) return "must not contain double slash";
    return star && (star != url + n - 1 || url[n - 2] != '/') ? "wildcard can only do suffix matching" : NULL;
}

static void flow_url_rule(RULE) {
    const struct json *list = json_member(o, "nonResourceURLs");
    size_t i = 0;
    flow_verbs(e, p, o);
    flow_list(e, p, o, "nonResourceURLs", "non-resource URLs", "nonResourceURLs must contain at least one value");
    JSON_EACH(url, list_contains(list, "*") ? NULL : list) {
        const char *why = url_problem(text_of(url));
        if (why) field_invalid_str(e, FIELD_INDEX(FIELD(p, "nonResourceURLs"), i), text_of(url), "%s", why);
        i++;
    }
}

static void flow_rule(RULE) {
    if (need_why(e, p, o, "subjects", "subjects must contain at least one value")) rule_each(e, p, o, "subjects", flow_subject);
    if (!json_len(json_member(o, "resourceRules")) && !json_len(json_member(o, "nonResourceRules")))
        field_required(e, p, "at least one of resourceRules and nonResourceRules has to be non-empty");
    rule_each(e, p, o, "resourceRules", flow_resource_rule);
    rule_each(e, p, o, "nonResourceRules", flow_url_rule);
}

void validate_flow_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const struct json *list = json_get(o, "status.conditions");
    for (size_t i = 0; i < json_len(list); i++) {
        unique(e, FIELD_INDEX(FIELD(STATUS, "conditions"), i), list, i, "type");
        need(e, FIELD_INDEX(FIELD(STATUS, "conditions"), i), json_at(list, i), "type");
    }
}

void validate_flow_schema(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *method = json_member(spec, "distinguisherMethod");
    int64_t n = json_int(spec, "matchingPrecedence", 0);
    const struct field_path *at = FIELD(SPEC, "matchingPrecedence");
    if (n <= 0) field_invalid_int(e, at, n, "must be a positive value");
    if (n > 10000) field_invalid_int(e, at, n, "must not be greater than 10000");
    if (n == 1 && !json_str_is(o, "metadata.name", "exempt")) field_invalid_int(e, at, n, "only the schema named 'exempt' may have matchingPrecedence 1");
    if (method && !word_in(str_of(method, "type"), "ByNamespace ByUser"))
        field_not_supported(e, FIELD(FIELD(SPEC, "distinguisherMethod"), "type"), go_form(e->arena, "flowcontrol.apiserver.k8s.io/v1/FlowDistinguisherMethod", method),
                            (const char *const[]){"ByNamespace", "ByUser", NULL});
    if (need_why(e, FIELD(SPEC, "priorityLevelConfiguration"), json_member(spec, "priorityLevelConfiguration"), "name", "must reference a priority level"))
        named(e, FIELD(SPEC, "priorityLevelConfiguration"), json_member(spec, "priorityLevelConfiguration"), "name", name_dns1123_subdomain);
    rule_each(e, SPEC, spec, "rules", flow_rule);
    validate_flow_status(e, o, old);
}

static void lendable(RULE) {
    int64_t n = json_int(o, "lendablePercent", 0);
    if (n < 0 || n > 100) field_invalid_int(e, FIELD(p, "lendablePercent"), n, "must be between 0 and 100, inclusive");
}

static void shares(RULE) {
    int64_t n = json_int(o, "nominalConcurrencyShares", 0);
    if (n < 0) field_invalid_int(e, FIELD(p, "nominalConcurrencyShares"), n, "must be a non-negative integer");
}

static void queuing(RULE) {
    int64_t limit = json_int(o, "queueLengthLimit", 0), queues = json_int(o, "queues", 0), hand = json_int(o, "handSize", 0);
    double bits = 0;
    if (limit <= 0) field_invalid_int(e, FIELD(p, "queueLengthLimit"), limit, "must be positive");
    if (queues <= 0) field_invalid_int(e, FIELD(p, "queues"), queues, "must be positive");
    else if (queues > 10000000) field_invalid_int(e, FIELD(p, "queues"), queues, "must not be greater than 10000000");
    for (int64_t i = 0; i < hand && hand <= queues && bits <= 60; i++) bits += __builtin_log2((double)(queues - i));
    if (hand <= 0) field_invalid_int(e, FIELD(p, "handSize"), hand, "must be positive");
    else if (hand > queues) field_invalid_int(e, FIELD(p, "handSize"), hand, "should not be greater than queues (%lld)", (long long)queues);
    else if (bits > 60)
        field_invalid_int(e, FIELD(p, "handSize"), hand, "required entropy bits of deckSize %lld and handSize %lld should not be greater than 60", (long long)queues, (long long)hand);
}

static void limited(RULE) {
    const struct json *response = json_member(o, "limitResponse"), *queue = json_member(response, "queuing");
    const struct field_path *at = FIELD(p, "limitResponse");
    const char *type = str_of(response, "type");
    shares(e, p, o);
    if (strcmp(type, "Reject") == 0) forbid(e, at, response, "queuing", "must be nil if limited.limitResponse.type is not Limited");
    else if (strcmp(type, "Queue") != 0) unsupported(e, FIELD(at, "type"), type, "Queue Reject");
    else if (!queue) field_required(e, FIELD(at, "queuing"), "must not be empty if limited.limitResponse.type is Limited");
    else queuing(e, FIELD(at, "queuing"), queue);
    lendable(e, p, o);
    int64_t borrowing = json_int(o, "borrowingLimitPercent", 0);
    if (borrowing < 0) field_invalid_int(e, FIELD(p, "borrowingLimitPercent"), borrowing, "if specified, must be a non-negative integer");
}

static void exempt(RULE) { shares(e, p, o); lendable(e, p, o); }

void validate_priority_level(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    const char *type = str_of(spec, "type");
    bool is_exempt = strcmp(type, "Exempt") == 0;
    if (json_str_is(o, "metadata.name", "exempt") != is_exempt) field_invalid_str(e, FIELD(SPEC, "type"), type, "must be 'Exempt' if and only if `name` is 'exempt'");
    if (is_exempt) {
        forbid(e, SPEC, spec, "limited", "must be nil if the type is not Limited");
        rule_at(e, SPEC, spec, "exempt", exempt);
    } else if (strcmp(type, "Limited") == 0) {
        forbid(e, SPEC, spec, "exempt", "must be nil if the type is Limited");
        if (need_why(e, SPEC, spec, "limited", "must not be empty when type is Limited")) limited(e, FIELD(SPEC, "limited"), json_member(spec, "limited"));
    } else {
        unsupported(e, FIELD(SPEC, "type"), type, "Exempt Limited");
    }
    validate_flow_status(e, o, old);
}
