/* Sets of templates. A child's templates hide those of its parent; functions and the cache are the outermost set's. */
#include "helm/go/strconv.h"
#include "helm/template/internal.h"

static struct template_set *outermost(struct template_set *set) {
    while (set->parent != NULL) set = set->parent;
    return set;
}

static void add_functions(struct value_map *m, const struct go_func *table) {
    for (const struct go_func *f = table; f->name != NULL; f++)
        value_map_set(m, f->name, strlen(f->name), (struct value){.func = f});
}

struct template_set *template_set_new(struct arena *a, const char *name, const struct go_func *const *tables,
                                      enum template_missing_key missing) {
    struct template_set *set = ARENA_NEW(a, struct template_set);
    *set = (struct template_set){.arena = a, .name = name, .missing = missing};
    set->templates = value_map_new(a, &go_map).map;
    set->functions = value_map_new(a, &go_map).map;
    set->cache = value_map_new(a, &go_map).map;
    add_functions(set->functions, template_builtins);
    for (; *tables != NULL; tables++) add_functions(set->functions, *tables);
    return set;
}

static struct template_set *child_of(struct arena *a, struct template_set *parent) {
    struct template_set *set = ARENA_NEW(a, struct template_set);
    *set = (struct template_set){.arena = a, .name = parent->name, .parent = parent, .missing = parent->missing};
    set->templates = value_map_new(a, &go_map).map;
    return set;
}

const struct go_func *set_function(struct template_set *set, const char *name, size_t len) {
    set = outermost(set);
    const struct go_func **recent = &set->recent[((unsigned char)name[0] + len * 3) % ARRAY_LEN(set->recent)];
    if (*recent != NULL && strncmp((*recent)->name, name, len) == 0 && (*recent)->name[len] == '\0') return *recent;
    const struct value *v = value_map_get(set->functions, name, len);
    if (v == NULL) return NULL;
    *recent = v->func;
    return v->func;
}

/* Parsed or not; *owner: the set that has it. */
static struct template *find(struct template_set *set, const char *name, size_t len, struct template_set **owner) {
    uint32_t hash = value_hash(name, len);
    for (; set != NULL; set = set->parent) {
        const struct value *v = value_map_get_hashed(set->templates, name, len, hash);
        if (v == NULL) continue;
        *owner = set;
        return v->ptr;
    }
    return NULL;
}

/* Parses what was deferred. */
static struct error *complete(struct template_set *set, struct arena *tree, struct template *t) {
    struct parsed parsed = {0};
    TRY(parse_text(set, tree, t->name, t->text, t->len, &parsed));
    *t = *parsed.templates[0]; /* text_defines was false: there are no others */
    return NULL;
}

struct error *set_find(struct template_set *set, const char *name, size_t len, const struct template **out) {
    struct template_set *owner;
    struct template *t = find(set, name, len, &owner);
    *out = t;
    return t != NULL && t->root == NULL ? complete(owner, owner->arena, t) : NULL;
}

void set_add(struct template_set *set, const struct parsed *parsed) {
    struct template_set *owner;
    for (size_t i = 0; i < parsed->count; i++) {
        struct template *t = parsed->templates[i];
        if (t->empty && find(set, t->name, t->name_len, &owner) != NULL) continue;
        value_map_set(set->templates, t->name, t->name_len, (struct value){.ptr = t});
    }
}

struct error *template_parse(struct template_set *set, const char *name, const char *text, size_t len) {
    struct parsed parsed = {0};
    TRY(parse_text(set, set->arena, name, text, len, &parsed));
    set_add(set, &parsed);
    return NULL;
}

bool template_defer(struct template_set *set, const char *name, const char *text, size_t len) {
    struct template_set *owner;
    size_t name_len = strlen(name);
    if (text_defines(text, len) || find(set, name, name_len, &owner) != NULL) return false;
    struct template *t = ARENA_NEW(set->arena, struct template);
    *t = (struct template){.name = name, .name_len = name_len, .parse_name = name, .text = text, .len = len};
    value_map_set(set->templates, name, name_len, (struct value){.ptr = t});
    return true;
}

struct error *template_load(struct template_set *set, struct arena *scratch, const char *name, const char *text, size_t len) {
    struct template_set *owner;
    struct template *t = find(set, name, strlen(name), &owner);
    if (t == NULL || t->text != text) { /* another has taken its place */
        struct parsed unused = {0};
        return parse_text(set, scratch, name, text, len, &unused);
    }
    if (t->root != NULL) return NULL;
    TRY(complete(owner, scratch, t));
    t->lent = true;
    return NULL;
}

void template_unload(struct template_set *set, const char *name) {
    struct template_set *owner;
    struct template *t = find(set, name, strlen(name), &owner);
    if (t == NULL || !t->lent) return;
    t->root = NULL;
    t->lent = false;
}

struct error *template_execute(struct go_run *run, const char *name, size_t len, struct value dot, struct buf *out) {
    const struct template *t;
    TRY(set_find(run->templates, name, len, &t));
    if (t != NULL) return execute(run, t, dot, out, 0);
    cleanup_buf struct buf wanted = {0}, own = {0};
    go_quote(&wanted, name, len);
    go_quote(&own, run->templates->name, strlen(run->templates->name));
    return error_new("template: no template %s associated with template %s", buf_str(&wanted), buf_str(&own));
}

/* The templates of a text, from the cache where it was parsed before. */
static struct error *parse_cached(struct template_set *root, const char *name, const char *text, size_t len, struct parsed **out) {
    const struct value *known = value_map_get(root->cache, text, len);
    if (known != NULL) {
        *out = known->ptr;
        return NULL;
    }
    text = arena_strndup(root->arena, text, len);
    struct parsed *parsed = ARENA_NEW(root->arena, struct parsed);
    TRY(parse_text(root, root->arena, arena_strdup(root->arena, name), text, len, parsed));
    value_map_set(root->cache, text, len, (struct value){.ptr = parsed});
    *out = parsed;
    return NULL;
}

struct error *template_render(struct go_run *run, const char *name, const char *text, size_t len, struct value dot, struct buf *out) {
    struct template_set *before = run->templates, *root = before;
    while (root->parent != NULL) root = root->parent;
    struct parsed *parsed;
    TRY(parse_cached(root, name, text, len, &parsed));
    const struct template *own = NULL;
    for (size_t i = 0; own == NULL && i < parsed->count; i++)
        if (strcmp(parsed->templates[i]->name, name) == 0) own = parsed->templates[i];
    run->templates = child_of(run->arena, before);
    set_add(run->templates, parsed);
    struct error *e = execute(run, own, dot, out, 0);
    run->templates = before;
    return e;
}
