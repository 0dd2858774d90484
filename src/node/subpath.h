/* subPath mounts that a container's symbolic links cannot lead out of the volume: the path is opened below the volume by
 * openat2(RESOLVE_IN_ROOT) and what was opened is bind-mounted, so nothing can be exchanged in between. */
#pragma once
#include "node/agent.h"

/* Missing directories are made, as upstream does. *path becomes the bind mount PODS_DIR/UID/volume-subpaths/VOL/CONTAINER/N. */
MUST_CHECK struct error *sub_path_bind(struct arena *a, struct pod_worker *w, const char *volume, const char *sub, const char *volume_name,
                                       const char *container, size_t index, const char **path);
