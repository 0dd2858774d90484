/* A containerd of the agent's own: configuration, root, state, socket and log below one directory, started as a child,
 * restarted with back-off when it ends. Shims and containers outlive it. */
#pragma once
#include "base/error.h"

struct containerd_config {
    const char *dir;           /* everything is below it; short: a socket path has at most 107 bytes */
    const char *sandbox_image;
    const char *cni_conf_dir, *cni_bin_dir;
};
struct containerd;
MUST_CHECK struct error *containerd_start(const struct containerd_config *c, struct containerd **out);
const char *containerd_socket(const struct containerd *c);
void containerd_stop(struct containerd *c); /* ends containerd, not its containers */
