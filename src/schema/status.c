#include "schema/status.h"
#include "base/str.h"

/* "pods" or "deployments.apps": schema.GroupResource.String. */
static void add_group_resource(struct buf *b, const char *group, const char *resource) {
    buf_adds(b, resource ? resource : "");
    if (group != NULL && *group != '\0') buf_printf(b, ".%s", group);
}

static char *dup_unless_empty(const char *s) { return s == NULL || *s == '\0' ? NULL : xstrdup(s); }

static void set_details(struct error *e, const char *group, const char *kind, const char *name) {
    e->has_details = true;
    e->group = dup_unless_empty(group);
    e->kind = dup_unless_empty(kind);
    e->name = dup_unless_empty(name);
}

/* Makes the error whose message is: before, group resource, quoted name, after. */
static struct error *about(int code, const char *reason, const char *before, const char *group, const char *resource, const char *name,
                           const char *after) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf b = {0};
    buf_adds(&b, before);
    add_group_resource(&b, group, resource);
    if (name != NULL) buf_printf(&b, " %s", status_quote(&a, name));
    buf_adds(&b, after);
    struct error *e = error_api(code, reason, "%s", buf_str(&b));
    set_details(e, group, resource, name);
    return e;
}

struct error *status_not_found(const char *group, const char *resource, const char *name) {
    return about(404, "NotFound", "", group, resource, name ? name : "", " not found");
}

struct error *status_already_exists(const char *group, const char *resource, const char *name) {
    return about(409, "AlreadyExists", "", group, resource, name ? name : "", " already exists");
}

struct error *status_generate_name_conflict(const char *group, const char *resource, const char *name) {
    struct error *e = about(409, "AlreadyExists", "", group, resource, name ? name : "",
                            " already exists, the server was not able to generate a unique name for the object");
    e->retry_after = 1;
    return e;
}

struct error *status_conflict(const char *group, const char *resource, const char *name, const char *why) {
    cleanup_free char *after = xprintf(": %s", why);
    return about(409, "Conflict", "Operation cannot be fulfilled on ", group, resource, name ? name : "", after);
}

struct error *status_invalid(const char *group, const char *kind, const char *name) {
    return about(422, "Invalid", "", group, kind, name ? name : "", " is invalid");
}

struct error *status_forbidden(const char *group, const char *resource, const char *name, const char *why) {
    bool nothing = (group == NULL || *group == '\0') && (resource == NULL || *resource == '\0');
    cleanup_free char *after = xprintf(nothing ? "forbidden: %s" : " is forbidden: %s", why);
    struct error *e = about(403, "Forbidden", "", group, resource, nothing || name == NULL || *name == '\0' ? NULL : name, after);
    if (nothing) e->name = dup_unless_empty(name);
    return e;
}

struct error *status_method_not_allowed(const char *group, const char *resource, const char *action) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf b = {0};
    add_group_resource(&b, group, resource);
    struct error *e =
        error_api(405, "MethodNotAllowed", "%s is not supported on resources of kind %s", action, status_quote(&a, buf_str(&b)));
    set_details(e, group, resource, NULL);
    return e;
}

struct error *status_unauthorized(void) { return error_api(401, "Unauthorized", "Unauthorized"); }

struct error *status_not_acceptable(const char *accepted) {
    return error_api(406, "NotAcceptable", "only the following media types are accepted: %s", accepted);
}

struct error *status_unsupported_media_type(const char *given UNUSED, const char *accepted) {
    return error_api(415, "UnsupportedMediaType",
                     "the body of the request was in an unknown format - accepted media types include: %s", accepted);
}

struct error *status_too_many_requests(const char *message, int retry_after) {
    struct error *e = error_api(429, "TooManyRequests", "%s", message);
    e->has_details = true;
    e->retry_after = retry_after;
    return e;
}

/* The message of a variadic constructor behind a fixed prefix. */
static struct error *worded(int code, const char *reason, const char *prefix, const char *fmt, va_list args) {
    cleanup_buf struct buf b = {0};
    buf_vprintf(&b, fmt, args);
    return error_api(code, reason, "%s%s", prefix, buf_str(&b));
}

#define WORDED(function, code, reason, prefix)     \
    struct error *function(const char *fmt, ...) { \
        va_list args;                              \
        va_start(args, fmt);                       \
        struct error *e = worded(code, reason, prefix, fmt, args); \
        va_end(args);                              \
        return e;                                  \
    }
WORDED(status_bad_request, 400, "BadRequest", "")
WORDED(status_too_large, 413, "RequestEntityTooLarge", "Request entity too large: ")
WORDED(status_expired, 410, "Expired", "")
WORDED(status_unavailable, 503, "ServiceUnavailable", "")

struct error *status_internal(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct error *e = worded(500, "InternalError", "Internal error occurred: ", fmt, args);
    va_end(args);
    e->has_details = true;
    error_add_cause(e, NULL, e->message + strlen("Internal error occurred: "), NULL);
    return e;
}

static const char *unless_empty(const char *s) { return s && *s ? s : NULL; }

static const struct json *details_json(struct arena *a, const struct error *e) {
    struct json_array causes = {.arena = a};
    for (size_t i = 0; i < e->cause_count; i++)
        json_array_add(&causes, json_make(a, "{'reason':%s,'message':%s,'field':%s}", unless_empty(e->causes[i].reason),
                                          unless_empty(e->causes[i].message), unless_empty(e->causes[i].field)));
    const struct json *retry = e->retry_after ? json_integer(a, e->retry_after) : NULL;
    return json_make(a, "{'name':%s,'group':%s,'kind':%s,'uid':%s,'causes':%v,'retryAfterSeconds':%v}", e->name, e->group, e->kind, e->uid,
                     causes.len ? json_array_done(&causes) : NULL, retry);
}

const struct json *status_json(struct arena *a, const struct error *e) {
    int code = e->code ? e->code : 500;
    return json_make(a, "{'kind':'Status','apiVersion':'v1','metadata':{'continue':%s},'status':'Failure','message':%s,'reason':%s,'details':%v,'code':%d}",
                     e->continue_token, e->message, e->reason, e->has_details ? details_json(a, e) : NULL, code);
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const struct json_member *const *)a)->key, (*(const struct json_member *const *)b)->key);
}

static void add_go_text(struct arena *a, struct buf *b, const struct json *v) {
    if (v == NULL || v->type == JSON_NULL) {
        buf_adds(b, "<nil>");
    } else if (v->type == JSON_ARRAY) {
        buf_addc(b, '[');
        for (size_t i = 0; i < v->len; i++) {
            if (i > 0) buf_addc(b, ' ');
            add_go_text(a, b, &v->items[i]);
        }
        buf_addc(b, ']');
    } else if (v->type == JSON_OBJECT) {
        const struct json_member **sorted = arena_calloc(a, v->len + 1, sizeof(*sorted));
        for (size_t i = 0; i < v->len; i++)
            sorted[i] = &v->members[i];
        qsort(sorted, v->len, sizeof(*sorted), by_key);
        buf_adds(b, "map[");
        for (size_t i = 0; i < v->len; i++) {
            buf_printf(b, "%s%s:", i ? " " : "", sorted[i]->key);
            add_go_text(a, b, &sorted[i]->value);
        }
        buf_addc(b, ']');
    } else {
        buf_adds(b, v->type == JSON_STRING ? v->s : json_text(a, v));
    }
}

const char *status_go_text(struct arena *a, const struct json *v) {
    cleanup_buf struct buf b = {0};
    add_go_text(a, &b, v);
    return arena_strndup(a, buf_str(&b), b.len);
}

const char *status_go_type(const struct json *v) {
    static const char *const names[] = {"%!s(<nil>)", "bool", "int64", "float64", "string", "[]interface {}", "map[string]interface {}"};
    return names[v ? v->type : JSON_NULL];
}

struct error *status_from_json(const struct json *status, int http_code) {
    const char *message = json_str(status, "message"), *reason = json_str(status, "reason");
    struct error *e = error_api((int)json_int(status, "code", http_code), reason ? reason : "Unknown", "%s",
                                message ? message : "the server answered with an error that it did not explain");
    const struct json *details = json_member(status, "details");
    if (!json_is(details, JSON_OBJECT)) return e;
    set_details(e, json_str(details, "group"), json_str(details, "kind"), json_str(details, "name"));
    e->uid = dup_unless_empty(json_str(details, "uid"));
    e->retry_after = (int)json_int(details, "retryAfterSeconds", 0);
    JSON_EACH(cause, json_member(details, "causes"))
        error_add_cause(e, json_str(cause, "reason"), json_str(cause, "message"), json_str(cause, "field"));
    return e;
}
