/* Tables and metadata-only forms of answers (metav1.Table, PartialObjectMetadata). */
#include "apiserver/table.h"
#include "apiserver/crd.h"
#include "apiserver/internal.h"

/* ---- cells ---- */

void cell_str(struct cells *c, const char *s) { json_array_add(&c->out, json_string(c->arena, s ? s : "")); }
void cell_int(struct cells *c, int64_t i) { json_array_add(&c->out, json_integer(c->arena, i)); }
void cell_bool(struct cells *c, bool b) { json_array_add(&c->out, json_boolean(b)); }

void cell_strf(struct cells *c, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    json_array_add(&c->out, json_string(c->arena, arena_vprintf(c->arena, fmt, args)));
    va_end(args);
}

void cell_since(struct cells *c, const char *time) {
    int64_t when;
    char text[TIME_STRING_MAX];
    if (time == NULL || !time_parse(time, &when)) return cell_str(c, "<unknown>");
    cell_str(c, time_human_duration(text, c->now - when));
}

void cell_age(struct cells *c, const struct json *o) { cell_since(c, json_str(o, "metadata.creationTimestamp")); }

static int by_key(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

const char *cell_labels(struct cells *c, const struct json *labels) {
    size_t n = json_len(labels), i = 0;
    if (n == 0) return "<none>";
    const char **parts = arena_calloc(c->arena, n, sizeof(*parts));
    JSON_EACH_MEMBER(m, labels) parts[i++] = arena_printf(c->arena, "%s=%s", m->key, json_str_or(&m->value, NULL, ""));
    qsort(parts, n, sizeof(*parts), by_key);
    const char *out = parts[0];
    for (i = 1; i < n; i++) out = arena_printf(c->arena, "%s,%s", out, parts[i]);
    return out;
}

const char *cell_selector(struct cells *c, const struct json *label_selector) {
    struct selector *s;
    if (label_selector == NULL) return "<none>";
    cleanup_error struct error *e = label_selector_from_json(c->arena, label_selector, &s);
    const char *text = e ? "<error>" : label_selector_text(c->arena, s);
    return *text ? text : "<none>";
}

void cell_containers(struct cells *c, const struct json *spec) {
    const char *names = "", *images = "";
    JSON_EACH(x, json_member(spec, "containers")) {
        names = arena_printf(c->arena, *names ? "%s,%s" : "%s%s", names, json_str_or(x, "name", ""));
        images = arena_printf(c->arena, *images ? "%s,%s" : "%s%s", images, json_str_or(x, "image", ""));
    }
    cell_str(c, names);
    cell_str(c, images);
}

/* ---- rows ---- */

static printer_fn *printer_of(const struct resource *r) {
    static const struct printer *const all[] = {printers_core, printers_workloads, printers_others};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (const struct printer *p = all[i]; p->resource; p++) {
            if (p->resource == r) return p->print;
        }
    }
    return NULL;
}

static const struct json *cells_of(struct request *r, const struct json *o) {
    struct cells c = {.arena = r->arena, .out = {.arena = r->arena}, .now = request_now(r), .resource = r->resource};
    printer_fn *print = printer_of(r->resource);
    cell_str(&c, json_str_or(o, "metadata.name", ""));
    if (r->resource->crd) crd_cells(&c, o);
    else if (print) print(&c, o);
    else if (r->resource->column_count > 1) cell_str(&c, json_str_or(o, "metadata.creationTimestamp", ""));
    return json_array_done(&c.out);
}

/* Upstream has it in a field of its internal type only. */
static const struct json *without_generation(struct arena *a, const struct json *meta) {
    const struct json *left = json_without_member(a, json_member(meta, "annotations"), "deprecated.daemonset.template.generation");
    if (json_member(meta, "annotations") == NULL) return meta;
    return json_len(left) ? json_with_member(a, meta, "annotations", left) : json_without_member(a, meta, "annotations");
}

const struct json *metadata_of(struct request *r, const struct json *o) {
    const char *version = r->accept.as_version && strcmp(r->accept.as_version, "v1beta1") == 0 ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1";
    const struct json *meta = json_member(o, "metadata");
    if (r->resource == &resource_apps_daemonsets) meta = without_generation(r->arena, meta);
    return json_make(r->arena, "{'kind':'PartialObjectMetadata','apiVersion':%s,'metadata':%v}", version, meta ? meta : &json_empty_object);
}

static const struct json *row_object(struct request *r, const struct json *o) {
    const char *include = query_get(r, "includeObject");
    if (include && strcmp(include, "None") == 0) return &json_null;
    if (include && strcmp(include, "Object") == 0) return o;
    return metadata_of(r, o);
}

/* Rows of terminated pods say so (printers' PodSucceededCondition). */
static const struct json *row_conditions(struct request *r, const struct json *o) {
    const char *phase = json_str_or(o, "status.phase", "");
    if (r->resource != &resource_pods || (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)) return NULL;
    bool ok = strcmp(phase, "Succeeded") == 0;
    return json_make(r->arena, "[{'type':'Completed','status':'True','reason':%s,'message':%s}]", phase,
                     ok ? "The pod has completed successfully." : "The pod failed.");
}

static const struct json *row(struct request *r, const struct json *o) {
    return json_make(r->arena, "{'cells':%v,'conditions':%v,'object':%v}", cells_of(r, o), row_conditions(r, o), row_object(r, o));
}

static const struct json *columns(struct request *r) {
    struct json_array out = {.arena = r->arena};
    for (size_t i = 0; i < r->resource->column_count; i++) {
        const struct column *c = &r->resource->columns[i];
        json_array_add(&out, json_make(r->arena, "{'name':%s,'type':%s,'format':%s,'description':%s,'priority':%d}", c->name, c->type, c->format ? c->format : "",
                                       c->description ? c->description : "", c->priority));
    }
    return json_array_done(&out);
}

static const struct json *table(struct request *r, const struct json *meta, const struct json *definitions, const struct json *rows) {
    const char *version = r->accept.as_version && strcmp(r->accept.as_version, "v1beta1") == 0 ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1";
    return json_make(r->arena, "{'kind':'Table','apiVersion':%s,'metadata':%v,'columnDefinitions':%v,'rows':%v}", version, meta, definitions, rows);
}

const struct json *table_of_list(struct request *r, const struct list_answer *l, const struct json *meta) {
    struct json_array rows = {.arena = r->arena};
    for (size_t i = 0; i < l->len; i++) json_array_add(&rows, row(r, l->docs[i]->root));
    return table(r, meta, columns(r), json_array_done(&rows));
}

const struct json *table_of_event(struct request *r, const struct json *o, bool first) {
    const struct json *meta = json_make(r->arena, "{'resourceVersion':%v}", json_get(o, "metadata.resourceVersion"));
    return table(r, meta, first ? columns(r) : &json_null, json_append(r->arena, &json_empty_array, row(r, o)));
}

const struct json *table_of_object(struct request *r, struct doc *d) { return table_of_event(r, d->root, true); }

const struct json *metadata_of_object(struct request *r, struct doc *d) { return metadata_of(r, d->root); }

const struct json *metadata_of_list(struct request *r, const struct list_answer *l, const struct json *meta) {
    struct json_array items = {.arena = r->arena};
    const char *version = r->accept.as_version && strcmp(r->accept.as_version, "v1beta1") == 0 ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1";
    for (size_t i = 0; i < l->len; i++) {
        const struct json *o = metadata_of(r, l->docs[i]->root);
        json_array_add(&items, o);
    }
    return json_make(r->arena, "{'kind':'PartialObjectMetadataList','apiVersion':%s,'metadata':%v,'items':%v}", version, meta, json_array_done(&items));
}
