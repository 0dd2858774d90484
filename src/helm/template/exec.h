/* The executor's state, shared by its two halves: walking (exec.c) and evaluating (eval.c). */
#pragma once
#include "helm/template/internal.h"

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct exec {
    struct go_run *run;
    const struct template *template;
    struct buf *out;
    const struct node *node; /* the current one, for errors */
    struct value *vars;      /* by slot; 0 is $ */
    uint32_t depth;          /* of {{template}} calls */
    enum flow flow;
};

struct error *exec_fail(const struct exec *x, const char *fmt, ...) PRINTF(2, 3);
/* A pipeline's value, never boxed. Sets the variables it declares. */
MUST_CHECK struct error *eval_pipeline(struct exec *x, const struct value *dot, const struct pipe_node *pipe, struct value *out);
MUST_CHECK struct error *set_variable(struct exec *x, const struct variable_node *variable, struct value v);

#define AS(type, n) ((const struct type *)(const void *)(n))
