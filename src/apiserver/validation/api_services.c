/* apiregistration.k8s.io: which API servers answer for which group versions (kube-aggregator/pkg/apis/apiregistration/validation). */
#include "apiserver/validation/rules.h"

/* "v1." for the core group. */
static void named_after_version(struct field_errors *e, const struct json *o, const struct json *spec) {
    const char *name = json_str_or(o, "metadata.name", ""), *wanted = arena_printf(e->arena, "%s.%s", str_of(spec, "version"), str_of(spec, "group"));
    if (*name && name_path_segment(name).len == 0 && !str_eq(name, wanted))
        field_invalid_str(e, FIELD(META, "name"), name, "must be `spec.version+\".\"+spec.group`: \"%s\"", wanted);
}

static void priority(RULE, const char *name, int64_t most) {
    int64_t n = json_int(o, name, 0);
    if (n <= 0 || n > most) field_invalid_int(e, FIELD(p, name), n, "must be positive and less than %lld", (long long)most);
}

/* The length of what base64 text stands for. */
static size_t bundle_length(const struct json *spec) {
    const char *text = str_of(spec, "caBundle");
    size_t n = strlen(text), pad = n > 0 && text[n - 1] == '=';
    pad += n > 1 && text[n - 2] == '=';
    return n / 4 * 3 - pad;
}

static void local(RULE) {
    if (*str_of(o, "caBundle"))
        field_invalid_str(e, FIELD(p, "caBundle"), arena_printf(e->arena, "%zu bytes", bundle_length(o)), "local APIServices may not have a caBundle");
    if (json_bool(o, "insecureSkipTLSVerify", false))
        field_invalid(e, FIELD(p, "insecureSkipTLSVerify"), &json_true, "local APIServices may not have insecureSkipTLSVerify");
}

static void remote(RULE) {
    const struct json *service = json_member(o, "service");
    const struct field_path *at = FIELD(p, "service");
    int64_t port = json_int(service, "port", 0);
    need(e, at, service, "namespace name");
    if (port < 1 || port > 65535) field_invalid_int(e, FIELD(at, "port"), port, "port is not valid: must be between 1 and 65535, inclusive");
    if (json_bool(o, "insecureSkipTLSVerify", false) && *str_of(o, "caBundle"))
        field_invalid(e, FIELD(p, "insecureSkipTLSVerify"), &json_true, "may not be true if caBundle is present");
}

void validate_api_service(struct field_errors *e, const struct json *o, const struct json *old UNUSED) {
    const struct json *spec = json_member(o, "spec");
    const char *group = str_of(spec, "group"), *version = str_of(spec, "version");
    named_after_version(e, o, spec);
    if (!*group && !str_eq(version, "v1")) field_required(e, FIELD(SPEC, "group"), "only v1 may have an empty group and it better be legacy kube");
    if (*group) field_invalid_names(e, FIELD(SPEC, "group"), group, name_dns1123_subdomain(group));
    field_invalid_names(e, FIELD(SPEC, "version"), version, name_dns1035_label(version));
    priority(e, SPEC, spec, "groupPriorityMinimum", 20000);
    priority(e, SPEC, spec, "versionPriority", 1000);
    has(spec, "service") ? remote(e, SPEC, spec) : local(e, SPEC, spec);
}

void validate_api_service_status(struct field_errors *e, const struct json *o, const struct json *old UNUSED) {
    size_t i = 0;
    JSON_EACH(c, json_get(o, "status.conditions")) {
        const struct field_path *at = FIELD_INDEX(FIELD(STATUS, "conditions"), i);
        if (!word_in(str_of(c, "status"), "True False Unknown")) unsupported(e, FIELD(at, "status"), str_of(c, "status"), "True False Unknown");
        i++;
    }
}
