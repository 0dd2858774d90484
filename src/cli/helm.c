/* coracle helm */
#include "helm/helm.h"
#include "cli/verbs.h"

const struct verb_info verb_helm = {
    .name = "helm",
    .summary = "the package manager: same commands and output as helm",
    .usage = "coracle helm COMMAND [flags]",
    .description = "Takes the arguments of helm 3 and answers as it does. `coracle helm --help` lists the commands.",
    .run = helm_main,
};
