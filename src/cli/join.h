/* How a further node becomes a member: kubeadm's bootstrap. The token names the cluster's CA by the hash of its public
 * key, so the first, unverified look at kube-public/cluster-info cannot be forged; the bootstrap token then lets the node
 * ask for its client certificate, and that for its serving certificate. */
#pragma once
#include "base/arena.h"
#include "net/loop.h"
#include "net/pki.h"

struct join_config {
    const char *server, *token; /* "https://HOST:6443", "ID.SECRET.HASH"; only needed the first time */
    const char *dir;            /* where certificates are kept */
    const char *node_name, *node_ip;
    struct loop *loop;
};
struct join_identity {
    char *ca;                        /* PEM */
    struct pki_pair client, serving; /* as system:node:NAME */
    char *server;
};
/* Blocks; may take as long as it takes to sign two certificates. What is on disk and good for a while is used. */
MUST_CHECK struct error *join_cluster(const struct join_config *c, struct join_identity *out);
/* Renews those certificates of a member that are due. `again_after`: when to look again, ns. */
MUST_CHECK struct error *join_renew(const struct join_config *c, struct join_identity *i, bool *renewed, int64_t *again_after);
void join_identity_free(struct join_identity *i);
