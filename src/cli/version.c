/* coracle version */
#include "cli/verbs.h"
#include <stdio.h>

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_version, argc, argv, NULL, &rest, &status)) return status;
    puts("coracle " CORACLE_VERSION " (Kubernetes " KUBERNETES_VERSION ")");
    return 0;
}

const struct verb_info verb_version = {
    .name = "version",
    .summary = "prints the versions of Coracle and of the Kubernetes API it serves",
    .usage = "coracle version",
    .description = "Prints the version of this program and of the Kubernetes API that it serves.",
    .run = run,
};
