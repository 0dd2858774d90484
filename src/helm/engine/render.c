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

static const char head[] = "---\n# Source: ", hidden_note[] = "# HIDDEN: The Secret output has been suppressed";

/* Writes documents one behind the other; counts only while there is no room yet. */
struct writer {
    char *at;
    size_t size;
};

static void put(struct writer *w, const char *s) {
    size_t n = strlen(s);
    w->size += n;
    if (w->at != NULL) w->at = (char *)memcpy(w->at, s, n) + n;
}

static struct error *put_document(const struct render_options *o, struct writer *w, bool crd, const char *name, const char *content) {
    if (o->write_file != NULL) return o->write_file(o->write_arg, crd, name, content);
    put(w, head), put(w, name), put(w, "\n"), put(w, content), put(w, "\n");
    return NULL;
}

static struct error *put_all(const struct chart_files *crds, const struct render_options *o, const struct manifests *m, struct writer *w) {
    for (size_t i = 0; i < crds->count; i++) TRY(put_document(o, w, true, crds->items[i].name, crds->items[i].data));
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest *d = &m->items[i];
        bool hidden = o->hide_secrets && o->write_file == NULL && str_eq(d->kind, "Secret") && str_eq(d->api_version, "v1");
        TRY(put_document(o, w, false, d->name, hidden ? hidden_note : d->content));
    }
    return NULL;
}

/* The manifest in one piece of memory, made to measure. */
static struct error *write_documents(struct arena *a, struct chart *c, const struct render_options *o, const struct manifests *m, char **out) {
    struct chart_files crds = o->include_crds ? chart_crds(a, c) : (struct chart_files){0};
    struct writer count = {0}, w = {0};
    TRY(put_all(&crds, o, m, &count));
    if (o->write_file != NULL) return NULL;
    w.at = *out = arena_alloc(a, count.size + 1);
    TRY(put_all(&crds, o, m, &w));
    *w.at = '\0';
    return NULL;
}

/* What could not be parsed, as it was rendered. */
static char *raw_text(struct arena *a, const struct engine_files *files) {
    struct buf text = {0};
    for (size_t i = 0; i < files->count; i++) {
        if (!is_blank(&files->items[i])) buf_printf(&text, "---\n# Source: %s\n%s\n", files->items[i].name, files->items[i].text);
    }
    char *copy = arena_strdup(a, buf_str(&text));
    buf_free(&text);
    return copy;
}

/* Sorting cuts the texts up: they are sorted as copies where an error would have to show them. */
static struct error *sort(struct arena *a, const struct engine_files *files, const struct render_options *o, struct rendered *out) {
    char *raw = o->keep_unparsable ? raw_text(a, files) : NULL;
    struct error *e = manifests_sort(a, files, &out->manifests);
    if (e != NULL && raw != NULL) out->manifest = raw;
    return e;
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
    TRY(sort(a, &files, o, out));
    TRY(write_documents(a, c, o, &out->manifests, &out->manifest));
    if (o->post_render == NULL) return NULL;
    cleanup_buf struct buf changed = {0};
    struct error *e = o->post_render(o->post_render_arg, out->manifest, strlen(out->manifest), &changed);
    if (e != NULL) return error_wrap(e, "error while running post render on files");
    out->manifest = arena_strndup(a, buf_str(&changed), changed.len);
    return NULL;
}
