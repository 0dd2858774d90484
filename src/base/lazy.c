/* Libraries that are loaded when they are first needed: the half of scripts/gen-lazy's stubs that is written in C. */
#include "base/base.h"
#include <dlfcn.h>
#include <stdio.h>

/* Called by the stubs only, from any thread. There is no caller who could do without the function: failing ends the program. */
void *lazy_symbol(const char *library, const char *name);

void *lazy_symbol(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL); /* once it is there this only finds it again */
    void *found = handle != NULL ? dlsym(handle, name) : NULL;
    if (found != NULL) return found;
    fprintf(stderr, "error: cannot load %s from %s: %s; `coracle check` tells what this machine lacks\n", name, library, dlerror());
    exit(1);
}
