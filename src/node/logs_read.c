/* Reading a container's log for `kubectl logs`: tail, since, limits, follow over rotations. */
#include "node/logs.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (64 * 1024)

struct log_reader {
    const struct log_options *o;
    bool (*write)(void *arg, const void *p, size_t n);
    void *arg;
    int fd;
    struct buf in, out;
    int64_t left;       /* bytes of limit_bytes; -1: no limit */
    bool line_open;     /* a partial record went before */
    bool done;
};

/* Where the last `lines` lines start; partial records are part of their line. */
static off_t tail_offset(int fd, int64_t lines) {
    struct stat st;
    if (lines < 0 || fstat(fd, &st) != 0) return 0;
    off_t at = st.st_size;
    cleanup_free char *block = xmalloc(CHUNK);
    for (int64_t seen = 0; at > 0;) {
        off_t from = at > CHUNK ? at - CHUNK : 0;
        ssize_t n = pread(fd, block, (size_t)(at - from), from);
        if (n <= 0) return 0;
        for (ssize_t i = n; i > 0; i--)
            if (block[i - 1] == '\n' && from + i != st.st_size && ++seen == lines) return from + i;
        at = from;
    }
    return lines == 0 ? st.st_size : 0;
}

static void emit(struct log_reader *r, const char *p, size_t n) {
    if (r->left >= 0) {
        n = MIN(n, (size_t)r->left);
        r->left -= (int64_t)n;
        r->done |= r->left == 0;
    }
    buf_add(&r->out, p, n);
}

static void record(struct log_reader *r, char *line, size_t n) {
    char *stream = memchr(line, ' ', n);
    char *tag = stream ? memchr(stream + 1, ' ', n - (size_t)(stream + 1 - line)) : NULL;
    char *text = tag ? memchr(tag + 1, ' ', n - (size_t)(tag + 1 - line)) : NULL;
    int64_t when;
    if (!text) return;
    *stream = *tag = '\0';
    if (r->o->since && time_parse(line, &when) && when < r->o->since) return;
    if (r->o->stream && !str_eq(r->o->stream, stream + 1)) return;
    bool partial = tag[1] == 'P';
    if (r->o->timestamps && !r->line_open) {
        emit(r, line, strlen(line));
        emit(r, " ", 1);
    }
    text++;
    emit(r, text, n - (size_t)(text - line));
    if (!partial) emit(r, "\n", 1);
    r->line_open = partial;
}

static bool flush(struct log_reader *r) {
    bool ok = r->out.len == 0 || r->write(r->arg, r->out.data, r->out.len);
    buf_clear(&r->out);
    r->done |= !ok;
    return !r->done;
}

/* Reads up to the present end. */
static void drain(struct log_reader *r) {
    cleanup_free char *block = xmalloc(CHUNK);
    for (ssize_t n; !r->done && (n = read(r->fd, block, CHUNK)) > 0;) {
        buf_add(&r->in, block, (size_t)n);
        size_t used = 0;
        for (char *end; !r->done && (end = memchr(r->in.data + used, '\n', r->in.len - used)); used = (size_t)(end - r->in.data) + 1)
            record(r, r->in.data + used, (size_t)(end - r->in.data) - used);
        buf_consume(&r->in, used);
        if (!flush(r)) return;
    }
}

/* The name stands for another file now: it was rotated. */
static bool reopen(struct log_reader *r, const char *path) {
    struct stat now, old;
    if (stat(path, &now) != 0 || fstat(r->fd, &old) != 0 || now.st_ino == old.st_ino) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    drain(r);
    close(r->fd);
    r->fd = fd;
    return true;
}

static void follow(struct log_reader *r, const char *path, bool (*ended)(void *arg)) {
    cleanup_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch >= 0) inotify_add_watch(watch, path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
    while (!r->done) {
        bool last = ended(r->arg);
        drain(r);
        if (reopen(r, path)) {
            if (watch >= 0) inotify_add_watch(watch, path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
            continue;
        }
        if (last || r->done) return;
        char events[4096];
        struct pollfd p = {.fd = watch, .events = POLLIN};
        if (poll(&p, 1, 500) > 0) (void)!read(watch, events, sizeof(events)); /* the end of a container makes no file event */
    }
}

struct error *logs_read(const char *path, const struct log_options *o, bool (*write_fn)(void *arg, const void *p, size_t n),
                        bool (*ended)(void *arg), void *arg) {
    struct log_reader r = {.o = o, .write = write_fn, .arg = arg, .left = o->limit_bytes};
    r.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r.fd < 0) return error_sys(errno, "failed to try resolving symlinks in path \"%s\"", path);
    lseek(r.fd, tail_offset(r.fd, o->tail_lines), SEEK_SET);
    r.done = o->limit_bytes == 0;
    drain(&r);
    if (o->follow) follow(&r, path, ended);
    close(r.fd);
    buf_free(&r.in), buf_free(&r.out);
    return NULL;
}
