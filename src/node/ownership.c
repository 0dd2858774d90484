/* fsGroup: the group owns everything in the volume, may read and write it, and new files inherit it. */
#include "node/volumes.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error *apply(int dir, const char *name, gid_t group, unsigned mask) {
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? NULL : error_sys(errno, "stat of %s", name);
    if (fchownat(dir, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) != 0) return error_sys(errno, "changing the group of %s", name);
    if (S_ISLNK(st.st_mode)) return NULL;
    unsigned mode = (st.st_mode & 07777) | mask | (S_ISDIR(st.st_mode) ? S_ISGID | 0110 : 0);
    if (fchmodat(dir, name, mode, 0) != 0) return error_sys(errno, "setting the mode of %s", name);
    return NULL;
}

static struct error *walk(int dir, gid_t group, unsigned mask) {
    cleanup_fd int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) return error_sys(errno, "reading a volume");
    (void)TAKE_FD(copy);
    struct error *e = NULL;
    for (struct dirent *x; !e && (x = readdir(d));) {
        if (str_eq(x->d_name, ".") || str_eq(x->d_name, "..")) continue;
        e = apply(dir, x->d_name, group, mask);
        cleanup_fd int child = e || x->d_type != DT_DIR ? -1 : openat(dir, x->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0) e = walk(child, group, mask);
    }
    closedir(d);
    return e;
}

struct error *ownership_set(const char *path, int64_t fs_group, bool read_only, bool on_root_mismatch) {
    unsigned mask = read_only ? 0440 : 0660;
    struct stat st;
    cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) return error_sys(errno, "opening volume %s", path);
    bool fits = st.st_gid == (gid_t)fs_group && (st.st_mode & (mask | S_ISGID)) == (mask | S_ISGID);
    if (on_root_mismatch && fits) return NULL;
    TRY(walk(fd, (gid_t)fs_group, mask));
    if (fchown(fd, (uid_t)-1, (gid_t)fs_group) != 0 || fchmod(fd, (st.st_mode & 07777) | mask | S_ISGID | 0110) != 0)
        return error_sys(errno, "changing the group of %s", path);
    return NULL;
}
