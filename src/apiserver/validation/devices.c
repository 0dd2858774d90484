/* resource.k8s.io: claims, their templates and device classes (pkg/apis/resource/validation). What belongs to features that are off by
 * default is not here: those fields are dropped before (disabled_fields.c). */
#include "apiserver/validation/devices.h"
#include "schema/cel.h"

#define MAX_REQUESTS 32
#define MAX_LIST 32
#define MAX_SUBREQUESTS 8
#define MAX_RESERVED 256
#define MAX_CONDITIONS 8
#define MAX_IPS 16
#define MAX_TEXT (10 * 1024)

/* ---- lists ---- */

bool list_fits(RULE, int64_t most) {
    if ((int64_t)json_len(o) <= most) return true;
    field_too_many(e, p, (int64_t)json_len(o), most);
    return false;
}

/* Duplicates among the values that `key` makes of the elements (NULL: themselves). */
void list_unique(RULE, device_key *key) {
    for (size_t i = 0; i < json_len(o); i++) {
        const struct json *v = key ? key(e->arena, json_at(o, i)) : json_at(o, i);
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) seen = json_equal(key ? key(e->arena, json_at(o, k)) : json_at(o, k), v);
        if (seen) field_duplicate(e, FIELD_INDEX(p, i), v);
    }
}

static const struct json *key_name(struct arena *a, const struct json *o) { return json_string(a, str_of(o, "name")); }
static const struct json *key_uid(struct arena *a, const struct json *o) { return json_string(a, str_of(o, "uid")); }

/* ---- names ---- */

static void label_at(RULE, const char *name) { field_invalid_names(e, FIELD(p, name), str_of(o, name), name_dns1123_label(str_of(o, name))); }

void pool_name(struct field_errors *e, const struct field_path *p, const char *name) {
    if (!*name) return field_required(e, p, "");
    if (strlen(name) > 253) field_too_long(e, p, 253);
    size_t n;
    char **parts = str_split(e->arena, name, '/', &n);
    for (size_t i = 0; i < n; i++) field_invalid_names(e, p, parts[i], name_dns1123_subdomain(parts[i]));
}

static void identifier(struct field_errors *e, const struct field_path *p, const char *id) {
    if (strlen(id) > 32) field_too_long(e, p, 32);
    field_invalid_names(e, p, id, name_c_identifier(id));
}

void device_qualified_name(struct field_errors *e, const struct field_path *p, const char *name) {
    size_t n;
    char **parts = str_split(e->arena, name, '/', &n);
    if (n == 1) return identifier(e, p, parts[0]);
    if (n != 2) return; /* upstream's own gap */
    if (*parts[0]) csi_driver_name(e, p, parts[0]);
    else field_invalid_str(e, p, "", "the domain must not be empty");
    if (*parts[1]) identifier(e, p, parts[1]);
    else field_invalid_str(e, p, "", "the name must not be empty");
}

static void fully_qualified_name(struct field_errors *e, const struct field_path *p, const char *name) {
    device_qualified_name(e, p, name);
    if (!strchr(name, '/')) field_invalid_str(e, p, name, "a fully qualified name must be a domain and a name separated by a slash");
}

/* "request" or "request/subrequest" of the claim. */
static bool request_known(const struct json *devices, const char *name) {
    const char *slash = strchr(name, '/');
    JSON_EACH(r, json_member(devices, "requests")) {
        const char *own = str_of(r, "name");
        if (slash == NULL) {
            if (str_eq(own, name)) return true;
        } else if (strlen(own) == (size_t)(slash - name) && str_starts(name, own) && named_item(json_member(r, "firstAvailable"), slash + 1)) return true;
    }
    return false;
}

static void request_reference(struct field_errors *e, const struct field_path *p, const struct json *devices, const char *name) {
    static const char wrong[] = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    size_t n;
    char **parts = str_split(e->arena, name, '/', &n);
    if (n > 2) return field_invalid_str(e, p, name, "%s", wrong);
    for (size_t i = 0; i < n; i++) field_invalid_names(e, p, parts[i], name_dns1123_label(parts[i]));
    if (!request_known(devices, name)) field_invalid_str(e, p, name, "%s", wrong);
}

static void request_references(RULE, const struct json *devices) {
    const struct json *list = json_member(o, "requests");
    const struct field_path *at = FIELD(p, "requests");
    if (!list_fits(e, at, list, MAX_REQUESTS)) return;
    for (size_t i = 0; i < json_len(list); i++) request_reference(e, FIELD_INDEX(at, i), devices, text_of(json_at(list, i)));
    list_unique(e, at, list, NULL);
}

/* ---- selectors, configuration ---- */

/* What a selector sees of a device; attributes and capacity by domain, then by name. */
static const struct type string = {.kind = TYPE_STRING}, any = {.kind = TYPE_ANY}, by_name = {.kind = TYPE_MAP, .element = &any},
                         by_domain = {.kind = TYPE_MAP, .element = &by_name};
static const struct field device_fields[] = {{.name = "attributes", .type = &by_domain}, {.name = "capacity", .type = &by_domain}, {.name = "driver", .type = &string}};
static const struct type device_type = {.kind = TYPE_STRUCT, .name = "kubernetes.DRADevice", .fields = device_fields, .field_count = ARRAY_LEN(device_fields)};

static void cel_selector(struct field_errors *e, const struct field_path *p, const char *text) {
    static const struct cel_var device = {.name = "device", .type = &device_type};
    const struct cel_env env = {.vars = &device, .var_count = 1};
    struct cel_program *program;
    if (strlen(text) > MAX_TEXT) return field_too_long(e, p, MAX_TEXT);
    cleanup_error struct error *problem = cel_compile(e->arena, text, &env, &program);
    if (problem) return field_invalid_str(e, p, text, "compilation failed: %s", problem->message);
    const char *type = cel_result_name(program);
    if (!str_eq(type, "bool") && !str_eq(type, "any") && cel_result(program) != CEL_DYN)
        field_invalid_str(e, p, text, "must evaluate to bool or the unknown type, not %s", type);
}

static void selector(RULE) {
    if (!has(o, "cel")) field_required(e, FIELD(p, "cel"), "");
    else cel_selector(e, FIELD(FIELD(p, "cel"), "expression"), json_str_or(o, "cel.expression", ""));
}

static void selectors(RULE) {
    if (list_fits(e, FIELD(p, "selectors"), json_member(o, "selectors"), MAX_LIST)) rule_each(e, p, o, "selectors", selector);
}

static void raw_object(struct field_errors *e, const struct field_path *p, const struct json *v) {
    cleanup_buf struct buf text = {0};
    if (v == NULL || v->type == JSON_NULL) return field_required(e, p, "");
    json_encode(&text, v);
    if (text.len > MAX_TEXT) field_too_long(e, p, MAX_TEXT);
    else if (v->type != JSON_OBJECT) field_invalid_str(e, p, "<value omitted>", "must be a valid JSON object");
}

static void opaque(RULE) {
    const struct json *v = json_member(o, "opaque");
    if (!has(o, "opaque")) return field_required(e, FIELD(p, "opaque"), "");
    csi_driver_name(e, FIELD(FIELD(p, "opaque"), "driver"), str_of(v, "driver"));
    raw_object(e, FIELD(FIELD(p, "opaque"), "parameters"), json_member(v, "parameters"));
}

/* ---- what a claim asks for ---- */

static void allocation_mode(RULE) {
    const char *mode = str_of(o, "allocationMode");
    int64_t count = json_int(o, "count", 0);
    if (str_eq(mode, "All")) {
        if (count != 0) field_invalid_int(e, FIELD(p, "count"), count, "must not be specified when allocationMode is 'All'");
    } else if (str_eq(mode, "ExactCount")) {
        if (count <= 0) field_invalid_int(e, FIELD(p, "count"), count, "must be greater than zero");
    } else unsupported(e, FIELD(p, "allocationMode"), mode, "All ExactCount");
}

static void exact_request(RULE) {
    named_needed(e, p, o, "deviceClassName", name_dns1123_subdomain);
    selectors(e, p, o);
    allocation_mode(e, p, o);
}

static void subrequest(RULE) {
    label_at(e, p, o, "name");
    exact_request(e, p, o);
}

static void request(RULE) {
    const struct json *first = json_member(o, "firstAvailable");
    bool choices = json_len(first) > 0, exactly = has(o, "exactly");
    label_at(e, p, o, "name");
    if (!choices && !exactly) return field_required(e, p, "exactly one of `exactly` or `firstAvailable` is required");
    if (choices && exactly) return field_invalid(e, p, &json_null, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set");
    if (exactly) return exact_request(e, FIELD(p, "exactly"), json_member(o, "exactly"));
    if (!list_fits(e, FIELD(p, "firstAvailable"), first, MAX_SUBREQUESTS)) return;
    rule_each(e, p, o, "firstAvailable", subrequest);
    list_unique(e, FIELD(p, "firstAvailable"), first, key_name);
}

static void constraint(RULE, const struct json *devices) {
    request_references(e, p, o, devices);
    if (has(o, "matchAttribute")) fully_qualified_name(e, FIELD(p, "matchAttribute"), str_of(o, "matchAttribute"));
    else field_required(e, FIELD(p, "matchAttribute"), "");
}

static void claim_config(RULE, const struct json *devices) {
    request_references(e, p, o, devices);
    opaque(e, p, o);
}

static void claim(RULE) {
    const struct json *devices = json_member(o, "devices"), *constraints = json_member(devices, "constraints"), *config = json_member(devices, "config");
    const struct field_path *at = FIELD(p, "devices");
    if (list_fits(e, FIELD(at, "requests"), json_member(devices, "requests"), MAX_REQUESTS)) {
        rule_each(e, at, devices, "requests", request);
        list_unique(e, FIELD(at, "requests"), json_member(devices, "requests"), key_name);
    }
    bool fits = list_fits(e, FIELD(at, "constraints"), constraints, MAX_LIST);
    for (size_t i = 0; fits && i < json_len(constraints); i++) constraint(e, FIELD_INDEX(FIELD(at, "constraints"), i), json_at(constraints, i), devices);
    fits = list_fits(e, FIELD(at, "config"), config, MAX_LIST);
    for (size_t i = 0; fits && i < json_len(config); i++) claim_config(e, FIELD_INDEX(FIELD(at, "config"), i), json_at(config, i), devices);
}

/* A template's spec has its metadata spread out in it. */
static const struct json *shown_spec(struct arena *a, const struct json *spec, bool template) {
    static const char claim_type[] = "resource.k8s.io/v1/ResourceClaimSpec";
    if (!template) return go_form(a, claim_type, spec);
    return json_with_member(a, go_form_of(a, type_find("meta/v1/ObjectMeta"), json_member(spec, "metadata"), NULL), "Spec", go_form(a, claim_type, json_member(spec, "spec")));
}

static void fixed_spec(struct field_errors *e, const struct json *o, const struct json *old, bool template) {
    const struct json *now = json_member(o, "spec");
    if (!same_as(template ? "resource.k8s.io/v1/ResourceClaimTemplateSpec" : "resource.k8s.io/v1/ResourceClaimSpec", now, json_member(old, "spec"))) field_invalid(e, SPEC, shown_spec(e->arena, now, template), "field is immutable");
}

void validate_resource_claim(struct field_errors *e, const struct json *o, const struct json *old) {
    if (old) fixed_spec(e, o, old, false);
    else claim(e, SPEC, json_member(o, "spec"));
}

void validate_resource_claim_template(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec");
    if (old) return fixed_spec(e, o, old, true);
    claim_template_meta(e, FIELD(SPEC, "metadata"), json_member(spec, "metadata"));
    claim(e, FIELD(SPEC, "spec"), json_member(spec, "spec"));
}

void validate_device_class(struct field_errors *e, const struct json *o, const struct json *old UNUSED) {
    const struct json *spec = json_member(o, "spec");
    selectors(e, SPEC, spec);
    if (list_fits(e, FIELD(SPEC, "config"), json_member(spec, "config"), MAX_LIST)) rule_each(e, SPEC, spec, "config", opaque);
}

/* ---- what a claim has got ---- */

static void consumer(RULE) { need(e, p, o, "resource name uid"); }

static bool allocated(const struct json *status, const struct json *device) {
    static const char *const id[] = {"driver", "pool", "device"};
    JSON_EACH(r, json_get(status, "allocation.devices.results")) {
        bool same = true;
        for (size_t i = 0; i < ARRAY_LEN(id); i++) same &= str_eq(str_of(r, id[i]), str_of(device, id[i]));
        if (same) return true;
    }
    return false;
}

static const struct json *key_device(struct arena *a, const struct json *o) {
    return json_make(a, "{'Driver':%s,'Pool':%s,'Device':%s,'ShareID':''}", str_of(o, "driver"), str_of(o, "pool"), str_of(o, "device"));
}

static void network_data(RULE) {
    static const struct { const char *name; size_t most; } limits[] = {{"interfaceName", 256}, {"hardwareAddress", 128}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (strlen(str_of(o, limits[i].name)) > limits[i].most) field_too_long(e, FIELD(p, limits[i].name), (int64_t)limits[i].most);
    if (list_fits(e, FIELD(p, "ips"), json_member(o, "ips"), MAX_IPS)) list_unique(e, FIELD(p, "ips"), json_member(o, "ips"), NULL);
}

static void device_status(RULE, const struct json *status) {
    csi_driver_name(e, FIELD(p, "driver"), str_of(o, "driver"));
    pool_name(e, FIELD(p, "pool"), str_of(o, "pool"));
    label_at(e, p, o, "device");
    if (!allocated(status, o)) field_invalid(e, p, key_device(e->arena, o), "must be an allocated device in the claim");
    (void)list_fits(e, FIELD(p, "conditions"), json_member(o, "conditions"), MAX_CONDITIONS);
    condition_list(e, FIELD(p, "conditions"), json_member(o, "conditions"));
    if (has(o, "data")) raw_object(e, FIELD(p, "data"), json_member(o, "data"));
    rule_at(e, p, o, "networkData", network_data);
}

static void allocation_config(RULE, const struct json *devices) {
    choice_needed(e, p, o, "source", "FromClaim FromClass");
    claim_config(e, p, o, devices);
}

static void allocation_result(RULE, const struct json *devices) {
    request_reference(e, FIELD(p, "request"), devices, str_of(o, "request"));
    csi_driver_name(e, FIELD(p, "driver"), str_of(o, "driver"));
    pool_name(e, FIELD(p, "pool"), str_of(o, "pool"));
    label_at(e, p, o, "device");
}

static void allocation(RULE, const struct json *devices) {
    const struct json *results = json_get(o, "devices.results"), *config = json_get(o, "devices.config");
    const struct field_path *at = FIELD(p, "devices");
    bool fits = list_fits(e, FIELD(at, "results"), results, MAX_REQUESTS);
    for (size_t i = 0; fits && i < json_len(results); i++) allocation_result(e, FIELD_INDEX(FIELD(at, "results"), i), json_at(results, i), devices);
    fits = list_fits(e, FIELD(at, "config"), config, 2 * MAX_LIST);
    for (size_t i = 0; fits && i < json_len(config); i++) allocation_config(e, FIELD_INDEX(FIELD(at, "config"), i), json_at(config, i), devices);
    rule_at(e, p, o, "nodeSelector", node_selector);
}

static bool new_consumer(const struct json *now, const struct json *was) {
    JSON_EACH(c, now) {
        bool known = false;
        JSON_EACH(k, was) known |= json_semantic_equal(c, k);
        if (!known) return true;
    }
    return false;
}

static void reserved_for(RULE, const struct json *old, bool deleted) {
    const struct json *list = json_member(o, "reservedFor");
    const struct field_path *at = FIELD(p, "reservedFor");
    if (json_len(list) == 0) return;
    if (!has(o, "allocation")) field_forbidden(e, at, "may not be specified when `allocated` is not set");
    else if (deleted && new_consumer(list, json_member(old, "reservedFor")))
        field_forbidden(e, at, "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set");
}

void validate_resource_claim_status(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *now = json_member(o, "status"), *was = json_member(old, "status"), *list = json_member(now, "devices");
    if (list_fits(e, FIELD(STATUS, "reservedFor"), json_member(now, "reservedFor"), MAX_RESERVED)) {
        rule_each(e, STATUS, now, "reservedFor", consumer);
        list_unique(e, FIELD(STATUS, "reservedFor"), json_member(now, "reservedFor"), key_uid);
    }
    for (size_t i = 0; i < json_len(list); i++) device_status(e, FIELD_INDEX(FIELD(STATUS, "devices"), i), json_at(list, i), now);
    list_unique(e, FIELD(STATUS, "devices"), list, key_device);
    reserved_for(e, STATUS, now, was, has(o, "metadata.deletionTimestamp"));
    const struct json *a = json_member(now, "allocation"), *b = json_member(was, "allocation");
    if (has(now, "allocation") && has(was, "allocation")) {
        if (!same_as("resource.k8s.io/v1/AllocationResult", a, b)) field_invalid(e, FIELD(STATUS, "allocation"), go_form(e->arena, "resource.k8s.io/v1/AllocationResult", a), "field is immutable");
    } else if (has(now, "allocation")) allocation(e, FIELD(STATUS, "allocation"), a, json_get(o, "spec.devices"));
}
