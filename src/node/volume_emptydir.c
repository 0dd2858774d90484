#include "node/cgroups.h"
#include "node/eviction.h"
#include "node/volumes.h"
#include <errno.h>
#include <sys/stat.h>

/* Of a memory volume: what pods may have, what this pod may have, what the volume asks for, whichever is least. */
static int64_t memory_size(const struct volume *v, const struct quantity *limit) {
    bool all_limited;
    struct quantity pod = pod_limit(v->pod, "memory", &all_limited);
    int64_t size = eviction_memory_allocatable(v->w->node), of_pod = quantity_value(&pod), own = quantity_value(limit);
    if (all_limited && of_pod > 0) size = MIN(size, of_pod);
    return own > 0 ? MIN(size, own) : size;
}

static struct error *mount_it(struct volume *v) {
    struct quantity limit = quantity_of(json_member(v->source, "sizeLimit"));
    const char *medium = json_str_or(v->source, "medium", "");
    if (str_eq(medium, "Memory")) return volume_tmpfs(v->path, memory_size(v, &limit), 01777);
    if (*medium) return error_new("storage medium \"%s\" is not supported by this node", medium);
    TRY(dir_make(v->path, 0750));
    if (chmod(v->path, pod_fs_group(v->pod) < 0 ? 0777 : 02777) != 0) return error_sys(errno, "setting the mode of %s", v->path);
    return NULL;
}

const struct volume_type volume_empty_dir = {"emptyDir", "kubernetes.io~empty-dir", mount_it, .fs_group = true};
