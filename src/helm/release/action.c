/* Parts that the actions share. */
#include "helm/release/action.h"
#include "base/str.h"
#include "helm/chart/decode.h"
#include <stdarg.h>
#include <time.h>

void action_complain(struct action *x, const char *fmt, ...) {
    char when[32];
    struct tm tm;
    time_t now = time(NULL);
    localtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y/%m/%d %H:%M:%S", &tm);
    va_list args;
    va_start(args, fmt);
    fprintf(x->err, "%s ", when);
    vfprintf(x->err, fmt, args);
    fputc('\n', x->err);
    va_end(args);
}

struct error *action_failure(struct action *x, struct error *e) {
    if (!kube_was_cancelled(x->kube)) return e;
    error_free(e);
    return error_new("context canceled");
}

static bool name_is_good(const char *s) {
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    enum { MAX = 53 };
    if (strlen(s) > MAX) return false;
    for (;;) { /* labels between dots */
        size_t n = strspn(s, inner);
        if (n == 0 || s[0] == '-' || s[n - 1] == '-') return false;
        if (s[n] == '\0') return true;
        if (s[n] != '.') return false;
        s += n + 1;
    }
}

struct error *action_check_name(const char *name) {
    if (!*name) return error_new("no name provided");
    if (name_is_good(name)) return NULL;
    return error_new("invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the "
                     "length must not be longer than 53");
}

struct error *action_release(struct action *x, const char *name, int64_t version, struct release **out) {
    cleanup_error struct error *bad = action_check_name(name);
    if (bad) return error_new("releaseContent: Release name is invalid: %s", name);
    return version <= 0 ? storage_last(&x->storage, name, out) : storage_get(&x->storage, name, version, out);
}

struct error *action_check_labels(const struct json *labels) {
    JSON_EACH_MEMBER(m, labels)
        if (storage_is_system_label(m->key))
            return error_new("user supplied labels contains system reserved label name. System labels: [name owner status version createdAt "
                             "modifiedAt]");
    return NULL;
}

struct error *action_pending(struct action *x, const struct release *r) {
    const char *name = r->name, *since = release_time(x->arena, r->last_deployed);
    return error_new("another operation (install/upgrade/rollback) is in progress\n\n"
                     "Revision %lld of \"%s\" has been %s since %s. If nobody else is working on it, it was interrupted; then either\n"
                     "  helm rollback %s REVISION             goes back to a revision that `helm history %s` shows, or\n"
                     "  helm upgrade %s CHART --take-ownership  goes on from here.",
                     (long long)r->version, name, r->status_text, *since ? since : "an unknown time", name, name, name);
}

struct error *action_capabilities(struct action *x, struct engine_capabilities **out) {
    struct kube_version version;
    const char *const *versions;
    size_t count;
    if (!x->capabilities) {
        TRY(kube_server_version(x->kube, &version));
        TRY(kube_api_versions(x->kube, &versions, &count));
        struct engine_capabilities *c = ARENA_NEW(x->arena, struct engine_capabilities);
        *c = (struct engine_capabilities){.kube_version = version.git_version, .kube_major = version.major, .kube_minor = version.minor,
                                          .api_version_count = count};
        c->api_versions = arena_dup(x->arena, versions, (count + 1) * sizeof(*versions));
        x->capabilities = c;
    }
    *out = x->capabilities;
    return NULL;
}

struct error *action_lookup(void *arg, struct arena *a, const char *api_version, const char *kind, const char *ns, const char *name,
                            struct value *out) {
    struct action *x = arg;
    const struct json *v;
    TRY(kube_lookup(x->kube, api_version, kind, ns, name, &v));
    *out = value_from_json(a, v, VALUE_FLOATS);
    return NULL;
}

void action_record(struct action *x, const struct release *r) {
    cleanup_error struct error *e = storage_update(&x->storage, r);
    if (e) kube_log(x->kube, "warning: Failed to update release %s: %s", r->name, e->message);
}

struct error *action_cleanup(struct action *x, const struct kube_objects *created, struct error *e, const char *change) {
    struct error **errors;
    size_t count;
    if (created->len == 0) return e;
    kube_log(x->kube, "Cleanup on fail set, cleaning up %zu resources", created->len);
    kube_delete(x->kube, created, "Background", &errors, &count);
    if (count == 0) {
        kube_log(x->kube, "Resource cleanup complete");
        return e;
    }
    cleanup_buf struct buf all = {0};
    for (size_t i = 0; i < count; i++) {
        buf_printf(&all, "%s%s", i ? ", " : "", errors[i]->message);
        error_free(errors[i]);
    }
    struct error *out = error_new("an error occurred while cleaning up resources. original %s error: %s: unable to cleanup resources: %s", change,
                                  e->message, all.data);
    error_free(e);
    return out;
}

struct release_hook *action_hooks(struct arena *a, const struct manifests *m) {
    struct release_hook *hooks = arena_calloc(a, m->hook_count + 1, sizeof(*hooks));
    for (size_t i = 0; i < m->hook_count; i++)
        hooks[i] = (struct release_hook){.hook = m->hooks[i], .started = go_zero_time, .completed = go_zero_time, .phase = ""};
    return hooks;
}

/* ---- charts in records ---- */

static const struct json *bytes_json(struct arena *a, const char *data, size_t len) {
    cleanup_buf struct buf coded = {0};
    base64_encode(&coded, data, len);
    return json_string_n(a, buf_str(&coded), coded.len);
}

static const struct json *files_json(struct arena *a, const struct chart_files *files) {
    struct json_array b = {.arena = a};
    for (size_t i = 0; i < files->count; i++)
        json_array_add(&b, json_make(a, "{'name':%s,'data':%v}", files->items[i].name, bytes_json(a, files->items[i].data, files->items[i].len)));
    return b.len > 0 ? json_array_done(&b) : &json_null;
}

static struct error *value_or_null(struct arena *a, struct value v, const struct json **out) {
    *out = &json_null;
    return value_is_nil(v) ? NULL : value_to_json(a, v, out);
}

struct error *action_chart_json(struct arena *a, const struct chart *c, const struct json **out) {
    const struct json *metadata, *lock, *values;
    TRY(value_to_json(a, c->metadata, &metadata));
    TRY(value_or_null(a, c->lock, &lock));
    TRY(value_or_null(a, c->values, &values));
    *out = json_make(a, "{'metadata':%v,'lock':%v,'templates':%v,'values':%v,'schema':%v,'files':%v}", metadata, lock,
                     files_json(a, &c->templates), values, c->schema ? bytes_json(a, c->schema, c->schema_len) : &json_null,
                     files_json(a, &c->files));
    return NULL;
}

struct error *action_chart_from_json(struct arena *a, const struct json *v, struct chart **out) {
    struct chart *c = ARENA_NEW(a, struct chart);
    const struct json *values = json_member(v, "values"), *metadata = json_member(v, "metadata");
    c->arena = a;
    c->metadata = (struct value){.type = &chart_metadata_type};
    TRY(go_decode(a, metadata ? metadata : &json_empty_object, &c->metadata));
    if (json_is(values, JSON_OBJECT)) c->values = value_from_json(a, values, VALUE_FLOATS);
    *out = c;
    return NULL;
}
