#include "node/stats.h"
#include "node/cgroups.h"
#include "node/logs.h"
#include "node/machine.h"
#include "node/pods.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- disks ---- */

static void walk(int fd, dev_t device, int64_t *bytes, int64_t *inodes) {
    DIR *d = fdopendir(fd);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (st.st_dev != device) continue;
        *bytes += (int64_t)st.st_blocks * 512;
        ++*inodes;
        int child = S_ISDIR(st.st_mode) ? openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (child >= 0) walk(child, device, bytes, inodes);
    }
    closedir(d);
}

void disk_usage(const char *dir, int64_t *bytes, int64_t *inodes) {
    struct stat st;
    *bytes = *inodes = 0;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        *inodes = 1;
        walk(fd, st.st_dev, bytes, inodes);
    }
}

const struct json *container_disk_stats(struct node *n, struct arena *a) {
    const struct json *answer;
    struct json_object out = {.arena = a};
    struct error *e = cri_call(n->cri, CRI_LIST_CONTAINER_STATS, a, NULL, SECONDS(10), &answer);
    error_free(e);
    if (e) return NULL;
    JSON_EACH(s, json_member(answer, "stats"))
        json_object_add(&out, json_str_or(s, "attributes.id", ""), json_make(a, "{'bytes':%ld,'inodes':%ld}",
            json_int(s, "writable_layer.used_bytes.value", 0), json_int(s, "writable_layer.inodes_used.value", 0)));
    return json_object_done(&out);
}

/* ---- /stats/summary ---- */

static const struct json *maybe(struct arena *a, int64_t v) { return v < 0 ? NULL : json_integer(a, v); }

static const struct json *now_json(struct node *n, struct arena *a) {
    char text[TIME_STRING_MAX];
    return json_string(a, time_format(text, node_now(n)));
}

static void add_usage(struct json_object *o, const struct json *now, const struct cgroup_usage *u) {
    struct arena *a = o->arena;
    int64_t available = u->memory_limit > 0 && u->working_set >= 0 ? u->memory_limit - u->working_set : -1;
    json_object_add(o, "cpu", json_make(a, "{'time':%v,'usageNanoCores':%v,'usageCoreNanoSeconds':%v}", now, NULL, maybe(a, u->cpu_ns)));
    json_object_add(o, "memory", json_make(a, "{'time':%v,'availableBytes':%v,'usageBytes':%v,'workingSetBytes':%v,'rssBytes':%v,'pageFaults':%v,"
                                              "'majorPageFaults':%v}", now, maybe(a, available), maybe(a, u->memory), maybe(a, u->working_set),
                                           maybe(a, u->rss), maybe(a, u->page_faults), maybe(a, u->major_faults)));
}

static const struct json *fs_json(struct arena *a, const struct json *now, const char *path, int64_t used, int64_t inodes) {
    struct machine_fs fs = {0};
    machine_fs(path, &fs);
    if (used < 0) used = fs.capacity - fs.available;
    if (inodes < 0) inodes = fs.inodes - fs.inodes_free;
    return json_make(a, "{'time':%v,'availableBytes':%ld,'capacityBytes':%ld,'usedBytes':%ld,'inodesFree':%ld,'inodes':%ld,'inodesUsed':%ld}",
                     now, fs.available, fs.capacity, used, fs.inodes_free, fs.inodes, inodes);
}

static const struct json *network(struct arena *a, const struct json *now, const char *proc_net_dev) {
    cleanup_buf struct buf text = {0};
    struct json_array interfaces = {.arena = a};
    const struct json *first = NULL;
    struct error *e = file_read(proc_net_dev, 1 << 20, &text);
    error_free(e);
    if (e) return NULL;
    size_t count;
    char **lines = str_split(a, text.data, '\n', &count);
    for (size_t i = 2; i < count; i++) {
        char name[64];
        long long rx, rx_errors, tx, tx_errors;
        if (sscanf(lines[i], " %63[^:]: %lld %*d %lld %*d %*d %*d %*d %*d %lld %*d %lld", name, &rx, &rx_errors, &tx, &tx_errors) != 5 || str_eq(name, "lo")) continue;
        const struct json *x = json_make(a, "{'name':%s,'rxBytes':%ld,'rxErrors':%ld,'txBytes':%ld,'txErrors':%ld}", name, (int64_t)rx, (int64_t)rx_errors,
                                         (int64_t)tx, (int64_t)tx_errors);
        if (!first || str_eq(name, "eth0")) first = x;
        json_array_add(&interfaces, x);
    }
    struct json_object out = {.arena = a};
    json_object_add(&out, "time", now);
    JSON_EACH_MEMBER(m, first) json_object_add(&out, m->key, &m->value);
    json_object_add(&out, "interfaces", json_array_done(&interfaces));
    return json_object_done(&out);
}

struct scan {
    struct node *n;
    struct arena *a;
    const struct json *now, *disks;
};

/* The runtime puts a container's group below its pod's, named by its id. */
static const char *container_cgroup(struct scan *s, const struct json *pod, const char *id) {
    return arena_printf(s->a, "%s/%s", cgroup_pod_path(s->a, s->n, pod), id);
}

static const struct json *container_json(struct scan *s, const struct json *pod, const struct runtime_container *c) {
    char text[TIME_STRING_MAX];
    struct json_object o = {.arena = s->a};
    struct cgroup_usage u;
    cgroup_usage(container_cgroup(s, pod, c->id), &u);
    json_object_add(&o, "name", json_string(s->a, c->name));
    json_object_add(&o, "startTime", json_string(s->a, time_format(text, c->started)));
    add_usage(&o, s->now, &u);
    const struct json *disk = json_member(s->disks, c->id);
    json_object_add(&o, "rootfs", fs_json(s->a, s->now, s->n->config.data_dir, json_int(disk, "bytes", 0), json_int(disk, "inodes", 0)));
    struct stat st = {0};
    (void)!stat(c->log_path, &st);
    json_object_add(&o, "logs", fs_json(s->a, s->now, s->n->config.data_dir, (int64_t)st.st_blocks * 512, 1));
    return json_object_done(&o);
}

static const struct json *pod_json(struct scan *s, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r) {
    char text[TIME_STRING_MAX];
    struct json_object o = {.arena = s->a};
    struct json_array containers = {.arena = s->a}, volumes = {.arena = s->a};
    struct cgroup_usage u;
    int64_t used = 0;
    cgroup_usage(cgroup_pod_path(s->a, s->n, pod), &u);
    for (size_t i = 0; i < r->container_count; i++) {
        if (r->containers[i].state != CONTAINER_RUNNING) continue;
        const struct json *c = container_json(s, pod, &r->containers[i]);
        used += json_int(c, "rootfs.usedBytes", 0) + json_int(c, "logs.usedBytes", 0);
        json_array_add(&containers, c);
    }
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        const char *name = json_str_or(v, "name", "");
        if (!json_member(v, "emptyDir")) continue;
        int64_t bytes, inodes;
        disk_usage(worker_dir(s->a, w, "volumes/kubernetes.io~empty-dir/%s", name), &bytes, &inodes);
        if (!json_str_is(v, "emptyDir.medium", "Memory")) used += bytes;
        const struct json *fs = fs_json(s->a, s->now, worker_dir(s->a, w, "volumes/kubernetes.io~empty-dir/%s", name), bytes, inodes);
        json_array_add(&volumes, json_with(s->a, fs, "name", json_string(s->a, name)));
    }
    json_object_add(&o, "podRef", json_make(s->a, "{'name':%v,'namespace':%v,'uid':%s}", json_get(pod, "metadata.name"), json_get(pod, "metadata.namespace"), w->uid));
    json_object_add(&o, "startTime", json_string(s->a, time_format(text, w->started)));
    json_object_add(&o, "containers", json_array_done(&containers));
    add_usage(&o, s->now, &u);
    if (volumes.len) json_object_add(&o, "volume", json_array_done(&volumes));
    json_object_add(&o, "ephemeral-storage", fs_json(s->a, s->now, s->n->config.data_dir, used, 0));
    json_object_add(&o, "process_stats", json_make(s->a, "{'process_count':%v}", maybe(s->a, u.pids)));
    return json_object_done(&o);
}

/* Calls fn for each pod that has something running. */
static void each_running(struct node *n, void (*fn)(struct scan *s, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, void *arg),
                         struct scan *s, void *arg) {
    struct pod_worker **list = pods_list(n);
    for (struct pod_worker **w = list; *w; w++) {
        LOCK(n);
        cleanup_doc struct doc *pod = doc_ref((*w)->pod);
        struct pod_runtime *held = runtime_ref((*w)->runtime);
        UNLOCK(n);
        cleanup_runtime struct pod_runtime *r = held;
        if (runtime_has_running(r)) fn(s, *w, pod->root, r, arg);
    }
    pods_list_free(list);
}

static void add_pod(struct scan *s, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, void *arg) {
    json_array_add(arg, json_copy(s->a, pod_json(s, w, json_copy(s->a, pod), r)));
}

const struct json *stats_summary(struct node *n, struct arena *a) {
    char text[TIME_STRING_MAX];
    struct scan s = {n, a, now_json(n, a), container_disk_stats(n, a)};
    struct json_array pods = {.arena = a};
    struct json_object node = {.arena = a};
    struct cgroup_usage u;
    cgroup_usage("", &u);
    u.memory_limit = -1;
    int64_t total = machine_memory_total(), available = machine_memory_available();
    u.working_set = total - available;
    u.memory_limit = total;
    json_object_add(&node, "nodeName", json_string(a, n->config.name));
    json_object_add(&node, "startTime", json_string(a, time_format(text, n->started)));
    add_usage(&node, s.now, &u);
    json_object_add(&node, "network", network(a, s.now, "/proc/self/net/dev"));
    json_object_add(&node, "fs", fs_json(a, s.now, n->config.data_dir, -1, -1));
    json_object_add(&node, "runtime", json_make(a, "{'imageFs':%v}", fs_json(a, s.now, n->config.data_dir, -1, -1)));
    each_running(n, add_pod, &s, &pods);
    return json_make(a, "{'node':%v,'pods':%v}", json_object_done(&node), json_array_done(&pods));
}

/* ---- /metrics/resource ---- */

static void metric(struct buf *out, const char *name, const char *labels, double value, int64_t ms) {
    buf_printf(out, "%s%s %.9g %lld\n", name, labels, value, (long long)ms);
}

struct lines {
    struct buf cpu, memory, start, pod_cpu, pod_memory;
};

static void add_lines(struct scan *s, struct pod_worker *w, const struct json *pod, const struct pod_runtime *r, void *arg) {
    (void)w;
    struct lines *l = arg;
    struct cgroup_usage u;
    int64_t ms = node_now(s->n) / NSEC_PER_MSEC;
    const char *ns = json_str_or(pod, "metadata.namespace", ""), *name = json_str_or(pod, "metadata.name", "");
    const char *pod_labels = arena_printf(s->a, "{namespace=\"%s\",pod=\"%s\"}", ns, name);
    cgroup_usage(cgroup_pod_path(s->a, s->n, pod), &u);
    metric(&l->pod_cpu, "pod_cpu_usage_seconds_total", pod_labels, (double)u.cpu_ns / 1e9, ms);
    metric(&l->pod_memory, "pod_memory_working_set_bytes", pod_labels, (double)u.working_set, ms);
    for (size_t i = 0; i < r->container_count; i++) {
        const struct runtime_container *c = &r->containers[i];
        if (c->state != CONTAINER_RUNNING) continue;
        const char *labels = arena_printf(s->a, "{container=\"%s\",namespace=\"%s\",pod=\"%s\"}", c->name, ns, name);
        cgroup_usage(container_cgroup(s, pod, c->id), &u);
        metric(&l->cpu, "container_cpu_usage_seconds_total", labels, (double)u.cpu_ns / 1e9, ms);
        metric(&l->memory, "container_memory_working_set_bytes", labels, (double)u.working_set, ms);
        metric(&l->start, "container_start_time_seconds", labels, (double)c->started / 1e9, ms);
    }
}

static void family(struct buf *out, const char *name, const char *type, const char *help, struct buf *lines) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s", name, help, name, type, buf_str(lines));
    buf_free(lines);
}

void stats_metrics(struct node *n, struct buf *out) {
    cleanup_arena struct arena a = {0};
    struct scan s = {n, &a, NULL, NULL};
    struct lines l = {0};
    struct buf node = {0}, memory = {0}, none = {0};
    struct cgroup_usage u;
    int64_t ms = node_now(n) / NSEC_PER_MSEC;
    each_running(n, add_lines, &s, &l);
    cgroup_usage("", &u);
    metric(&node, "node_cpu_usage_seconds_total", "", (double)u.cpu_ns / 1e9, ms);
    metric(&memory, "node_memory_working_set_bytes", "", (double)(machine_memory_total() - machine_memory_available()), ms);
    family(out, "container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds", &l.cpu);
    family(out, "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes", &l.memory);
    family(out, "container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds", &l.start);
    family(out, "node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds", &node);
    family(out, "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", &memory);
    family(out, "pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds", &l.pod_cpu);
    family(out, "pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", &l.pod_memory);
    buf_adds(&none, "resource_scrape_error 0\n");
    family(out, "resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise", &none);
}
