/* What `helm lint` finds in a chart directory. */
#pragma once
#include "helm/engine/engine.h"

enum lint_severity { LINT_UNKNOWN, LINT_INFO, LINT_WARNING, LINT_ERROR };
struct lint_message {
    enum lint_severity severity;
    const char *path, *text;
};
struct lint_result {
    struct arena *arena;
    struct lint_message *items;
    size_t count, cap;
};
struct lint_options {
    const char *ns;
    const struct engine_capabilities *capabilities;
    bool skip_schema;
};
/* `dir` is absolute and has a Chart.yaml. */
void lint_chart(struct lint_result *out, const char *dir, struct value values, const struct lint_options *o);
const char *lint_severity_name(enum lint_severity s); /* "WARNING" */

/* ---- the parts ---- */
/* Adds a message; `e` NULL: none. Returns true if there was nothing wrong. Frees the error. */
bool lint_check(struct lint_result *r, enum lint_severity severity, const char *path, struct error *e);
/* The rules for Chart.yaml (lint_chart.c) and for what templates make (lint_templates.c). */
void lint_chart_yaml(struct lint_result *r, const char *dir);
void lint_templates(struct lint_result *r, const char *dir, struct value values, const struct lint_options *o);
