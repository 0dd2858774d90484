/* ValidatingAdmissionPolicies and their bindings (pkg/apis/admissionregistration/validation). */
#include "apiserver/validation/rules.h"
#include "schema/cel.h"

enum use { WITH_PARAMS = 1, WITH_AUTHORIZER = 2, WITH_VARIABLES = 4, WITH_NAMESPACE = 8 };

/* What an expression may speak of. */
struct names {
    unsigned use;
    const struct type *variables; /* a field for each that is declared so far */
};

static struct names with(struct names n, unsigned use) { return (struct names){n.use | use, n.variables}; }
static struct names only(struct names n, unsigned use) { return (struct names){n.use & use, n.variables}; }

/* Compiles an expression as the API server will; `type` is what it must give ("bool"), NULL: anything. */
static void expression(struct field_errors *e, const struct field_path *p, const char *text, struct names names, const char *type) {
    unsigned use = names.use;
    static const struct { struct cel_var var; unsigned use; } all[] = {
        {{.name = "object"}, 0}, {{.name = "oldObject"}, 0}, {{.name = "request"}, 0}, {{.name = "params"}, WITH_PARAMS},
        {{.name = "authorizer", .kind = CEL_AUTHORIZER}, WITH_AUTHORIZER}, {{.name = "variables"}, WITH_VARIABLES}, {{.name = "namespaceObject"}, WITH_NAMESPACE}};
    struct cel_var vars[ARRAY_LEN(all)];
    struct cel_env env = {.vars = vars};
    struct cel_program *program;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) if ((all[i].use & ~use) == 0) vars[env.var_count++] = all[i].var;
    for (size_t i = 0; i < env.var_count; i++) if (strcmp(vars[i].name, "variables") == 0) vars[i].type = names.variables;
    cleanup_error struct error *problem = cel_compile(e->arena, text, &env, &program);
    if (problem) {
        field_invalid_str(e, p, text, "compilation failed: %s", problem->message);
        return;
    }
    const char *got = cel_result_name(program);
    bool unknown = strcmp(got, "dyn") == 0 && cel_uses(program, "variables"); /* their types are not followed here */
    if (type == NULL || unknown || strcmp(got, type) == 0) return;
    if (strcmp(type, "string") == 0 && (use & WITH_AUTHORIZER) && strcmp(got, "null_type") == 0) return;
    bool audit = strcmp(type, "string") == 0 && (use & WITH_AUTHORIZER);
    field_invalid_str(e, p, text, audit ? "must evaluate to one of [string null_type] but got %s" : strcmp(type, "bool") == 0 ? "must evaluate to bool but got %s" : "must evaluate to string but got %s", got);
}

static bool blank(const char *s) { return s[strspn(s, " \t\r\n\v\f")] == '\0'; }

static void match_condition_list(RULE, struct names names) {
    size_t i = 0;
    if (json_len(o) > 64) field_too_many(e, p, (int64_t)json_len(o), 64);
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        if (blank(str_of(c, "expression"))) field_required(e, FIELD(at, "expression"), "");
        else expression(e, FIELD(at, "expression"), str_of(c, "expression"), with(names, WITH_AUTHORIZER), "bool");
        if (need(e, at, c, "name")) label_name(e, FIELD(at, "name"), str_of(c, "name"));
        unique(e, at, o, i, "name");
        i++;
    }
}

void webhook_conditions(RULE) { match_condition_list(e, p, o, (struct names){0}); }

/* ---- what a policy matches ---- */

static void named_rule(RULE) {
    const struct json *names = json_member(o, "resourceNames");
    size_t i = 0;
    webhook_rule(e, p, o);
    JSON_EACH(n, names) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "resourceNames"), i);
        bool seen = false;
        field_invalid_names(e, at, text_of(n), name_path_segment(text_of(n)));
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(names, k), n);
        if (seen) field_duplicate(e, at, n);
        i++;
    }
}

static void match_resources(RULE) {
    choice_needed(e, p, o, "matchPolicy", "Equivalent Exact");
    if (!has(o, "namespaceSelector")) field_required(e, FIELD(p, "namespaceSelector"), "");
    rule_at(e, p, o, "namespaceSelector", label_selector);
    if (!has(o, "objectSelector")) field_required(e, FIELD(p, "objectSelector"), "");
    rule_at(e, p, o, "objectSelector", label_selector);
    rule_each(e, p, o, "resourceRules", named_rule);
    rule_each(e, p, o, "excludeResourceRules", named_rule);
}

static void param_kind(RULE) {
    const char *version = str_of(o, "apiVersion"), *kind = str_of(o, "kind"), *slash = strchr(version, '/');
    const struct field_path *at = FIELD(p, "apiVersion");
    if (slash && strchr(slash + 1, '/')) field_invalid_str(e, at, version, "unexpected GroupVersion string: %s", version);
    else if (need(e, p, o, "apiVersion")) {
        const char *group = slash ? arena_strndup(e->arena, version, (size_t)(slash - version)) : "", *v = slash ? slash + 1 : version;
        if (*group) field_invalid_names(e, at, group, name_dns1123_subdomain(group));
        if (!*v) field_invalid_str(e, at, version, "version must be specified");
        else field_invalid_names(e, at, v, name_dns1035_label(v));
    }
    if (!need(e, p, o, "kind")) return;
    char *lower = arena_strdup(e->arena, kind);
    for (char *s = lower; *s; s++) *s = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
    struct name_errors errors = name_dns1035_label(lower);
    if (errors.len) field_invalid_str(e, FIELD(p, "kind"), kind, "may have mixed case, but should otherwise match: %s", errors.items[0]);
}

/* ---- what a policy says ---- */

static bool identifier(const char *s) {
    bool first = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
    for (const char *c = s; first && *c; c++) {
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_')) return false;
    }
    return first;
}

/* The type of `variables` with one more field, whose own type is not followed. */
static const struct type *with_variable(struct arena *a, const struct type *t, const char *name) {
    static const struct type any = {.kind = TYPE_ANY, .preserve_unknown = true};
    struct field *fields = arena_calloc(a, t->field_count + 1U, sizeof(*fields));
    size_t at = t->field_count;
    for (size_t i = 0; i < t->field_count; i++) fields[i] = t->fields[i];
    for (; at > 0 && strcmp(fields[at - 1].name, name) > 0; at--) fields[at] = fields[at - 1]; /* sorted, as type_field wants them */
    fields[at] = (struct field){.name = name, .type = &any};
    struct type *out = ARENA_NEW(a, struct type);
    *out = (struct type){.kind = TYPE_STRUCT, .fields = fields, .field_count = (uint16_t)(t->field_count + 1)};
    return out;
}

static void variable(RULE, struct names *names) {
    const char *name = str_of(o, "name"), *text = str_of(o, "expression");
    if (blank(name)) field_required(e, FIELD(p, "name"), "name is not specified");
    else if (!identifier(name)) field_invalid_str(e, FIELD(p, "name"), name, "must be a valid CEL identifier");
    if (blank(text)) field_required(e, FIELD(p, "expression"), "expression is not specified");
    else expression(e, FIELD(p, "expression"), text, *names, NULL);
    if (!blank(text) && identifier(name) && type_field(names->variables, name) == NULL) names->variables = with_variable(e->arena, names->variables, name);
}

static void validation(RULE, struct names names) {
    const char *text = str_of(o, "expression"), *message = str_of(o, "message"), *computed = str_of(o, "messageExpression");
    if (blank(text)) field_required(e, FIELD(p, "expression"), "expression is not specified");
    else expression(e, FIELD(p, "expression"), text, names, "bool");
    if (*computed && blank(computed)) field_invalid_str(e, FIELD(p, "messageExpression"), computed, "must be non-empty if specified");
    else if (*computed) expression(e, FIELD(p, "messageExpression"), computed, only(names, ~(unsigned)WITH_AUTHORIZER), "string");
    if (*message && blank(message)) field_invalid_str(e, FIELD(p, "message"), message, "must be non-empty if specified");
    else if (strpbrk(message, "\r\n")) field_invalid_str(e, FIELD(p, "message"), message, "must not contain line breaks");
    choice(e, p, o, "reason", "Forbidden Invalid RequestEntityTooLarge");
}

static void audit_annotation(RULE, struct names names, const char *policy, const struct json *list, size_t i) {
    const char *text = str_of(o, "valueExpression");
    if (*policy) label_name(e, FIELD(p, "key"), arena_printf(e->arena, "%s/%s", policy, str_of(o, "key")));
    else field_invalid_str(e, FIELD(p, "key"), str_of(o, "key"), "requires metadata.name be non-empty");
    if (blank(text)) field_required(e, FIELD(p, "valueExpression"), "valueExpression is not specified");
    else if (strlen(text) > 5 * 1024) field_required(e, FIELD(p, "valueExpression"), "must not exceed 5 KiB");
    else expression(e, FIELD(p, "valueExpression"), text, names, "string");
    unique(e, p, list, i, "key");
}

void validate_admission_policy(struct field_errors *e, const struct json *object, const struct json *old) {
    static const char none[] = "validations or auditAnnotations must contain at least one item";
    const struct json *o = json_member(object, "spec"), *was = json_member(old, "spec"), *audits = json_member(o, "auditAnnotations");
    const struct field_path *p = SPEC;
    static const struct type nothing = {.kind = TYPE_STRUCT};
    unsigned use = WITH_AUTHORIZER | WITH_NAMESPACE | (has(o, "paramKind") ? WITH_PARAMS : 0U) | (json_len(json_member(o, "variables")) ? WITH_VARIABLES : 0U);
    struct names names = {use, &nothing};
    size_t i = 0;
    if (old && same_as("admissionregistration.k8s.io/v1/ValidatingAdmissionPolicySpec", o, was)) return; /* what is stored has been compiled before */
    choice_needed(e, p, o, "failurePolicy", "Fail Ignore");
    rule_at(e, p, o, "paramKind", param_kind);
    if (!has(o, "matchConstraints")) field_required(e, FIELD(p, "matchConstraints"), "");
    else {
        match_resources(e, FIELD(p, "matchConstraints"), json_member(o, "matchConstraints"));
        if (json_len(json_get(o, "matchConstraints.resourceRules")) == 0) field_required(e, FIELD(FIELD(p, "matchConstraints"), "resourceRules"), "");
    }
    match_condition_list(e, FIELD(p, "matchConditions"), json_member(o, "matchConditions"), only(names, WITH_PARAMS));
    JSON_EACH(v, json_member(o, "variables")) variable(e, FIELD_INDEX(FIELD(p, "variables"), i++), v, &names);
    if (json_len(json_member(o, "validations")) == 0 && json_len(audits) == 0) {
        field_required(e, FIELD(p, "validations"), none);
        field_required(e, FIELD(p, "auditAnnotations"), none);
        return;
    }
    i = 0;
    JSON_EACH(v, json_member(o, "validations")) validation(e, FIELD_INDEX(FIELD(p, "validations"), i++), v, names);
    if (json_len(audits) > 20) field_invalid(e, FIELD(p, "auditAnnotations"), audits, "must not have more than 20 auditAnnotations");
    i = 0;
    JSON_EACH(v, audits) {
        audit_annotation(e, FIELD_INDEX(FIELD(p, "auditAnnotations"), i), v, names, json_str_or(object, "metadata.name", ""), audits, i);
        i++;
    }
}

/* ---- bindings ---- */

static void actions(RULE) {
    bool deny = list_contains(o, "Deny"), warn = list_contains(o, "Warn");
    size_t i = 0;
    if (json_len(o) == 0) field_required(e, p, "at least one validation action is required");
    JSON_EACH(v, o) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= json_equal(json_at(o, k), v);
        if (!word_in(text_of(v), "Audit Deny Warn")) unsupported(e, FIELD_INDEX(p, i), text_of(v), "Audit Deny Warn");
        if (seen) field_duplicate(e, FIELD_INDEX(p, i), v);
        i++;
    }
    if (deny && warn)
        field_invalid(e, p, o, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)");
}

static void param_ref(RULE) {
    const char *name = str_of(o, "name");
    bool selector = has(o, "selector");
    if (*name) field_invalid_names(e, FIELD(p, "name"), name, name_path_segment(name));
    if (*name && selector) {
        field_forbidden(e, FIELD(p, "name"), "name and selector are mutually exclusive");
        field_forbidden(e, FIELD(p, "selector"), "name and selector are mutually exclusive");
    }
    if (!*name && !selector) field_required(e, p, "one of name or selector must be specified");
    rule_at(e, p, o, "selector", label_selector);
    choice_needed(e, p, o, "parameterNotFoundAction", "Deny Allow");
}

void validate_admission_binding(struct field_errors *e, const struct json *object, const struct json *old UNUSED) {
    const struct json *o = json_member(object, "spec");
    const struct field_path *p = SPEC;
    named_needed(e, p, o, "policyName", name_dns1123_subdomain);
    rule_at(e, p, o, "paramRef", param_ref);
    if (has(o, "matchResources")) match_resources(e, FIELD(p, "matchResources"), json_member(o, "matchResources"));
    actions(e, FIELD(p, "validationActions"), json_member(o, "validationActions"));
}
