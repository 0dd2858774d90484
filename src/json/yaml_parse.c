/* libyaml's events into values, as sigs.k8s.io/yaml (go-yaml v2 and a conversion to JSON) sees them. An alias shares
 * the value of its anchor; what it would come to written out is counted, so that nobody meets a bomb later. */
#include "base/str.h"
#include "json/index.h"
#include <yaml.h>

#define TAG(name) "tag:yaml.org,2002:" name

struct anchor {
    struct anchor *next;
    const char *name;
    const struct json *value; /* NULL while it is being read */
    uint64_t nodes;           /* with its own aliases written out */
};

struct reader {
    struct arena *arena;
    yaml_parser_t parser;
    yaml_event_t event;
    struct anchor *anchors;
    struct json_array *duplicates;
    struct error *error;
    uint64_t nodes, aliased;
    size_t depth, max_depth, max_elements;
};

static void cleanup_reader_(struct reader *r) {
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

static bool fail(struct reader *r, struct error *e) {
    if (r->error == NULL) r->error = e;
    else error_free(e);
    return false;
}

/* go-yaml's way of naming the line: one-based for the scanner, zero-based for the parser, nothing for the first. */
static bool fail_parser(struct reader *r) {
    const yaml_parser_t *p = &r->parser;
    size_t line = p->problem_mark.line ? p->problem_mark.line + (p->error == YAML_SCANNER_ERROR) : p->context_mark.line;
    const char *problem = p->problem && *p->problem ? p->problem : "unknown problem parsing YAML content";
    return fail(r, line ? error_new("yaml: line %zu: %s", line, problem) : error_new("yaml: %s", problem));
}

static bool next(struct reader *r) {
    yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof(r->event));
    return yaml_parser_parse(&r->parser, &r->event) || fail_parser(r);
}

/* ---- anchors ---- */

static struct anchor *anchor_add(struct reader *r, const yaml_char_t *name) {
    if (name == NULL) return NULL;
    struct anchor *a = ARENA_NEW(r->arena, struct anchor);
    *a = (struct anchor){.next = r->anchors, .name = arena_strdup(r->arena, (const char *)name)};
    r->anchors = a;
    return a;
}

static void anchor_done(struct reader *r, struct anchor *a, const struct json *value, uint64_t nodes_before) {
    if (a == NULL) return;
    a->value = arena_dup(r->arena, value, sizeof(*value));
    a->nodes = r->nodes - nodes_before;
}

/* go-yaml's limits of what aliases may make of a document. */
static bool excessive(const struct reader *r) {
    if (r->aliased <= 100 || r->nodes <= 1000) return false;
    double n = (double)r->nodes, ratio = n <= 400000 ? 0.99 : n >= 4000000 ? 0.10 : 0.99 - 0.89 * ((n - 400000) / 3600000);
    return (double)r->aliased / n > ratio;
}

static bool count(struct reader *r, uint64_t nodes) {
    r->nodes += nodes;
    if (r->nodes > r->max_elements) return fail(r, error_new("yaml: document has too many elements"));
    return !excessive(r) || fail(r, error_new("yaml: document contains excessive aliasing"));
}

static bool read_alias(struct reader *r, struct json *out) {
    const char *name = (const char *)r->event.data.alias.anchor;
    for (const struct anchor *a = r->anchors; a != NULL; a = a->next) {
        if (strcmp(a->name, name) != 0) continue;
        if (a->value == NULL) return fail(r, error_new("yaml: anchor '%s' value contains itself", name));
        *out = *a->value;
        r->aliased += a->nodes;
        return count(r, a->nodes);
    }
    return fail(r, error_new("yaml: unknown anchor '%s' referenced", name));
}

/* ---- scalars ---- */

static struct json text(struct reader *r, const char *s, size_t n) {
    return (struct json){.type = JSON_STRING, .len = (uint32_t)n, .s = arena_strndup(r->arena, s, n)};
}

static const struct {
    const char *tag, *name;
    enum json_type type;
} tags[] = {
    {TAG("bool"), "bool", JSON_BOOL},      {TAG("int"), "int", JSON_INT},   {TAG("float"), "float", JSON_DOUBLE},
    {TAG("null"), "null", JSON_NULL},      {TAG("timestamp"), "timestamp", JSON_STRING},
};

/* A scalar with one of the tags above must be of that kind. */
static bool check_tag(struct reader *r, const char *tag, const char *s, enum yaml_kind kind, struct json *v) {
    static const char *const found[] = {"null", "bool", "int", "float", "str"};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (strcmp(tag, tags[i].tag) != 0) continue;
        if (tags[i].type == JSON_DOUBLE && v->type == JSON_INT) *v = (struct json){.type = JSON_DOUBLE, .d = (double)v->i};
        if (v->type == tags[i].type && (v->type == JSON_STRING) == (kind == YAML_TIMESTAMP)) return true;
        const char *is = kind == YAML_TIMESTAMP ? "timestamp" : found[v->type];
        return fail(r, error_new("yaml: cannot decode !!%s `%s` as a !!%s", is, s, tags[i].name));
    }
    return true;
}

static bool read_scalar(struct reader *r, struct json *out) {
    const char *s = (const char *)r->event.data.scalar.value, *tag = (const char *)r->event.data.scalar.tag;
    size_t n = r->event.data.scalar.length;
    *out = text(r, s, n);
    if (tag == NULL && !r->event.data.scalar.plain_implicit) return true;
    if (tag != NULL && strcmp(tag, TAG("binary")) == 0) {
        char *data;
        size_t len;
        if (!base64_decode(r->arena, s, n, &data, &len)) return fail(r, error_new("yaml: !!binary value contains invalid base64 data"));
        if (!utf8_valid(data, len)) return fail(r, error_new("yaml: !!binary value is no text"));
        *out = text(r, data, len);
        return true;
    }
    enum yaml_kind kind = YAML_STRING;
    bool resolvable = tag == NULL || (str_starts(tag, TAG("")) && strcmp(tag, TAG("str")) != 0);
    if (resolvable && strlen(s) == n) {
        struct json v;
        kind = yaml_resolve(s, &v);
        if (kind == YAML_VALUE) *out = v;
    }
    return tag == NULL || check_tag(r, tag, s, kind, out);
}

/* Infinities may be keys, but no values of JSON. */
static bool finite_value(struct reader *r, const struct json *v) {
    if (v->type != JSON_DOUBLE || v->d - v->d == 0) return true;
    return fail(r, error_new("json: unsupported value: %s", v->d != v->d ? "NaN" : v->d > 0 ? "+Inf" : "-Inf"));
}

/* ---- mappings and sequences ---- */

/* A value as Go's %#v shows it: keys that are no scalars are quoted so, e.g. an unrendered {{ template }}. */
static void go_syntax(struct buf *out, const struct json *v) {
    if (v->type == JSON_NULL) buf_adds(out, "interface {}(nil)");
    else if (v->type < JSON_ARRAY) json_encode(out, v);
    else {
        bool object = v->type == JSON_OBJECT;
        buf_adds(out, object ? "map[interface {}]interface {}{" : "[]interface {}{");
        for (uint32_t i = 0; i < v->len; i++) {
            if (i > 0) buf_adds(out, ", ");
            if (object) buf_printf(out, "\"%s\":", v->members[i].key);
            go_syntax(out, object ? &v->members[i].value : &v->items[i]);
        }
        buf_addc(out, '}');
    }
}

/* The name that a key of any scalar type has in JSON. */
static bool key_name(struct reader *r, const struct json *key, struct json_member *m) {
    cleanup_buf struct buf out = {0};
    m->key = NULL;
    switch (key->type) {
    case JSON_NULL: return true; /* an error, but only after the value */
    case JSON_STRING:
        m->key = key->s;
        m->key_len = key->len;
        return true;
    case JSON_DOUBLE: number_format_g(&out, key->d, true); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        go_syntax(&out, key);
        return fail(r, error_new("yaml: invalid map key: %s", out.data));
    default: json_encode(&out, key);
    }
    m->key = arena_strndup(r->arena, out.data, out.len);
    m->key_len = (uint32_t)out.len;
    return true;
}

static bool named(struct reader *r, const struct json_member *m) {
    if (m->key != NULL) return true;
    cleanup_buf struct buf out = {0};
    if (m->value.type != JSON_NULL) go_syntax(&out, &m->value);
    return fail(r, error_new("unsupported map key of type: %%!s(<nil>), key: <nil>, value: %s", out.data ? out.data : "<nil>"));
}

/* A mapping under construction; the index is made anew when the array has doubled. */
struct mapping {
    struct json_object members;
    struct member_index index;
    size_t indexed; /* the capacity that the index was made for */
};

static void mapping_put(struct reader *r, struct mapping *m, const struct json_member *new, size_t line, const struct json *key) {
    json_object_add(&m->members, new->key, &new->value);
    m->members.members[m->members.len - 1].key_len = new->key_len;
    if (m->index.members != m->members.members || m->indexed != m->members.cap) {
        m->indexed = m->members.cap;
        member_index_free(&m->index);
        member_index_init(&m->index, m->members.members, (uint32_t)m->members.cap);
        for (uint32_t i = 0; i + 1 < m->members.len; i++) member_index_add(&m->index, i);
    }
    int64_t before = member_index_add(&m->index, (uint32_t)m->members.len - 1);
    if (before < 0) return;
    m->members.len--;
    m->members.members[before].value = new->value;
    if (r->duplicates == NULL) return;
    cleanup_buf struct buf out = {0};
    json_encode(&out, key);
    json_array_add(r->duplicates, json_strf(r->duplicates->arena, "line %zu: key %s already set in map", line, buf_str(&out)));
}

static bool read_value(struct reader *r, struct json *out);

/* `<<: *base` or a list of such; within a list, earlier ones win. */
static bool merge(struct reader *r, struct mapping *m, const struct json *from, size_t line) {
    bool list = from->type == JSON_ARRAY, ok = list || from->type == JSON_OBJECT;
    JSON_EACH(item, from) ok = ok && item->type == JSON_OBJECT;
    if (!ok) return fail(r, error_new("yaml: map merge requires map or sequence of maps as the value"));
    for (size_t i = list ? from->len : 1; i-- > 0;)
        JSON_EACH_MEMBER(member, list ? &from->items[i] : from) {
            struct json key = {.type = JSON_STRING, .len = member->key_len, .s = member->key};
            mapping_put(r, m, member, line, &key);
        }
    return true;
}

static bool is_merge(const yaml_event_t *e) {
    const char *tag = (const char *)e->data.scalar.tag;
    return e->type == YAML_SCALAR_EVENT && strcmp((const char *)e->data.scalar.value, "<<") == 0 &&
           (e->data.scalar.plain_implicit || (tag != NULL && strcmp(tag, TAG("merge")) == 0));
}

static void cleanup_mapping_(struct mapping *m) { member_index_free(&m->index); }

static bool read_mapping(struct reader *r, struct json *out) {
    CLEANUP(cleanup_mapping_) struct mapping m = {.members = {.arena = r->arena}};
    for (;;) {
        struct json key;
        struct json_member new;
        if (!next(r)) return false;
        if (r->event.type == YAML_MAPPING_END_EVENT) break;
        bool merging = is_merge(&r->event);
        if (!read_value(r, &key) || (!merging && !key_name(r, &key, &new)) || !next(r)) return false;
        size_t line = r->event.start_mark.line + 1;
        if (!read_value(r, &new.value) || !finite_value(r, &new.value) || (!merging && !named(r, &new))) return false;
        if (!merging) mapping_put(r, &m, &new, line, &key);
        else if (!merge(r, &m, &new.value, line)) return false;
    }
    *out = (struct json){.type = JSON_OBJECT, .len = (uint32_t)m.members.len, .members = m.members.members};
    return true;
}

static bool read_sequence(struct reader *r, struct json *out) {
    struct json_array items = {.arena = r->arena};
    for (;;) {
        struct json item;
        if (!next(r)) return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
        if (!read_value(r, &item) || !finite_value(r, &item)) return false;
        json_array_add(&items, &item);
    }
    *out = (struct json){.type = JSON_ARRAY, .len = (uint32_t)items.len, .items = items.items};
    return true;
}

/* The value that r->event begins. */
static bool read_value(struct reader *r, struct json *out) {
    uint64_t before = r->nodes;
    struct anchor *a = NULL;
    bool ok = count(r, 1);
    if (!ok) return false;
    switch (r->event.type) {
    case YAML_ALIAS_EVENT: return read_alias(r, out);
    case YAML_SCALAR_EVENT:
        a = anchor_add(r, r->event.data.scalar.anchor);
        ok = read_scalar(r, out);
        break;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (++r->depth > r->max_depth) return fail(r, error_new("yaml: exceeded max depth of %zu", r->max_depth));
        bool mapping = r->event.type == YAML_MAPPING_START_EVENT;
        a = anchor_add(r, mapping ? r->event.data.mapping_start.anchor : r->event.data.sequence_start.anchor);
        ok = mapping ? read_mapping(r, out) : read_sequence(r, out);
        r->depth--;
        break;
    default: return fail(r, error_new("yaml: unexpected event"));
    }
    if (ok) anchor_done(r, a, out, before);
    return ok;
}

/* The next document; *more is false at the end of the stream. */
static bool read_document(struct reader *r, struct json *out, bool *more) {
    do
        if (!next(r)) return false;
    while (r->event.type != YAML_DOCUMENT_START_EVENT && r->event.type != YAML_STREAM_END_EVENT);
    *more = r->event.type == YAML_DOCUMENT_START_EVENT;
    if (!*more) return true;
    r->anchors = NULL;
    return next(r) && read_value(r, out) && finite_value(r, out) && next(r); /* the end of the document */
}

static struct json_limits all_limits(const struct json_limits *limits) {
    return (struct json_limits){.max_depth = limits && limits->max_depth ? limits->max_depth : 10000,
                                .max_elements = limits && limits->max_elements ? limits->max_elements : 5000000};
}

static void reader_init(struct reader *r, const char *s, size_t len, const struct json_limits *limits) {
    yaml_parser_initialize(&r->parser);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)s, len);
    struct json_limits all = all_limits(limits);
    r->max_depth = all.max_depth;
    r->max_elements = all.max_elements;
}

static struct error *parse(struct arena *a, const char *s, size_t len, const struct json_limits *limits, struct json_array *duplicates,
                           const char *const *names, const struct json **out) {
    struct json_limits all = all_limits(limits);
    if (yaml_parse_simple(a, s, len, &all, names, out)) return NULL;
    CLEANUP(cleanup_reader_) struct reader r = {.arena = a, .duplicates = duplicates};
    reader_init(&r, s, len, limits);
    struct json *v = ARENA_NEW(a, struct json);
    bool more;
    if (!read_document(&r, v, &more)) return r.error;
    *out = v;
    return NULL;
}

struct error *yaml_parse(struct arena *a, const char *s, size_t len, const struct json_limits *limits,
                         struct json_array *duplicates, const struct json **out) {
    return parse(a, s, len, limits, duplicates, NULL, out);
}

struct error *yaml_parse_members(struct arena *a, const char *s, size_t len, const char *const *names, const struct json **out) {
    return parse(a, s, len, NULL, NULL, names, out);
}

struct error *yaml_parse_all(struct arena *a, const char *s, size_t len, const struct json_limits *limits, const struct json **out) {
    CLEANUP(cleanup_reader_) struct reader r = {.arena = a};
    reader_init(&r, s, len, limits);
    struct json_array all = {.arena = a};
    for (bool more = true; more;) {
        struct json v = json_null;
        if (!read_document(&r, &v, &more)) return r.error;
        if (v.type != JSON_NULL) json_array_add(&all, &v);
    }
    *out = json_array_done(&all);
    return NULL;
}
