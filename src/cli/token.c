/* coracle token: what a further node joins with. */
#include "base/str.h"
#include "cli/layout.h"
#include "cli/verbs.h"
#include <stdio.h>

struct options {
    const char *data_dir;
};

/* ID.SECRET.HASH: the bootstrap token, and the hash of the CA's public key that the node checks the server by. */
static struct error *print(struct arena *a, const struct options *o) {
    struct layout l;
    layout_init(&l, a, o->data_dir);
    cleanup_buf struct buf token = {0}, ca = {0};
    struct error *e = file_read(l.token, 4096, &token);
    if (e != NULL) return error_wrap(e, "no cluster under %s; start one with `coracle server`, or name its --data-dir", o->data_dir);
    TRY(file_read(l.ca_cert, 1 << 20, &ca));
    struct pki_cert cert;
    TRY(pki_cert_parse(a, ca.data, &cert));
    printf("%.*s.%s\n", (int)strcspn(token.data, "\n"), token.data, cert.public_key_sha256);
    return NULL;
}

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_token, argc, argv, &o, &rest, &status)) return status;
    struct error *e = print(&a, &o);
    return e ? cli_fail(e) : 0;
}

static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, offsetof(struct options, data_dir), "/var/lib/coracle", "DIR", "data directory of the cluster"},
};

const struct verb_info verb_token = {
    .name = "token",
    .summary = "prints the token that a further node joins with",
    .usage = "coracle token [flags]",
    .description = "Prints what `coracle agent --token` wants: a bootstrap token and the hash of the cluster's CA. Whoever has it can\n"
                   "add nodes; delete the Secret bootstrap-token-* in kube-system to revoke it.",
    .examples = "  coracle agent --server https://HOST:6443 --token $(ssh HOST coracle token)\n",
    .files = "  DIR/token, DIR/ca.crt  what the token is made of\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
