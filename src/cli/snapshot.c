/* coracle snapshot and restore: the whole state of a cluster in one file, taken while it runs. */
#include "base/str.h"
#include "cli/backup.h"
#include "cli/layout.h"
#include "cli/verbs.h"
#include <stdio.h>
#include <unistd.h>

struct options {
    const char *data_dir;
    bool force;
};

static int usage(const struct verb_info *v) { return cli_fail(error_new("name one file: %s", v->usage)), 2; }

static int run_snapshot(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_snapshot, argc, argv, &o, &rest, &status)) return status;
    if (rest[0] == NULL) return usage(&verb_snapshot);
    struct layout l;
    layout_init(&l, &a, o.data_dir);
    struct error *e = layout_in_use(&l) ? backup_fetch(l.kubeconfig, rest[0]) : backup_of_file(l.database, l.encryption_key, rest[0]);
    if (e != NULL) return cli_fail(e);
    printf("saved %s\n", rest[0]);
    return 0;
}

static struct error *restore(const struct layout *l, const struct options *o, const char *file) {
    cleanup_fd int lock = -1;
    TRY(layout_lock(l, &lock));
    if (access(l->database, F_OK) == 0 && !o->force) return error_new("%s exists; --force replaces it", l->database);
    return backup_restore(file, l->database, l->encryption_key);
}

static int run_restore(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_restore, argc, argv, &o, &rest, &status)) return status;
    if (rest[0] == NULL) return usage(&verb_restore);
    struct layout l;
    layout_init(&l, &a, o.data_dir);
    struct error *e = restore(&l, &o, rest[0]);
    if (e != NULL) return cli_fail(e);
    printf("restored; start the server with `coracle server --data-dir %s`\n", o.data_dir);
    return 0;
}

static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, offsetof(struct options, data_dir), "/var/lib/coracle", "DIR", "data directory of the cluster"},
    {"force", FLAG_BOOL, offsetof(struct options, force), NULL, NULL, "replace a database that is there"},
};

const struct verb_info verb_snapshot = {
    .name = "snapshot",
    .summary = "saves the cluster's state to a file, while it runs",
    .usage = "coracle snapshot FILE [flags]",
    .description = "Writes a consistent copy of the cluster's database to FILE. The server may be running. Certificates and keys are not\n"
                   "in it: keep the data directory's tls/ and ca.crt with it (Secrets are encrypted with a key that lives there).",
    .examples = "  coracle snapshot /backup/cluster-$(date +%F).db\n",
    .files = "  DIR/state.db            what is saved\n  DIR/tls/encryption.key  opens the Secrets in it\n",
    .argument_count = 1,
    .flags = flags,
    .flag_count = 1,
    .run = run_snapshot,
};
const struct verb_info verb_restore = {
    .name = "restore",
    .summary = "puts a saved state back, while the server is stopped",
    .usage = "coracle restore FILE [flags]",
    .description = "Checks a file that `coracle snapshot` wrote and makes it the cluster's database. The server must be stopped.",
    .examples = "  coracle restore /backup/cluster-2026-01-02.db --force\n",
    .files = "  DIR/state.db            what is replaced\n  DIR/tls/encryption.key  must be the one that the snapshot was made with\n",
    .argument_count = 1,
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run_restore,
};
