#include "node/preload.h"
#include "base/log.h"
#include "base/child.h"
#include "node/containerd.h"
#include "node/pause_image.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_COMPONENT "node"

struct error *image_archive_import(const char *socket, const char *path) {
    const char *const argv[] = {"ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", path, NULL};
    int status;
    cleanup_buf struct buf said = {.max = 4096};
    struct error *e = child_run(&(struct child){.argv = argv, .out = &said, .err = &said}, &status);
    if (e) return error_wrap(e, "importing images with ctr, which comes with containerd");
    return status == 0 ? NULL : error_new("importing %s failed: %s", path, buf_str(&said));
}

/* DIR/.imported/NAME has the time of the archive that was read. */
static struct error *import_changed(struct node *n, const char *dir, const char *name) {
    cleanup_arena struct arena a = {0};
    const char *path = arena_printf(&a, "%s/%s", dir, name), *mark = arena_printf(&a, "%s/.imported/%s", dir, name);
    struct stat archive, seen;
    if (stat(path, &archive) != 0 || !S_ISREG(archive.st_mode)) return NULL;
    if (stat(mark, &seen) == 0 && seen.st_mtime >= archive.st_mtime) return NULL;
    TRY(image_archive_import(n->config.runtime_endpoint, path));
    log_info("imported images of %s", path);
    TRY(dir_make(arena_printf(&a, "%s/.imported", dir), 0700));
    return file_write_atomic(mark, "", 0, 0600);
}

static struct error *sandbox_image(struct node *n) {
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    if (!str_eq(n->config.sandbox_image, PAUSE_IMAGE)) return NULL;
    TRY(cri_call(n->cri, CRI_IMAGE_STATUS, &a, json_make(&a, "{'image':{'image':%s}}", PAUSE_IMAGE), SECONDS(30), &answer));
    if (json_member(answer, "image")) return NULL;
    return pause_image_import(n->config.runtime_endpoint, n->config.data_dir);
}

struct error *images_preload(struct node *n) {
    if (!n->containerd) return NULL;
    TRY(sandbox_image(n));
    cleanup_free char *dir = xprintf("%s/images", n->config.data_dir);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!str_ends(e->d_name, ".tar")) continue;
        struct error *bad = import_changed(n, dir, e->d_name);
        if (bad) log_warn("%s", bad->message);
        error_free(bad);
    }
    if (d) closedir(d);
    return NULL;
}
