/* The commands, one file each. */
#pragma once
#include "helm/cli/command.h"

extern const struct helm_command helm_completion, helm_create, helm_dependency, helm_env, helm_lint, helm_package, helm_show, helm_template, helm_verify, helm_version;
extern const struct helm_command helm_get, helm_history, helm_install, helm_list, helm_pull, helm_push, helm_registry, helm_repo, helm_rollback,
    helm_search, helm_search_hub, helm_status, helm_test, helm_uninstall, helm_upgrade;
/* Prints what the last word may become: the answer to a shell's completion script. */
MUST_CHECK struct error *helm_complete(struct helm *h, int argc, char **argv);
