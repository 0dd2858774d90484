/* Allocation that does not fail: see the policy in base.h. */
#include "base/base.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void *check(void *p) {
    if (p == NULL) {
        static const char message[] = "coracle: out of memory\n";
        ssize_t written UNUSED = write(STDERR_FILENO, message, sizeof(message) - 1);
        abort();
    }
    return p;
}

void *xmalloc(size_t size) { return check(malloc(size ? size : 1)); }
void *xcalloc(size_t count, size_t size) { return check(calloc(count ? count : 1, size ? size : 1)); }
void *xrealloc(void *old, size_t size) { return check(realloc(old, size ? size : 1)); }

void *xmemdup(const void *p, size_t size) {
    void *copy = xmalloc(size);
    if (size) memcpy(copy, p, size);
    return copy;
}

char *xstrdup(const char *s) { return check(strdup(s)); }

char *xprintf(const char *fmt, ...) {
    char *out = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&out, fmt, args);
    va_end(args);
    return check(n < 0 ? NULL : out);
}

void cleanup_fd_(int *fd) {
    if (*fd >= 0) close(*fd);
}
