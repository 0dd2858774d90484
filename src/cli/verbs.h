/* The verbs of the command line, one file each. */
#pragma once
#include "base/version.h"
#include "cli/flags.h"

extern const struct verb_info verb_server, verb_agent, verb_kubeconfig, verb_token, verb_snapshot, verb_restore, verb_check, verb_uninstall, verb_helm, verb_aws, verb_version,
    verb_completion;
extern const struct verb_info *const verbs[]; /* in the order of the help; ends with NULL */

#define CORACLE_VERSION "v0.1.0"
