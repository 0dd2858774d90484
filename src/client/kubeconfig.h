/* A kubeconfig file reduced to what one context means: where the server is, whom to trust, who one is. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct kubeconfig {
    struct arena arena;         /* holds the strings */
    const char *server;         /* "https://127.0.0.1:6443" */
    const char *tls_server_name;
    bool insecure;              /* insecure-skip-tls-verify */
    const char *ca;             /* PEM text; NULL: the system's */
    const char *cert, *key;     /* PEM text; NULL: none */
    const char *token, *token_file, *username, *password;
    const char *ns;             /* the context's namespace; "default" */
    const char *context, *cluster, *user;
};
/* `path` NULL: $KUBECONFIG, ~/.kube/config, or the service account of a pod. `context` NULL: current-context. Errors name
 * the file and what is missing, as kubectl words them (`context "x" does not exist`). */
MUST_CHECK struct error *kubeconfig_load(const char *path, const char *context, struct kubeconfig *out);
/* From a parsed document; relative file names are taken from `dir`. */
struct json;
MUST_CHECK struct error *kubeconfig_parse(const struct json *config, const char *dir, const char *context,
                                          struct kubeconfig *out);
void kubeconfig_free(struct kubeconfig *k);
#define cleanup_kubeconfig CLEANUP(kubeconfig_free)
