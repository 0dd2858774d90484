#include "node/volumes.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_COMPONENT "node"
#define BACKOFF_MIN MSECONDS(500)
#define BACKOFF_MAX SECONDS(122) /* upstream's exponentialbackoff */
#define REFRESH SECONDS(60)
#define TOKEN_CHECK SECONDS(600)

static const struct volume_type *const types[] = {&volume_empty_dir, &volume_config_map, &volume_secret, &volume_downward, &volume_projected,
                                                  &volume_host_path, &volume_claim, &volume_ephemeral};

/* ---- small helpers of the types ---- */

int64_t pod_fs_group(const struct json *pod) { return json_int(pod, "spec.securityContext.fsGroup", -1); }

bool is_mount_point(const char *path) {
    struct stat self, parent;
    cleanup_free char *up = xprintf("%s/..", path);
    return stat(path, &self) == 0 && stat(up, &parent) == 0 && (self.st_dev != parent.st_dev || self.st_ino == parent.st_ino);
}

struct error *volume_tmpfs(const char *dir, int64_t size, unsigned mode) {
    TRY(dir_make(dir, 0750));
    if (is_mount_point(dir)) return NULL;
    cleanup_free char *options = size ? xprintf("mode=%o,size=%lld", mode, (long long)size) : xprintf("mode=%o", mode);
    if (mount("tmpfs", dir, "tmpfs", 0, options) != 0) return error_sys(errno, "mounting a tmpfs at %s", dir);
    return NULL;
}

/* ---- finding ---- */

static const struct volume_type *type_of(const struct json *spec) {
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (json_member(spec, types[i]->member)) return types[i];
    return NULL;
}

static void fill(struct volume *v, struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *spec,
                 const struct volume_type *t) {
    *v = (struct volume){.a = a, .w = w, .pod = pod, .spec = spec, .source = json_member(spec, t->member), .name = json_str_or(spec, "name", "")};
    v->path = worker_dir(a, w, "volumes/%s/%s", t->dir ? t->dir : "kubernetes.io~none", v->name);
}

static const struct json *find_spec(const struct json *pod, const char *name) {
    JSON_EACH(v, json_get(pod, "spec.volumes"))
        if (json_str_is(v, "name", name)) return v;
    return NULL;
}

const char *volume_path(struct arena *a, struct pod_worker *w, const struct json *pod, const char *name, bool *read_only) {
    const struct json *spec = find_spec(pod, name);
    const struct volume_type *t = spec ? type_of(spec) : NULL;
    struct volume v;
    if (!t) return NULL;
    fill(&v, a, w, pod, spec, t);
    if (!t->dir) { /* where it lies is found out anew: nothing is changed by that */
        struct error *e = t->mount(&v);
        if (e) log_warn("volume %s of pod %s: %s", name, w->uid, e->message);
        bool failed = e != NULL;
        error_free(e);
        if (failed) return NULL;
    }
    *read_only = v.read_only;
    return v.path;
}

/* ---- mounting ---- */

static struct error *unsupported(const struct json *spec) {
    JSON_EACH_MEMBER(m, spec)
        if (!str_eq(m->key, "name")) return error_new("volumes of type %s are not supported by this node", m->key);
    return error_new("the volume has no type");
}

static bool only_image(const struct json *spec) { return json_member(spec, "image") != NULL; }

static struct error *mount_one(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *spec, bool *refresh) {
    const struct volume_type *t = type_of(spec);
    struct volume v;
    if (only_image(spec)) return NULL; /* the runtime mounts it */
    if (!t) return unsupported(spec);
    fill(&v, a, w, pod, spec, t);
    *refresh |= t->refresh;
    TRY(t->mount(&v));
    if (!t->fs_group || pod_fs_group(pod) < 0 || v.read_only) return NULL;
    bool lazy = json_str_is(pod, "spec.securityContext.fsGroupChangePolicy", "OnRootMismatch");
    return ownership_set(v.path, pod_fs_group(pod), v.read_only, lazy);
}

static bool is_used(const struct json *pod, const char *name) {
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    static const char *const uses[] = {"volumeMounts", "volumeDevices"};
    for (size_t i = 0; i < ARRAY_LEN(lists) * 2; i++)
        JSON_EACH(c, json_member(json_member(pod, "spec"), lists[i / 2]))
            JSON_EACH(m, json_member(c, uses[i % 2])) if (json_str_is(m, "name", name)) return true;
    return false;
}

static bool mount_all(struct arena *a, struct pod_worker *w, const struct json *pod, bool *refresh) {
    bool ok = true;
    JSON_EACH(spec, json_get(pod, "spec.volumes")) {
        const char *name = json_str_or(spec, "name", "");
        if (!is_used(pod, name)) continue;
        struct error *e = mount_one(a, w, pod, spec, refresh);
        if (!e) continue;
        worker_event(w, "Warning", "FailedMount", "MountVolume.SetUp failed for volume \"%s\" : %s", name, e->message);
        error_free(e);
        ok = false;
    }
    return ok;
}

bool volumes_mount(struct pod_worker *w, const struct json *pod, int64_t *wait) {
    cleanup_arena struct arena a = {0};
    int64_t now = clock_monotonic(w->node->clock);
    bool refresh = false;
    *wait = 0;
    if (w->volume_next > now) {
        *wait = w->volume_next - now;
        return w->volumes_mounted;
    }
    if (w->volumes_mounted && w->volumes_static) return true;
    bool ok = mount_all(&a, w, pod, &refresh);
    if (!ok && !w->volumes_mounted) {
        w->volume_backoff = w->volume_backoff ? MIN(2 * w->volume_backoff, BACKOFF_MAX) : BACKOFF_MIN;
        *wait = w->volume_backoff;
        w->volume_next = now + *wait;
        return false;
    }
    w->volumes_mounted = true;
    w->volume_backoff = 0;
    w->volumes_static = !refresh;
    /* where caches tell of changes only tokens have to be looked after */
    int64_t period = w->node->config.caches_are_free ? TOKEN_CHECK : REFRESH;
    *wait = refresh ? period : 0;
    w->volume_next = refresh ? now + period : 0;
    return true;
}

/* ConfigMaps and Secrets that the pod refers to, in volumes or environment. */
static bool refers(const struct json *v, bool secret, const char *name) {
    static const char *const keys[2][4] = {{"configMap", "configMapRef", "configMapKeyRef", NULL}, {"secret", "secretRef", "secretKeyRef", NULL}};
    if (json_is(v, JSON_ARRAY)) {
        JSON_EACH(item, v) if (refers(item, secret, name)) return true;
        return false;
    }
    JSON_EACH_MEMBER(m, v) {
        if (str_in(m->key, keys[secret]) && (json_str_is(&m->value, "name", name) || json_str_is(&m->value, "secretName", name))) return true;
        if (refers(&m->value, secret, name)) return true;
    }
    return false;
}

bool volumes_use(const struct json *pod, const struct resource *r, const char *ns, const char *name) {
    return json_str_is(pod, "metadata.namespace", ns) && refers(json_member(pod, "spec"), r == &resource_secrets, name);
}

void volumes_changed(struct pod_worker *w) {
    w->volume_next = 0;
    dispatch_add(w->node->dispatch, "pod", w->uid);
}

/* ---- the end ---- */

/* Unmounts what is mounted at or below the directory, innermost first. */
static void unmount_below(const char *dir) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read("/proc/self/mountinfo", 16 << 20, &text);
    error_free(e);
    if (e) return;
    cleanup_arena struct arena a = {0};
    size_t count, n = strlen(dir);
    char **lines = str_split(&a, text.data, '\n', &count);
    for (size_t i = count; i-- > 0;) { /* later mounts lie upon earlier ones */
        char path[4096];
        if (sscanf(lines[i], "%*d %*d %*s %*s %4095s", path) != 1) continue;
        if (strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n])) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
}

void volumes_remove_dir(const char *dir) {
    unmount_below(dir);
    struct error *e = dir_remove(dir);
    if (e && e->sys != ENOENT) log_warn("removing %s: %s", dir, e->message);
    error_free(e);
}

struct error *volumes_unmount(struct pod_worker *w) {
    cleanup_arena struct arena a = {0};
    volumes_remove_dir(worker_dir(&a, w, "volume-subpaths"));
    volumes_remove_dir(worker_dir(&a, w, "volumes"));
    w->volumes_mounted = false;
    return NULL;
}
