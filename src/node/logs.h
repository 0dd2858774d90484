/* Container logs in the CRI's format (KEP: "TIME stream P|F text"): where they lie, reading, rotation. */
#pragma once
#include "node/agent.h"
#include "node/runtime.h"

const char *logs_pod_dir(struct arena *a, struct node *n, const struct json *pod); /* LOGS_DIR/NS_NAME_UID */
const char *logs_container_path(struct arena *a, const char *container, int64_t attempt); /* below the pod's: "web/0.log" */
void logs_remove(struct node *n, const struct json *pod);
/* The last `max` bytes and `lines` lines of a log's text, without times. */
void logs_tail(const char *path, size_t max, size_t lines, struct buf *out);
struct work_result logs_rotate(void *node, const char *rest); /* dispatch kind "logs" */

struct log_options {
    bool follow, timestamps;
    int64_t tail_lines;   /* -1: all */
    int64_t limit_bytes;  /* -1: none */
    int64_t since;        /* wall time, 0: from the start */
    const char *stream;   /* "stdout", "stderr"; NULL: both */
};
struct log_reader;
/* Reads `path` and, with follow, what comes until stop_when says that its container has ended. `write` returns false to end.
 * Blocks. */
MUST_CHECK struct error *logs_read(const char *path, const struct log_options *o, bool (*write)(void *arg, const void *p, size_t n),
                                   bool (*ended)(void *arg), void *arg);
