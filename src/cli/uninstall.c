/* coracle uninstall: takes away everything that a server or agent made on this machine. */
#include "base/str.h"
#include "cli/layout.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "network/network.h"
#include "node/node.h"
#include <stdio.h>
#include <unistd.h>

struct options {
    const char *data_dir, *runtime_endpoint, *cgroup_root, *cni_bin_dir;
    bool yes;
};

static struct error *remove_pods(const struct options *o) {
    const struct node_config c = {.data_dir = o->data_dir, .runtime_endpoint = o->runtime_endpoint, .cgroup_root = o->cgroup_root, .cni_bin_dir = o->cni_bin_dir};
    return node_remove_all(&c);
}

static struct error *remove_network(const struct options *o) {
    cleanup_arena struct arena a = {0};
    return network_remove_all(arena_printf(&a, "%s/network", o->data_dir));
}
static struct error *remove_data(const struct options *o) { return dir_remove(o->data_dir); }

static const struct {
    const char *what;
    struct error *(*run)(const struct options *o);
} steps[] = {{"pods, mounts and cgroups", remove_pods}, {"network", remove_network}, {"data directory", remove_data}};

/* A directory that holds something else is not ours to remove. */
static struct error *check(const struct options *o, struct layout *l, int *lock) {
    bool ours = access(l->ca_cert, F_OK) == 0 || access(l->database, F_OK) == 0;
    cleanup_free char *agent = xprintf("%s/tls/kubelet-client.crt", o->data_dir);
    if (!ours && access(agent, F_OK) != 0) return error_new("%s is no data directory of Coracle; name it with --data-dir", o->data_dir);
    if (geteuid() != 0) return error_new("only root can remove mounts, interfaces and cgroups");
    return layout_lock(l, lock);
}

static bool confirmed(const struct options *o) {
    char answer[16] = "";
    if (o->yes) return true;
    printf("This ends all pods of this machine and removes %s with the state of its cluster.\nType \"yes\" to go on: ", o->data_dir);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL && str_eq(answer, "yes\n");
}

static struct error *remove_everything(const struct options *o) {
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        progress_begin(steps[i].what);
        struct error *e = steps[i].run(o);
        if (e != NULL) return progress_failed(), e;
        progress_ready();
    }
    return NULL;
}

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    struct layout l;
    const char *const *rest;
    int status;
    cleanup_fd int lock = -1;
    if (!flags_start(&a, &verb_uninstall, argc, argv, &o, &rest, &status)) return status;
    layout_init(&l, &a, o.data_dir);
    struct error *e = check(&o, &l, &lock);
    if (e != NULL) return cli_fail(e);
    if (!confirmed(&o)) return cli_fail(error_new("nothing was removed; --yes goes on without a question"));
    e = remove_everything(&o);
    if (e != NULL) return cli_fail(e);
    puts("\nNothing of Coracle is left but its program.");
    return 0;
}

static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, offsetof(struct options, data_dir), "/var/lib/coracle", "DIR", "data directory of the server or agent"},
    {"yes", FLAG_BOOL, offsetof(struct options, yes), NULL, NULL, "do not ask"},
    {"container-runtime-endpoint", FLAG_STRING, offsetof(struct options, runtime_endpoint), NULL, "SOCKET", "as the server or agent was told"},
    {"cgroup-root", FLAG_STRING, offsetof(struct options, cgroup_root), "", "PATH", "as the server or agent was told"},
    {"cni-bin-dir", FLAG_STRING, offsetof(struct options, cni_bin_dir), "/usr/lib/cni", "DIR", "where the CNI plugins are"},
};

const struct verb_info verb_uninstall = {
    .name = "uninstall",
    .summary = "removes everything that Coracle made on this machine",
    .usage = "coracle uninstall [flags]",
    .description = "Ends the pods of this machine's node and removes what Coracle made: containers, mounts, cgroups, interfaces, routes,\n"
                   "nftables tables and the data directory with the cluster's state, images and volumes. The server or agent must be\n"
                   "stopped. A node that leaves its cluster should be drained first and deleted with `kubectl delete node`.",
    .files = "  DIR/ca.crt, DIR/state.db    what makes a directory one that may be removed\n",
    .examples = "  coracle snapshot /backup/last.db && coracle uninstall\n  coracle uninstall --data-dir ./data --yes\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
