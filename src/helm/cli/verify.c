/* helm verify */
#include "helm/chart/provenance.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"

struct options {
    const char *keyring;
};
static const struct helm_flag flags[] = {
    {"keyring", 0, HELM_STRING, offsetof(struct options, keyring), NULL, NULL, "file of public keys", NULL, false},
};

struct error *helm_print_verification(struct helm *h, const char *path, const char *keyring) {
    struct verification v;
    TRY(provenance_verify(&h->arena, path, keyring, &v));
    for (size_t i = 0; i < v.by->name_count; i++) fprintf(h->out, "Signed by: %s\n", v.by->names[i]);
    fputs("Using Key With Fingerprint: ", h->out);
    for (size_t i = 0; i < sizeof v.by->fingerprint; i++) fprintf(h->out, "%02X", v.by->fingerprint[i]);
    fprintf(h->out, "\nChart Hash Verified: %s\n", v.hash);
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    return helm_print_verification(h, argv[0], o->keyring);
}

const struct helm_command helm_verify = {
    .name = "verify",
    .arguments = "PATH",
    .summary = "checks a packed chart's signature",
    .description = "Checks that the archive is the one that its provenance file (PATH.prov) describes, and that a key of the key ring has signed that.",
    .arity = HELM_ARGS_EXACT,
    .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
