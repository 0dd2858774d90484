#include "schema/managed.h"
#include "base/clock.h"
#include "base/str.h"

enum { MAX_UPDATE_MANAGERS = 10 };

static bool decode_entry(struct arena *a, const struct json *entry, struct manager *out) {
    const char *operation = json_str_or(entry, "operation", ""), *version = json_str_or(entry, "apiVersion", "");
    bool applied = str_eq(operation, "Apply");
    if ((!applied && !str_eq(operation, "Update")) || *version == '\0' || !json_str_is(entry, "fieldsType", "FieldsV1")) return false;
    *out = (struct manager){.name = json_str_or(entry, "manager", ""), .subresource = json_str_or(entry, "subresource", ""),
                            .version = version, .identity_version = applied ? "" : version, .time = json_str(entry, "time"),
                            .applied = applied, .set = fieldset_from_json(a, json_member(entry, "fieldsV1"))};
    return out->set != NULL;
}

bool managers_decode(struct arena *a, const struct json *entries, struct managers *out) {
    *out = (struct managers){0};
    JSON_EACH(entry, entries) {
        struct manager m;
        if (!decode_entry(a, entry, &m)) return false;
        struct manager *known = managers_find(out, &m);
        if (known) *known = m;
        else managers_add(a, out, &m);
    }
    return true;
}

static int64_t seconds(const char *time) {
    int64_t wall;
    return time && time_parse(time, &wall) ? wall / NSEC_PER_SEC : 0;
}

static int by_time(const void *x, const void *y) {
    const struct manager *l = x, *r = y;
    if (l->applied != r->applied) return r->applied - l->applied;
    int64_t lt = seconds(l->time), rt = seconds(r->time);
    if (lt != rt) return lt < rt ? -1 : 1;
    int c = strcmp(l->name, r->name);
    if (c == 0) c = strcmp(l->version, r->version);
    return c ? c : strcmp(l->subresource, r->subresource);
}

const struct json *managers_encode(struct arena *a, struct managers *m) {
    struct json_array b = {.arena = a};
    if (m->len == 0) return NULL;
    qsort(m->items, m->len, sizeof(*m->items), by_time);
    for (size_t i = 0; i < m->len; i++) {
        const struct manager *e = &m->items[i];
        json_array_add(&b, json_make(a, "{'manager':%s,'operation':%s,'apiVersion':%s,'time':%s,'fieldsType':'FieldsV1','fieldsV1':%v,'subresource':%s}",
                                     *e->name ? e->name : NULL, e->applied ? "Apply" : "Update", e->version, e->time, fieldset_json(a, e->set),
                                     *e->subresource ? e->subresource : NULL));
    }
    return json_array_done(&b);
}

struct manager *managers_find(const struct managers *m, const struct manager *like) {
    for (size_t i = 0; i < m->len; i++) {
        struct manager *e = &m->items[i];
        if (e->applied == like->applied && str_eq(e->name, like->name) && str_eq(e->subresource, like->subresource) &&
            str_eq(e->identity_version, like->identity_version))
            return e;
    }
    return NULL;
}

struct manager *managers_add(struct arena *a, struct managers *m, const struct manager *new) {
    if (m->len == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 4;
        m->items = arena_grow(a, m->items, m->cap * sizeof(*new), cap * sizeof(*new));
        m->cap = cap;
    }
    m->items[m->len] = *new;
    return &m->items[m->len++];
}

void managers_remove(struct managers *m, struct manager *gone) {
    size_t at = (size_t)(gone - m->items);
    memmove(gone, gone + 1, (m->len - at - 1) * sizeof(*gone));
    m->len--;
}

void managers_drop_empty(struct managers *m) {
    for (size_t i = m->len; i-- > 0;)
        if (fieldset_empty(m->items[i].set)) managers_remove(m, &m->items[i]);
}

static size_t count_updates(const struct managers *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->len; i++)
        n += !m->items[i].applied;
    return n;
}

/* The oldest update manager of the version other than the bucket itself, from `from` on. */
static struct manager *next_of_version(struct managers *m, const char *version) {
    for (size_t i = 0; i < m->len; i++)
        if (!m->items[i].applied && str_eq(m->items[i].version, version) && !str_eq(m->items[i].name, "ancient-changes")) return &m->items[i];
    return NULL;
}

void managers_cap(struct arena *a, struct managers *m) {
    size_t over = count_updates(m);
    if (over <= MAX_UPDATE_MANAGERS) return;
    qsort(m->items, m->len, sizeof(*m->items), by_time);
    for (size_t i = 0; i < m->len && count_updates(m) > MAX_UPDATE_MANAGERS;) {
        if (m->items[i].applied) {
            i++;
            continue;
        }
        const char *version = m->items[i].version;
        struct manager like = {.name = "ancient-changes", .subresource = "", .version = version, .identity_version = version};
        struct manager *bucket = managers_find(m, &like), *oldest = next_of_version(m, version);
        if (oldest == NULL) {
            i++;
            continue;
        }
        if (bucket == NULL) {
            /* The first of a version only becomes the bucket when there is a second one to join it. */
            struct manager first = *oldest;
            managers_remove(m, oldest);
            oldest = next_of_version(m, version);
            like.set = first.set;
            like.time = first.time;
            bucket = managers_add(a, m, oldest ? &like : &first);
            if (oldest == NULL) return;
            oldest = next_of_version(m, version);
        }
        bucket->set = fieldset_union(a, bucket->set, oldest->set);
        bucket->time = oldest->time;
        managers_remove(m, oldest);
        i = 0;
    }
}

const char *manager_text(struct arena *a, const struct manager *m) {
    const char *out = status_quote(a, m->name);
    if (*m->subresource) out = arena_printf(a, "%s with subresource %s", out, status_quote(a, m->subresource));
    return m->applied ? out : arena_printf(a, "%s using %s", out, m->identity_version);
}
