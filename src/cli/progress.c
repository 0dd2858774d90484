/* See progress.h. */
#include "cli/progress.h"
#include "base/clock.h"
#include <stdio.h>
#include <unistd.h>

static struct {
    const char *what;
    int64_t since;
} current;

void progress_begin(const char *what) {
    current.what = what;
    current.since = clock_monotonic(&clock_real);
    if (isatty(STDOUT_FILENO)) printf("  … %-28s starting", what);
    fflush(stdout);
}

static void end(const char *mark, const char *state) {
    int64_t took = (clock_monotonic(&clock_real) - current.since) / NSEC_PER_MSEC;
    printf("%s  %s %-28s %s in %lld ms\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "", mark, current.what, state, (long long)took);
    fflush(stdout);
    current.what = NULL;
}

void progress_ready(void) {
    if (current.what != NULL) end("✓", "ready");
}
void progress_failed(void) {
    if (current.what != NULL) end("✗", "failed");
}
