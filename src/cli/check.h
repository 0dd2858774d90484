/* What a machine needs to be a node: `coracle check` shows all of it, a node that starts looks for what it cannot do without. */
#pragma once
#include "base/error.h"

struct check_options {
    const char *data_dir, *cni_bin_dir;
    const char *runtime_endpoint; /* a runtime that is there already: containerd and runc are not looked for */
};
/* An error that names everything vital that is missing, with the commands that mend it. */
MUST_CHECK struct error *check_node(const struct check_options *o);
/* An error for who is not root; `instead` is added to it. */
MUST_CHECK struct error *check_root(const char *instead);
