/* Running another program to its end, with what it is to read and what it writes. Blocks; any thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct child {
    const char *const *argv; /* ends with NULL; argv[0] without a slash is looked for in PATH */
    const char *const *env;  /* NAME=VALUE added to the caller's own, later ones win; ends with NULL; may be NULL */
    const void *input;       /* its standard input; NULL: nothing, or the caller's with `inherit_input` */
    size_t input_len;
    bool inherit_input;
    struct buf *out;         /* its standard output, up to the buffer's maximum */
    struct buf *err;         /* its standard error; NULL: the caller's */
};
/* The error (with sys set) says that it could not be started. *status: exit code, or 128 + signal. */
MUST_CHECK struct error *child_run(const struct child *c, int *status);
