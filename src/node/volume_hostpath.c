#include "node/volumes.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *type, *what;
    mode_t format;
} checks[] = {{"Directory", "directory", S_IFDIR}, {"File", "file", S_IFREG}, {"Socket", "socket", S_IFSOCK},
              {"CharDevice", "character device", S_IFCHR}, {"BlockDevice", "block device", S_IFBLK}};

static struct error *make_file(const char *path) {
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 && errno != EEXIST ? error_sys(errno, "open %s", path) : NULL;
}

struct error *host_path_prepare(const char *path, const char *type) {
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (!*type) return NULL;
    if (str_eq(type, "DirectoryOrCreate") && !there) return dir_make(path, 0755);
    if (str_eq(type, "FileOrCreate") && !there) return make_file(path);
    if (str_ends(type, "OrCreate")) type = str_starts(type, "Dir") ? "Directory" : "File";
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (str_eq(type, checks[i].type) && !(there && (st.st_mode & S_IFMT) == checks[i].format))
            return error_new("hostPath type check failed: %s is not a %s", path, checks[i].what);
    return NULL;
}

static struct error *mount_it(struct volume *v) {
    v->path = json_str_or(v->source, "path", "");
    return host_path_prepare(v->path, json_str_or(v->source, "type", ""));
}

const struct volume_type volume_host_path = {"hostPath", NULL, mount_it};
