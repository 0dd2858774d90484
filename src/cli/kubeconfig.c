/* coracle kubeconfig: the admin's kubeconfig of this machine's cluster, or one for another user. */
#include "base/clock.h"
#include "base/str.h"
#include "cli/layout.h"
#include "cli/verbs.h"
#include <stdio.h>

struct options {
    const char *data_dir, *user, *server;
    const char *const *groups;
    int64_t lifetime;
};

static struct error *print(struct arena *a, const struct options *o) {
    struct layout l;
    layout_init(&l, a, o->data_dir);
    cleanup_buf struct buf text = {0}, server = {0};
    struct error *e = file_read(l.kubeconfig, 1 << 20, &text);
    if (e != NULL) return error_wrap(e, "no cluster under %s; start one with `coracle server`, or name its --data-dir", o->data_dir);
    if (o->user != NULL || o->server != NULL) {
        cleanup_error struct error *absent = file_read(l.server_address, 4096, &server);
        const char *address = o->server ? o->server : absent ? "https://127.0.0.1:6443" : server.data;
        buf_clear(&text);
        TRY(layout_kubeconfig(&l, address, o->user ? o->user : "kubernetes-admin",
                              o->user ? o->groups : (const char *const[]){"system:masters", NULL}, o->lifetime, &text));
    }
    fputs(buf_str(&text), stdout);
    return NULL;
}

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_kubeconfig, argc, argv, &o, &rest, &status)) return status;
    struct error *e = print(&a, &o);
    return e ? cli_fail(e) : 0;
}

static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, offsetof(struct options, data_dir), "/var/lib/coracle", "DIR", "data directory of the cluster"},
    {"user", FLAG_STRING, offsetof(struct options, user), NULL, "NAME", "make a client certificate for this user instead"},
    {"groups", FLAG_LIST, offsetof(struct options, groups), NULL, "NAME,…", "groups of that user"},
    {"lifetime", FLAG_DURATION, offsetof(struct options, lifetime), "24h", NULL, "how long that certificate is good"},
    {"server", FLAG_STRING, offsetof(struct options, server), NULL, "URL", "address to write instead of the server's own"},
};

const struct verb_info verb_kubeconfig = {
    .name = "kubeconfig",
    .summary = "prints the cluster's kubeconfig, or makes one for a user",
    .usage = "coracle kubeconfig [flags]",
    .description = "Prints the admin's kubeconfig of the cluster in the data directory. With --user it signs a client certificate\n"
                   "for that user and its groups and prints a kubeconfig with it.",
    .examples = "  coracle kubeconfig > ~/.kube/config\n  coracle kubeconfig --user jane --groups dev --lifetime 8h\n",
    .files = "  DIR/kubeconfig            the administrator's\n  DIR/ca.crt, DIR/tls/ca.key  what certificates of users are signed with\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
