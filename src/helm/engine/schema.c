/* values.schema.json: see schema.h. This file reads schemas and words errors; schema_validate.c has the rules. */
#include "helm/engine/schema.h"
#include "base/str.h"
#include "helm/engine/schema_internal.h"
#include "helm/go/regexp.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <stdio.h>

static const char base_url[] = "file:///values.schema.json";

const char *schema_quote(struct arena *a, const char *s, size_t len) {
    cleanup_buf struct buf quoted = {0}, out = {0};
    go_quote(&quoted, s, len);
    buf_addc(&out, '\'');
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        char c = quoted.data[i];
        if (c == '\\' && quoted.data[i + 1] == '"') continue;
        if (c == '\\' && quoted.data[i + 1] == '\\') buf_addc(&out, quoted.data[i++]);
        if (c == '\'') buf_addc(&out, '\\');
        buf_addc(&out, c);
    }
    buf_addc(&out, '\'');
    return arena_strdup(a, buf_str(&out));
}

static void add_pointer(struct buf *out, const struct location *l) {
    if (l == NULL || l->key == NULL) return;
    add_pointer(out, l->parent);
    buf_addc(out, '/');
    for (const char *p = l->key; *p != '\0'; p++) {
        if (*p == '~') buf_adds(out, "~0");
        else if (*p == '/') buf_adds(out, "~1");
        else buf_addc(out, *p);
    }
}

const char *schema_pointer(struct arena *a, const struct location *where) {
    cleanup_buf struct buf out = {0};
    add_pointer(&out, where);
    return arena_strdup(a, buf_str(&out));
}

/* ---- which draft, and what references mean ---- */

static const struct {
    const char *url;
    enum schema_draft draft;
} drafts[] = {
    {"json-schema.org/schema", DRAFT_2020}, {"json-schema.org/draft/2020-12/schema", DRAFT_2020}, {"json-schema.org/draft/2019-09/schema", DRAFT_2019},
    {"json-schema.org/draft-07/schema", DRAFT_7}, {"json-schema.org/draft-06/schema", DRAFT_6}, {"json-schema.org/draft-04/schema", DRAFT_4},
};

static struct error *find_draft(struct schema_document *d) {
    const char *url = json_str(json_member(d->root, "$schema"), NULL);
    d->draft = DRAFT_2020;
    if (url == NULL) return NULL;
    const char *p = str_starts(url, "http://") ? url + 7 : str_starts(url, "https://") ? url + 8 : url;
    size_t n = strcspn(p, "#");
    for (size_t i = 0; i < ARRAY_LEN(drafts); i++) {
        if (strlen(drafts[i].url) == n && memcmp(drafts[i].url, p, n) == 0 && (p[n] == '\0' || p[n + 1] == '\0')) {
            d->draft = drafts[i].draft;
            return NULL;
        }
    }
    return error_new("failing loading \"%.*s\": only the drafts of json-schema.org are known", (int)strcspn(url, "#"), url);
}

/* The last part of an identifier's path, by which others in the same document refer to it. */
static const char *file_part(const char *url) {
    const char *slash = strrchr(url, '/');
    return slash != NULL ? slash + 1 : url;
}

/* Looks for the subschema that calls itself by an anchor or identifier. */
static const struct json *find_named(struct schema_document *d, const struct json *v, const char *name, bool anchor, unsigned depth) {
    if (v == NULL || depth > 100) return NULL;
    if (v->type == JSON_OBJECT) {
        const char *id = json_str(json_member(v, d->draft == DRAFT_4 ? "id" : "$id"), NULL);
        if (anchor && (str_eq(json_str(json_member(v, "$anchor"), NULL), name) || str_eq(json_str(json_member(v, "$dynamicAnchor"), NULL), name) ||
                       (id != NULL && id[0] == '#' && str_eq(id + 1, name))))
            return v;
        if (!anchor && id != NULL && (str_eq(id, name) || str_eq(file_part(id), file_part(name)))) return v;
        JSON_EACH_MEMBER(m, v) {
            const struct json *found = find_named(d, &m->value, name, anchor, depth + 1);
            if (found != NULL) return found;
        }
    } else if (v->type == JSON_ARRAY) {
        JSON_EACH(item, v) {
            const struct json *found = find_named(d, item, name, anchor, depth + 1);
            if (found != NULL) return found;
        }
    }
    return NULL;
}

/* A reference without its fragment, as an absolute URL. */
static const char *absolute(struct arena *a, const char *base, const char *reference) {
    size_t n = strcspn(reference, "#"), scheme = strcspn(reference, ":/#");
    if (n == 0) return base;
    if (reference[scheme] == ':') return arena_strndup(a, reference, n);
    const char *host = strstr(base, "://"), *path = host ? host + 3 + strcspn(host + 3, "/") : base, *last = strrchr(path, '/');
    size_t kept = reference[0] == '/' || last == NULL ? 0 : (size_t)(last + 1 - path);
    return arena_printf(a, "%.*s%s", (int)(path - base), base, path_clean(a, arena_printf(a, "%.*s%.*s", (int)kept, path, (int)n, reference)));
}

static struct schema_document *find_document(const struct schema_set *s, const char *url) {
    struct schema_document *d = s->documents;
    while (d != NULL && !str_eq(d->url, url) && !str_eq(d->base, url)) d = d->next;
    return d;
}

const struct json *schema_resolve(struct schema_document *d, const char *reference, struct schema_document **in) {
    size_t n = strcspn(reference, "#");
    const struct json *base = d->root;
    char *fragment;
    *in = d;
    if (n > 0) {
        const char *url = arena_strndup(d->arena, reference, n), *own = json_str(json_member(d->root, d->draft == DRAFT_4 ? "id" : "$id"), NULL);
        if (!(own != NULL && str_eq(own, url))) base = find_named(d, d->root, url, false, 0);
        struct schema_document *other = base == NULL ? find_document(d->set, absolute(d->arena, d->base, reference)) : NULL;
        if (other != NULL) base = (*in = other)->root;
        else if (base == NULL && own != NULL && str_eq(file_part(own), url)) base = d->root;
    }
    if (base == NULL || reference[n] == '\0' || reference[n + 1] == '\0') return base;
    if (!url_decode(d->arena, reference + n + 1, strlen(reference + n + 1), false, &fragment)) return NULL;
    return fragment[0] == '/' ? json_pointer(base, fragment) : find_named(*in, base, fragment, true, 0);
}

/* ---- faults of the schema itself ---- */

struct check {
    struct schema_document *document;
    const struct location *trail[128]; /* the subschemas on the way down */
    size_t count;
};

static struct error *not_a_schema(struct check *c, const struct location *where, const char *text) {
    static const char *const urls[][2] = {{"http://json-schema.org/draft-04/schema#", "4"}, {"http://json-schema.org/draft-06/schema#", "6"},
                                          {"http://json-schema.org/draft-07/schema#", "7"}, {"https://json-schema.org/draft/2019-09/schema#", "2019"},
                                          {"https://json-schema.org/draft/2020-12/schema#", "2020"}};
    enum schema_draft draft = c->document->draft;
    const char *url = urls[draft == DRAFT_4 ? 0 : draft == DRAFT_6 ? 1 : draft == DRAFT_7 ? 2 : draft == DRAFT_2019 ? 3 : 4][0];
    cleanup_buf struct buf out = {0};
    buf_printf(&out, "\"%s#\" is not valid against metaschema: jsonschema validation failed with '%s'", c->document->url, url);
    size_t indent = 0;
    for (size_t i = 0; draft >= DRAFT_2019 && i < c->count; i++, indent++) {
        buf_addc(&out, '\n');
        for (size_t j = 0; j < indent; j++) buf_adds(&out, "  ");
        const char *at = schema_pointer(c->document->arena, c->trail[i]);
        buf_printf(&out, "- at %s: 'allOf' failed", schema_quote(c->document->arena, at, strlen(at)));
    }
    buf_addc(&out, '\n');
    for (size_t j = 0; j < indent; j++) buf_adds(&out, "  ");
    const char *at = schema_pointer(c->document->arena, where);
    buf_printf(&out, "- at %s: %s", schema_quote(c->document->arena, at, strlen(at)), text);
    return error_new("%s", buf_str(&out));
}

static const char *type_of(const struct json *v) {
    static const char *const names[] = {"null", "boolean", "number", "number", "string", "array", "object"};
    return names[v->type];
}

static struct error *check_regexp(struct check *c, const struct location *where, const char *pattern, size_t len) {
    const struct regexp *re;
    cleanup_arena struct arena scratch = {0};
    cleanup_error struct error *e = regexp_compile(&scratch, pattern, len, &re);
    if (e == NULL) return NULL;
    return not_a_schema(c, where, arena_printf(c->document->arena, "%s is not valid regex: %s", schema_quote(c->document->arena, pattern, len), e->message));
}

enum { MAX_DOCUMENTS = 100 };
static struct error *add_document(struct schema_set *set, struct arena *a, const char *url, const char *text, size_t len, struct schema_document **out);

static struct error *load_document(struct schema_document *from, const char *url) {
    cleanup_buf struct buf text = {0};
    struct schema_document *d;
    struct schema_set *set = from->set;
    struct error *e = set->count == MAX_DOCUMENTS ? error_new("the schema refers to too many others")
                      : set->load                 ? set->load(from->arena, url, &text)
                                                  : error_new("schemas elsewhere are not loaded here");
    if (e == NULL) e = add_document(set, from->arena, url, buf_str(&text), text.len, &d);
    return e ? error_wrap(e, "failing loading \"%s\"", url) : NULL;
}

static struct error *check_part(struct schema_document *d, const struct json *part);

/* Of a document elsewhere only those parts count that somebody refers to. */
static struct error *check_target(struct schema_document *in, const struct json *target) {
    struct schema_set *set = in->set;
    if (str_eq(in->url, base_url)) return NULL; /* checked as a whole */
    for (size_t i = 0; i < set->checked_count; i++)
        if (set->checked[i] == target) return NULL;
    if (set->checked_count == ARRAY_LEN(set->checked)) return error_new("the schema refers to too many others");
    set->checked[set->checked_count++] = target;
    return check_part(in, target);
}

static struct error *check_reference(struct check *c, const char *reference) {
    struct schema_document *in;
    const struct json *target = schema_resolve(c->document, reference, &in);
    if (target != NULL) return check_target(in, target);
    const char *fragment = strchr(reference, '#'), *url = absolute(c->document->arena, c->document->base, reference);
    if (reference[0] != '#' && find_document(c->document->set, url) == NULL) {
        TRY(load_document(c->document, url));
        target = schema_resolve(c->document, reference, &in);
        if (target != NULL) return check_target(in, target);
    }
    if (fragment != NULL && fragment[1] == '/') return error_new("json-pointer in \"%s%s\" not found", in->url, fragment);
    return error_new("anchor in \"%s%s\" not found in schema \"%s\"", in->url, fragment ? fragment : "", in->url);
}

static const char *const one_schema[] = {"not", "additionalProperties", "items", "additionalItems", "propertyNames", "contains", "if", "then", "else",
                                         "unevaluatedProperties", "unevaluatedItems", NULL};
static const char *const many_schemas[] = {"allOf", "anyOf", "oneOf", "prefixItems", "items", NULL};
static const char *const named_schemas[] = {"definitions", "$defs", "properties", "patternProperties", "dependentSchemas", "dependencies", NULL};

static struct error *check_schema(struct check *c, const struct json *s, const struct location *where);

static struct error *check_parts(struct check *c, const struct json *s, const struct location *where) {
    JSON_EACH_MEMBER(m, s) {
        struct location here = {where, m->key};
        const struct json *v = &m->value;
        if (str_in(m->key, named_schemas)) {
            if (v->type != JSON_OBJECT)
                return not_a_schema(c, &here, arena_printf(c->document->arena, "got %s, want object", type_of(v)));
            JSON_EACH_MEMBER(part, v) {
                struct location below = {&here, part->key};
                if (str_eq(m->key, "patternProperties")) TRY(check_regexp(c, &here, part->key, part->key_len));
                if (part->value.type == JSON_OBJECT) TRY(check_schema(c, &part->value, &below));
            }
        } else if (v->type == JSON_ARRAY && str_in(m->key, many_schemas)) {
            for (uint32_t i = 0; i < v->len; i++) {
                char number[16];
                snprintf(number, sizeof number, "%u", i);
                struct location below = {&here, number};
                TRY(check_schema(c, &v->items[i], &below));
            }
        } else if (str_in(m->key, one_schema) && v->type != JSON_BOOL) {
            TRY(check_schema(c, v, &here));
        }
    }
    return NULL;
}

/* Finds what would stop the compiler of helm's library: patterns that are none, references to nowhere, parts that are no schemas. */
static struct error *check_schema(struct check *c, const struct json *s, const struct location *where) {
    if (s->type == JSON_BOOL && c->document->draft > DRAFT_4) return NULL;
    if (s->type != JSON_OBJECT)
        return not_a_schema(c, where, arena_printf(c->document->arena, "got %s, want boolean or object", type_of(s)));
    if (c->count == ARRAY_LEN(c->trail)) return error_new("the schema is nested too deeply");
    c->trail[c->count++] = where;
    const struct json *pattern = json_member(s, "pattern");
    struct location here = {where, "pattern"};
    if (json_is(pattern, JSON_STRING)) TRY(check_regexp(c, &here, pattern->s, pattern->len));
    const char *reference = json_str(json_member(s, "$ref"), NULL);
    if (reference != NULL) TRY(check_reference(c, reference));
    TRY(check_parts(c, s, where));
    c->count--;
    return NULL;
}

/* ---- errors as text ---- */

static void print_failure(struct arena *a, struct buf *out, const struct failure *f, size_t indent) {
    bool skip = f->kind == FAILURE_REFERENCE && f->causes != NULL && f->causes->next == NULL;
    if (!skip) {
        for (size_t i = 1; i < indent; i++) buf_adds(out, "  ");
        buf_printf(out, "- at %s: %s\n", schema_quote(a, f->where, strlen(f->where)), f->text);
        indent++;
    }
    for (const struct failure *cause = f->causes; cause != NULL; cause = cause->next) print_failure(a, out, cause, indent);
}

/* The words of Go's stream decoder for what json_parse words as json.Unmarshal does. */
static struct error *parse_schema(struct arena *a, const char *text, size_t len, const struct json **out) {
    struct error *e = json_parse(a, text, len, NULL, NULL, out);
    if (e == NULL) return NULL;
    const char *words = str_eq(e->message, "unexpected end of JSON input") ? "unexpected EOF"
                        : str_ends(e->message, " after top-level value") ? "invalid character after top-level value" : NULL;
    if (words == NULL) return e;
    error_free(e);
    return error_new("%s", words);
}

static struct error *add_document(struct schema_set *set, struct arena *a, const char *url, const char *text, size_t len, struct schema_document **out) {
    struct schema_document *d = ARENA_NEW(a, struct schema_document);
    *d = (struct schema_document){.set = set, .next = set->documents, .arena = a, .url = arena_strdup(a, url)};
    TRY(parse_schema(a, text, len, &d->root));
    TRY(find_draft(d));
    const char *id = json_str(json_member(d->root, d->draft == DRAFT_4 ? "id" : "$id"), NULL);
    d->base = id ? absolute(a, d->url, id) : d->url;
    set->documents = *out = d;
    set->count++;
    return NULL;
}

static struct error *check_part(struct schema_document *d, const struct json *part) {
    struct check c = {.document = d};
    return check_schema(&c, part, NULL);
}

struct error *schema_check(struct arena *a, const char *schema, size_t len, struct value values, schema_load_fn *load) {
    struct schema_set set = {.load = load};
    struct schema_document *d;
    const struct json *tree;
    TRY(add_document(&set, a, base_url, schema, len, &d));
    TRY(check_part(d, d->root));
    TRY(value_to_json(a, values, &tree));
    struct failure *f = schema_validate(d, d->root, tree);
    if (f == NULL) return NULL;
    cleanup_buf struct buf out = {0};
    if (f->kind != FAILURE_GROUP) print_failure(a, &out, f, 1);
    for (const struct failure *cause = f->causes; f->kind == FAILURE_GROUP && cause != NULL; cause = cause->next) print_failure(a, &out, cause, 1);
    return error_new("%s", buf_str(&out));
}

static struct error *check_chart(struct arena *a, const struct chart *c, struct value values, struct buf *out) {
    if (c->schema != NULL) {
        cleanup_error struct error *e = schema_check(a, c->schema, c->schema_len, values, schema_load);
        if (e != NULL) buf_printf(out, "%s:\n%s", chart_name(c), e->message);
    }
    for (size_t i = 0; i < c->dependency_count; i++) {
        struct value name = c->dependencies[i]->metadata.items[CHART_NAME], *below = value_map_get(values.map, name.s, name.len);
        if (below == NULL || below->type == NULL) continue;
        if (values_is_table(*below)) TRY(check_chart(a, c->dependencies[i], *below, out));
        else buf_printf(out, "%s:\ninvalid type for values: expected object (map), got %s\n", chart_name(c->dependencies[i]), go_type_name(*below));
    }
    return NULL;
}

struct error *schema_check_chart(struct arena *a, const struct chart *c, struct value values) {
    cleanup_buf struct buf out = {0};
    TRY(check_chart(a, c, values, &out));
    return out.len > 0 ? error_new("%s", buf_str(&out)) : NULL;
}
