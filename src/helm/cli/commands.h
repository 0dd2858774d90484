/* The commands, one file each. */
#pragma once
#include "helm/cli/command.h"

extern const struct helm_command helm_version, helm_env, helm_template;
