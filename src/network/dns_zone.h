/* The cluster's DNS zone, answered from the caches (Kubernetes DNS-Based Service Discovery 1.1.0). */
#pragma once
#include "client/cache.h"
#include "network/dns_message.h"

enum dns_found {
    DNS_FOUND_NOT_OURS, /* forward it */
    DNS_FOUND_ANSWER,   /* `answer` is complete */
    DNS_FOUND_ALIAS,    /* the answer has a CNAME (ExternalName) whose target is to be looked up outside */
};
/* Everything in `answer` lives in the arena. */
enum dns_found dns_zone_lookup(struct arena *a, struct cache *cache, const char *domain, const struct dns_question *q, struct dns_answer *answer);
