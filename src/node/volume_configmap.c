/* configMap and secret volumes: keys as files. */
#include "node/objects.h"
#include "node/volumes.h"

struct gather {
    struct volume_files *files;
    unsigned mode;
};

static void add_file(void *arg, const char *key, const char *data, size_t len) {
    struct gather *g = arg;
    volume_files_add(g->files, key, data, len, g->mode);
}

static struct error *add_items(struct arena *a, const struct json *object, const struct resource *r, const struct json *items, bool optional,
                               unsigned mode, struct volume_files *f) {
    JSON_EACH(item, items) {
        const char *key = json_str_or(item, "key", ""), *data;
        size_t len;
        if (object_data(a, r, object, key, &data, &len))
            volume_files_add(f, json_str_or(item, "path", key), data, len, (unsigned)json_int(item, "mode", mode));
        else if (!optional)
            return error_new("%s", r == &resource_secrets ? arena_printf(a, "references non-existent secret key: %s", key)
                                                          : arena_printf(a, "configmap references non-existent config key: %s", key));
    }
    return NULL;
}

struct error *collect_object(struct volume *v, const struct json *source, const struct resource *r, int64_t mode, struct volume_files *f) {
    const char *name = json_str_or(source, "name", json_str_or(source, "secretName", ""));
    bool optional = json_bool(source, "optional", false);
    const struct json *items = json_member(source, "items");
    cleanup_doc struct doc *d = NULL;
    struct error *e = object_fetch(v->w->node, r, json_str(v->pod, "metadata.namespace"), name, &d);
    if (error_is(e, "NotFound") && optional) {
        error_free(e);
        return NULL;
    }
    if (e) return e;
    struct gather g = {f, (unsigned)mode};
    if (json_len(items)) return add_items(v->a, d->root, r, items, optional, (unsigned)mode, f);
    object_each(v->a, r, d->root, add_file, &g);
    return NULL;
}

static struct error *mount_config_map(struct volume *v) {
    struct volume_files f = {.a = v->a};
    TRY(collect_object(v, v->source, &resource_configmaps, json_int(v->source, "defaultMode", 0644), &f));
    TRY(dir_make(v->path, 0755));
    return volume_files_write(v->path, &f, pod_fs_group(v->pod));
}

/* Secrets never touch the disk. */
static struct error *mount_secret(struct volume *v) {
    struct volume_files f = {.a = v->a};
    TRY(collect_object(v, v->source, &resource_secrets, json_int(v->source, "defaultMode", 0644), &f));
    TRY(volume_tmpfs(v->path, 0, 0755));
    return volume_files_write(v->path, &f, pod_fs_group(v->pod));
}

const struct volume_type volume_config_map = {"configMap", "kubernetes.io~configmap", mount_config_map, .refresh = true};
const struct volume_type volume_secret = {"secret", "kubernetes.io~secret", mount_secret, .refresh = true};
