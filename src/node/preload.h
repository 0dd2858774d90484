/* Images that a node has without a registry: the sandboxes' own, and archives (docker or OCI, *.tar) in DATA_DIR/images. */
#pragma once
#include "node/agent.h"

/* `ctr images import` of an archive into the containerd at the socket; blocks. */
MUST_CHECK struct error *image_archive_import(const char *socket, const char *path);
/* Once the runtime is up; blocks while archives are read. An archive is read again only when it has changed. */
MUST_CHECK struct error *images_preload(struct node *n);
