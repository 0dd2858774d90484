/* The image of the pods' sandboxes: Coracle's own, made of a program that is embedded in this one, so that a node needs
 * no registry to start its first pod. */
#pragma once
#include "base/error.h"

#define PAUSE_IMAGE "coracle.local/pause:1"
/* Writes an OCI archive with the image, for `ctr images import`. */
MUST_CHECK struct error *pause_image_write(const char *path);
/* Imports it into the containerd at the socket; blocks for some tens of milliseconds. */
MUST_CHECK struct error *pause_image_import(const char *socket, const char *scratch_dir);
