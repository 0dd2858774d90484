/* Names of the cluster (https://github.com/kubernetes/dns/blob/master/docs/specification.md, section numbers below):
 *   SERVICE.NS.svc.DOMAIN              2.3.1 cluster address, 2.4.1 endpoints of a headless service, 2.5 alias
 *   HOST.SERVICE.NS.svc.DOMAIN         2.4.1 one endpoint, by hostname or by its address with dashes
 *   _PORT._PROTO.SERVICE.NS.svc.DOMAIN 2.3.2, 2.4.2 SRV
 *   A-B-C-D.NS.pod.DOMAIN              pods by address
 *   dns-version.DOMAIN                 2.2
 *   reverse names of service addresses and endpoints with hostnames (2.3.3, 2.4.3) */
#include "network/dns_zone.h"
#include "base/str.h"
#include "client/object.h"
#include <arpa/inet.h>
#include <stdio.h>

#define TTL 5

struct lookup {
    struct arena *a;
    struct cache *cache;
    const char *domain;
    const struct dns_question *q;
    struct dns_answer *answer;
    bool exists; /* the name exists, even if it has nothing of the type asked for */
};

static bool wants(const struct lookup *l, uint16_t type) { return l->q->type == type || l->q->type == DNS_ANY; }

static void add_address(struct lookup *l, struct dns_records *to, const char *name, const char *ip) {
    struct dns_record r;
    if (dns_address_record(name, ip, TTL, &r) && (to != &l->answer->answers || wants(l, r.type))) dns_records_add(to, &r);
}

static void add_name(struct lookup *l, uint16_t type, const char *target) {
    dns_records_add(&l->answer->answers, &(struct dns_record){.name = l->q->sent, .type = type, .ttl = TTL, .target = target});
}

static const char *dashed(struct arena *a, const char *ip) {
    char *s = arena_strdup(a, ip);
    for (char *c = s; *c != '\0'; c++) {
        if (*c == '.' || *c == ':') *c = '-';
    }
    return s;
}

/* ---- endpoints of headless services ---- */

typedef void endpoint_fn(struct lookup *l, const struct json *slice, const struct json *endpoint, const char *ip, const char *host, void *arg);

static void each_endpoint(struct lookup *l, const char *ns, const char *service, endpoint_fn *fn, void *arg) {
    cleanup_doc_list struct doc_list slices = {0};
    cache_list(l->cache, &resource_discovery_endpointslices, ns, &slices);
    for (size_t i = 0; i < slices.len; i++) {
        const struct json *slice = slices.items[i]->root;
        if (service != NULL && !str_eq(object_label(slice, "kubernetes.io/service-name"), service)) continue;
        JSON_EACH(e, json_get(slice, "endpoints")) {
            const struct json *ip = json_at(json_get(e, "addresses"), 0);
            if (!json_is(ip, JSON_STRING) || !json_bool(e, "conditions.ready", true)) continue;
            const char *host = json_str(e, "hostname");
            fn(l, slice, e, ip->s, host ? host : dashed(l->a, ip->s), arg);
        }
    }
}

static void endpoint_address(struct lookup *l, const struct json *slice UNUSED, const struct json *e UNUSED, const char *ip, const char *host, void *arg) {
    const char *wanted = arg;
    if (wanted != NULL && strcasecmp(host, wanted) != 0) return;
    l->exists = true;
    add_address(l, &l->answer->answers, l->q->sent, arena_strdup(l->a, ip));
}

struct srv {
    const char *port, *protocol; /* NULL: every one */
    const char *base;            /* "svc.ns.svc.domain" */
};

static bool srv_port_matches(const struct srv *s, const struct json *port) {
    return (s->port == NULL || strcasecmp(json_str_or(port, "name", ""), s->port) == 0) &&
           (s->protocol == NULL || strcasecmp(json_str_or(port, "protocol", "TCP"), s->protocol) == 0);
}

static void add_srv(struct lookup *l, const char *target, int64_t port) {
    l->exists = true;
    if (!wants(l, DNS_SRV)) return;
    dns_records_add(&l->answer->answers, &(struct dns_record){.name = l->q->sent, .type = DNS_SRV, .ttl = TTL, .target = target, .weight = 100, .port = (uint16_t)port});
}

static void endpoint_srv(struct lookup *l, const struct json *slice, const struct json *e UNUSED, const char *ip, const char *host, void *arg) {
    const struct srv *s = arg;
    const char *target = arena_printf(l->a, "%s.%s", host, s->base);
    JSON_EACH(port, json_get(slice, "ports")) {
        if (!srv_port_matches(s, port)) continue;
        add_srv(l, target, json_int(port, "port", 0));
        add_address(l, &l->answer->extra, target, arena_strdup(l->a, ip));
    }
}

/* ---- services ---- */

static bool headless(const struct json *service) { return json_str_is(service, "spec.clusterIP", "None"); }

static void service_addresses(struct lookup *l, const struct json *service, const char *ns, const char *name) {
    if (headless(service)) return each_endpoint(l, ns, name, endpoint_address, NULL);
    l->exists = true;
    JSON_EACH(ip, json_get(service, "spec.clusterIPs")) {
        if (json_is(ip, JSON_STRING)) add_address(l, &l->answer->answers, l->q->sent, arena_strdup(l->a, ip->s));
    }
}

static void service_srv(struct lookup *l, const struct json *service, const char *ns, const char *name, const char *port, const char *protocol) {
    struct srv s = {port, protocol, arena_printf(l->a, "%s.%s.svc.%s", name, ns, l->domain)};
    if (headless(service)) return each_endpoint(l, ns, name, endpoint_srv, &s);
    JSON_EACH(p, json_get(service, "spec.ports")) {
        if (!srv_port_matches(&s, p)) continue;
        add_srv(l, s.base, json_int(p, "port", 0));
        JSON_EACH(ip, json_get(service, "spec.clusterIPs")) add_address(l, &l->answer->extra, s.base, arena_strdup(l->a, ip->s));
    }
}

static bool namespace_has_services(struct lookup *l, const char *ns) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(l->cache, &resource_services, ns, &all);
    return all.len > 0;
}

/* labels[0..n-1] stand before ".svc.DOMAIN"; the last is the namespace. */
static enum dns_found lookup_service(struct lookup *l, char **labels, size_t n) {
    if (n < 2) {
        l->exists = n == 0 || namespace_has_services(l, labels[0]);
        return DNS_FOUND_ANSWER;
    }
    const char *ns = labels[n - 1], *name = labels[n - 2];
    cleanup_doc struct doc *d = cache_get(l->cache, &resource_services, ns, name);
    if (d == NULL || n > 4) return DNS_FOUND_ANSWER;
    if (json_str_is(d->root, "spec.type", "ExternalName")) {
        if (n != 2) return DNS_FOUND_ANSWER;
        l->exists = true;
        add_name(l, DNS_CNAME, arena_strdup(l->a, json_str_or(d->root, "spec.externalName", "")));
        return l->q->type == DNS_CNAME ? DNS_FOUND_ANSWER : DNS_FOUND_ALIAS;
    }
    if (n == 4 && labels[0][0] == '_' && labels[1][0] == '_') service_srv(l, d->root, ns, name, labels[0] + 1, labels[1] + 1);
    else if (n == 3) each_endpoint(l, ns, name, endpoint_address, labels[0]);
    else if (n == 2) {
        service_addresses(l, d->root, ns, name);
        if (l->q->type == DNS_SRV) service_srv(l, d->root, ns, name, NULL, NULL);
    }
    return DNS_FOUND_ANSWER;
}

/* "10-42-0-7" is 10.42.0.7; with more than three dashes it is an IPv6 address. */
static enum dns_found lookup_pod(struct lookup *l, char **labels, size_t n) {
    if (n != 2) return l->exists = n == 0, DNS_FOUND_ANSWER;
    size_t dashes = 0;
    for (const char *c = labels[0]; *c != '\0'; c++) dashes += *c == '-';
    char *ip = arena_strdup(l->a, labels[0]);
    for (char *c = ip; *c != '\0'; c++) {
        if (*c == '-') *c = dashes == 3 ? '.' : ':';
    }
    struct dns_record r;
    l->exists = dns_address_record(l->q->sent, ip, TTL, &r);
    if (l->exists) add_address(l, &l->answer->answers, l->q->sent, ip);
    return DNS_FOUND_ANSWER;
}

/* ---- reverse names ---- */

static bool reverse_address(const char *name, char ip[INET6_ADDRSTRLEN]) {
    unsigned b[4];
    int end = 0;
    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &b[3], &b[2], &b[1], &b[0], &end) == 4 && end > 0 && name[end] == '\0') {
        snprintf(ip, INET6_ADDRSTRLEN, "%u.%u.%u.%u", b[0] & 255, b[1] & 255, b[2] & 255, b[3] & 255);
        return true;
    }
    if (strlen(name) != 72 || !str_ends(name, ".ip6.arpa")) return false;
    char text[40];
    size_t n = 0;
    for (int i = 31; i >= 0; i--) {
        text[n++] = name[i * 2];
        if (i % 4 == 0 && i > 0) text[n++] = ':';
    }
    text[n] = '\0';
    struct in6_addr bytes;
    return inet_pton(AF_INET6, text, &bytes) == 1 && inet_ntop(AF_INET6, &bytes, ip, INET6_ADDRSTRLEN) != NULL;
}

static void reverse_endpoint(struct lookup *l, const struct json *slice, const struct json *e, const char *ip, const char *host, void *arg) {
    if (json_str(e, "hostname") == NULL || !str_eq(ip, arg)) return;
    const char *service = object_label(slice, "kubernetes.io/service-name");
    if (service != NULL) add_name(l, DNS_PTR, arena_printf(l->a, "%s.%s.%s.svc.%s", host, service, json_str(slice, "metadata.namespace"), l->domain));
}

static enum dns_found lookup_reverse(struct lookup *l, const char *ip) {
    cleanup_doc_list struct doc_list services = {0};
    cache_list(l->cache, &resource_services, NULL, &services);
    for (size_t i = 0; i < services.len; i++) {
        JSON_EACH(c, json_get(services.items[i]->root, "spec.clusterIPs")) {
            if (!json_is(c, JSON_STRING) || !str_eq(c->s, ip)) continue;
            add_name(l, DNS_PTR, arena_printf(l->a, "%s.%s.svc.%s", doc_name(services.items[i]), doc_namespace(services.items[i]), l->domain));
            return DNS_FOUND_ANSWER;
        }
    }
    each_endpoint(l, NULL, NULL, reverse_endpoint, arena_strdup(l->a, ip));
    return l->answer->answers.len > 0 ? DNS_FOUND_ANSWER : DNS_FOUND_NOT_OURS;
}

/* ---- */

static enum dns_found lookup_in_zone(struct lookup *l, const char *rest) {
    size_t n = 0;
    char **labels = rest[0] == '\0' ? NULL : str_split(l->a, rest, '.', &n);
    if (n == 0) return l->exists = true, DNS_FOUND_ANSWER;
    if (n == 1 && str_eq(labels[0], "dns-version")) {
        l->exists = true;
        if (wants(l, DNS_TXT)) add_name(l, DNS_TXT, "1.1.0");
        return DNS_FOUND_ANSWER;
    }
    if (str_eq(labels[n - 1], "svc")) return lookup_service(l, labels, n - 1);
    if (str_eq(labels[n - 1], "pod")) return lookup_pod(l, labels, n - 1);
    return DNS_FOUND_ANSWER;
}

/* What stands before the domain, or NULL if the name is outside it. */
static const char *before_domain(struct arena *a, const char *name, const char *domain) {
    size_t n = strlen(name), d = strlen(domain);
    if (n == d && strcmp(name, domain) == 0) return "";
    if (n <= d + 1 || name[n - d - 1] != '.' || strcmp(name + n - d, domain) != 0) return NULL;
    return arena_strndup(a, name, n - d - 1);
}

enum dns_found dns_zone_lookup(struct arena *a, struct cache *cache, const char *domain, const struct dns_question *q, struct dns_answer *answer) {
    struct lookup l = {.a = a, .cache = cache, .domain = domain, .q = q, .answer = answer};
    *answer = (struct dns_answer){.authoritative = true, .answers = {.arena = a}, .extra = {.arena = a}};
    char ip[INET6_ADDRSTRLEN];
    if (reverse_address(q->name, ip)) return lookup_reverse(&l, ip);
    const char *rest = before_domain(a, q->name, domain);
    if (rest == NULL) return DNS_FOUND_NOT_OURS;
    enum dns_found found = lookup_in_zone(&l, rest);
    answer->rcode = l.exists || answer->answers.len > 0 ? DNS_NOERROR : DNS_NXDOMAIN;
    if (answer->answers.len == 0) answer->soa_zone = domain;
    return found;
}
