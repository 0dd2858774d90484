/* helm version */
#include "helm/cli/commands.h"
#include "helm/engine/engine.h"
#include "helm/helm.h"

struct options {
    bool short_form, client;
    const char *template;
};

static const struct helm_flag flags[] = {
    {"short", 0, HELM_BOOL, offsetof(struct options, short_form), NULL, NULL, "the version number alone", NULL, false},
    {"client", 'c', HELM_BOOL, offsetof(struct options, client), NULL, NULL, "accepted for old scripts, without effect", NULL, true},
    {"template", 0, HELM_STRING, offsetof(struct options, template), NULL, NULL, "template that makes the output", NULL, false},
};

/* Templates see the fields of helm's BuildInfo. There is no commit and no Go here. */
static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv UNUSED) {
    const struct options *o = options;
    if (o->template[0] != '\0') {
        cleanup_buf struct buf text = {0};
        TRY(engine_render_text(&h->arena, "_", o->template, engine_build_info(&h->arena), &text));
        fputs(buf_str(&text), h->out);
    } else if (o->short_form) fputs(HELM_VERSION "\n", h->out);
    else fputs("version.BuildInfo{Version:\"" HELM_VERSION "\", GitCommit:\"\", GitTreeState:\"\", GoVersion:\"\"}\n", h->out);
    return NULL;
}

const struct helm_command helm_version = {
    .name = "version",
    .summary = "prints the version of helm that this program stands for",
    .arity = HELM_ARGS_NONE,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
