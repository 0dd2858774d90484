#include "node/dns.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOG_COMPONENT "node"
#define MAX_NAMESERVERS 3  /* what libc reads */
#define MAX_SEARCHES 32
#define MAX_SEARCH_CHARS 2048

const char *pod_hostname(struct arena *a, const struct json *pod, const char *cluster_domain, const char **domain) {
    const char *name = json_str(pod, "spec.hostname"), *subdomain = json_str(pod, "spec.subdomain");
    const char *override = json_str(pod, "spec.hostnameOverride"), *found = "";
    if (!name || !*name) name = json_str_or(pod, "metadata.name", "");
    if (strlen(name) > 63) { /* cut, and not at a dash or dot */
        char *cut = arena_strndup(a, name, 63);
        for (size_t n = 63; n && (cut[n - 1] == '-' || cut[n - 1] == '.');) cut[--n] = '\0';
        name = cut;
    }
    if (subdomain && *subdomain)
        found = arena_printf(a, "%s.%s.svc.%s", subdomain, json_str_or(pod, "metadata.namespace", ""), cluster_domain);
    if (override) {
        if (domain) *domain = "";
        return override;
    }
    if (domain) *domain = found;
    return *found && json_bool(pod, "spec.setHostnameAsFQDN", false) ? arena_printf(a, "%s.%s", name, found) : name;
}

/* ---- resolv.conf ---- */

struct resolver {
    struct json_array servers, searches, options;
};

static void add_words(struct json_array *out, char *words) {
    char *save = NULL;
    for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) json_array_add(out, json_string(out->arena, w));
}

/* The node's own resolv.conf: the last "search" and "options" win, as in libc. */
static struct error *read_host(struct arena *a, struct node *n, struct resolver *r) {
    cleanup_buf struct buf text = {0};
    TRY(file_read(n->config.resolv_conf, 1 << 16, &text));
    size_t count;
    char **lines = str_split(a, buf_str(&text), '\n', &count);
    for (size_t i = 0; i < count; i++) {
        if (str_starts(lines[i], "nameserver")) add_words(&r->servers, lines[i] + 10);
        else if (str_starts(lines[i], "search")) r->searches.len = 0, add_words(&r->searches, lines[i] + 6);
        else if (str_starts(lines[i], "options")) r->options.len = 0, add_words(&r->options, lines[i] + 7);
    }
    return NULL;
}

static void cluster_first(struct arena *a, struct node *n, const struct json *pod, struct resolver *r) {
    const char *ns = json_str_or(pod, "metadata.namespace", ""), *domain = n->config.cluster_domain;
    struct json_array searches = {.arena = a};
    json_array_add(&searches, json_strf(a, "%s.svc.%s", ns, domain));
    json_array_add(&searches, json_strf(a, "svc.%s", domain));
    json_array_add(&searches, json_string(a, domain));
    for (size_t i = 0; i < r->searches.len; i++) json_array_add(&searches, &r->searches.items[i]);
    r->searches = searches;
    r->servers.len = r->options.len = 0;
    json_array_add(&r->servers, json_string(a, n->config.cluster_dns));
    json_array_add(&r->options, json_string(a, "ndots:5"));
}

static bool contains(const struct json_array *list, const char *s) {
    for (size_t i = 0; i < list->len; i++)
        if (json_str_is(&list->items[i], NULL, s)) return true;
    return false;
}

static void merge_list(struct json_array *into, const struct json *more) {
    JSON_EACH(s, more) if (!contains(into, json_str_or(s, NULL, ""))) json_array_add(into, s);
}

/* An option of the pod takes the place of the same one from elsewhere. */
static void merge_option(struct arena *a, struct json_array *options, const struct json *o) {
    const char *name = json_str_or(o, "name", ""), *value = json_str(o, "value");
    size_t kept = 0, n = strlen(name);
    for (size_t i = 0; i < options->len; i++) {
        const char *old = json_str_or(&options->items[i], NULL, "");
        if (!(strncmp(old, name, n) == 0 && (old[n] == ':' || !old[n]))) options->items[kept++] = options->items[i];
    }
    options->len = kept;
    json_array_add(options, value ? json_strf(a, "%s:%s", name, value) : json_string(a, name));
}

static void limit(struct pod_worker *w, struct resolver *r) {
    if (r->servers.len > MAX_NAMESERVERS) {
        r->servers.len = MAX_NAMESERVERS;
        worker_event(w, "Warning", "DNSConfigForming", "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: %s %s %s",
                     json_str(&r->servers.items[0], NULL), json_str(&r->servers.items[1], NULL), json_str(&r->servers.items[2], NULL));
    }
    size_t chars = 0, n = 0;
    while (n < r->searches.len && n < MAX_SEARCHES && (chars += r->searches.items[n].len + 1) <= MAX_SEARCH_CHARS) n++;
    r->searches.len = n;
}

struct error *dns_config(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json **out) {
    struct resolver r = {{.arena = a}, {.arena = a}, {.arena = a}};
    const char *policy = json_str_or(pod, "spec.dnsPolicy", "ClusterFirst");
    bool cluster = str_eq(policy, "ClusterFirstWithHostNet") || (str_eq(policy, "ClusterFirst") && !pod_is_host_network(pod));
    if (!str_eq(policy, "None")) TRY(read_host(a, w->node, &r));
    if (cluster && w->node->config.cluster_dns) cluster_first(a, w->node, pod, &r);
    else if (cluster) worker_event(w, "Warning", "MissingClusterDNS", "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"%s\" policy. Falling back to \"Default\" policy.", policy);
    const struct json *own = json_get(pod, "spec.dnsConfig");
    merge_list(&r.servers, json_member(own, "nameservers"));
    merge_list(&r.searches, json_member(own, "searches"));
    JSON_EACH(o, json_member(own, "options")) merge_option(a, &r.options, o);
    limit(w, &r);
    *out = json_make(a, "{'servers':%v,'searches':%v,'options':%v}", json_array_done(&r.servers), json_array_done(&r.searches),
                     json_array_done(&r.options));
    return NULL;
}

/* ---- /etc/hosts ---- */

static void add_aliases(struct buf *b, const struct json *pod) {
    const struct json *aliases = json_get(pod, "spec.hostAliases");
    if (json_len(aliases) == 0) return;
    buf_adds(b, "\n# Entries added by HostAliases.\n");
    JSON_EACH(x, aliases) {
        buf_adds(b, json_str_or(x, "ip", ""));
        JSON_EACH(name, json_member(x, "hostnames")) buf_printf(b, "\t%s", json_str_or(name, NULL, ""));
        buf_addc(b, '\n');
    }
}

static struct error *host_network_hosts(struct buf *b) {
    cleanup_buf struct buf own = {0};
    TRY(file_read("/etc/hosts", 1 << 20, &own));
    buf_adds(b, "# Kubernetes-managed hosts file (host network).\n");
    buf_add(b, own.data, own.len);
    return NULL;
}

struct error *hosts_file(struct arena *a, struct pod_worker *w, const struct json *pod, const char *const *ips, const char **path) {
    cleanup_buf struct buf b = {0};
    const char *domain, *host = pod_hostname(a, pod, w->node->config.cluster_domain, &domain);
    *path = worker_dir(a, w, "etc-hosts");
    TRY(dir_make(worker_dir(a, w, "%s", ""), 0750));
    if (pod_is_host_network(pod)) TRY(host_network_hosts(&b));
    else {
        buf_adds(&b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                     "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        for (; ips && *ips; ips++) {
            if (*domain && !str_ends(host, domain)) buf_printf(&b, "%s\t%s.%s\t%s\n", *ips, host, domain, host);
            else if (*domain) buf_printf(&b, "%s\t%s\t%.*s\n", *ips, host, (int)(strlen(host) - strlen(domain) - 1), host);
            else buf_printf(&b, "%s\t%s\n", *ips, host);
        }
    }
    add_aliases(&b, pod);
    /* written in place: it is bind-mounted into containers that run */
    FILE *f = fopen(*path, "we");
    if (!f) return error_sys(errno, "writing %s", *path);
    fwrite(b.data, 1, b.len, f);
    fclose(f);
    chmod(*path, 0644);
    return NULL;
}
