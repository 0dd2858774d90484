/* API errors as kube-apiserver words them (apimachinery pkg/api/errors). Each makes a struct error whose code, reason,
 * message and details are those of the Status that a client receives. `group` is "" for core. */
#pragma once
#include "base/error.h"
#include "json/json.h"

struct error *status_not_found(const char *group, const char *resource, const char *name);
struct error *status_already_exists(const char *group, const char *resource, const char *name);
struct error *status_conflict(const char *group, const char *resource, const char *name, const char *why);
struct error *status_invalid(const char *group, const char *kind, const char *name); /* causes: field_error_* below */
struct error *status_forbidden(const char *group, const char *resource, const char *name, const char *why);
struct error *status_bad_request(const char *fmt, ...) PRINTF(1, 2);
struct error *status_unauthorized(void);
struct error *status_method_not_allowed(const char *group, const char *resource, const char *action);
struct error *status_not_acceptable(const char *accepted); /* media types, separated by ", " */
struct error *status_unsupported_media_type(const char *given, const char *accepted); /* `given` is not part of the answer */
struct error *status_generate_name_conflict(const char *group, const char *resource, const char *name);
struct error *status_too_large(const char *fmt, ...) PRINTF(1, 2);
struct error *status_too_many_requests(const char *message, int retry_after);
struct error *status_expired(const char *fmt, ...) PRINTF(1, 2);  /* 410 Expired */
struct error *status_internal(const char *fmt, ...) PRINTF(1, 2); /* "Internal error occurred: ..." */
struct error *status_unavailable(const char *fmt, ...) PRINTF(1, 2);

/* A string as Go's %q prints it. */
const char *status_quote(struct arena *a, const char *s);

/* A value as Go's %v prints decoded JSON: map[a:1 b:[x y]], keys sorted; and its Go type, "map[string]interface {}". */
const char *status_go_text(struct arena *a, const struct json *v);
const char *status_go_type(const struct json *v);

/* The Status object of an error; an error of the system becomes a 500 without reason, as upstream's plain errors do. */
const struct json *status_json(struct arena *a, const struct error *e);
/* And back, e.g. what a remote server answered. */
struct error *status_from_json(const struct json *status, int http_code);

/* ---- field errors (apimachinery pkg/util/validation/field) ---- */

/* Collects what is wrong with an object. Lives in the request's arena. */
struct field_errors {
    struct arena *arena;
    struct field_error *items;
    size_t len, cap;
};
struct field_error {
    const char *type;  /* "FieldValueInvalid", ... : the cause's reason */
    const char *field; /* "spec.containers[0].name" */
    const char *message; /* without the field: `Invalid value: "x": must be …` */
};

/* A path in the making, on the stack: struct field_path p = {&parent, .name = "containers", .index = -1}. */
struct field_path {
    const struct field_path *parent;
    const char *name; /* member, or NULL for an index or key */
    int64_t index;    /* element number when name and key are NULL */
    const char *key;  /* map key, printed as [key] */
};
#define FIELD(parent, member) (&(const struct field_path){(parent), (member), 0, NULL})
#define FIELD_INDEX(parent, i) (&(const struct field_path){(parent), NULL, (int64_t)(i), NULL})
#define FIELD_KEY(parent, k) (&(const struct field_path){(parent), NULL, 0, (k)})
const char *field_path_text(struct arena *a, const struct field_path *p); /* "<nil>" for NULL, as upstream */

void field_required(struct field_errors *e, const struct field_path *p, const char *detail);
/* `value` is printed as Go's %#v-like form that upstream uses: strings quoted, numbers plain, objects as JSON. */
void field_invalid(struct field_errors *e, const struct field_path *p, const struct json *value, const char *fmt, ...) PRINTF(4, 5);
void field_invalid_str(struct field_errors *e, const struct field_path *p, const char *value, const char *fmt, ...) PRINTF(4, 5);
void field_invalid_int(struct field_errors *e, const struct field_path *p, int64_t value, const char *fmt, ...) PRINTF(4, 5);
/* "Unsupported value: ...: supported values: ..."; the list ends with NULL and is printed in its order, sorted by the caller if upstream sorts. */
void field_not_supported(struct field_errors *e, const struct field_path *p, const struct json *value, const char *const *supported);
void field_forbidden(struct field_errors *e, const struct field_path *p, const char *fmt, ...) PRINTF(3, 4);
void field_duplicate(struct field_errors *e, const struct field_path *p, const struct json *value);
void field_too_long(struct field_errors *e, const struct field_path *p, int64_t max);  /* bytes */
void field_too_many(struct field_errors *e, const struct field_path *p, int64_t actual, int64_t max);
void field_not_found(struct field_errors *e, const struct field_path *p, const struct json *value);
void field_type_invalid(struct field_errors *e, const struct field_path *p, const struct json *value, const char *fmt, ...) PRINTF(4, 5);
void field_errors_append(struct field_errors *e, const struct field_errors *more); /* of the same arena */
/* "a" or "[a, b]", equal ones once; "" if there are none (ErrorList.ToAggregate). In the errors' arena. */
const char *field_errors_text(const struct field_errors *e);
/* 422 Invalid of all collected errors, NULL if there are none. */
struct error *field_errors_status(const struct field_errors *e, const char *group, const char *kind, const char *name);
