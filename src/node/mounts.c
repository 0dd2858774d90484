/* A container's mounts: volumes with subPath, /etc/hosts, the termination message. */
#include "node/container.h"
#include "node/dns.h"
#include "node/subpath.h"
#include "node/volumes.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *propagation(const struct json *mount) {
    const char *mode = json_str_or(mount, "mountPropagation", "None");
    if (str_eq(mode, "HostToContainer")) return "PROPAGATION_HOST_TO_CONTAINER";
    return str_eq(mode, "Bidirectional") ? "PROPAGATION_BIDIRECTIONAL" : "PROPAGATION_PRIVATE";
}

static struct error *check_sub_path(const char *p, struct arena *a) {
    if (*p == '/') return error_new("error SubPath `%s` must not be an absolute path", p);
    size_t count;
    char **parts = str_split(a, p, '/', &count);
    for (size_t i = 0; i < count; i++)
        if (str_eq(parts[i], "..")) return error_new("unable to provision SubPath `%s`: must not contain '..'", p);
    return NULL;
}

static struct error *sub_path(struct container_context *c, const struct json *mount, const char **out) {
    const char *expr = json_str_or(mount, "subPathExpr", ""), *p = json_str_or(mount, "subPath", ""), *missing = NULL;
    if (*expr) p = expand_variables(c->a, expr, c->env, &missing);
    if (missing) return error_new("missing value for %s", missing);
    *out = p;
    return *p ? check_sub_path(p, c->a) : NULL;
}

static const struct json *image_mount(struct container_context *c, const struct json *mount, const struct json *image) {
    return json_make(c->a, "{'container_path':%s,'readonly':true,'image':{'image':%s},'image_sub_path':%s}", json_str(mount, "mountPath"),
                     json_str(image, "reference"), json_str(mount, "subPath"));
}

static const struct json *find_volume(const struct json *pod, const char *name) {
    JSON_EACH(v, json_get(pod, "spec.volumes"))
        if (json_str_is(v, "name", name)) return v;
    return NULL;
}

static struct error *add_volume(struct container_context *c, struct json_array *out, const struct json *mount, size_t index) {
    const char *name = json_str_or(mount, "name", ""), *container = json_str_or(c->container, "name", ""), *sub = "";
    const struct json *image = json_member(find_volume(c->pod, name), "image");
    bool read_only = json_bool(mount, "readOnly", false), volume_read_only = false;
    if (image) {
        json_array_add(out, image_mount(c, mount, image));
        return NULL;
    }
    const char *path = volume_path(c->a, c->w, c->pod, name, &volume_read_only);
    if (!path) return error_new("cannot find volume \"%s\" to mount into container \"%s\"", name, container);
    TRY(sub_path(c, mount, &sub));
    if (*sub) {
        struct error *e = sub_path_bind(c->a, c->w, path, sub, name, container, index, &path);
        if (e) {
            error_free(e);
            return error_new("failed to prepare subPath for volumeMount \"%s\" of container \"%s\"", name, container);
        }
    }
    const char *target = json_str_or(mount, "mountPath", "");
    if (*target != '/') target = arena_printf(c->a, "/%s", target);
    bool recursive = str_eq(json_str(mount, "recursiveReadOnly"), "Enabled");
    json_array_add(out, json_make(c->a, "{'container_path':%s,'host_path':%s,'readonly':%b,'propagation':%s,'recursive_read_only':%b}", target,
                                  path, read_only || volume_read_only, propagation(mount), recursive));
    return NULL;
}

static bool mounts_at(const struct json *container, const char *path) {
    JSON_EACH(m, json_member(container, "volumeMounts"))
        if (json_str_is(m, "mountPath", path)) return true;
    return false;
}

static struct error *add_message_file(struct container_context *c, struct json_array *out) {
    const char *target = json_str_or(c->container, "terminationMessagePath", "/dev/termination-log");
    if (!*target) return NULL;
    const char *dir = worker_dir(c->a, c->w, "containers/%s", json_str_or(c->container, "name", ""));
    uint32_t tag;
    random_bytes(&tag, sizeof(tag));
    const char *file = arena_printf(c->a, "%s/%08x", dir, tag);
    TRY(dir_make(dir, 0750));
    cleanup_fd int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || fchmod(fd, 0666) != 0) return error_sys(errno, "creating %s", file);
    json_array_add(out, json_make(c->a, "{'container_path':%s,'host_path':%s}", target, file));
    return NULL;
}

struct error *container_mounts(struct container_context *c, const struct json **mounts) {
    struct json_array out = {.arena = c->a};
    size_t i = 0;
    JSON_EACH(m, json_member(c->container, "volumeMounts")) TRY(add_volume(c, &out, m, i++));
    if (!mounts_at(c->container, "/etc/hosts") && (c->ips[0] || pod_is_host_network(c->pod))) {
        const char *path;
        TRY(hosts_file(c->a, c->w, c->pod, c->ips, &path));
        json_array_add(&out, json_make(c->a, "{'container_path':'/etc/hosts','host_path':%s}", path));
    }
    TRY(add_message_file(c, &out));
    *mounts = json_array_done(&out);
    return NULL;
}

/* volumeDevices: block volumes of local PersistentVolumes. */
const struct json *container_devices(struct container_context *c) {
    struct json_array out = {.arena = c->a};
    JSON_EACH(d, json_member(c->container, "volumeDevices")) {
        bool read_only = false;
        const char *path = volume_path(c->a, c->w, c->pod, json_str_or(d, "name", ""), &read_only);
        if (path) json_array_add(&out, json_make(c->a, "{'container_path':%s,'host_path':%s,'permissions':%s}", json_str(d, "devicePath"),
                                                 path, read_only ? "r" : "mrw"));
    }
    return json_array_done(&out);
}
