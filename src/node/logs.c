#include "node/logs.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_COMPONENT "node"

const char *logs_pod_dir(struct arena *a, struct node *n, const struct json *pod) {
    return arena_printf(a, "%s/%s_%s_%s", n->logs_dir, json_str_or(pod, "metadata.namespace", ""), json_str_or(pod, "metadata.name", ""),
                        json_str_or(pod, "metadata.uid", ""));
}

const char *logs_container_path(struct arena *a, const char *container, int64_t attempt) {
    return arena_printf(a, "%s/%lld.log", container, (long long)attempt);
}

void logs_remove(struct node *n, const struct json *pod) {
    cleanup_arena struct arena a = {0};
    error_free(dir_remove(logs_pod_dir(&a, n, pod)));
}

/* The text of one line behind "TIME stream TAG "; *partial: the line goes on in the next record. */
static const char *line_text(const char *line, size_t n, size_t *len, bool *partial) {
    const char *p = line, *end = line + n;
    for (int field = 0; field < 3; field++) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        if (!space) return NULL;
        if (field == 2) *partial = *p == 'P';
        p = space + 1;
    }
    *len = (size_t)(end - p);
    return p;
}

/* Where the last `lines` lines of the text begin. */
static size_t tail_start(const char *text, size_t n, size_t lines) {
    for (size_t i = n; i > 0; i--)
        if (text[i - 1] == '\n' && i != n && lines-- == 1) return i;
    return 0;
}

void logs_tail(const char *path, size_t max, size_t lines, struct buf *out) {
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return;
    size_t window = MIN((size_t)st.st_size, 4 * max + lines * 64); /* records carry a prefix */
    cleanup_free char *text = xmalloc(window + 1);
    ssize_t n = pread(fd, text, window, st.st_size - (off_t)window);
    if (n <= 0) return;
    size_t from = tail_start(text, (size_t)n, lines);
    for (size_t i = from; i < (size_t)n;) {
        const char *end = memchr(text + i, '\n', (size_t)n - i);
        size_t len, size = end ? (size_t)(end - text) - i : (size_t)n - i;
        bool partial = false;
        const char *p = line_text(text + i, size, &len, &partial);
        if (p) buf_add(out, p, len);
        if (p && !partial) buf_addc(out, '\n');
        i += size + 1;
    }
    if (out->len <= max) return;
    memmove(out->data, out->data + out->len - max, max);
    out->len = max;
    out->data[max] = '\0';
}

/* ---- rotation: NAME.log -> NAME.log.TIME, the runtime reopens; how often, as upstream's ---- */

#define PERIOD SECONDS(10) /* while containers run */
#define IDLE_PERIOD SECONDS(60)

static int oldest_first(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

static void drop_oldest(struct arena *a, const char *path, size_t keep) {
    const char *slash = strrchr(path, '/'), *base = slash + 1;
    const char *dir = arena_strndup(a, path, (size_t)(slash - path));
    char *names[64];
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && n < ARRAY_LEN(names) && (e = readdir(d));)
        if (str_starts(e->d_name, base) && e->d_name[strlen(base)] == '.') names[n++] = arena_strdup(a, e->d_name);
    if (d) closedir(d);
    qsort(names, n, sizeof(*names), oldest_first);
    for (size_t i = 0; i + keep < n; i++) unlink(arena_printf(a, "%s/%s", dir, names[i]));
}

static void rotate(struct node *n, struct arena *a, const char *id, const char *path) {
    char now[TIME_STRING_MAX];
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size < n->config.log_max_size) return;
    time_format(now, node_now(n));
    char *stamp = arena_calloc(a, 1, TIME_STRING_MAX), *out = stamp;
    for (const char *p = now; *p; p++) if (*p >= '0' && *p <= '9') *out++ = *p;
    const char *rotated = arena_printf(a, "%s.%.8s-%s", path, stamp, stamp + 8);
    if (rename(path, rotated) != 0) return;
    struct error *e = cri_call(n->cri, CRI_REOPEN_CONTAINER_LOG, a, json_make(a, "{'container_id':%s}", id), 0, NULL);
    if (e) {
        log_warn("rotating %s: %s", path, e->message);
        if (access(path, F_OK) != 0) (void)!rename(rotated, path);
    }
    error_free(e);
    drop_oldest(a, path, (size_t)n->config.log_max_files - 1);
}

struct work_result logs_rotate(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    LOCK(n);
    size_t count = 0;
    bool any = false;
    struct pod_runtime **all = arena_calloc(&a, n->workers.count + 1, sizeof(struct pod_runtime *));
    for (struct map_slot *s = map_first(&n->workers); s; s = map_next(&n->workers, s)) {
        struct pod_worker *w = s->value;
        if (w->runtime) all[count++] = runtime_ref(w->runtime);
    }
    UNLOCK(n);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i]->container_count; k++)
            if (all[i]->containers[k].state == CONTAINER_RUNNING) any = true, rotate(n, &a, all[i]->containers[k].id, all[i]->containers[k].log_path);
        runtime_unref(all[i]);
    }
    return work_again(any ? PERIOD : IDLE_PERIOD);
}
