/* Values of custom objects against their schema: kube-openapi's validators, and the mapping of their complaints to field
 * errors (apiextensions-apiserver pkg/apiserver/validation). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "apiserver/crd.h"
#include "apiserver/crd_formats.h"
#include <math.h>
#include <pcre2.h>

struct check {
    struct field_errors *e;
    const struct field_path *p;
    const char *at;            /* the path as text: it is repeated in messages */
    const struct json *s, *v;
    const struct json *old;    /* what the value was, NULL if there was none or it cannot be told */
};

static const char *type_of(const struct json *v) {
    static const char *const names[] = {[JSON_NULL] = "null", [JSON_BOOL] = "boolean", [JSON_INT] = "integer", [JSON_DOUBLE] = "number",
                                        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
    return names[v->type];
}

static void bad_type(struct check *c, const char *wanted) {
    field_type_invalid(c->e, c->p, json_string(c->e->arena, type_of(c->v)), "%s in body must be of type %s: \"%s\"", c->at, wanted, type_of(c->v));
}

static bool check_type(struct check *c) {
    const char *type = json_str_or(c->s, "type", "");
    if (c->v->type == JSON_NULL && json_bool(c->s, "nullable", false)) return true;
    if (json_bool(c->s, "x-kubernetes-int-or-string", false)) {
        if (c->v->type == JSON_INT || c->v->type == JSON_STRING) return true;
        return bad_type(c, "integer,string"), false;
    }
    if (!*type || strcmp(type, type_of(c->v)) == 0 || (strcmp(type, "number") == 0 && c->v->type == JSON_INT)) return true;
    return bad_type(c, type), false;
}

/* ---- scalars ---- */

static pcre2_code *pattern_compile(const char *pattern, int *code) {
    PCRE2_SIZE offset;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, code, &offset, NULL);
}

const char *crd_pattern_problem(struct arena *a, const char *pattern) {
    int code;
    unsigned char text[120];
    pcre2_code *re = pattern_compile(pattern, &code);
    pcre2_code_free(re);
    if (re) return NULL;
    pcre2_get_error_message(code, text, sizeof(text));
    return arena_printf(a, "error parsing regexp: %s: `%s`", (const char *)text, pattern);
}

static bool pattern_matches(const char *pattern, const char *s, size_t n) {
    int code;
    pcre2_code *re = pattern_compile(pattern, &code);
    if (re == NULL) return true;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(limits, 1000000);
    int found = pcre2_match(re, (PCRE2_SPTR)s, n, 0, 0, data, limits);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return found >= 0;
}

static int64_t characters(const char *s) {
    int64_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void check_string(struct check *c) {
    const struct json *max = json_member(c->s, "maxLength"), *min = json_member(c->s, "minLength");
    const char *pattern = json_str(c->s, "pattern"), *format = json_str(c->s, "format");
    int64_t n = characters(c->v->s);
    if (max && n > max->i) field_too_long(c->e, c->p, max->i);
    if (min && n < min->i) field_invalid(c->e, c->p, c->v, "%s in body should be at least %ld chars long", c->at, (long)min->i);
    if (pattern && !pattern_matches(pattern, c->v->s, c->v->len)) field_invalid(c->e, c->p, c->v, "%s in body should match '%s'", c->at, pattern);
    if (format && !format_ok(format, c->v->s))
        field_type_invalid(c->e, c->p, c->v, "%s in body must be of type %s: %s", c->at, format, status_quote(c->e->arena, c->v->s));
}

static double number(const struct json *v) { return v->type == JSON_INT ? (double)v->i : v->d; }

static void check_number(struct check *c) {
    const struct json *max = json_member(c->s, "maximum"), *min = json_member(c->s, "minimum"), *of = json_member(c->s, "multipleOf");
    bool above = json_bool(c->s, "exclusiveMaximum", false), below = json_bool(c->s, "exclusiveMinimum", false);
    double v = number(c->v);
    if (of && c->v->type == JSON_INT && (int64_t)number(of) <= 0) {
        field_invalid_int(c->e, c->p, (int64_t)number(of), "factor MultipleOf declared for %s must be positive: %ld", c->at, (long)(int64_t)number(of));
    } else if (of) {
        double factor = number(of), q = factor < 1 ? 1 / factor * v : v / factor;
        if (fabs(q - round(q)) > 1e-9) field_invalid(c->e, c->p, c->v, "%s in body should be a multiple of %g", c->at, factor);
    }
    if (max && (above ? v >= number(max) : v > number(max)))
        field_invalid(c->e, c->p, c->v, "%s in body should be less than %s%s", c->at, above ? "" : "or equal to ", json_text(c->e->arena, max));
    if (min && (below ? v <= number(min) : v < number(min)))
        field_invalid(c->e, c->p, c->v, "%s in body should be greater than %s%s", c->at, below ? "" : "or equal to ", json_text(c->e->arena, min));
}

static void check_enum(struct check *c) {
    const struct json *list = json_member(c->s, "enum");
    if (list == NULL) return;
    const char **shown = arena_calloc(c->e->arena, json_len(list) + 1, sizeof(*shown));
    size_t n = 0;
    JSON_EACH(x, list) {
        if (json_equal(x, c->v)) return;
        shown[n++] = json_is(x, JSON_STRING) ? x->s : json_text(c->e->arena, x);
    }
    field_not_supported(c->e, c->p, c->v, shown);
}

/* ---- lists and objects ---- */

static const struct json *keys_of(struct arena *a, const struct json *s, const struct json *item) {
    const struct json *keys = json_member(s, "x-kubernetes-list-map-keys");
    struct json_object out = {.arena = a};
    JSON_EACH(k, keys) {
        const struct json *v = json_member(item, json_str_or(k, NULL, ""));
        if (v) json_object_add(&out, json_str(k, NULL), v);
    }
    return json_object_done(&out);
}

static void check_duplicates(struct check *c) {
    const char *kind = json_str_or(c->s, "x-kubernetes-list-type", "");
    bool map = strcmp(kind, "map") == 0;
    if (!map && strcmp(kind, "set") != 0) return;
    for (size_t i = 1; i < c->v->len; i++) {
        const struct json *x = map ? keys_of(c->e->arena, c->s, &c->v->items[i]) : &c->v->items[i];
        for (size_t k = 0; k < i; k++) {
            const struct json *y = map ? keys_of(c->e->arena, c->s, &c->v->items[k]) : &c->v->items[k];
            if (!json_equal(x, y)) continue;
            field_duplicate(c->e, FIELD_INDEX(c->p, i), x);
            break;
        }
    }
}

static void check_list(struct check *c) {
    const struct json *min = json_member(c->s, "minItems"), *max = json_member(c->s, "maxItems"), *items = json_member(c->s, "items");
    if (min && c->v->len < min->i) field_invalid_int(c->e, c->p, c->v->len, "%s in body should have at least %ld items", c->at, (long)min->i);
    if (max && c->v->len > max->i) field_too_many(c->e, c->p, c->v->len, max->i);
    for (size_t i = 0; items && i < c->v->len; i++) crd_validate_value(c->e, FIELD_INDEX(c->p, i), items, &c->v->items[i], crd_old_item(c->s, c->old, &c->v->items[i]));
    check_duplicates(c);
}

static void check_object(struct check *c, bool root) {
    const struct json *properties = json_member(c->s, "properties"), *additional = json_member(c->s, "additionalProperties");
    const struct json *min = json_member(c->s, "minProperties"), *max = json_member(c->s, "maxProperties");
    bool embedded = json_bool(c->s, "x-kubernetes-embedded-resource", false);
    if (min && c->v->len < min->i) field_invalid_int(c->e, c->p, c->v->len, "%s in body should have at least %ld properties", c->at, (long)min->i);
    if (max && c->v->len > max->i) field_too_many(c->e, c->p, c->v->len, max->i);
    JSON_EACH_MEMBER(m, c->v) {
        const struct json *s = json_member(properties, m->key);
        bool known = (root || embedded) && (strcmp(m->key, "metadata") == 0 || strcmp(m->key, "kind") == 0 || strcmp(m->key, "apiVersion") == 0);
        if (known) continue;
        if (s == NULL && json_is(additional, JSON_OBJECT)) s = additional;
        if (s) crd_validate_value(c->e, FIELD(c->p, m->key), s, &m->value, json_member(c->old, m->key));
    }
    JSON_EACH(r, json_member(c->s, "required")) {
        if (json_member(c->v, json_str_or(r, NULL, "")) == NULL) field_required(c->e, FIELD(c->p, json_str(r, NULL)), "");
    }
    static const char *const needed[] = {"apiVersion", "kind"};
    for (size_t i = 0; embedded && i < 2; i++) {
        if (!*json_str_or(c->v, needed[i], "")) field_required(c->e, FIELD(c->p, needed[i]), "");
    }
}

/* ---- allOf, anyOf, oneOf, not ---- */

static size_t count_valid(struct check *c, const struct json *list) {
    size_t valid = 0;
    JSON_EACH(s, list) {
        struct field_errors e = {.arena = c->e->arena};
        crd_validate_value(&e, c->p, s, c->v, NULL);
        valid += e.len == 0;
    }
    return valid;
}

static void composite(struct check *c, const char *fmt) {
    field_invalid_str(c->e, NULL, "", "%s", arena_printf(c->e->arena, "\"%s\" %s", c->at, fmt));
}

static void check_composites(struct check *c) {
    const struct json *any = json_member(c->s, "anyOf"), *one = json_member(c->s, "oneOf"), *all = json_member(c->s, "allOf"), *not = json_member(c->s, "not");
    if (json_len(any) && count_valid(c, any) == 0) composite(c, "must validate at least one schema (anyOf)");
    if (json_len(one)) {
        size_t n = count_valid(c, one);
        if (n == 0) composite(c, "must validate one and only one schema (oneOf). Found none valid");
        if (n > 1) composite(c, arena_printf(c->e->arena, "must validate one and only one schema (oneOf). Found %zu valid alternatives", n));
    }
    size_t before = c->e->len;
    JSON_EACH(s, all) crd_validate_value(c->e, c->p, s, c->v, NULL);
    if (c->e->len > before) composite(c, "must validate all the schemas (allOf)");
    if (json_is(not, JSON_OBJECT)) {
        struct field_errors e = {.arena = c->e->arena};
        crd_validate_value(&e, c->p, not, c->v, NULL);
        if (e.len == 0) composite(c, "must not validate the schema (not)");
    }
}

const struct json *crd_old_item(const struct json *schema, const struct json *old, const struct json *item) {
    const struct json *keys = json_member(schema, "x-kubernetes-list-map-keys");
    if (!json_str_is(schema, "x-kubernetes-list-type", "map")) return NULL;
    JSON_EACH(o, old) {
        bool same = true;
        JSON_EACH(k, keys) same &= json_equal(json_member(o, json_str_or(k, NULL, "")), json_member(item, json_str_or(k, NULL, "")));
        if (same) return o;
    }
    return NULL;
}

void crd_validate_value(struct field_errors *e, const struct field_path *p, const struct json *s, const struct json *v, const struct json *old) {
    struct check c = {e, p, p ? field_path_text(e->arena, p) : "", s, v, old};
    if (v == NULL || s == NULL || (old && json_equal(v, old))) return; /* CRDValidationRatcheting: what was stored may stay */
    if (!check_type(&c) || v->type == JSON_NULL) return;
    check_composites(&c);
    if (v->type == JSON_STRING) check_string(&c);
    if (v->type == JSON_INT || v->type == JSON_DOUBLE) check_number(&c);
    if (v->type == JSON_ARRAY) check_list(&c);
    check_enum(&c);
    if (v->type == JSON_OBJECT) check_object(&c, p == NULL);
}
