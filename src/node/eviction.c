#include "node/eviction.h"
#include "base/log.h"
#include "node/cgroups.h"
#include "node/images.h"
#include "node/machine.h"
#include "node/pods.h"
#include "node/stats.h"
#include "node/status.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOG_COMPONENT "eviction"
#define PERIOD SECONDS(10)         /* while pods run */
#define IDLE_PERIOD SECONDS(60)
#define CRITICAL 2000000000

void pod_evict(struct pod_worker *w, const char *message, int64_t grace, bool pressure) {
    LOCK(w->node);
    bool first = !w->evict_reason;
    if (first) {
        w->evict_reason = xstrdup("Evicted");
        w->evict_message = xstrdup(message);
        w->evict_grace = grace;
        w->evict_pressure = pressure;
    }
    UNLOCK(w->node);
    if (!first) return;
    worker_event(w, "Warning", "Evicted", "%s", message);
    dispatch_add(w->node->dispatch, "pod", w->uid);
}

/* ---- a pod's own limits ---- */

struct measure {
    struct node *n;
    struct arena *a;
    const struct json *disks; /* of containers; read when first needed */
};

static int64_t container_usage(struct measure *m, const struct runtime_container *c) {
    if (!m->disks) m->disks = container_disk_stats(m->n, m->a);
    struct stat st = {0};
    (void)!stat(c->log_path, &st);
    return json_int(json_member(m->disks, c->id), "bytes", 0) + (int64_t)st.st_blocks * 512;
}

static bool on_disk(const struct json *volume) {
    const struct json *e = json_member(volume, "emptyDir");
    return e && !json_str_is(e, "medium", "Memory");
}

static int64_t volume_usage(struct measure *m, struct pod_worker *w, const struct json *volume) {
    int64_t bytes, inodes;
    disk_usage(worker_dir(m->a, w, "volumes/kubernetes.io~empty-dir/%s", json_str_or(volume, "name", "")), &bytes, &inodes);
    return bytes;
}

static const char *over_volume_limit(struct measure *m, struct pod_worker *w, const struct json *pod) {
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        struct quantity limit = quantity_of(json_get(v, "emptyDir.sizeLimit"));
        if (!on_disk(v) || limit.value == 0 || volume_usage(m, w, v) <= quantity_value(&limit)) continue;
        return arena_printf(m->a, "Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\". ", json_str_or(v, "name", ""), quantity_format(m->a, &limit));
    }
    return NULL;
}

static const char *over_storage_limit(struct measure *m, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r) {
    int64_t used = 0;
    bool all_limited, any = false;
    struct quantity total = pod_limit(pod, "ephemeral-storage", &all_limited);
    JSON_EACH(c, json_get(pod, "spec.containers")) any |= container_limit(c, "ephemeral-storage").value > 0;
    if (!any) return NULL;
    for (size_t i = 0; i < r->container_count; i++) {
        const struct runtime_container *c = &r->containers[i];
        if (c->state != CONTAINER_RUNNING) continue;
        int64_t own = container_usage(m, c);
        struct quantity limit = container_limit(pod_container(pod, c->name, NULL), "ephemeral-storage");
        used += own;
        if (limit.value && own > quantity_value(&limit))
            return arena_printf(m->a, "Container %s exceeded its local ephemeral storage limit \"%s\". ", c->name, quantity_format(m->a, &limit));
    }
    JSON_EACH(v, json_get(pod, "spec.volumes")) if (on_disk(v)) used += volume_usage(m, w, v);
    if (!all_limited || used <= quantity_value(&total)) return NULL;
    return arena_printf(m->a, "Pod ephemeral local storage usage exceeds the total limit of containers %s. ", quantity_format(m->a, &total));
}

/* ---- pressure ---- */

static const char *const resource_names[SIGNALS] = {"memory", "ephemeral-storage", "inodes", "ephemeral-storage", "inodes", "pids"};

struct observation {
    int64_t available, threshold;
};

static bool is_low(const struct observation *o) { return o->threshold > 0 && o->available < o->threshold; }

static int64_t read_number(const char *path) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(path, 64, &text);
    int64_t n = e ? -1 : strtoll(buf_str(&text), NULL, 10);
    error_free(e);
    return n;
}

static int64_t processes(void) {
    cleanup_buf struct buf text = {0};
    int64_t running, total = 0;
    struct error *e = file_read("/proc/loadavg", 256, &text);
    if (!e && sscanf(text.data, "%*f %*f %*f %" SCNd64 "/%" SCNd64, &running, &total) != 2) total = 0;
    error_free(e);
    return total;
}

static void observe(struct node *n, struct observation o[SIGNALS]) {
    struct machine_fs fs = {0};
    machine_fs(n->config.data_dir, &fs);
    int64_t pid_max = read_number("/proc/sys/kernel/pid_max"), threads = read_number("/proc/sys/kernel/threads-max");
    int64_t pids = pid_max > 0 && threads > 0 ? MIN(pid_max, threads) : 0;
    const struct { int64_t available, capacity; } of[SIGNALS] = {
        [SIGNAL_MEMORY] = {machine_memory_available(), machine_memory_total()},
        [SIGNAL_DISK] = {fs.available, fs.capacity},
        [SIGNAL_INODES] = {fs.inodes_free, fs.inodes},
        [SIGNAL_IMAGES] = {fs.available, fs.capacity},
        [SIGNAL_IMAGE_INODES] = {fs.inodes_free, fs.inodes},
        [SIGNAL_PIDS] = {pids - processes(), pids},
    };
    for (size_t i = 0; i < SIGNALS; i++) o[i] = (struct observation){of[i].available, eviction_threshold_of(&n->thresholds.of[i], of[i].capacity)};
}

struct candidate {
    struct pod_worker *w;
    int64_t usage, request, priority;
};

/* Who uses more than requested goes first, then lower priority, then the larger excess. */
static int worse_first(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    bool over_a = a->usage > a->request, over_b = b->usage > b->request;
    if (over_a != over_b) return over_a ? -1 : 1;
    if (a->priority != b->priority) return a->priority < b->priority ? -1 : 1;
    int64_t excess_a = a->usage - a->request, excess_b = b->usage - b->request;
    return excess_a > excess_b ? -1 : excess_a < excess_b;
}

static int64_t usage_of(struct measure *m, struct pod_worker *w, const struct json *pod, enum eviction_signal s) {
    struct cgroup_usage u;
    int64_t used = 0;
    cgroup_usage(cgroup_pod_path(m->a, m->n, pod), &u);
    if (s == SIGNAL_MEMORY) return u.working_set;
    if (s == SIGNAL_PIDS) return u.pids;
    JSON_EACH(v, json_get(pod, "spec.volumes")) if (on_disk(v)) used += volume_usage(m, w, v);
    for (size_t i = 0; w->runtime && i < w->runtime->container_count; i++) used += container_usage(m, &w->runtime->containers[i]);
    return used;
}

static void evict_one(struct measure *m, struct pod_worker **list, enum eviction_signal s, const struct observation *o) {
    struct candidate best[512];
    size_t n = 0;
    for (struct pod_worker **w = list; *w && n < ARRAY_LEN(best); w++) {
        cleanup_doc struct doc *pod = worker_pod(*w);
        if ((*w)->state != WORKER_SYNC || (*w)->is_static || json_int(pod->root, "spec.priority", 0) >= CRITICAL) continue;
        struct quantity request = pod_request(pod->root, resource_names[s]);
        best[n++] = (struct candidate){*w, usage_of(m, *w, pod->root, s), quantity_value(&request), json_int(pod->root, "spec.priority", 0)};
    }
    if (n == 0) return;
    qsort(best, n, sizeof(*best), worse_first);
    struct quantity threshold = {.value = o->threshold, .format = 1}, available = {.value = o->available / 1024 * 1024, .format = 1};
    const char *what = resource_names[s];
    pod_evict(best[0].w, arena_printf(m->a, "The node was low on resource: %s. Threshold quantity: %s, available: %s. ", what,
                                      quantity_format(m->a, &threshold), quantity_format(m->a, &available)), 0, true);
}

/* Sets the node's conditions; they fall some minutes after the cause has gone. */
static bool note_pressure(struct node *n, const struct observation o[SIGNALS]) {
    bool disk = false;
    for (enum eviction_signal s = SIGNAL_DISK; s < SIGNAL_PIDS; s++) disk |= is_low(&o[s]);
    const bool now[3] = {is_low(&o[SIGNAL_MEMORY]), disk, is_low(&o[SIGNAL_PIDS])};
    bool *const flags[3] = {&n->memory_pressure, &n->disk_pressure, &n->pid_pressure}, changed = false;
    int64_t time = clock_monotonic(n->clock);
    LOCK(n);
    for (int i = 0; i < 3; i++) {
        if (now[i]) n->pressure_seen[i] = time;
        bool set = now[i] || (*flags[i] && time - n->pressure_seen[i] < n->config.eviction_transition);
        changed |= set != *flags[i];
        *flags[i] = set;
    }
    UNLOCK(n);
    return changed;
}

static void relieve(struct measure *m, struct pod_worker **list, const struct observation o[SIGNALS]) {
    for (enum eviction_signal s = 0; s < SIGNALS; s++) {
        if (!is_low(&o[s])) continue;
        recorder_event(m->n->events, m->n->reference, "Warning", "EvictionThresholdMet", "Attempting to reclaim %s", resource_names[s]);
        struct observation again[SIGNALS];
        if (s >= SIGNAL_DISK && s < SIGNAL_PIDS) images_free_all(m->n);
        observe(m->n, again);
        if (is_low(&again[s])) evict_one(m, list, s, &again[s]);
        return; /* one thing at a time */
    }
}

struct work_result eviction_run(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    struct measure m = {n, &a, NULL};
    struct observation o[SIGNALS];
    struct pod_worker **list = pods_list(n);
    bool any = false;
    for (struct pod_worker **w = list; *w; w++) {
        LOCK(n);
        cleanup_doc struct doc *pod = doc_ref((*w)->pod);
        struct pod_runtime *held = runtime_ref((*w)->runtime);
        UNLOCK(n);
        cleanup_runtime struct pod_runtime *r = held;
        if ((*w)->state != WORKER_SYNC || !r) continue;
        any = true;
        const char *why = over_volume_limit(&m, *w, pod->root);
        if (!why) why = over_storage_limit(&m, *w, pod->root, r);
        if (why) pod_evict(*w, why, 1, false);
    }
    observe(n, o);
    if (note_pressure(n, o)) dispatch_add(n->dispatch, "status", "");
    relieve(&m, list, o);
    pods_list_free(list);
    return work_again(any ? PERIOD : IDLE_PERIOD);
}
