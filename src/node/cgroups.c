#include "node/cgroups.h"
#include "base/log.h"
#include "node/status.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define LOG_COMPONENT "node"
#define MOUNT "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270

/* Controllers in which pods get groups on cgroup v1, as far as they are mounted. */
static const char *const controllers[] = {"cpu", "cpuacct", "memory", "pids", "cpuset", "blkio", "devices", "freezer", "hugetlb",
                                          "perf_event", "net_cls", "net_prio", "systemd", "unified", NULL};
static const char *const v2_controllers[] = {"+cpuset", "+cpu", "+io", "+memory", "+hugetlb", "+pids"}; /* as far as there are */

bool cgroup_is_v2(void) {
    struct statfs fs;
    return statfs(MOUNT, &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}

static const char *hierarchy(struct arena *a, const char *controller, const char *path) {
    return controller ? arena_printf(a, MOUNT "/%s%s", controller, path) : arena_printf(a, MOUNT "%s", path);
}

static struct error *write_file(struct arena *a, const char *controller, const char *path, const char *file, const char *value) {
    const char *name = arena_printf(a, "%s/%s", hierarchy(a, controller, path), file);
    cleanup_fd int fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return NULL; /* a controller that this kernel lacks */
    if (fd < 0 || write(fd, value, strlen(value)) < 0) return error_sys(errno, "writing %s to %s", value, name);
    return NULL;
}

static struct error *write_int(struct arena *a, const char *controller, const char *path, const char *file, int64_t value) {
    return write_file(a, controller, path, file, arena_printf(a, "%lld", (long long)value));
}

/* cgroup v1: a new cpuset has no CPUs until it is given its parent's. */
static void inherit_cpuset(struct arena *a, const char *path) {
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    const char *slash = strrchr(path, '/');
    const char *parent = arena_strndup(a, path, (size_t)(slash - path));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_buf struct buf text = {0};
        struct error *e = file_read(arena_printf(a, "%s/%s", hierarchy(a, "cpuset", parent), files[i]), 4096, &text);
        if (!e) e = write_file(a, "cpuset", path, files[i], buf_str(&text));
        error_free(e);
    }
}

/* One level of the tree; on cgroup v2 its parent must hand its controllers down. */
static struct error *make_level(struct arena *a, const char *path) {
    if (cgroup_is_v2()) {
        const char *parent = arena_strndup(a, path, (size_t)(strrchr(path, '/') - path));
        for (size_t i = 0; i < ARRAY_LEN(v2_controllers); i++)
            error_free(write_file(a, NULL, parent, "cgroup.subtree_control", v2_controllers[i]));
        return dir_make(hierarchy(a, NULL, path), 0755);
    }
    for (const char *const *c = controllers; *c; c++) {
        if (access(hierarchy(a, *c, ""), F_OK) != 0) continue;
        TRY(dir_make(hierarchy(a, *c, path), 0755));
        if (str_eq(*c, "cpuset")) inherit_cpuset(a, path);
    }
    return NULL;
}

static struct error *make_path(struct arena *a, const char *path) {
    for (const char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        TRY(make_level(a, arena_strndup(a, path, (size_t)(p - path))));
        if (!*p) return NULL;
    }
}

static struct error *set_shares(struct arena *a, const char *path, int64_t shares) {
    if (cgroup_is_v2()) return write_int(a, NULL, path, "cpu.weight", 1 + (shares - 2) * 9999 / 262142);
    return write_int(a, "cpu", path, "cpu.shares", shares);
}

static const char *tree_below(struct arena *a, const char *root) { return arena_printf(a, "%s/kubepods", root == NULL || str_eq(root, "/") ? "" : root); }
static const char *root_path(struct arena *a, struct node *n) { return tree_below(a, n->config.cgroup_root); }

struct error *cgroups_start(struct node *n) {
    cleanup_arena struct arena a = {0};
    const char *root = root_path(&a, n);
    TRY(make_path(&a, arena_printf(&a, "%s/burstable", root)));
    TRY(make_path(&a, arena_printf(&a, "%s/besteffort", root)));
    TRY(set_shares(&a, root, cpu_shares(1000 * sysconf(_SC_NPROCESSORS_ONLN))));
    return set_shares(&a, arena_printf(&a, "%s/besteffort", root), MIN_SHARES);
}

const char *cgroup_pod_path(struct arena *a, struct node *n, const struct json *pod) {
    const char *qos = json_str_or(pod, "status.qosClass", pod_qos(pod));
    const char *level = str_eq(qos, "Burstable") ? "/burstable" : str_eq(qos, "BestEffort") ? "/besteffort" : "";
    return arena_printf(a, "%s%s/pod%s", root_path(a, n), level, json_str_or(pod, "metadata.uid", ""));
}

struct error *cgroup_pod_update(struct node *n, const struct json *pod) {
    cleanup_arena struct arena a = {0};
    const char *path = cgroup_pod_path(&a, n, pod);
    bool cpu_limited, memory_limited;
    struct quantity request = pod_request(pod, "cpu"), cpu = pod_limit(pod, "cpu", &cpu_limited);
    struct quantity memory = pod_limit(pod, "memory", &memory_limited);
    int64_t quota = cpu_limited ? cpu_quota(quantity_milli_value(&cpu)) : 0;
    TRY(set_shares(&a, path, cpu_shares(quantity_milli_value(&request))));
    if (cgroup_is_v2()) {
        const char *max = quota ? arena_printf(&a, "%lld %d", (long long)quota, CPU_PERIOD) : "max";
        TRY(write_file(&a, NULL, path, "cpu.max", max));
        return memory_limited ? write_int(&a, NULL, path, "memory.max", quantity_value(&memory)) : NULL;
    }
    TRY(write_int(&a, "cpu", path, "cpu.cfs_quota_us", quota ? quota : -1));
    return memory_limited ? write_int(&a, "memory", path, "memory.limit_in_bytes", quantity_value(&memory)) : NULL;
}

struct error *cgroup_pod_make(struct node *n, const struct json *pod) {
    cleanup_arena struct arena a = {0};
    TRY(make_path(&a, cgroup_pod_path(&a, n, pod)));
    return cgroup_pod_update(n, pod);
}

/* ---- removing ---- */

static void kill_processes(const char *dir) {
    cleanup_free char *name = xprintf("%s/cgroup.procs", dir);
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(name, 1 << 20, &text);
    for (char *p = e ? NULL : text.data, *end; p && *p; p = end + (*end == '\n')) {
        long pid = strtol(p, &end, 10);
        if (end == p) break;
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
    error_free(e);
}

static bool remove_tree(const char *dir) {
    DIR *d = opendir(dir);
    if (!d) return errno == ENOENT;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
        cleanup_free char *child = xprintf("%s/%s", dir, e->d_name);
        remove_tree(child);
    }
    closedir(d);
    kill_processes(dir);
    for (int i = 0; i < 50; i++) {
        if (rmdir(dir) == 0 || errno == ENOENT) return true;
        poll(NULL, 0, 10); /* processes take a moment to die */
        kill_processes(dir);
    }
    return false;
}

static bool remove_everywhere(struct arena *a, const char *path) {
    if (cgroup_is_v2()) return remove_tree(hierarchy(a, NULL, path));
    bool ok = true;
    for (const char *const *c = controllers; *c; c++)
        if (access(hierarchy(a, *c, path), F_OK) == 0) ok &= remove_tree(hierarchy(a, *c, path));
    return ok;
}

struct error *cgroup_pod_remove(struct node *n, const struct json *pod) {
    cleanup_arena struct arena a = {0};
    if (!json_str(pod, "status.qosClass")) return NULL; /* an orphan of the runtime: cgroups_reap finds its group */
    const char *path = cgroup_pod_path(&a, n, pod);
    return remove_everywhere(&a, path) ? NULL : error_new("removing cgroup %s: processes remain", path);
}

static void reap_level(struct node *n, const char *level) {
    cleanup_arena struct arena a = {0};
    const char *path = arena_printf(&a, "%s%s", root_path(&a, n), level);
    DIR *d = opendir(hierarchy(&a, cgroup_is_v2() ? NULL : "memory", path));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!str_starts(e->d_name, "pod") || e->d_type != DT_DIR) continue;
        cleanup_worker struct pod_worker *w = worker_find(n, e->d_name + 3);
        if (w || str_eq(e->d_name, "pods")) continue;
        if (!remove_everywhere(&a, arena_printf(&a, "%s/%s", path, e->d_name))) log_warn("cannot remove cgroup %s/%s", path, e->d_name);
    }
    if (d) closedir(d);
}

void cgroups_reap(struct node *n) {
    reap_level(n, "");
    reap_level(n, "/burstable");
    reap_level(n, "/besteffort");
}

struct error *cgroups_remove_all(const char *root) {
    cleanup_arena struct arena a = {0};
    const char *path = tree_below(&a, root);
    return remove_everywhere(&a, path) ? NULL : error_new("removing cgroup %s: processes remain", path);
}

/* ---- usage ---- */

static bool read_text(const char *controller, const char *path, const char *file, struct buf *out) {
    cleanup_free char *name = controller ? xprintf(MOUNT "/%s%s/%s", controller, path, file) : xprintf(MOUNT "%s/%s", path, file);
    buf_clear(out);
    struct error *e = file_read(name, 1 << 16, out);
    bool ok = !e;
    error_free(e);
    return ok;
}

static int64_t read_number(const char *controller, const char *path, const char *file) {
    cleanup_buf struct buf text = {0};
    if (!read_text(controller, path, file, &text) || text.data[0] < '0' || text.data[0] > '9') return -1;
    return strtoll(text.data, NULL, 10);
}

static int64_t read_key(const struct buf *text, const char *key) {
    size_t n = strlen(key);
    for (const char *p = buf_str(text); p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (strncmp(p, key, n) == 0 && p[n] == ' ') return strtoll(p + n, NULL, 10);
    return -1;
}

void cgroup_usage(const char *path, struct cgroup_usage *u) {
    bool v2 = cgroup_is_v2();
    const char *cpu = v2 ? NULL : "cpuacct", *memory = v2 ? NULL : "memory", *pids = v2 ? NULL : "pids";
    cleanup_buf struct buf text = {0};
    if (!v2) u->cpu_ns = read_number(cpu, path, "cpuacct.usage");
    else u->cpu_ns = read_text(cpu, path, "cpu.stat", &text) ? read_key(&text, "usage_usec") * 1000 : -1;
    u->memory = read_number(memory, path, v2 ? "memory.current" : "memory.usage_in_bytes");
    u->memory_limit = read_number(memory, path, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (u->memory_limit > INT64_C(1) << 60) u->memory_limit = -1;
    u->pids = read_number(pids, path, "pids.current");
    bool stat = read_text(memory, path, "memory.stat", &text);
    u->rss = stat ? read_key(&text, v2 ? "anon" : "total_rss") : -1;
    u->page_faults = stat ? read_key(&text, v2 ? "pgfault" : "total_pgfault") : -1;
    u->major_faults = stat ? read_key(&text, v2 ? "pgmajfault" : "total_pgmajfault") : -1;
    int64_t inactive = stat ? read_key(&text, v2 ? "inactive_file" : "total_inactive_file") : -1;
    u->working_set = u->memory < 0 ? -1 : MAX(u->memory - MAX(inactive, 0), 0);
}
