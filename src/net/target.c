#include "net/target.h"

static const char *copy_or_null(struct arena *a, const char *s) { return s != NULL ? arena_strdup(a, s) : NULL; }
static const char *or_empty(const char *s) { return s != NULL ? s : ""; }

void net_target_copy(struct arena *a, struct net_target *out, const struct net_target *t) {
    *out = (struct net_target){
        .unix_path = copy_or_null(a, t->unix_path),
        .host = copy_or_null(a, t->host),
        .port = t->port,
        .tls = t->tls != NULL ? tls_config_ref(t->tls) : NULL,
        .server_name = copy_or_null(a, t->server_name),
        .proxy_host = copy_or_null(a, t->proxy_host),
        .proxy_port = t->proxy_port,
        .proxy_authorization = copy_or_null(a, t->proxy_authorization),
    };
}

void net_target_release(struct net_target *t) { tls_config_unref(t->tls); }

const char *net_target_key(struct arena *a, const struct net_target *t) {
    return arena_printf(a, "%s|%s|%d|%p.%u|%s|%s|%d", or_empty(t->unix_path), or_empty(t->host), t->port, (void *)t->tls,
                        t->tls != NULL ? tls_config_generation(t->tls) : 0, or_empty(t->server_name), or_empty(t->proxy_host), t->proxy_port);
}

const char *net_target_authority(struct arena *a, const struct net_target *t) {
    if (t->unix_path != NULL) return "localhost";
    return arena_printf(a, strchr(t->host, ':') != NULL ? "[%s]:%d" : "%s:%d", t->host, t->port);
}

struct stream *net_target_connect(struct loop *l, const struct net_target *t) {
    if (t->unix_path != NULL) return stream_connect(l, t->unix_path, 0, t->tls, t->server_name);
    if (t->proxy_host == NULL) return stream_connect(l, t->host, t->port, t->tls, t->server_name);
    if (t->tls == NULL) return stream_connect(l, t->proxy_host, t->proxy_port, NULL, NULL);
    return stream_connect_by(l, t->proxy_host, t->proxy_port, t->proxy_authorization, t->host, t->port, t->tls, t->server_name);
}
