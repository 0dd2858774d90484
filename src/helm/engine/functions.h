/* The functions that only helm's templates have because they need the engine: include, tpl, required, fail, lookup. */
#pragma once
#include "helm/engine/engine.h"
#include "helm/template/template.h"

#define ENGINE_WARNING_START "HELM_ERR_START"
#define ENGINE_WARNING_END "HELM_ERR_END"

/* What go_run.owner points to during a render. */
struct engine_state {
    const struct engine_options *options;
    struct value included; /* how often each name is being included right now */
    unsigned tpl_depth;
};
/* An empty set with all functions that helm's templates may call. */
struct template_set *engine_template_set(struct arena *a, const struct engine_options *o);
/* Takes "<no value>" out: what Go prints for missing values. */
void engine_drop_no_value(struct buf *text);
