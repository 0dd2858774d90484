/* Combinators of rules. */
#include "apiserver/validation/rules.h"

/* The next word of a list, copied; NULL at its end. */
static const char *next_word(struct arena *a, const char **words) {
    while (**words == ' ') ++*words;
    size_t n = strcspn(*words, " ");
    if (n == 0) return NULL;
    const char *word = arena_strndup(a, *words, n);
    *words += n;
    return word;
}
#define EACH_WORD(w, a, words) for (const char *w##_rest = (words), *w; (w = next_word((a), &w##_rest));)

bool word_in(const char *s, const char *words) {
    size_t n = strlen(s);
    for (const char *w = words; n > 0 && *w;) {
        size_t len = (size_t)(strchrnul(w, ' ') - w);
        if (len == n && memcmp(w, s, n) == 0) return true;
        w += len + (w[len] == ' ');
    }
    return false;
}

bool list_contains(const struct json *list, const char *s) {
    JSON_EACH(v, list) if (json_str_is(v, NULL, s)) return true;
    return false;
}

const struct json *named_item(const struct json *list, const char *name) {
    JSON_EACH(v, list) if (json_str_is(v, "name", name)) return v;
    return NULL;
}

void rule_at(RULE, const char *name, rule_fn *fn) {
    const struct json *v = json_member(o, name);
    if (v && v->type != JSON_NULL) fn(e, FIELD(p, name), v);
}

void rule_each(RULE, const char *name, rule_fn *fn) {
    const struct field_path *list = FIELD(p, name);
    size_t i = 0;
    JSON_EACH(v, json_member(o, name)) {
        fn(e, FIELD_INDEX(list, i), v);
        i++;
    }
}

/* ---- required, allowed, forbidden ---- */

static bool empty(const struct json *v) {
    return v == NULL || v->type == JSON_NULL || ((v->type == JSON_STRING || v->type == JSON_ARRAY || v->type == JSON_OBJECT) && v->len == 0);
}

bool need(RULE, const char *names) {
    bool all = true;
    EACH_WORD(name, e->arena, names) all &= need_why(e, p, o, name, "");
    return all;
}

bool need_why(RULE, const char *name, const char *why) {
    if (!empty(json_member(o, name))) return true;
    field_required(e, FIELD(p, name), why);
    return false;
}

void forbid(RULE, const char *name, const char *why) {
    if (has(o, name)) field_forbidden(e, FIELD(p, name), "%s", why);
}

void unsupported(struct field_errors *e, const struct field_path *p, const char *value, const char *values) {
    const char *list[80];
    size_t n = 0;
    EACH_WORD(w, e->arena, values) if (n < ARRAY_LEN(list) - 1) list[n++] = strcmp(w, "\"\"") == 0 ? "" : w;
    list[n] = NULL;
    field_not_supported(e, p, json_string(e->arena, value), list);
}

void choice(RULE, const char *name, const char *values) {
    const char *s = json_str(o, name);
    if (s && !word_in(s, values)) unsupported(e, FIELD(p, name), s, values);
}

bool choice_needed(RULE, const char *name, const char *values) {
    if (!*str_of(o, name)) return field_required(e, FIELD(p, name), ""), false;
    choice(e, p, o, name, values);
    return word_in(str_of(o, name), values);
}

void unique(struct field_errors *e, const struct field_path *p, const struct json *list, size_t i, const char *name) {
    const struct json *mine = json_member(json_at(list, i), name);
    for (size_t k = 0; k < i && mine; k++) {
        if (!json_equal(mine, json_member(json_at(list, k), name))) continue;
        field_duplicate(e, FIELD(p, name), mine);
        return;
    }
}

/* ---- names and numbers ---- */

void named(RULE, const char *name, name_check *check) {
    const char *s = str_of(o, name);
    if (*s) field_invalid_names(e, FIELD(p, name), s, check(s));
}

void named_needed(RULE, const char *name, name_check *check) {
    if (need(e, p, o, name)) named(e, p, o, name, check);
}

void nonnegative(RULE, const char *names) {
    EACH_WORD(name, e->arena, names) field_check_nonnegative(e, FIELD(p, name), json_int(o, name, 0));
}

void between(RULE, const char *name, int64_t low, int64_t high) {
    if (has(o, name)) field_check_range(e, FIELD(p, name), json_int(o, name, 0), low, high);
}

void label_name(struct field_errors *e, const struct field_path *p, const char *value) { field_invalid_names(e, p, value, name_qualified(value)); }

void field_checks(struct field_errors *e, const struct field_path *p, const char *value, struct name_errors errors, const char *prefix) {
    for (size_t i = 0; i < errors.len; i++) field_invalid_str(e, p, value, "%s%s", prefix, errors.items[i]);
}

void port_or_name(RULE) {
    if (json_is(o, JSON_STRING)) field_invalid_names(e, p, o->s, name_port(o->s));
    else field_check_port_number(e, p, json_int(o, NULL, 0));
}

static void selector_requirement(RULE) {
    const char *op = str_of(o, "operator");
    const struct json *values = json_member(o, "values");
    if (word_in(op, "In NotIn")) {
        if (json_len(values) == 0) field_required(e, FIELD(p, "values"), "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (word_in(op, "Exists DoesNotExist")) {
        if (json_len(values) > 0) field_forbidden(e, FIELD(p, "values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
        field_invalid_str(e, FIELD(p, "operator"), op, "not a valid selector operator");
    }
    label_name(e, FIELD(p, "key"), str_of(o, "key"));
    size_t i = 0;
    JSON_EACH(v, values) {
        field_invalid_names(e, FIELD_INDEX(FIELD(p, "values"), i), text_of(v), name_label_value(text_of(v)));
        i++;
    }
}

void label_selector(RULE) {
    if (o == NULL || o->type == JSON_NULL) return;
    validate_labels(e, FIELD(p, "matchLabels"), json_member(o, "matchLabels"));
    rule_each(e, p, o, "matchExpressions", selector_requirement);
}

/* metav1.Condition: lists of conditions by type. */
static bool reason_valid(const char *s) {
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        bool letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z', digit = s[i] >= '0' && s[i] <= '9';
        if (i == 0 ? !letter : !letter && !digit && s[i] != '_' && (i == n - 1 || !strchr(",:", s[i]))) return false;
    }
    return true;
}

static void condition(RULE) {
    label_name(e, FIELD(p, "type"), str_of(o, "type"));
    if (!word_in(str_of(o, "status"), "True False Unknown")) unsupported(e, FIELD(p, "status"), str_of(o, "status"), "False True Unknown");
    if (json_int(o, "observedGeneration", 0) < 0)
        field_invalid_int(e, FIELD(p, "observedGeneration"), json_int(o, "observedGeneration", 0), "must be greater than or equal to zero");
    if (!has(o, "lastTransitionTime")) field_required(e, FIELD(p, "lastTransitionTime"), "");
    const char *reason = str_of(o, "reason");
    if (!*reason) field_required(e, FIELD(p, "reason"), "");
    else if (!reason_valid(reason))
        field_invalid_str(e, FIELD(p, "reason"), reason,
                          "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
    if (strlen(reason) > 1024) field_too_long(e, FIELD(p, "reason"), 1024);
    if (strlen(str_of(o, "message")) > 32768) field_too_long(e, FIELD(p, "message"), 32768);
}

void condition_list(RULE) {
    size_t i = 0;
    JSON_EACH(c, o) {
        unique(e, FIELD_INDEX(p, i), o, i, "type");
        condition(e, FIELD_INDEX(p, i), c);
        i++;
    }
}

/* ---- changes ---- */

void fixed(struct field_errors *e, const struct field_path *p, const struct json *now, const struct json *old) {
    if (!json_semantic_equal(now, old)) field_invalid(e, p, now, "field is immutable");
}

bool same_as(const char *type, const struct json *now, const struct json *old) {
    bool here = now && now->type != JSON_NULL, there = old && old->type != JSON_NULL;
    return here == there && schema_semantic_equal(type_find(type), now, old);
}

void fixed_as(struct field_errors *e, const struct field_path *p, const char *type, const struct json *now, const struct json *old) {
    if (!same_as(type, now, old)) field_invalid(e, p, go_form(e->arena, type, now), "field is immutable");
}

void fixed_members(RULE, const struct json *old, const char *names) {
    EACH_WORD(name, e->arena, names) fixed(e, FIELD(p, name), json_member(o, name), json_member(old, name));
}

/* Finalizers of built-in kinds are the standard ones or have a domain. */
void kube_finalizers(struct field_errors *e, const struct json *object) {
    const struct field_path *p = FIELD(META, "finalizers");
    size_t i = 0;
    JSON_EACH(f, json_get(object, "metadata.finalizers")) {
        const char *s = text_of(f);
        if (!strchr(s, '/') && !word_in(s, "kubernetes orphan foregroundDeletion"))
            field_invalid_str(e, FIELD_INDEX(p, i), s, "name is neither a standard finalizer name nor is it fully qualified");
        i++;
    }
}
