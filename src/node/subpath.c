#include "node/subpath.h"
#include "node/volumes.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_in(int root, const char *path, int flags) {
    struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* Makes what is missing, each component with the mode of the volume's own directory. */
static struct error *make_missing(struct arena *a, int root, const char *sub) {
    struct stat st;
    if (fstat(root, &st) != 0) return error_sys(errno, "stat of the volume");
    for (const char *p = sub;; p++) {
        if (*p && *p != '/') continue;
        const char *part = arena_strndup(a, sub, (size_t)(p - sub));
        cleanup_fd int fd = *part ? open_in(root, part, O_PATH) : -1;
        if (*part && fd < 0 && errno == ENOENT) {
            const char *slash = strrchr(part, '/'), *leaf = slash ? slash + 1 : part;
            const char *above = slash ? arena_strndup(a, part, (size_t)(slash - part)) : ".";
            cleanup_fd int dir = open_in(root, above, O_PATH | O_DIRECTORY);
            if (dir < 0 || (mkdirat(dir, leaf, st.st_mode & 07777) != 0 && errno != EEXIST)) return error_sys(errno, "making %s", part);
            cleanup_fd int made = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (made < 0 || fchmod(made, st.st_mode & 07777) != 0) return error_sys(errno, "setting the mode of %s", part);
        }
        if (!*p) return NULL;
    }
}

static struct error *make_target(const char *target, bool directory) {
    struct stat st;
    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode) == directory) return NULL;
    if (directory) return dir_make(target, 0750);
    cleanup_fd int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    return fd < 0 ? error_sys(errno, "making %s", target) : NULL;
}

static struct error *bind_at(int fd, const char *target) {
    struct stat st;
    char source[64];
    if (fstat(fd, &st) != 0) return error_sys(errno, "stat of the subPath");
    while (umount2(target, MNT_DETACH) == 0) {} /* of an earlier container */
    TRY(make_target(target, S_ISDIR(st.st_mode)));
    snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0) return error_sys(errno, "binding the subPath at %s", target);
    return NULL;
}

struct error *sub_path_bind(struct arena *a, struct pod_worker *w, const char *volume, const char *sub, const char *volume_name,
                            const char *container, size_t index, const char **path) {
    cleanup_fd int root = open(volume, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return error_sys(errno, "opening volume %s", volume);
    TRY(make_missing(a, root, sub));
    cleanup_fd int fd = open_in(root, sub, O_PATH);
    if (fd < 0) return error_sys(errno, "opening subPath %s", sub);
    const char *dir = worker_dir(a, w, "volume-subpaths/%s/%s", volume_name, container);
    TRY(dir_make(dir, 0750));
    const char *target = arena_printf(a, "%s/%zu", dir, index);
    TRY(bind_at(fd, target));
    *path = target;
    return NULL;
}
