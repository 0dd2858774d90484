/* Requests that go elsewhere: to nodes, pods, services and aggregated API servers. */
#pragma once
#include "apiserver/internal.h"

bool is_connect(const struct subresource *sub); /* log, exec, attach, portforward, proxy */
struct error *serve_connect(struct request *r);
/* *taken: the group and version belong to an aggregated server, which answers. */
struct error *proxy_aggregated(struct request *r, bool *taken);
