/* Names: the pod's host name, its resolv.conf, its /etc/hosts. */
#pragma once
#include "node/agent.h"

/* `domain` (may be NULL) gets the pod's fully qualified domain behind the host name, "" if it has none. With
 * setHostnameAsFQDN the result is the whole name. */
const char *pod_hostname(struct arena *a, const struct json *pod, const char *cluster_domain, const char **domain);
/* CRI DNSConfig by the pod's dnsPolicy and dnsConfig. */
MUST_CHECK struct error *dns_config(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json **out);
/* Writes the pod's hosts file and gives its path. */
MUST_CHECK struct error *hosts_file(struct arena *a, struct pod_worker *w, const struct json *pod, const char *const *ips, const char **path);
