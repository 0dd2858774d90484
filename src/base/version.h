/* Which Kubernetes this is: what the API server, the nodes and the command line call themselves. */
#pragma once

#define KUBERNETES_VERSION "v1.35.4"
