/* See progress.h. */
#include "cli/progress.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>
#include <unistd.h>

#define REMOVE_LINE "\r\033[K"

static struct {
    const char *what;
    int64_t since;
} current;

void progress_begin(const char *what) {
    current.what = what;
    current.since = clock_monotonic(&clock_real);
    if (!isatty(STDOUT_FILENO)) return;
    printf("  … %-28s starting", what);
    fflush(stdout);
    if (isatty(STDERR_FILENO)) log_set_line_start(REMOVE_LINE);
}

static void end(const char *mark, const char *state) {
    int64_t took = (clock_monotonic(&clock_real) - current.since) / NSEC_PER_MSEC;
    log_set_line_start(NULL);
    printf("%s  %s %-28s %s in %lld ms\n", isatty(STDOUT_FILENO) ? REMOVE_LINE : "", mark, current.what, state, (long long)took);
    fflush(stdout);
    current.what = NULL;
}

void progress_ready(void) {
    if (current.what != NULL) end("✓", "ready");
}
void progress_failed(void) {
    if (current.what != NULL) end("✗", "failed");
}
