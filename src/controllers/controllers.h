/* All controllers, one file each, under upstream's names. The table is in controllers.c. */
#pragma once
#include "client/runner.h"

/* Settings of the server that controllers need; the runner's `config`. Strings outlive the controllers. */
struct controllers_config {
    const char *cluster_cidr;     /* of all pods, "10.42.0.0/16"; nodes get parts of it. NULL: no node gets a podCIDR */
    int node_cidr_bits;           /* prefix length of a node's part; 0: 24 */
    const char *service_cidr;
    const char *ca_cert;          /* PEM: what the root CA publisher publishes */
    const char *ca_cert_path, *ca_key_path; /* the CA that CSRs are signed with */
    int64_t csr_duration;         /* ns; 0: one year */
    const char *local_volumes_dir; /* where the local provisioner makes directories for the default StorageClass */
    /* Signs a service account token without expiry that is bound to a Secret; malloced. */
    char *(*issue_token)(void *arg, const char *ns, const char *account, const char *account_uid, const char *secret, const char *secret_uid);
    void *issue_token_arg;
};
/* Ends with NULL. */
extern const struct controller *const controllers[];
/* Upstream's --controllers semantics: "*", "name", "-name"; ends with NULL. An unknown name is an error that lists the
 * known ones. */
MUST_CHECK struct error *controllers_check_selection(const char *const *selection);
bool controllers_selected(const char *const *selection, const char *name);
