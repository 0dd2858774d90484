/* The package manager: `coracle helm …` takes helm's arguments and answers as helm 3.19 does. */
#pragma once
#include <stddef.h>

#define HELM_VERSION "v3.19" /* what templates see as .Capabilities.HelmVersion and `helm version` prints */

/* A list of texts, as repeated flags give it. */
struct helm_strings {
    const char **items;
    size_t count;
};

/* argv[0] is "helm". Returns the exit status. */
int helm_main(int argc, char **argv);
