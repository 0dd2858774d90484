/* The data directory: where everything is, and the certificates and keys that make a cluster. */
#pragma once
#include "base/arena.h"
#include "net/pki.h"

/* Paths below the data directory; all in the arena. */
struct layout {
    const char *dir;
    const char *ca_cert, *ca_key;           /* the cluster's CA */
    const char *server_cert, *server_key;   /* of the API server */
    const char *client_cert, *client_key;   /* the API server's towards nodes */
    const char *kubelet_cert, *kubelet_key; /* of this machine's node agent */
    const char *service_account_key;
    const char *encryption_key;
    const char *database;
    const char *kubeconfig;                 /* admin */
    const char *token;                      /* what further nodes join with */
    const char *lock;
    const char *server_address;             /* written while the server runs: how local verbs find it */
    const char *aws_address;                /* the same for the AWS endpoint: address and region, a line each */
};
void layout_init(struct layout *l, struct arena *a, const char *dir);

/* One program at a time uses a data directory: server, agent, restore, uninstall. The lock goes with the descriptor. */
MUST_CHECK struct error *layout_lock(const struct layout *l, int *fd);
bool layout_in_use(const struct layout *l);

/* Makes what is missing or about to expire: CA, keys, certificates for the names and addresses given, admin kubeconfig.
 * Certificates are renewed when less than a third of their life is left. */
struct layout_names {
    const char *bind_address, *advertise_address;
    const char *service_address;            /* first of the service range: kubernetes.default */
    const char *cluster_domain, *node_name;
    const char *const *extra;               /* --tls-san, ends with NULL */
    int port;
    int64_t lifetime;                       /* of certificates, ns */
};
MUST_CHECK struct error *layout_prepare(const struct layout *l, const struct layout_names *names);
/* The same while the server runs; says whether certificates and kubeconfig were renewed. */
MUST_CHECK struct error *layout_renew(const struct layout *l, const struct layout_names *names, bool *renewed);
/* A certificate is renewed when less than a third of its life is left; how often to look (ns). */
bool layout_due(const struct pki_cert *c);
int64_t layout_check_interval(int64_t lifetime);
/* A kubeconfig with a client certificate for user and groups, as YAML. */
MUST_CHECK struct error *layout_kubeconfig(const struct layout *l, const char *server, const char *user, const char *const *groups,
                                           int64_t lifetime, struct buf *out);
