/* Errors travel as one value: a function that can fail returns `struct error *`, NULL for success, and fills its
 * outputs only then. The caller owns the error: it returns it (perhaps wrapped), answers with it or frees it.
 *
 * The fields are those of a Kubernetes Status, so that an error born anywhere reaches kubectl intact. Errors of the
 * system (files, sockets, a bad flag) leave `reason` empty and `code` 0 until something answers a request with them
 * (then: 500, InternalError). Constructors for API errors are in schema/status.h. */
#pragma once
#include "base/base.h"

struct error_cause {
    char *reason, *message, *field; /* any may be NULL */
};

struct error {
    int code;       /* HTTP status, 0 for errors of the system */
    char *reason;   /* Kubernetes reason ("NotFound"), NULL for errors of the system */
    char *message;  /* for people; never NULL */
    int sys;        /* errno, 0 if none */
    /* Status.details; `has_details` says whether they are sent at all */
    bool has_details;
    char *group, *kind, *name, *uid;
    struct error_cause *causes;
    size_t cause_count;
    int retry_after; /* seconds, 0: none */
    char *continue_token; /* Status.metadata.continue: how to go on with a list that has expired; NULL: none */
};

struct error *error_new(const char *fmt, ...) PRINTF(1, 2) __attribute__((returns_nonnull));
/* Appends ": strerror(sys)". */
struct error *error_sys(int sys, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull));
struct error *error_api(int code, const char *reason, const char *fmt, ...) PRINTF(3, 4) __attribute__((returns_nonnull));
/* Puts "context: " before the message and returns the same error. */
struct error *error_wrap(struct error *e, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull));
void error_add_cause(struct error *e, const char *reason, const char *message, const char *field);
struct error *error_copy(const struct error *e);
bool error_is(const struct error *e, const char *reason); /* false for NULL */
void error_free(struct error *e);                         /* NULL is allowed */

static inline void cleanup_error_(struct error **e) { error_free(*e); }
#define cleanup_error CLEANUP(cleanup_error_)

/* Returns the error of `call` from the enclosing function, if there is one. */
#define TRY(call)                        \
    do {                                 \
        struct error *try_ = (call);     \
        if (try_ != NULL) return try_;   \
    } while (0)
