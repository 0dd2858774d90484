/* The audit log: one JSON object per line, as kube-apiserver's log backend writes events (apiserver/pkg/audit,
 * audit.k8s.io/v1). A policy says at which level a request is logged; without a policy nothing is.
 *
 * Beyond upstream: a refused sign-in says why, in the annotation authentication.coracle.io/refused. */
#include "apiserver/auth.h"
#include "apiserver/audit.h"
#include "apiserver/table.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_COMPONENT "audit"

struct audit {
    struct audit_policy policy;
    const char *path;
    int64_t max_size, max_backup;
    pthread_mutex_t lock; /* fd, size */
    int fd;
    int64_t size;
};

/* What is gathered about one request, in its arena. */
struct audit_event {
    enum audit_level level;
    bool decided, started;
    unsigned omitted; /* stages */
    int64_t received; /* wall time */
    struct json_object annotations;
    const struct json *request_object;
};

struct error *audit_open(const struct apiserver_config *c, struct audit **out) {
    if (c->audit_log_path == NULL) {
        if (c->audit_policy_file != NULL) log_warn("--audit-policy-file without --audit-log-path: no events are recorded");
        return NULL;
    }
    if (c->audit_policy_file == NULL) {
        log_warn("--audit-log-path without --audit-policy-file: no events are recorded");
        return NULL;
    }
    struct audit *a = xcalloc(1, sizeof(*a));
    *a = (struct audit){.path = c->audit_log_path, .max_size = (c->audit_log_maxsize > 0 ? c->audit_log_maxsize : 100) << 20,
                        .max_backup = c->audit_log_maxbackup, .fd = STDOUT_FILENO, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct error *e = audit_policy_load(c->audit_policy_file, &a->policy);
    if (e == NULL && !str_eq(a->path, "-")) {
        a->fd = open(a->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (a->fd < 0) e = error_sys(errno, "--audit-log-path: %s", a->path);
        else a->size = lseek(a->fd, 0, SEEK_END);
    }
    if (e != NULL) return audit_close(a), e;
    *out = a;
    return NULL;
}

void audit_close(struct audit *a) {
    if (a == NULL) return;
    if (a->fd > STDERR_FILENO) close(a->fd);
    audit_policy_free(&a->policy);
    free(a);
}

/* ---- the file ---- */

/* path.1 is the newest old file. What goes beyond the count is lost, as was asked for. */
static void rotate(struct audit *a) {
    int64_t keep = a->max_backup > 0 ? a->max_backup : 1000, last = 1;
    for (; last < keep; last++) {
        cleanup_free char *old = xprintf("%s.%lld", a->path, (long long)last);
        if (access(old, F_OK) != 0) break;
    }
    for (int64_t i = last; i > 0; i--) {
        cleanup_free char *from = i > 1 ? xprintf("%s.%lld", a->path, (long long)i - 1) : xstrdup(a->path);
        cleanup_free char *to = xprintf("%s.%lld", a->path, (long long)i);
        if (rename(from, to) != 0) log_error("%s: %s", from, strerror(errno));
    }
    int fd = open(a->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return log_error("%s: %s", a->path, strerror(errno));
    close(a->fd);
    a->fd = fd;
    a->size = 0;
}

static void put_line(struct audit *a, const struct json *event) {
    cleanup_buf struct buf line = {0};
    json_encode(&line, event);
    buf_addc(&line, '\n');
    pthread_mutex_lock(&a->lock);
    if (a->fd != STDOUT_FILENO && a->size > 0 && a->size + (int64_t)line.len > a->max_size) rotate(a);
    ssize_t n = write(a->fd, line.data, line.len);
    if (n != (ssize_t)line.len) log_error("%s: %s", a->path, n < 0 ? strerror(errno) : "written in part only");
    else a->size += n;
    pthread_mutex_unlock(&a->lock);
}

/* ---- events ---- */

static struct audit_event *event_of(struct request *r) {
    if (r->server->audit == NULL) return NULL;
    if (r->audit == NULL) {
        r->audit = ARENA_NEW(r->arena, struct audit_event);
        r->audit->received = request_now(r);
        r->audit->annotations.arena = r->arena;
    }
    return r->audit;
}

/* Events of calls in the process carry an id, too. */
static void decide(struct request *r, struct audit_event *e) {
    if (e->decided) return;
    e->decided = true;
    e->level = audit_policy_level(&r->server->audit->policy, r, &e->omitted);
    if (*r->audit_id) return;
    char id[37];
    uuid_v4(id);
    r->audit_id = arena_strdup(r->arena, id);
}

void audit_note(struct request *r, const char *key, const char *value) {
    struct audit_event *e = event_of(r);
    if (e) json_object_set(&e->annotations, key, json_string(r->arena, value));
}

void audit_body(struct request *r, const struct json *v) {
    if (r->audit && r->audit->level >= AUDIT_REQUEST) r->audit->request_object = v;
}

static const struct json *addresses(struct request *r) {
    struct json_array out = {.arena = r->arena};
    const char *forwarded = r->x ? http_header(r->x, "x-forwarded-for") : NULL;
    size_t n = 0;
    char **parts = forwarded ? str_split(r->arena, forwarded, ',', &n) : NULL;
    for (size_t i = 0; i < n; i++) json_array_add(&out, json_string(r->arena, parts[i] + strspn(parts[i], " ")));
    json_array_add(&out, json_string(r->arena, r->x && r->x->peer ? r->x->peer->address : "127.0.0.1"));
    return json_array_done(&out);
}

static const char *null_if_empty(const char *s) { return s && *s ? s : NULL; }

static const struct json *object_ref(struct request *r) {
    if (!r->is_resource) return NULL;
    const struct json *o = r->answer.doc ? r->answer.doc->root : NULL;
    return json_make(r->arena, "{'resource':%s,'namespace':%s,'name':%s,'uid':%s,'apiGroup':%s,'apiVersion':%s,'resourceVersion':%s,'subresource':%s}",
                     null_if_empty(r->plural), null_if_empty(r->ns), null_if_empty(*r->name ? r->name : meta_str(o, "name")), null_if_empty(meta_str(o, "uid")),
                     null_if_empty(r->group), r->version, null_if_empty(meta_str(o, "resourceVersion")), null_if_empty(r->subresource));
}

static const struct json *response_status(struct request *r) {
    const struct error *e = r->error;
    if (e == NULL) return json_make(r->arena, "{'metadata':{},'code':%d}", r->answer.code);
    return json_make(r->arena, "{'metadata':{},'status':'Failure','message':%s,'reason':%s,'code':%d}", e->message, e->reason, e->code ? e->code : 500);
}

static const struct json *response_object(struct request *r) {
    if (r->error) return status_json(r->arena, r->error);
    if (r->answer.doc) return r->answer.doc->root;
    return r->answer.list ? list_answer_json(r, r->answer.list) : r->answer.json;
}

static const char *request_uri(struct request *r) {
    if (r->x) return r->x->target;
    const char *base = *r->group ? arena_printf(r->arena, "/apis/%s/%s", r->group, r->version) : arena_printf(r->arena, "/api/%s", r->version);
    if (*r->ns && r->resource->namespaced) base = arena_printf(r->arena, "%s/namespaces/%s", base, r->ns);
    return arena_printf(r->arena, "%s/%s%s%s%s%s", base, r->plural, *r->name ? "/" : "", r->name, *r->subresource ? "/" : "", r->subresource);
}

/* Who asks, and as whom; nobody where the sign-in was refused. */
static void add_users(struct json_object *o, struct request *r) {
    const struct user *who = r->impersonator ? r->impersonator : &r->user;
    json_object_add(o, "user", who->name ? user_json(r->arena, who) : &json_empty_object);
    if (r->impersonator) json_object_add(o, "impersonatedUser", user_json(r->arena, &r->user));
}

static const struct json *without_managed(struct request *r, const struct json *o) {
    if (!r->server->audit->policy.omit_managed_fields || json_get(o, "metadata.managedFields") == NULL) return o;
    return json_without(r->arena, o, "metadata.managedFields");
}

static void add_objects(struct json_object *o, struct request *r, const struct audit_event *e) {
    const struct json *request = r->x ? e->request_object : r->body, *response = response_object(r);
    if (e->level >= AUDIT_REQUEST && request) json_object_add(o, "requestObject", without_managed(r, request));
    if (e->level >= AUDIT_REQUEST_RESPONSE && response) json_object_add(o, "responseObject", without_managed(r, response));
}

static void emit(struct request *r, enum audit_stage stage) {
    static const char *const levels[] = {"None", "Metadata", "Request", "RequestResponse"};
    struct audit_event *e = r->audit;
    char received[TIME_STRING_MAX], now[TIME_STRING_MAX];
    if (e->level == AUDIT_NONE || (e->omitted & 1U << stage)) return;
    struct json_object o = {.arena = r->arena};
    const struct json *head = json_make(r->arena, "{'kind':'Event','apiVersion':'audit.k8s.io/v1','level':%s,'auditID':%s,'stage':%s,'requestURI':%s,'verb':%s}",
                                        levels[e->level], r->audit_id, audit_stage_names[stage], request_uri(r), r->verb);
    JSON_EACH_MEMBER(m, head) json_object_add(&o, m->key, &m->value);
    add_users(&o, r);
    json_object_add(&o, "sourceIPs", addresses(r));
    if (r->user_agent) json_object_add(&o, "userAgent", json_string(r->arena, r->user_agent));
    const struct json *ref = object_ref(r);
    if (ref) json_object_add(&o, "objectRef", ref);
    if (stage != AUDIT_REQUEST_RECEIVED) json_object_add(&o, "responseStatus", response_status(r));
    if (stage == AUDIT_RESPONSE_COMPLETE) add_objects(&o, r, e);
    json_object_add(&o, "requestReceivedTimestamp", json_string(r->arena, time_format_micro(received, e->received)));
    json_object_add(&o, "stageTimestamp", json_string(r->arena, time_format_micro(now, request_now(r))));
    if (stage != AUDIT_REQUEST_RECEIVED && e->annotations.len > 0) json_object_add(&o, "annotations", json_object_done(&e->annotations));
    put_line(r->server->audit, json_object_done(&o));
}

void audit_received(struct request *r) {
    struct audit_event *e = event_of(r);
    if (e == NULL) return;
    decide(r, e);
    if (r->user.name) emit(r, AUDIT_REQUEST_RECEIVED);
}

void audit_started(struct request *r) {
    if (r->audit == NULL || !r->audit->decided) return;
    r->audit->started = true;
    emit(r, AUDIT_RESPONSE_STARTED);
}

void audit_complete(struct request *r) {
    struct audit_event *e = r->audit;
    if (e == NULL || !e->decided) return;
    emit(r, r->user.name ? AUDIT_RESPONSE_COMPLETE : AUDIT_RESPONSE_STARTED); /* upstream's stage of a failed authentication */
    e->level = AUDIT_NONE;
}

void audit_released(struct request *r) {
    if (r->audit && r->audit->started) audit_complete(r);
}
