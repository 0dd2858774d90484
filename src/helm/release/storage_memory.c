/* Releases that live as long as the program: for dry runs and HELM_DRIVER=memory. */
#include "base/str.h"
#include "helm/release/storage.h"
#include "schema/schema.h"

struct storage_memory {
    struct release_list all;
};

static struct storage_memory *memory(struct storage *s) {
    if (!s->memory) s->memory = ARENA_NEW(s->arena, struct storage_memory);
    return s->memory;
}

static const char *key_of_record(struct storage *s, const struct release *r) {
    return arena_printf(s->arena, "sh.helm.release.v1.%s.v%lld", r->name, (long long)r->version);
}

static struct release **find(struct storage *s, const char *key) {
    struct release_list *l = &memory(s)->all;
    for (size_t i = 0; i < l->len; i++)
        if (strcmp(key_of_record(s, l->items[i]), key) == 0 && (!*s->ns || strcmp(l->items[i]->ns, s->ns) == 0)) return &l->items[i];
    return NULL;
}

static struct error *not_found(void) { return error_api(0, STORAGE_NOT_FOUND, "release: not found"); }

static struct error *get(struct storage *s, const char *key, struct release *out) {
    struct release **r = find(s, key);
    if (!r) return not_found();
    *out = **r;
    return NULL;
}

static struct error *query(struct storage *s, const char *selector, struct release_list *out) {
    struct selector *wanted;
    TRY(label_selector_parse(s->arena, selector, &wanted));
    const struct release_list *l = &memory(s)->all;
    for (size_t i = 0; i < l->len; i++) {
        const struct json *labels = json_make(s->arena, "{'name':%s,'owner':'helm','status':%s}", l->items[i]->name, l->items[i]->status_text);
        if (label_selector_matches(wanted, labels)) release_list_add(s->arena, out, arena_dup(s->arena, l->items[i], sizeof(struct release)));
    }
    return NULL;
}

static struct error *create(struct storage *s, const char *key, const struct release *r) {
    if (find(s, key)) return error_api(0, STORAGE_EXISTS, "release: already exists");
    release_list_add(s->arena, &memory(s)->all, arena_dup(s->arena, r, sizeof(*r)));
    return NULL;
}

static struct error *update(struct storage *s, const char *key, const struct release *r) {
    struct release **at = find(s, key);
    if (!at) return not_found();
    *at = arena_dup(s->arena, r, sizeof(*r));
    return NULL;
}

static struct error *remove_record(struct storage *s, const char *key, const char *name UNUSED) {
    struct release **at = find(s, key);
    struct release_list *l = &memory(s)->all;
    if (!at) return not_found();
    memmove(at, at + 1, (size_t)(l->items + l->len - at - 1) * sizeof(*at));
    l->len--;
    return NULL;
}

const struct storage_driver storage_memory = {"Memory", get, query, create, update, remove_record};
