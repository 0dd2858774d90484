/* Addresses and ports of services. */
#pragma once
#include "apiserver/change.h"
#include "apiserver/parts.h"

/* A free address; its IPAddress object is committed with the change. */
struct error *allocate_address(struct change *c, bool v6, const char **out);
/* A given address; complains into `e` if it cannot be had. */
struct error *claim_address(struct change *c, const char *ip, struct field_errors *e, const struct field_path *p);
void release_address(struct change *c, const char *ip);
bool node_port_claim(struct change *c, const char *protocol, int64_t port);
int64_t node_port_choose(struct change *c, const char *protocol); /* 0: none is free */
