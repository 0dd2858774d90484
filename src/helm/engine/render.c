/* The texts of a release: see render.h. */
#include "helm/engine/render.h"
#include "base/str.h"
#include "helm/go/os.h"

static const char notes_name[] = "NOTES.txt";

/* Takes NOTES.txt out of the files; returns the text of the chart's own and, if wanted, of its dependencies'. */
static char *take_notes(struct arena *a, const struct chart *c, struct engine_files *files, bool sub_notes) {
    cleanup_buf struct buf notes = {0};
    const char *own = path_join(a, arena_printf(a, "%s/templates", chart_name(c)), notes_name);
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        const struct engine_file *f = &files->items[i];
        if (!str_ends(f->name, notes_name)) {
            files->items[kept++] = *f;
        } else if (sub_notes || str_eq(f->name, own)) {
            if (notes.len > 0) buf_addc(&notes, '\n');
            buf_add(&notes, f->text, f->len);
        }
    }
    files->count = kept;
    return arena_strdup(a, buf_str(&notes));
}

static bool is_blank(const struct engine_file *f) { return strspn(f->text, " \t\r\n\v\f") == f->len; }

static char *text_of(struct arena *a, const struct buf *b) { return arena_strndup(a, buf_str(b), b->len); }

static struct error *add_document(const struct render_options *o, struct buf *out, bool crd, const char *name, const char *content) {
    if (o->write_file != NULL) return o->write_file(o->write_arg, crd, name, content);
    buf_adds(out, "---\n# Source: ");
    buf_adds(out, name);
    buf_addc(out, '\n');
    buf_adds(out, content);
    buf_addc(out, '\n');
    return NULL;
}

static struct error *write_documents(struct arena *a, struct chart *c, const struct render_options *o, const struct manifests *m, struct buf *out) {
    if (o->include_crds) {
        struct chart_files crds = chart_crds(a, c);
        for (size_t i = 0; i < crds.count; i++) TRY(add_document(o, out, true, crds.items[i].name, crds.items[i].data));
    }
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest *d = &m->items[i];
        bool hidden = o->hide_secrets && o->write_file == NULL && str_eq(d->kind, "Secret") && str_eq(d->api_version, "v1");
        if (hidden) buf_printf(out, "---\n# Source: %s\n# HIDDEN: The Secret output has been suppressed\n", d->name);
        else TRY(add_document(o, out, false, d->name, d->content));
    }
    return NULL;
}

struct error *render_release(struct arena *a, struct chart *c, struct value values, const char *kube_version, const struct render_options *o,
                             struct rendered *out) {
    *out = (struct rendered){.manifest = arena_strdup(a, ""), .notes = arena_strdup(a, "")};
    const char *wanted = chart_string(c, CHART_KUBE_VERSION);
    if (wanted[0] != '\0' && !chart_version_matches(wanted, kube_version))
        return error_new("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", wanted, kube_version);
    struct engine_files files;
    TRY(engine_render(a, c, values, &o->engine, &files));
    out->notes = take_notes(a, c, &files, o->sub_notes);
    cleanup_buf struct buf text = {0};
    struct error *e = manifests_sort(a, &files, &out->manifests);
    if (e != NULL) {
        for (size_t i = 0; i < files.count; i++) {
            if (!is_blank(&files.items[i])) buf_printf(&text, "---\n# Source: %s\n%s\n", files.items[i].name, files.items[i].text);
        }
        out->manifest = text_of(a, &text);
        return e;
    }
    e = write_documents(a, c, o, &out->manifests, &text);
    if (e == NULL && o->post_render != NULL) {
        cleanup_buf struct buf changed = {0};
        e = o->post_render(o->post_render_arg, buf_str(&text), text.len, &changed);
        if (e != NULL) return error_wrap(e, "error while running post render on files");
        out->manifest = text_of(a, &changed);
        return NULL;
    }
    out->manifest = text_of(a, &text);
    return e;
}
