/* Releases to JSON and back, in the order and with the omissions of helm's Go structs. */
#include "base/str.h"
#include "helm/chart/archive.h"
#include "helm/release/release.h"

const char *const release_status_names[RELEASE_STATUS_COUNT] = {
    "unknown", "deployed", "uninstalled", "superseded", "failed", "uninstalling", "pending-install", "pending-upgrade", "pending-rollback",
};
#define RFC3339_NANO "2006-01-02T15:04:05.999999999Z07:00"

void release_set_status(struct release *r, enum release_status status, const char *description) {
    r->status = status;
    r->status_text = release_status_names[status];
    r->description = description;
}

/* ---- times ---- */

static bool is_zero(struct go_moment t) { return go_time_compare(t, go_zero_time) == 0; }

const char *release_time(struct arena *a, struct go_moment t) {
    cleanup_buf struct buf b = {0};
    if (is_zero(t)) return "";
    go_time_format(&b, t, RFC3339_NANO, strlen(RFC3339_NANO));
    return arena_strdup(a, buf_str(&b));
}

static struct error *read_time(struct arena *a, const struct json *v, const char *path, struct go_moment *out) {
    const char *s = json_str_or(v, path, "");
    *out = go_zero_time;
    return *s ? go_time_parse(a, RFC3339_NANO, strlen(RFC3339_NANO), s, strlen(s), go_location_load(a, "Local"), out) : NULL;
}

/* ---- to JSON ---- */

static void add_text(struct json_object *o, const char *key, const char *s) { /* omitempty */
    if (s && *s) json_object_add(o, key, json_string(o->arena, s));
}

static void add_strings(struct json_object *o, const char *key, const char *const *list) {
    struct json_array b = {.arena = o->arena};
    for (; list && *list; list++) json_array_add(&b, json_string(o->arena, *list));
    if (b.len > 0) json_object_add(o, key, json_array_done(&b));
}

static const struct json *hook_json(struct arena *a, const struct release_hook *h) {
    struct json_object o = {.arena = a};
    const char *events[ARRAY_LEN(h->hook.events) + 1] = {NULL};
    for (size_t i = 0; i < h->hook.event_count; i++) events[i] = hook_event_names[h->hook.events[i]];
    add_text(&o, "name", h->hook.name);
    add_text(&o, "kind", h->hook.kind);
    add_text(&o, "path", h->hook.path);
    add_text(&o, "manifest", h->hook.manifest);
    add_strings(&o, "events", events);
    json_object_add(&o, "last_run", json_make(a, "{'started_at':%s,'completed_at':%s,'phase':%s}", release_time(a, h->started),
                                              release_time(a, h->completed), h->phase));
    if (h->hook.weight) json_object_add(&o, "weight", json_integer(a, h->hook.weight));
    add_strings(&o, "delete_policies", h->hook.delete_policies);
    add_strings(&o, "output_log_policies", h->hook.output_log_policies);
    return json_object_done(&o);
}

static const struct json *info_json(struct arena *a, const struct release *r) {
    struct json_object o = {.arena = a};
    json_object_add(&o, "first_deployed", json_string(a, release_time(a, r->first_deployed)));
    json_object_add(&o, "last_deployed", json_string(a, release_time(a, r->last_deployed)));
    json_object_add(&o, "deleted", json_string(a, release_time(a, r->deleted)));
    add_text(&o, "description", r->description);
    add_text(&o, "status", r->status_text);
    add_text(&o, "notes", r->notes);
    if (json_len(r->resources) > 0) json_object_add(&o, "resources", r->resources);
    return json_object_done(&o);
}

const struct json *release_to_json(struct arena *a, const struct release *r) {
    struct json_object o = {.arena = a};
    add_text(&o, "name", r->name);
    json_object_add(&o, "info", info_json(a, r));
    if (r->chart) json_object_add(&o, "chart", r->chart);
    if (json_len(r->config) > 0) json_object_add(&o, "config", r->config);
    add_text(&o, "manifest", r->manifest);
    struct json_array hooks = {.arena = a};
    for (size_t i = 0; i < r->hook_count; i++) json_array_add(&hooks, hook_json(a, &r->hooks[i]));
    if (hooks.len > 0) json_object_add(&o, "hooks", json_array_done(&hooks));
    if (r->version) json_object_add(&o, "version", json_integer(a, r->version));
    add_text(&o, "namespace", r->ns);
    return json_object_done(&o);
}

/* ---- from JSON ---- */

static const char *text(struct arena *a, const struct json *v, const char *path) { return arena_strdup(a, json_str_or(v, path, "")); }

static const char **read_strings(struct arena *a, const struct json *list) {
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(item, list)
        if (json_str(item, NULL)) out[n++] = text(a, item, NULL);
    return out;
}

static struct error *read_hook(struct arena *a, const struct json *v, struct release_hook *out) {
    struct hook *h = &out->hook;
    *h = (struct hook){.name = text(a, v, "name"), .kind = text(a, v, "kind"), .path = text(a, v, "path"), .manifest = text(a, v, "manifest"),
                       .weight = json_int(v, "weight", 0), .delete_policies = read_strings(a, json_member(v, "delete_policies")),
                       .output_log_policies = read_strings(a, json_member(v, "output_log_policies"))};
    JSON_EACH(event, json_member(v, "events"))
        for (int i = 0; i < HOOK_EVENT_COUNT; i++)
            if (json_str_is(event, NULL, hook_event_names[i]) && h->event_count < ARRAY_LEN(h->events)) h->events[h->event_count++] = (enum hook_event)i;
    out->phase = text(a, v, "last_run.phase");
    TRY(read_time(a, v, "last_run.started_at", &out->started));
    return read_time(a, v, "last_run.completed_at", &out->completed);
}

/* Go reads every number of an interface{} as a float64: integers beyond its exact range change on the way. */
static const struct json *as_floats(struct arena *a, const struct json *v) {
    enum { EXACT_BITS = 53 };
    if (json_is(v, JSON_OBJECT)) {
        struct json_object o = {.arena = a};
        JSON_EACH_MEMBER(m, v) json_object_add(&o, m->key, as_floats(a, &m->value));
        return json_object_done(&o);
    }
    if (json_is(v, JSON_ARRAY)) {
        struct json_array b = {.arena = a};
        JSON_EACH(item, v) json_array_add(&b, as_floats(a, item));
        return json_array_done(&b);
    }
    bool big = json_is(v, JSON_INT) && (v->i >= INT64_C(1) << EXACT_BITS || v->i <= -(INT64_C(1) << EXACT_BITS));
    return big ? json_number(a, (double)v->i) : v;
}

struct error *release_from_json(struct arena *a, const struct json *v, struct release *out) {
    static const char *const names[] = {"null", "bool", "number", "number", "string", "array"};
    if (!json_is(v, JSON_OBJECT))
        return error_new("json: cannot unmarshal %s into Go value of type release.Release", names[v ? v->type : JSON_NULL]);
    const struct json *info = json_member(v, "info"), *hooks = json_member(v, "hooks"), *chart = json_member(v, "chart");
    struct release r = {.name = text(a, v, "name"), .ns = text(a, v, "namespace"), .version = json_int(v, "version", 0),
                        .description = text(a, info, "description"), .notes = text(a, info, "notes"),
                        .status_text = text(a, info, "status"), .manifest = text(a, v, "manifest")};
    for (int i = 0; i < RELEASE_STATUS_COUNT; i++)
        if (strcmp(r.status_text, release_status_names[i]) == 0) r.status = (enum release_status)i;
    TRY(read_time(a, info, "first_deployed", &r.first_deployed));
    TRY(read_time(a, info, "last_deployed", &r.last_deployed));
    TRY(read_time(a, info, "deleted", &r.deleted));
    if (json_is(chart, JSON_OBJECT)) {
        const struct json *values = json_member(chart, "values");
        r.chart = values ? json_with_member(a, chart, "values", as_floats(a, values)) : chart;
    }
    if (json_is(json_member(v, "config"), JSON_OBJECT)) r.config = as_floats(a, json_member(v, "config"));
    r.hooks = arena_calloc(a, json_len(hooks) + 1, sizeof(*r.hooks));
    JSON_EACH(h, hooks) TRY(read_hook(a, h, &r.hooks[r.hook_count++]));
    *out = r;
    return NULL;
}

/* ---- packed ---- */

struct error *release_encode(struct arena *a, const struct release *r, const char **out) {
    cleanup_buf struct buf json = {0}, packed = {0}, coded = {0};
    json_encode(&json, release_to_json(a, r));
    gzip_deflate(&packed, json.data, json.len);
    base64_encode(&coded, packed.data, packed.len);
    *out = arena_strndup(a, coded.data, coded.len);
    return NULL;
}

struct error *release_decode(struct arena *a, const char *s, size_t len, struct release *out) {
    char *bytes;
    size_t n;
    const struct json *v;
    cleanup_buf struct buf plain = {.max = RELEASE_MAX};
    if (!base64_decode(a, s, len, &bytes, &n)) return error_new("illegal base64 data at input byte 0");
    if (n > 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0) {
        TRY(gzip_inflate(bytes, n, &plain));
        if (plain.overflow) return error_new("the record of the release is larger than %u bytes", RELEASE_MAX);
        bytes = plain.data;
        n = plain.len;
    }
    TRY(json_parse(a, bytes ? bytes : "", n, NULL, NULL, &v));
    return release_from_json(a, json_copy(a, v), out);
}

/* ---- parts ---- */

const char *release_chart_name(struct arena *a, const struct release *r) {
    const struct json *m = json_member(r->chart, "metadata");
    if (!json_is(m, JSON_OBJECT)) return "MISSING";
    return arena_printf(a, "%s-%s", json_str_or(m, "name", ""), json_str_or(m, "version", ""));
}

const char *release_app_version(const struct release *r) {
    const struct json *m = json_member(r->chart, "metadata");
    return json_is(m, JSON_OBJECT) ? json_str_or(m, "appVersion", "") : "MISSING";
}

void release_list_add(struct arena *a, struct release_list *l, struct release *r) {
    if (l->len == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        l->items = arena_grow(a, l->items, l->cap * sizeof(*l->items), cap * sizeof(*l->items));
        l->cap = cap;
    }
    l->items[l->len++] = r;
}

static int by_name(const struct release *a, const struct release *b) { return strcmp(a->name, b->name); }
static int by_date(const struct release *a, const struct release *b) {
    return (a->last_deployed.seconds > b->last_deployed.seconds) - (a->last_deployed.seconds < b->last_deployed.seconds);
}
static int by_revision(const struct release *a, const struct release *b) { return (a->version > b->version) - (a->version < b->version); }

/* Stable, so that equal ones keep the server's order. */
static void sort(struct release_list *l, int (*compare)(const struct release *, const struct release *)) {
    if (l->len < 2) return;
    struct release_list left = {l->items, l->len / 2, 0}, right = {l->items + l->len / 2, l->len - l->len / 2, 0};
    sort(&left, compare);
    sort(&right, compare);
    struct release **copy = xmemdup(l->items, l->len * sizeof(*copy));
    for (size_t i = 0, j = left.len, n = 0; n < l->len; n++) {
        bool take_left = j >= l->len || (i < left.len && compare(copy[i], copy[j]) <= 0);
        l->items[n] = take_left ? copy[i++] : copy[j++];
    }
    free(copy);
}

void release_sort_by_name(struct release_list *l) { sort(l, by_name); }
void release_sort_by_date(struct release_list *l) { sort(l, by_date); }
void release_sort_by_revision(struct release_list *l) { sort(l, by_revision); }

void release_reverse(struct release_list *l) {
    for (size_t i = 0; i < l->len / 2; i++) {
        struct release *r = l->items[i];
        l->items[i] = l->items[l->len - 1 - i];
        l->items[l->len - 1 - i] = r;
    }
}
