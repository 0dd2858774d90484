/* Files with Go's error texts: see os.h. */
#include "helm/go/os.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Go's texts are the C library's without the capital at the start. */
struct error *go_path_error(const char *op, const char *path, int sys) {
    cleanup_free char *text = xstrdup(strerror(sys));
    if (sys != EIO) text[0] = (char)tolower((unsigned char)text[0]);
    struct error *e = error_new("%s %s: %s", op, path, sys == EIO ? "input/output error" : text);
    e->sys = sys;
    return e;
}

struct error *go_read_file(const char *path, size_t max, struct buf *out) {
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return go_path_error("open", path, errno);
    struct stat st;
    size_t limit = max != 0 ? max : (size_t)1 << 30, total = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) buf_reserve(out, MIN((size_t)st.st_size, limit) + 1);
    for (;;) {
        if (out->cap - out->len < 4096 && (st.st_size == 0 || out->len + 1 >= out->cap)) buf_reserve(out, 65536);
        size_t room = out->cap - out->len - 1;
        ssize_t n = read(fd, out->data + out->len, room);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return go_path_error("read", path, errno);
        if (n == 0) break;
        out->len += (size_t)n;
        total += (size_t)n;
        if (total > limit) return error_new("read %s: file too large", path);
    }
    if (out->data != NULL) out->data[out->len] = '\0';
    return NULL;
}

struct error *go_write_file(const char *path, const void *p, size_t n) {
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return go_path_error("open", path, errno);
    for (const char *at = p; n > 0;) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return go_path_error("write", path, errno);
        at += done;
        n -= (size_t)done;
    }
    return NULL;
}

struct error *go_mkdir_all(const char *path) {
    cleanup_free char *copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0') continue;
        char end = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(copy, 0755) != 0 && (errno != EEXIST || stat(copy, &st) != 0 || !S_ISDIR(st.st_mode)))
            return go_path_error("mkdir", copy, errno == EEXIST ? ENOTDIR : errno);
        if (end == '\0') return NULL;
        *p = end;
    }
}

char *path_clean(struct arena *a, const char *path) {
    size_t n = strlen(path);
    char *out = arena_alloc(a, n + 2);
    bool rooted = path[0] == '/';
    size_t len = rooted, floor = rooted; /* what ".." must not take away begins at floor */
    out[0] = '/';
    for (const char *p = path; *p != '\0';) {
        size_t part = strcspn(p, "/");
        if (part == 2 && p[0] == '.' && p[1] == '.') {
            if (len > floor) {
                while (len > floor && out[len - 1] != '/') len--;
                if (len > floor) len--; /* the slash */
            } else if (!rooted) {
                if (len > 0) out[len++] = '/';
                memcpy(out + len, "..", 2);
                len += 2;
                floor = len;
            }
        } else if (part > 0 && !(part == 1 && p[0] == '.')) {
            if (len > (size_t)rooted) out[len++] = '/';
            memmove(out + len, p, part);
            len += part;
        }
        p += part + (p[part] == '/');
    }
    if (len == 0) out[len++] = '.';
    out[len] = '\0';
    return out;
}

char *path_join(struct arena *a, const char *left, const char *right) {
    if (left[0] == '\0') return right[0] == '\0' ? arena_strdup(a, "") : path_clean(a, right);
    if (right[0] == '\0') return path_clean(a, left);
    return path_clean(a, arena_printf(a, "%s/%s", left, right));
}
