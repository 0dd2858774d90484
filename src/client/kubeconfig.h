/* Kubeconfig files reduced to what one context means: where the server is, whom to trust, who one is. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct json;

/* A program that gives credentials (client.authentication.k8s.io v1 and v1beta1): see client/exec_credential.h. */
struct exec_config {
    const char *user;        /* whose it is, for messages */
    const char *command;     /* with a slash: a path; else looked for in PATH */
    const char *const *args; /* ends with NULL */
    const char *const *env;  /* NAME=VALUE, beside the caller's own; ends with NULL */
    const char *api_version, *interactive_mode, *install_hint;
    bool provide_cluster;
    const struct json *cluster; /* ExecCredential.spec.cluster */
};

struct kubeconfig {
    struct arena arena;         /* holds the strings */
    const char *server;         /* "https://127.0.0.1:6443" */
    const char *tls_server_name;
    bool insecure;              /* insecure-skip-tls-verify */
    const char *ca;             /* PEM text; NULL: the system's */
    const char *cert, *key;     /* PEM text; NULL: none */
    const char *token, *token_file, *username, *password;
    const char *proxy_url;      /* of the cluster; NULL: the environment's */
    const char *as_user, *as_uid; /* impersonation */
    const char *const *as_groups; /* ends with NULL; may be NULL */
    const struct json *as_extra;  /* {"name": ["value", …]}; may be NULL */
    const struct exec_config *exec;
    const char *ns;             /* the context's namespace; "default" */
    const char *context, *cluster, *user;
};

/* What is laid over a file, as kubectl's and helm's flags do; any may be NULL. */
struct kubeconfig_options {
    const char *path;    /* NULL: the files of $KUBECONFIG merged, ~/.kube/config, or the service account of a pod */
    const char *context; /* NULL: current-context */
    const char *ns, *server, *ca_file, *tls_server_name, *token, *as_user;
    const char *const *as_groups; /* ends with NULL */
    bool insecure;
    const char *default_server; /* where there is no configuration at all; NULL: that is an error */
};
/* Errors are worded as client-go's (`context "x" does not exist`). */
MUST_CHECK struct error *kubeconfig_load_with(const struct kubeconfig_options *o, struct kubeconfig *out);
/* `path` and `context` as above; errors name the file. */
MUST_CHECK struct error *kubeconfig_load(const char *path, const char *context, struct kubeconfig *out);
/* From a parsed document; relative file names are taken from `dir`. */
MUST_CHECK struct error *kubeconfig_parse(const struct json *config, const char *dir, const char *context,
                                          struct kubeconfig *out);
void kubeconfig_free(struct kubeconfig *k);
#define cleanup_kubeconfig CLEANUP(kubeconfig_free)
