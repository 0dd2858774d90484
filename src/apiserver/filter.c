/* See filter.h. */
#include "apiserver/filter.h"

static struct error *unknown_field(const struct resource *r, const char *key) {
    if (r->selectable_fields == NULL || r->selectable_fields[0] == NULL || r->crd) {
        if (r->crd) return status_bad_request("field label not supported: %s", key);
        return status_bad_request("\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", key);
    }
    return status_bad_request("field label not supported: %s", key);
}

static struct error *check_fields(const struct resource *r, const struct selector *s) {
    const char *const *keys;
    size_t n = selector_requirements(s, &keys);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i], "metadata.name") == 0 || strcmp(keys[i], "metadata.namespace") == 0) continue;
        if (r->selectable_fields == NULL || !str_in(keys[i], r->selectable_fields)) return unknown_field(r, keys[i]);
    }
    return NULL;
}

struct error *filter_parse(struct arena *a, const struct resource *r, const char *ns, const char *name, const char *labels, const char *fields,
                           struct filter *out) {
    *out = (struct filter){.resource = r, .prefix = r->namespaced && *ns ? arena_printf(a, "%s/", ns) : "", .name = name && *name ? name : NULL, .empty = true};
    if (labels && *labels) {
        TRY(label_selector_parse(a, labels, &out->labels));
        out->empty = label_selector_empty(out->labels);
    }
    if (fields && *fields) {
        struct error *e = field_selector_parse(a, fields, &out->fields);
        if (e) return e;
        TRY(check_fields(r, out->fields));
        out->empty = false;
    }
    return NULL;
}

struct field_of {
    struct arena arena;
    const struct resource *resource;
    const struct json *object;
};

static const char *value_of(const char *field, void *arg) {
    struct field_of *f = arg;
    return resource_field(&f->arena, f->resource, f->object, field);
}

bool filter_matches(const struct filter *f, const struct json *o) {
    if (f->name && !json_str_is(o, "metadata.name", f->name)) return false;
    if (f->labels && !label_selector_matches(f->labels, json_get(o, "metadata.labels"))) return false;
    if (f->fields == NULL) return true;
    struct field_of arg = {.resource = f->resource, .object = o};
    bool match = field_selector_matches(f->fields, value_of, &arg);
    arena_free(&arg.arena);
    return match;
}

struct error *parse_version(const char *text, uint64_t *out) {
    *out = 0;
    if (text == NULL || *text == '\0') return NULL;
    char *end;
    bool digits = strspn(text, "0123456789") == strlen(text) && strlen(text) < 20;
    *out = strtoull(text, &end, 10);
    if (digits) return NULL;
    return error_api(500, "", "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax", text, text);
}

struct error *too_large_version(uint64_t wanted, uint64_t current) {
    struct error *e = error_api(504, "Timeout", "Timeout: Too large resource version: %llu, current: %llu", (unsigned long long)wanted, (unsigned long long)current);
    e->has_details = true;
    e->retry_after = 1;
    error_add_cause(e, "ResourceVersionTooLarge", "Too large resource version", NULL);
    return e;
}
