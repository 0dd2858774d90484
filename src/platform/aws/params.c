/* Parameters of requests as one JSON value, whatever protocol they came in. */
#include "base/str.h"
#include "platform/aws/internal.h"
#include <ctype.h>

#define PARAMS_MAX 2500 /* names are looked up one after another */
#define DEPTH_MAX 12
#define BODY_DEPTH_MAX 64

/* ---- forms ---- */

/* A.member.1.B=x grows a tree: A, member, 1, B. */
struct node {
    const char *name, *value;
    struct node *first, *last, *next;
    size_t count;
};

static struct error *malformed(const char *why) {
    return error_api(400, "MalformedQueryString", "The query string contains a syntax error: %s", why);
}

static struct node *child(struct arena *a, struct node *parent, const char *name, size_t len) {
    for (struct node *n = parent->first; n != NULL; n = n->next) {
        if (strlen(n->name) == len && memcmp(n->name, name, len) == 0) return n;
    }
    struct node *n = ARENA_NEW(a, struct node);
    n->name = arena_strndup(a, name, len);
    if (parent->last != NULL) parent->last->next = n;
    else parent->first = n;
    parent->last = n;
    parent->count++;
    return n;
}

static struct error *add_param(struct arena *a, struct node *root, const char *name, const char *value) {
    struct node *n = root;
    for (int depth = 0; *name; depth++) {
        size_t len = strcspn(name, ".");
        if (len == 0 || depth == DEPTH_MAX) return malformed("a parameter's name");
        n = child(a, n, name, len);
        name += len + (name[len] == '.');
    }
    if (n == root) return malformed("a parameter without a name");
    if (n->value != NULL) return malformed("a parameter is there twice");
    n->value = value;
    return NULL;
}

static struct error *add_form(struct arena *a, struct node *root, const char *text, size_t len, size_t *count) {
    for (const char *end = text + len; text < end;) {
        const char *amp = memchr(text, '&', (size_t)(end - text)), *stop = amp ? amp : end;
        const char *equals = memchr(text, '=', (size_t)(stop - text)), *name_end = equals ? equals : stop;
        char *name, *value = arena_strdup(a, "");
        if (stop > text) {
            if (++*count > PARAMS_MAX) return malformed("too many parameters");
            if (!url_decode(a, text, (size_t)(name_end - text), true, &name)) return malformed("a bad escape");
            if (equals != NULL && !url_decode(a, equals + 1, (size_t)(stop - equals - 1), true, &value)) return malformed("a bad escape");
            if (!utf8_valid(name, strlen(name)) || !utf8_valid(value, strlen(value))) return malformed("text that is not UTF-8");
            if (!str_starts(name, "X-Amz-")) TRY(add_param(a, root, name, value));
        }
        text = stop + 1;
    }
    return NULL;
}

static bool numeric(const struct node *n) { return *n->name && strspn(n->name, "0123456789") == strlen(n->name) && strlen(n->name) <= 9; }

static int compare_numbers(const void *x, const void *y) {
    long a = strtol((*(const struct node *const *)x)->name, NULL, 10), b = strtol((*(const struct node *const *)y)->name, NULL, 10);
    return a < b ? -1 : a > b;
}

static const struct json *to_json(struct arena *a, const struct node *n) {
    if (n->first == NULL) return json_string(a, n->value ? n->value : "");
    if (n->count == 1 && str_eq(n->first->name, "member") && n->first->first != NULL) n = n->first;
    bool list = true;
    size_t count = 0;
    const struct node **children = arena_calloc(a, n->count, sizeof(struct node *));
    for (const struct node *c = n->first; c != NULL; c = c->next) {
        list = list && numeric(c);
        children[count++] = c;
    }
    struct json_array items = {.arena = a};
    struct json_object members = {.arena = a};
    if (list) qsort(children, count, sizeof(*children), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        const struct json *v = to_json(a, children[i]);
        if (list) json_array_add(&items, v);
        else json_object_add(&members, children[i]->name, v);
    }
    return list ? json_array_done(&items) : json_object_done(&members);
}

struct error *params_from_form(struct arena *a, const char *query, const char *body, size_t len, const struct json **out) {
    struct node root = {0};
    size_t count = 0;
    TRY(add_form(a, &root, query, strlen(query), &count));
    TRY(add_form(a, &root, body, len, &count));
    struct json_object members = {.arena = a};
    for (const struct node *c = root.first; c != NULL; c = c->next) json_object_add(&members, c->name, to_json(a, c));
    *out = json_object_done(&members);
    return NULL;
}

/* ---- REST ---- */

/* Goes through pattern and path segment by segment; `labels` (may be NULL) gets what the {names} stand for. */
static bool match_path(struct arena *a, const char *pattern, const char *path, struct json_object *labels) {
    while (*pattern == '/' && *path == '/') {
        size_t p = strcspn(++pattern, "/"), n = strcspn(++path, "/");
        if (*pattern == '{') {
            char *value;
            if (n == 0) return false;
            if (labels != NULL) {
                if (!url_decode(a, path, n, false, &value) || !utf8_valid(value, strlen(value))) return false;
                json_object_set(labels, arena_strndup(a, pattern + 1, p - 2), json_string(a, value));
            }
        } else if (p != n || memcmp(pattern, path, n) != 0) {
            return false;
        }
        pattern += p;
        path += n;
    }
    return *pattern == '\0' && (*path == '\0' || (path[0] == '/' && path[1] == '\0'));
}

bool params_path_matches(const char *pattern, const char *path) { return match_path(NULL, pattern, path, NULL); }

static struct error *add_query(struct arena *a, const char *query, struct json_object *members) {
    for (char **part = str_split(a, query, '&', NULL); *part != NULL; part++) {
        size_t n = strcspn(*part, "=");
        char *name, *value;
        if (**part == '\0') continue;
        if (!url_decode(a, *part, n, true, &name) || !url_decode(a, *part + n + ((*part)[n] == '='), strlen(*part + n + ((*part)[n] == '=')), true,
                                                                 &value)) {
            return malformed("a bad escape");
        }
        if (!utf8_valid(name, strlen(name)) || !utf8_valid(value, strlen(value))) return malformed("text that is not UTF-8");
        if (str_starts(name, "X-Amz-")) continue;
        const struct json *old = NULL, *v = json_string(a, value);
        for (size_t i = 0; i < members->len; i++) {
            if (str_eq(members->members[i].key, name)) old = &members->members[i].value;
        }
        if (json_is(old, JSON_STRING)) old = json_append(a, &json_empty_array, old);
        json_object_set(members, name, old ? json_append(a, old, v) : v);
        if (members->len > PARAMS_MAX) return malformed("too many parameters");
    }
    return NULL;
}

struct error *params_from_rest(struct arena *a, const struct aws_action *action, const char *path, const char *query, const char *body, size_t len,
                               const struct json **out) {
    struct json_object members = {.arena = a};
    const struct json *v = NULL;
    if (len > 0) {
        struct error *e = json_parse(a, body, len, &(struct json_limits){.max_depth = BODY_DEPTH_MAX, .max_elements = 100000}, NULL, &v);
        if (e == NULL && !json_is(v, JSON_OBJECT)) e = error_new("the body is no JSON object");
        if (e != NULL) return error_free(e), error_api(400, "SerializationException", "The request body is not valid JSON.");
        JSON_EACH_MEMBER(m, v) json_object_add(&members, m->key, &m->value);
    }
    TRY(add_query(a, query, &members));
    if (!match_path(a, action->path, path, &members)) return malformed("the path");
    *out = json_object_done(&members);
    return NULL;
}

/* ---- reading ---- */

const char *aws_param(const struct aws_request *r, const char *name) {
    const char *value = json_str(json_member(r->params, name), NULL);
    return value != NULL && *value ? value : NULL;
}

const struct json *aws_param_list(const struct aws_request *r, const char *name) {
    const struct json *v = json_member(r->params, name);
    return json_is(v, JSON_ARRAY) ? v : NULL;
}

const char *aws_param_word(struct arena *a, const char *name) {
    char *word = arena_strdup(a, name);
    *word = (char)tolower((unsigned char)*word);
    return word;
}

struct error *aws_param_int(const struct aws_request *r, const char *name, int64_t min, int64_t max, int64_t other, int64_t *out) {
    const struct json *v = json_member(r->params, name);
    const char *text = json_str(v, NULL), *word = aws_param_word(r->arena, name);
    int64_t n = json_int(v, NULL, 0);
    if (v == NULL || (text != NULL && *text == '\0')) return *out = other, NULL;
    if (text != NULL ? !str_to_int64(text, &n) : !json_is(v, JSON_INT)) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must be a number",
                         word);
    }
    if (n >= min && n <= max) return *out = n, NULL;
    return aws_error(400, "ValidationError", "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: Member must have value "
                                             "%s than or equal to %lld",
                     (long long)n, word, n < min ? "greater" : "less", (long long)(n < min ? min : max));
}

/* ---- checking ---- */

/* Characters, not bytes. */
static size_t length(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static struct error *check_required(const struct aws_request *r) {
    if (r->action->required == NULL) return NULL;
    for (char **name = str_split(r->arena, r->action->required, ' ', NULL); *name != NULL; name++) {
        const struct json *v = json_member(r->params, *name);
        if (v != NULL && !(json_is(v, JSON_STRING) && v->len == 0)) continue;
        return aws_error(400, "ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be "
                                                 "null",
                         aws_param_word(r->arena, *name));
    }
    return NULL;
}

static struct error *check_rule(const struct aws_request *r, const struct aws_rule *rule) {
    const char *value = aws_param(r, rule->name), *word = aws_param_word(r->arena, rule->name);
    if (value == NULL) return NULL;
    size_t n = length(value);
    bool few = n < rule->min;
    if (few || (rule->max > 0 && n > rule->max)) {
        return aws_error(400, "ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must have "
                                                 "length %s than or equal to %zu",
                         value, word, few ? "greater" : "less", few ? rule->min : rule->max);
    }
    if (rule->valid == NULL || rule->valid(value)) return NULL;
    return aws_error(400, "ValidationError", "The specified value for %s is invalid. %s", word, rule->complaint);
}

bool aws_text_of(const char *s, const char *others) {
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && strchr(others, *s) == NULL) return false;
    }
    return true;
}

struct error *params_check(const struct aws_request *r) {
    TRY(check_required(r));
    for (const struct aws_rule *rule = r->service->rules; rule != NULL && rule->name != NULL; rule++) TRY(check_rule(r, rule));
    return NULL;
}

/* ---- pages and times ---- */

struct error *aws_page(struct aws_request *r, const char *member, const struct json *items, const struct json **answer) {
    const char *marker = aws_param(r, "Marker");
    int64_t max, from = 0;
    char *text;
    TRY(aws_param_int(r, "MaxItems", 1, 1000, 100, &max));
    if (marker != NULL && (!base64url_decode(r->arena, marker, strlen(marker), &text, NULL) || !str_starts(text, "at=") ||
                           !str_to_int64(text + 3, &from) ||
                           from < 0)) {
        return aws_error(400, "ValidationError", "Invalid Marker.");
    }
    struct json_array page = {.arena = r->arena};
    size_t total = json_len(items), end = MIN(total, (size_t)from + (size_t)max);
    for (size_t i = (size_t)from; i < end; i++) json_array_add(&page, json_at(items, i));
    *answer = json_with_member(r->arena, *answer, member, json_array_done(&page));
    *answer = json_with_member(r->arena, *answer, "IsTruncated", json_boolean(end < total));
    if (end < total) {
        cleanup_buf struct buf sealed = {0};
        const char *next = arena_printf(r->arena, "at=%zu", end);
        base64url_encode(&sealed, next, strlen(next));
        *answer = json_with_member(r->arena, *answer, "Marker", json_string(r->arena, sealed.data));
    }
    return NULL;
}

const struct json *aws_time(struct arena *a, int64_t wall) {
    char text[TIME_STRING_MAX];
    return json_string(a, time_format(text, wall));
}
