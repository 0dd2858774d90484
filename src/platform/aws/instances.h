/* The cluster's nodes as EC2 sees machines. All values come from Node objects. */
#pragma once
#include "platform/aws/aws.h"

struct aws_instance {
    const char *id;         /* of spec.providerID (aws:///ZONE/i-…), else made of the Node's uid, so that it stays */
    const char *type;       /* label node.kubernetes.io/instance-type, else "coracle.CPUSxMEMORY" of the capacity */
    const char *region, *zone; /* the topology labels; else the endpoint's region and its first zone */
    const char *node, *private_ip, *public_ip; /* addresses: NULL if it has none */
    const char *architecture; /* "x86_64", "arm64" */
    const char *state;      /* "running", "pending" (agent not ready), "stopped" (not heard of) */
    int64_t launched;
    int64_t cpus, memory_mib;
    const struct json *tags; /* [{key,value}]: Name, and the cluster's labels as kubernetes.io/… */
};
/* All of it is in the arena. */
void aws_instance_of(const struct aws *w, struct arena *a, const struct doc *node, struct aws_instance *out);
const char *aws_reservation_id(struct arena *a, const struct aws_instance *i); /* a reservation per node: they were not launched together */
/* How many nodes say that they are the instance: spec.providerID is the node's own word. */
size_t aws_instance_count(const struct aws *w, const char *id);
/* All nodes, ordered by name. */
struct aws_instance *aws_instances(const struct aws *w, struct arena *a, size_t *count);
