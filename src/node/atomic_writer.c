/* Files that are replaced as a set: DIR/..TIME.N/ holds them, DIR/..data is a symbolic link to that directory, and DIR/NAME a
 * link to ..data/NAME for each top-level name. Exchanging ..data by rename changes all at once. */
#include "node/volumes.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void volume_files_add(struct volume_files *f, const char *path, const char *data, size_t len, unsigned mode) {
    if (f->len == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 8;
        f->items = arena_grow(f->a, f->items, f->cap * sizeof(*f->items), cap * sizeof(*f->items));
        f->cap = cap;
    }
    for (size_t i = 0; i < f->len; i++) /* the later of two sources wins */
        if (str_eq(f->items[i].path, path)) f->items[i] = f->items[--f->len];
    f->items[f->len++] = (struct volume_file){arena_strdup(f->a, path), arena_dup(f->a, data, len), len, mode, -1};
}

static bool same_file(const char *dir, const struct volume_file *x) {
    cleanup_free char *path = xprintf("%s/..data/%s", dir, x->path);
    cleanup_buf struct buf now = {0};
    struct stat st;
    struct error *e = file_read(path, x->len + 1, &now);
    bool same = !e && now.len == x->len && memcmp(buf_str(&now), x->data, x->len) == 0 && stat(path, &st) == 0;
    error_free(e);
    return same;
}

static size_t count_files(const char *dir) {
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")) continue;
        cleanup_free char *child = xprintf("%s/%s", dir, e->d_name);
        n += e->d_type == DT_DIR ? count_files(child) : 1;
    }
    if (d) closedir(d);
    return n;
}

static bool unchanged(const char *dir, const struct volume_files *f) {
    cleanup_free char *data = xprintf("%s/..data", dir);
    if (access(data, F_OK) != 0 || count_files(data) != f->len) return false;
    for (size_t i = 0; i < f->len; i++)
        if (!same_file(dir, &f->items[i])) return false;
    return true;
}

static struct error *write_one(const char *path, const struct volume_file *x, int64_t fs_group) {
    cleanup_free char *parent = xprintf("%s", path);
    *strrchr(parent, '/') = '\0';
    TRY(dir_make(parent, 0755));
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, x->data, x->len) != (ssize_t)x->len) return error_sys(errno, "writing %s", path);
    if (x->owner >= 0 && fchown(fd, (uid_t)x->owner, (gid_t)-1) != 0) return error_sys(errno, "changing the owner of %s", path);
    if (fs_group >= 0 && fchown(fd, (uid_t)-1, (gid_t)fs_group) != 0) return error_sys(errno, "changing the group of %s", path);
    if (fchmod(fd, x->mode | (fs_group >= 0 ? 0440 : 0)) != 0) return error_sys(errno, "setting the mode of %s", path);
    return NULL;
}

static struct error *link_names(const char *dir, const struct volume_files *f) {
    for (size_t i = 0; i < f->len; i++) {
        size_t n = strcspn(f->items[i].path, "/");
        cleanup_free char *link = xprintf("%s/%.*s", dir, (int)n, f->items[i].path);
        cleanup_free char *target = xprintf("..data/%.*s", (int)n, f->items[i].path);
        if (symlink(target, link) != 0 && errno != EEXIST) return error_sys(errno, "linking %s", link);
    }
    return NULL;
}

static bool is_current_name(const struct volume_files *f, const char *name) {
    for (size_t i = 0; i < f->len; i++)
        if (strncmp(f->items[i].path, name, strlen(name)) == 0 && strchr("/", f->items[i].path[strlen(name)])) return true;
    return false;
}

static void drop_old(const char *dir, const struct volume_files *f, const char *keep) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        cleanup_free char *path = xprintf("%s/%s", dir, e->d_name);
        bool generation = str_starts(e->d_name, "..") && e->d_type == DT_DIR && e->d_name[2];
        if (generation && !str_eq(e->d_name, keep)) error_free(dir_remove(path));
        else if (e->d_type == DT_LNK && e->d_name[0] != '.' && !is_current_name(f, e->d_name)) unlink(path);
        else if (e->d_type == DT_LNK && e->d_name[0] == '.' && e->d_name[1] != '.' && !is_current_name(f, e->d_name)) unlink(path);
    }
    if (d) closedir(d);
}

struct error *volume_files_write(const char *dir, const struct volume_files *f, int64_t fs_group) {
    if (unchanged(dir, f)) return NULL;
    char name[64];
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    strftime(name, sizeof(name), "..%Y_%m_%d_%H_%M_%S.", &tm);
    snprintf(name + strlen(name), 16, "%09ld", t.tv_nsec);
    cleanup_free char *generation = xprintf("%s/%s", dir, name), *tmp = xprintf("%s/..data_tmp", dir), *data = xprintf("%s/..data", dir);
    if (mkdir(generation, 0755) != 0 || chmod(generation, 0755) != 0) return error_sys(errno, "making %s", generation);
    if (fs_group >= 0 && (chown(generation, (uid_t)-1, (gid_t)fs_group) != 0 || chown(dir, (uid_t)-1, (gid_t)fs_group) != 0))
        return error_sys(errno, "changing the group of %s", generation);
    for (size_t i = 0; i < f->len; i++) {
        cleanup_free char *path = xprintf("%s/%s", generation, f->items[i].path);
        TRY(write_one(path, &f->items[i], fs_group));
    }
    unlink(tmp);
    if (symlink(name, tmp) != 0 || rename(tmp, data) != 0) return error_sys(errno, "exchanging %s", data);
    TRY(link_names(dir, f));
    drop_old(dir, f, name);
    return NULL;
}
