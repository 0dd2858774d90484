/* IP forwarding, which pods need: switched on at the start, and back to what it was when Coracle is uninstalled. What it was stands in a
 * file with the boot it belongs to: a restarted machine has its own settings again. */
#pragma once
#include "base/error.h"

struct forwarding_switch { const char *name, *path; bool optional; }; /* optional: the kernel may lack it */

/* `dir` may be NULL: nothing is remembered. The others end with a switch without a name, and are for tests; NULL: the kernel's. */
MUST_CHECK struct error *forwarding_allow(const char *dir, const struct forwarding_switch *switches, const char *boot);
MUST_CHECK struct error *forwarding_restore(const char *dir, const struct forwarding_switch *switches, const char *boot);
