/* The functions of text/template, one per row of template_builtins. Arguments of type reflect.Value come as they are:
 * boxed when they were read out of a container of interfaces, which some errors show. */
#pragma once
#include "helm/template/internal.h"

#define BUILTIN(name) struct error *builtin_##name(struct go_run *run, const struct value *args, size_t count, struct value *out)
BUILTIN(eq);
BUILTIN(ne);
BUILTIN(lt);
BUILTIN(le);
BUILTIN(gt);
BUILTIN(ge);
BUILTIN(index);
BUILTIN(slice);
BUILTIN(len);
