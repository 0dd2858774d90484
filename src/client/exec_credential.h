/* Credentials from a program that a kubeconfig names (client.authentication.k8s.io v1, v1beta1), kept until they expire or
 * the server refuses them. Errors are worded as client-go's. Any thread. */
#pragma once
#include "client/kubeconfig.h"

struct exec_credential;
/* The config is copied. NULL config: NULL. */
struct exec_credential *exec_credential_new(const struct exec_config *config);
void exec_credential_free(struct exec_credential *x); /* NULL is allowed */

struct exec_answer {
    const char *token;      /* NULL: none */
    const char *cert, *key; /* PEM; NULL: none */
    uint64_t generation;    /* changes with every new answer */
};
/* The present credentials, in the arena; runs the program where there are none or they have expired. */
MUST_CHECK struct error *exec_credential_get(struct exec_credential *x, struct arena *a, struct exec_answer *out);
/* The server refused the answer of that generation: the next call runs the program again. */
void exec_credential_refused(struct exec_credential *x, uint64_t generation);
