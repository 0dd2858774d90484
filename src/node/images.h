/* Images: presence, pulls with back-off and credentials, and garbage collection. */
#pragma once
#include "node/agent.h"

enum image_state { IMAGE_PRESENT, IMAGE_WAIT, IMAGE_FAILED };
/* Sees to it that the container's image is there, as its pull policy wants. Pulls run by themselves (IMAGE_WAIT: the worker
 * is run again at the end). IMAGE_FAILED: *reason ("ErrImagePull") and *message say why; events are sent.
 * `image` is the CRI's Image. */
enum image_state image_ensure(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *container,
                              const struct json **image, const char **reason, const char **message);
struct work_result image_pull_run(void *node, const char *rest); /* dispatch kind "pull": UID/container */
/* "busybox" -> "docker.io/library/busybox:latest"; NULL if it is no image reference. */
const char *image_normalize(struct arena *a, const char *image);
/* Credentials for the image out of the pod's imagePullSecrets: CRI AuthConfigs, best match first. */
const struct json *image_credentials(struct arena *a, struct node *n, const struct json *pod, const char *image);

void images_free_all(struct node *n); /* every unused image, now */
const struct json *images_list(struct arena *a, struct node *n); /* status.images of the Node; NULL if the runtime is away */
struct work_result images_collect(void *node, const char *rest); /* dispatch kind "images": unused images when the disk is full */
