/* Asking people. */
#pragma once
#include "helm/cli/command.h"

/* A line from standard input; `silent`: nothing typed is shown. */
MUST_CHECK struct error *terminal_ask(struct helm *h, const char *prompt, bool silent, const char **out);
/* All of standard input without the line's end. */
MUST_CHECK struct error *terminal_read_all(struct arena *a, const char **out);
