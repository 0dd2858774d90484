#include "base/str.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct error *file_read(const char *path, size_t max, struct buf *out) {
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_sys(errno, "open %s", path);
    size_t before = out->len;
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(errno, "read %s", path);
        if (n == 0) return NULL;
        buf_add(out, chunk, (size_t)n);
        if (out->overflow || (max && out->len - before > max)) return error_new("read %s: larger than %zu bytes", path, max);
    }
}

static int write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* The rename is durable only when the directory is. */
static int sync_parent(const char *path) {
    cleanup_free char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/');
    if (slash != NULL) slash[slash == dir] = '\0';
    cleanup_fd int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? errno : 0;
}

struct error *file_write_atomic(const char *path, const void *p, size_t n, unsigned mode) {
    cleanup_free char *temporary = xprintf("%s.XXXXXX", path);
    cleanup_fd int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return error_sys(errno, "create %s", temporary);
    int sys = write_all(fd, p, n);
    if (sys == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0)) sys = errno;
    if (sys == 0) sys = sync_parent(path);
    else unlink(temporary);
    return sys ? error_sys(sys, "write %s", path) : NULL;
}

struct error *dir_make(const char *path, unsigned mode) {
    if (mkdir(path, mode) == 0) return NULL;
    if (errno == ENOENT) {
        cleanup_free char *parent = xstrdup(path);
        char *slash = strrchr(parent, '/');
        if (slash == NULL || slash == parent) return error_sys(ENOENT, "mkdir %s", path);
        *slash = '\0';
        TRY(dir_make(parent, mode));
        if (mkdir(path, mode) == 0) return NULL;
    }
    int sys = errno;
    struct stat st;
    if (sys == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return NULL;
    return error_sys(sys, "mkdir %s", path);
}

/* `fd` is consumed. A directory on another device is a mount and is left alone: removing it then fails with EBUSY.
 * (Bind mounts from the same device are caught by the kernel too, when their own directory is removed, but their
 * content would be lost first; so mount ids are compared where the kernel tells them.) */
static uint64_t mount_of(int fd) {
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0 && (st.stx_mask & STATX_MNT_ID)) return st.stx_mnt_id;
    struct stat old;
    return fstat(fd, &old) == 0 ? (uint64_t)old.st_dev : 0;
}

static int empty(int fd, uint64_t mount) {
    if (mount_of(fd) != mount) {
        close(fd);
        return EBUSY;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return ENOMEM;
    }
    int sys = 0;
    for (struct dirent *e; sys == 0 && (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT) continue;
        sys = errno;
        if (sys != EISDIR && sys != EPERM) continue;
        int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        sys = sub < 0 ? errno : empty(sub, mount);
        if (sys == 0 && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0) sys = errno;
    }
    closedir(dir);
    return sys;
}

struct error *dir_remove(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? NULL : error_sys(errno, "remove %s", path);
    int sys = empty(fd, mount_of(fd));
    if (sys == 0 && rmdir(path) < 0) sys = errno;
    return sys ? error_sys(sys, "remove %s", path) : NULL;
}
