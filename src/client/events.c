/* The recorder, after client-go's EventCorrelator: an event goes through the aggregator (many different messages about
 * one thing become one event), the counter (the same again is a patch of the count), and the spam filter (a token
 * bucket per object). What is remembered is bounded: past MEMORY keys everything is forgotten. */
#include "client/events.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "base/worker.h"
#include "schema/names.h"
#include <pthread.h>
#include <stdio.h>
#define LOG_COMPONENT "events"
#include "base/log.h"

enum { MEMORY = 4096, SIMILAR_MAX = 10, SPAM_BURST = 25, WAITING_MAX = 10000, RECORD_SIZE = 1536 - 64 /* most are smaller */ };
#define SIMILAR_WINDOW SECONDS(600)
#define SPAM_REFILL SECONDS(300)
#define SERIES_WINDOW SECONDS(360)
#define SERIES_REFRESH SECONDS(1800)

struct recorder {
    struct client *client;
    char *component, *host;
    struct worker_pool *pool; /* one thread, so events keep their order; NULL: sent at once */
    _Atomic unsigned waiting; /* records that are on their way; what comes while there are WAITING_MAX is dropped, as client-go does */
    pthread_mutex_t lock;     /* for callers on several threads without a pool */
    struct map similar, counted, spam, series;
    int64_t named;            /* the moment in the name of the last event */
};

struct similar { struct map messages; int64_t last; };
struct counted { char *name; int64_t first, count; };
struct spam { double tokens; int64_t last; };
struct series { char *name; int64_t count, last, patched; };

/* One call of recorder_*, on its way to the sender. Everything is in the arena. */
struct record {
    struct arena arena;
    struct recorder *recorder;
    int64_t time;
    const struct json *object, *related;
    const char *ns, *name, *type, *reason, *action, *message;
};

static void similar_free(void *p) {
    map_free(&((struct similar *)p)->messages, NULL);
    free(p);
}
static void counted_free(void *p) {
    free(((struct counted *)p)->name);
    free(p);
}
static void series_free(void *p) {
    free(((struct series *)p)->name);
    free(p);
}

/* The entry of a key, zeroed when new. */
static void *remember(struct map *m, const char *key, size_t size, void (*drop)(void *)) {
    void *found = map_get(m, key);
    if (found) return found;
    if (m->count >= MEMORY) {
        map_free(m, drop);
        *m = (struct map){0};
    }
    found = xcalloc(1, size);
    map_set(m, key, found);
    return found;
}

static const struct json *reference(struct arena *a, const struct json *o, const char *field_path) {
    return json_make(a, "{'kind':%s,'namespace':%s,'name':%s,'uid':%s,'apiVersion':%s,'resourceVersion':%s,'fieldPath':%s}",
                     json_str(o, "kind"),
                     json_str(o, "metadata.namespace"), json_str(o, "metadata.name"), json_str(o, "metadata.uid"),
                         json_str(o, "apiVersion"),
                     json_str(o, "metadata.resourceVersion"), field_path);
}

/* ---- correlation ---- */

/* Parts of the keys, all of which begin with who and what. */
static const char *object_key(struct arena *a, const struct json *o) {
    return arena_printf(a, "%s|%s|%s|%s|%s", json_str_or(o, "kind", ""), json_str_or(o, "namespace", ""), json_str_or(o, "name",
            ""),
                        json_str_or(o, "uid", ""), json_str_or(o, "apiVersion", ""));
}

/* Returns the key to count under, and the message: the tenth different one of ten minutes and those after it count as
 * one. */
static const char *aggregate(struct record *r, const char **message) {
    struct arena *a = &r->arena;
    const char *group = arena_printf(a, "%s|%s|%s", object_key(a, r->object), r->type, r->reason);
    struct similar *s = remember(&r->recorder->similar, group, sizeof(*s), similar_free);
    if (r->time - s->last > SIMILAR_WINDOW) {
        map_free(&s->messages, NULL);
        s->messages = (struct map){0};
    }
    s->last = r->time;
    map_set(&s->messages, r->message, s);
    if (s->messages.count < SIMILAR_MAX)
        return arena_printf(a, "%s|%s|%s", group, json_str_or(r->object, "fieldPath", ""), r->message);
    struct map_slot *any = map_first(&s->messages);
    cleanup_free char *popped = xstrdup(any->key);
    map_remove(&s->messages, popped);
    *message = arena_printf(a, "(combined from similar events): %s", r->message);
    return group;
}

static bool is_spam(struct record *r) {
    struct recorder *rec = r->recorder;
    const char *key = object_key(&r->arena, r->object);
    bool new = !map_has(&rec->spam, key);
    struct spam *s = remember(&rec->spam, key, sizeof(*s), free);
    s->tokens = new ? SPAM_BURST : MIN(SPAM_BURST, s->tokens + (double)(r->time - s->last) / (double)SPAM_REFILL);
    s->last = r->time;
    if (s->tokens < 1) return true;
    s->tokens -= 1;
    return false;
}

static const char *event_name(struct record *r) {
    struct recorder *rec = r->recorder; /* two in one moment, as with a virtual clock, get different names */
    rec->named = MAX(r->time, rec->named + 1);
    const char *name = arena_printf(&r->arena, "%s.%llx", r->name, (unsigned long long)rec->named);
    if (name_dns1123_subdomain(name).len == 0) return name;
    char *uuid = arena_alloc(&r->arena, 37);
    uuid_v4(uuid);
    return uuid;
}

static const struct json *time_json(struct arena *a, int64_t t, bool micro) {
    char text[TIME_STRING_MAX];
    return json_string(a, micro ? time_format_micro(text, t) : time_format(text, t));
}

static struct error *create(struct record *r, const char *name, const char *message, int64_t first, int64_t count) {
    struct arena *a = &r->arena;
    const struct recorder *rec = r->recorder;
    const struct json *event = json_make(
        a,
        "{'apiVersion':'v1','kind':'Event','metadata':{'name':%s,'namespace':%s},'involvedObject':%v,'reason':%s,'message':%s,"
        "'source':{'component':%s,'host':%s},'firstTimestamp':%v,'lastTimestamp':%v,'count':%ld,'type':%s,'eventTime':%v,"
        "'reportingComponent':%s,'reportingInstance':%s}",
        name, r->ns, r->object, r->reason, message, rec->component, rec->host, time_json(a, first, false), time_json(a, r->time,
                false), count, r->type,
        &json_null, rec->component, rec->host ? rec->host : "");
    return client_create(rec->client, &resource_events, r->ns, event, NULL);
}

static struct error *send_counted(struct record *r) {
    struct arena *a = &r->arena;
    const char *message = r->message, *key = aggregate(r, &message);
    struct counted *c = remember(&r->recorder->counted, key, sizeof(*c), counted_free);
    if (!c->name) {
        c->name = xstrdup(event_name(r));
        c->first = r->time;
    }
    c->count++;
    if (is_spam(r)) return NULL;
    if (c->count == 1) return create(r, c->name, message, c->first, 1);
    const struct json *patch = json_make(a, "{'count':%ld,'lastTimestamp':%v,'message':%s}", c->count, time_json(a, r->time,
            false), message);
    struct error *e = client_patch(r->recorder->client, &resource_events, r->ns, c->name, NULL, PATCH_STRATEGIC, patch, NULL);
    if (!error_is(e, "NotFound")) return e;
    error_free(e); /* expired meanwhile */
    return create(r, c->name, message, c->first, c->count);
}

/* ---- the events.k8s.io way ---- */

static struct error *create_action(struct record *r, const char *name) {
    struct arena *a = &r->arena;
    const struct recorder *rec = r->recorder;
    const char *instance = rec->host ? arena_printf(a, "%s-%s", rec->component, rec->host) : rec->component;
    const struct json *event = json_make(
        a,
        "{'apiVersion':'v1','kind':'Event','metadata':{'name':%s,'namespace':%s},'involvedObject':%v,'related':%v,'reason':%s,'message':%s,"
        "'source':{},'firstTimestamp':%v,'lastTimestamp':%v,'type':%s,'eventTime':%v,'action':%s,'reportingComponent':%s,'reportingInstance':%s}",
        name, r->ns, r->object, r->related, r->reason, r->message, &json_null, &json_null, r->type, time_json(a, r->time, true),
            r->action, rec->component,
        instance);
    return client_create(rec->client, &resource_events, r->ns, event, NULL);
}

static struct error *send_action(struct record *r) {
    struct arena *a = &r->arena;
    const char *key = arena_printf(a, "%s|%s|%s|%s|%s", json_text(a, r->object), r->type, r->reason, r->action, r->related
                                   ? json_text(a, r->related) : "");
    struct series *s = remember(&r->recorder->series, key, sizeof(*s), series_free);
    if (s->name && r->time - s->last > SERIES_WINDOW) {
        free(s->name);
        *s = (struct series){0};
    }
    s->count++;
    s->last = r->time;
    if (!s->name) {
        s->name = xstrdup(event_name(r));
        return create_action(r, s->name);
    }
    if (s->count > 2 && r->time - s->patched < SERIES_REFRESH) return NULL;
    s->patched = r->time;
    const struct json *patch = json_make(a, "{'series':{'count':%ld,'lastObservedTime':%v}}", s->count, time_json(a, r->time,
            true));
    struct error *e = client_patch(r->recorder->client, &resource_events, r->ns, s->name, NULL, PATCH_STRATEGIC, patch, NULL);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    return create_action(r, s->name);
}

/* ---- recording ---- */

static void send(void *arg) {
    struct record *r = arg;
    struct recorder *rec = r->recorder;
    pthread_mutex_lock(&rec->lock);
    cleanup_error struct error *e = r->action ? send_action(r) : send_counted(r);
    pthread_mutex_unlock(&rec->lock);
    /* Normal while a namespace is being deleted. */
    if (e) log_debug("event %s of %s/%s is lost: %s", r->reason, r->ns, r->name, e->message);
    atomic_fetch_sub(&rec->waiting, 1);
    struct arena arena = r->arena; /* the record itself lies in it */
    arena_free(&arena);
}

static void record(struct recorder *rec, const struct json *object, const struct json *related, const char *field_path,
                   const char *type,
                   const char *reason, const char *action, const char *fmt, va_list args) {
    if (atomic_fetch_add(&rec->waiting, 1) >= WAITING_MAX) {
        atomic_fetch_sub(&rec->waiting, 1);
        log_debug("event %s of %s is dropped: too many are waiting to be sent", reason, json_str_or(object, "metadata.name", ""));
        return;
    }
    struct arena a = {0};
    arena_open(&a, RECORD_SIZE);
    struct record *r = ARENA_NEW(&a, struct record);
    r->recorder = rec;
    r->time = clock_wall(rec->client->clock);
    r->object = json_copy(&a, reference(&a, object, field_path));
    r->related = related ? json_copy(&a, reference(&a, related, NULL)) : NULL;
    r->ns = arena_strdup(&a, json_str_or(object, "metadata.namespace", "default"));
    r->name = arena_strdup(&a, json_str_or(object, "metadata.name", ""));
    r->type = arena_strdup(&a, type);
    r->reason = arena_strdup(&a, reason);
    r->action = action ? arena_strdup(&a, action) : NULL;
    r->message = arena_vprintf(&a, fmt, args);
    r->arena = a;
    if (rec->pool) worker_submit(rec->pool, send, r);
    else send(r);
}

void recorder_event(struct recorder *r, const struct json *object, const char *type, const char *reason, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    record(r, object, NULL, NULL, type, reason, NULL, fmt, args);
    va_end(args);
}

void recorder_event_field(struct recorder *r, const struct json *object, const char *field_path, const char *type,
                          const char *reason,
                          const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    record(r, object, NULL, field_path, type, reason, NULL, fmt, args);
    va_end(args);
}

void recorder_action(struct recorder *r, const struct json *object, const struct json *related, const char *type,
                     const char *reason,
                     const char *action, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    record(r, object, related, NULL, type, reason, action, fmt, args);
    va_end(args);
}

struct recorder *recorder_new(struct client *c, const char *component, const char *host) {
    struct recorder *r = xcalloc(1, sizeof(*r));
    r->client = c;
    r->component = xstrdup(component);
    r->host = host ? xstrdup(host) : NULL;
    r->pool = c->clock == &clock_real ? worker_pool_new("events", 1) : NULL;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void recorder_free(struct recorder *r) {
    if (!r) return;
    if (r->pool) worker_pool_close(r->pool);
    map_free(&r->similar, similar_free);
    map_free(&r->counted, counted_free);
    map_free(&r->spam, free);
    map_free(&r->series, series_free);
    pthread_mutex_destroy(&r->lock);
    free(r->component);
    free(r->host);
    free(r);
}
