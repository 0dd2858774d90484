#include "node/volumes.h"
#include <errno.h>
#include <sys/stat.h>

static struct error *mount_it(struct volume *v) {
    struct quantity limit = quantity_of(json_member(v->source, "sizeLimit"));
    const char *medium = json_str_or(v->source, "medium", "");
    if (str_eq(medium, "Memory")) return volume_tmpfs(v->path, quantity_value(&limit), 01777);
    if (*medium) return error_new("storage medium \"%s\" is not supported by this node", medium);
    TRY(dir_make(v->path, 0750));
    if (chmod(v->path, pod_fs_group(v->pod) < 0 ? 0777 : 02777) != 0) return error_sys(errno, "setting the mode of %s", v->path);
    return NULL;
}

const struct volume_type volume_empty_dir = {"emptyDir", "kubernetes.io~empty-dir", mount_it, .fs_group = true};
