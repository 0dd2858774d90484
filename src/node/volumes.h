/* Volumes: one file per type, each a row of a table. A volume lies at PODS_DIR/UID/volumes/kubernetes.io~TYPE/NAME unless
 * its type says where else; containers get it bind-mounted. */
#pragma once
#include "node/agent.h"

struct volume {
    struct arena *a;
    struct pod_worker *w;
    const struct json *pod, *spec; /* the pod's volume */
    const struct json *source;     /* spec's member that named the type, or the PersistentVolume's */
    const char *name, *path;       /* path: the type's directory, made and owned as the type wants */
    const struct json *pv, *pvc;   /* of claims, else NULL */
    bool read_only;
};
struct volume_type {
    const char *member;   /* of the spec: "emptyDir" */
    const char *dir;      /* "kubernetes.io~empty-dir"; NULL: `path` comes from mount */
    /* Makes it ready, or brings its content up to date (called again while the pod runs). May change v->path. */
    struct error *(*mount)(struct volume *v);
    void (*unmount)(struct volume *v); /* NULL: unmount what is mounted, remove the directory */
    bool fs_group;        /* ownership is managed by the kubelet */
    bool refresh;         /* content follows objects */
};
extern const struct volume_type volume_empty_dir, volume_config_map, volume_secret, volume_downward, volume_projected, volume_host_path,
    volume_claim, volume_ephemeral;

/* Mounts all volumes of the pod, and brings content up to date when that is due. False: not ready; *wait says when to try
 * again (events are sent). On success *wait is when content wants a refresh, 0: never. */
bool volumes_mount(struct pod_worker *w, const struct json *pod, int64_t *wait);
MUST_CHECK struct error *volumes_unmount(struct pod_worker *w);
/* Removes a pod's directory, unmounting whatever is mounted below it. */
void volumes_remove_dir(const char *dir);
/* Where the volume is on the host; NULL if the pod has no such volume. */
const char *volume_path(struct arena *a, struct pod_worker *w, const struct json *pod, const char *name, bool *read_only);
bool volumes_use(const struct json *pod, const struct resource *r, const char *ns, const char *name);
void volumes_changed(struct pod_worker *w);

/* ---- for the types ---- */
/* A set of small files, replaced as a whole (..data symlink): upstream's atomic writer. */
struct volume_files {
    struct arena *a;
    struct volume_file { const char *path, *data; size_t len; unsigned mode; int64_t owner; } *items; /* owner -1: none */
    size_t len, cap;
};
void volume_files_add(struct volume_files *f, const char *path, const char *data, size_t len, unsigned mode);
MUST_CHECK struct error *volume_files_write(const char *dir, const struct volume_files *f, int64_t fs_group);
MUST_CHECK struct error *volume_tmpfs(const char *dir, int64_t size, unsigned mode); /* mounts one if none is mounted; size 0: default */
bool is_mount_point(const char *path);
/* Adds the files of a source of a projected volume, and of the volume types of the same name. */
MUST_CHECK struct error *collect_object(struct volume *v, const struct json *source, const struct resource *r, int64_t mode, struct volume_files *f);
MUST_CHECK struct error *collect_downward(struct volume *v, const struct json *source, int64_t mode, struct volume_files *f);
MUST_CHECK struct error *host_path_prepare(const char *path, const char *type);
int64_t pod_fs_group(const struct json *pod); /* -1: none */
/* Group ownership and modes for fsGroup, by the pod's fsGroupChangePolicy. */
MUST_CHECK struct error *ownership_set(const char *dir, int64_t fs_group, bool read_only, bool on_root_mismatch);
