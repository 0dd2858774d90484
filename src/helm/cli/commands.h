/* The commands, one file each. */
#pragma once
#include "helm/cli/command.h"

extern const struct helm_command helm_create, helm_dependency, helm_env, helm_lint, helm_package, helm_show, helm_template, helm_version;
