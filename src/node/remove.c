/* Uninstalling a node: pods by the runtime, so that the CNI plugins undo what they did; then what is left of them. */
#include "base/log.h"
#include "base/str.h"
#include "node/cgroups.h"
#include "node/containerd.h"
#include "node/cri.h"
#include "node/node.h"
#include "node/pause_image.h"
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define LOG_COMPONENT "uninstall"
#define WAIT_FOR_RUNTIME SECONDS(30)

/* Until it answers: it may have just been started. */
static struct error *wait_runtime(struct cri *cri) {
    int64_t end = clock_monotonic(&clock_real) + WAIT_FOR_RUNTIME;
    while (true) {
        cleanup_arena struct arena a = {0};
        struct error *e = cri_call(cri, CRI_VERSION, &a, NULL, SECONDS(2), NULL);
        if (e == NULL || clock_monotonic(&clock_real) > end) return e;
        error_free(e);
        usleep(100000);
    }
}

static struct error *remove_sandboxes(struct cri *cri) {
    cleanup_arena struct arena a = {0};
    const struct json *list;
    TRY(wait_runtime(cri));
    TRY(cri_call(cri, CRI_LIST_POD_SANDBOX, &a, NULL, 0, &list));
    JSON_EACH(s, json_get(list, "items")) {
        const struct json *id = json_make(&a, "{'pod_sandbox_id':%s}", json_str_or(s, "id", ""));
        TRY(cri_call(cri, CRI_STOP_POD_SANDBOX, &a, id, 0, NULL));
        TRY(cri_call(cri, CRI_REMOVE_POD_SANDBOX, &a, id, 0, NULL));
    }
    return NULL;
}

static struct error *remove_pods(struct arena *a, const struct node_config *c) {
    struct containerd *containerd = NULL;
    const char *endpoint = c->runtime_endpoint, *dir = arena_printf(a, "%s/containerd", c->data_dir);
    if (endpoint == NULL) {
        if (access(dir, F_OK) != 0) return NULL; /* no node ever ran here */
        struct containerd_config config = {dir, PAUSE_IMAGE, arena_printf(a, "%s/cni", c->data_dir), c->cni_bin_dir};
        TRY(containerd_start(&config, &containerd));
        endpoint = containerd_socket(containerd);
    }
    struct cri *cri = cri_new(endpoint);
    struct error *e = remove_sandboxes(cri);
    cri_close(cri);
    containerd_stop(containerd);
    return e;
}

/* mountinfo writes a space as \040. */
static char *unescape(char *s) {
    char *to = s;
    for (const char *p = s; *p != '\0'; p++) {
        unsigned code;
        if (*p == '\\' && sscanf(p + 1, "%3o", &code) == 1) *to++ = (char)code, p += 3;
        else *to++ = *p;
    }
    *to = '\0';
    return s;
}

/* Latest first: what was mounted on something goes before it. */
static struct error *unmount_below(const char *dir) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    cleanup_free char *real = realpath(dir, NULL);
    if (real == NULL) return NULL;
    TRY(file_read("/proc/self/mountinfo", 64 << 20, &text));
    size_t n, length = strlen(real);
    char **lines = str_split(&a, buf_str(&text), '\n', &n);
    while (n-- > 0) {
        char path[4096];
        if (sscanf(lines[n], "%*s %*s %*s %*s %4095s", path) != 1) continue;
        if (strncmp(unescape(path), real, length) != 0 || path[length] != '/') continue;
        if (umount2(path, MNT_DETACH) != 0) log_warn("cannot unmount %s", path);
    }
    return NULL;
}

struct error *node_remove_all(const struct node_config *c) {
    cleanup_arena struct arena a = {0};
    struct error *e = remove_pods(&a, c);
    if (e != NULL) { /* go on: what follows kills and unmounts what the runtime could not */
        log_warn("%s", e->message);
        error_free(e);
    }
    TRY(cgroups_remove_all(c->cgroup_root));
    return unmount_below(c->data_dir);
}
