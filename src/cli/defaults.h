/* The objects that a Coracle cluster has beyond what every Kubernetes API server makes: the Service of the cluster DNS,
 * what further nodes need to join, the default StorageClass. Made if absent; what an administrator changed or deleted on
 * purpose (annotation) stays as it is. */
#pragma once
#include "client/client.h"

struct defaults_config {
    struct client *client;    /* with every right; calls block */
    const char *dns_address;  /* of the Service kube-dns */
    const char *token_path;   /* file with the join token ID.SECRET */
    const char *ca_pem, *server; /* what cluster-info tells joining nodes */
    bool storage_class;       /* make the default StorageClass */
};
MUST_CHECK struct error *defaults_ensure(const struct defaults_config *c);
