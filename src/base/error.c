#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>

static char *format(const char *fmt, va_list args) {
    char *out = NULL;
    if (vasprintf(&out, fmt, args) < 0) abort();
    return out;
}

/* Formats the variable arguments after `fmt` into a new malloced string called `name`. */
#define FORMAT(name, fmt)                \
    va_list args_;                       \
    va_start(args_, fmt);                \
    char *name = format(fmt, args_);     \
    va_end(args_)

struct error *error_new(const char *fmt, ...) {
    FORMAT(message, fmt);
    struct error *e = xcalloc(1, sizeof(*e));
    e->message = message;
    return e;
}

struct error *error_sys(int sys, const char *fmt, ...) {
    FORMAT(message, fmt);
    char text[128];
    struct error *e = error_new("%s: %s", message, strerror_r(sys, text, sizeof(text)));
    e->sys = sys;
    free(message);
    return e;
}

struct error *error_api(int code, const char *reason, const char *fmt, ...) {
    FORMAT(message, fmt);
    struct error *e = xcalloc(1, sizeof(*e));
    e->code = code;
    e->reason = reason ? xstrdup(reason) : NULL;
    e->message = message;
    return e;
}

struct error *error_wrap(struct error *e, const char *fmt, ...) {
    FORMAT(context, fmt);
    char *message = xprintf("%s: %s", context, e->message);
    free(context);
    free(e->message);
    e->message = message;
    return e;
}

static char *dup_or_null(const char *s) { return s ? xstrdup(s) : NULL; }

void error_add_cause(struct error *e, const char *reason, const char *message, const char *field) {
    e->causes = xrealloc(e->causes, (e->cause_count + 1) * sizeof(*e->causes));
    e->causes[e->cause_count++] =
        (struct error_cause){.reason = dup_or_null(reason), .message = dup_or_null(message), .field = dup_or_null(field)};
    e->has_details = true;
}

struct error *error_copy(const struct error *e) {
    if (e == NULL) return NULL;
    struct error *c = xmemdup(e, sizeof(*e));
    char **texts[] = {&c->reason, &c->message, &c->group, &c->kind, &c->name, &c->uid, &c->continue_token};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) *texts[i] = dup_or_null(*texts[i]);
    c->causes = NULL;
    c->cause_count = 0;
    for (size_t i = 0; i < e->cause_count; i++) error_add_cause(c, e->causes[i].reason, e->causes[i].message, e->causes[i].field);
    c->has_details = e->has_details;
    return c;
}

bool error_is(const struct error *e, const char *reason) {
    return e != NULL && e->reason != NULL && strcmp(e->reason, reason) == 0;
}

void error_free(struct error *e) {
    if (e == NULL) return;
    char *texts[] = {e->reason, e->message, e->group, e->kind, e->name, e->uid, e->continue_token};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
    for (size_t i = 0; i < e->cause_count; i++) {
        free(e->causes[i].reason);
        free(e->causes[i].message);
        free(e->causes[i].field);
    }
    free(e->causes);
    free(e);
}
