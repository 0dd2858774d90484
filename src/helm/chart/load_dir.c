/* The files of a chart directory. Links are followed, as helm does, but only to what lies within limits of size, number and depth. */
#include "base/str.h"
#include "helm/chart/chart.h"
#include "helm/chart/ignore.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_FILE = 5 * 1024 * 1024,
    MAX_FILES = 100000,
    MAX_DEPTH = 200,
    SMALL = 8192,   /* bytes: files below are read at once */
    MAPPED = 16384, /* bytes, from which files that are no templates are mapped */
};
static const size_t max_chart = (size_t)1 << 30;

struct walk {
    struct arena *arena;
    const char *top; /* absolute, with a '/' at its end */
    struct ignore_rules rules;
    struct chart_files *files;
    size_t total, page;
    enum chart_bytes bytes;
    union { /* room for what is read before it is looked at */
        char small[SMALL];
        _Alignas(struct dirent64) char entries[SMALL];
    };
};

/* One name in a directory, where `type` is a dirent's; DT_UNKNOWN: not known yet. Of the path's start `dir` is open. */
struct place {
    int dir;
    const char *path, *base; /* base: the part of the path behind `dir` */
    unsigned char type;
    unsigned depth;
};

static struct error *visit(struct walk *w, struct place *at);

static struct error *visit_link(struct walk *w, const struct place *at) {
    char resolved[PATH_MAX];
    if (realpath(at->path, resolved) == NULL) return error_wrap(go_path_error("lstat", at->path, errno), "error evaluating symlink %s", at->path);
    fprintf(stderr, "found symbolic link in path: %s resolves to %s. Contents of linked file included and used\n", at->path, resolved);
    /* helm takes what it finds there under its resolved name, cut only where that lies inside the chart */
    const char *path = arena_strdup(w->arena, resolved);
    return visit(w, &(struct place){.dir = AT_FDCWD, .path = path, .base = path, .type = DT_UNKNOWN, .depth = at->depth + 1});
}

/* ---- directories ---- */

struct names { /* each with its type in front */
    const char **items;
    size_t count, cap;
};

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1); }

static void add_name(struct arena *a, struct names *names, const struct dirent64 *e) {
    if (names->count == names->cap) {
        size_t cap = names->cap * 2 + 16;
        names->items = arena_grow(a, names->items, names->cap * sizeof(*names->items), cap * sizeof(*names->items));
        names->cap = cap;
    }
    size_t n = strlen(e->d_name) + 1;
    char *name = arena_alloc(a, n + 1);
    name[0] = (char)e->d_type;
    memcpy(name + 1, e->d_name, n);
    names->items[names->count++] = name;
}

/* Sorted. Not by readdir(3), which would ask the kernel twice as often and take memory for each open directory. */
static struct error *read_names(struct walk *w, const struct place *at, int fd, struct arena *a, struct names *out) {
    ssize_t n;
    while ((n = getdents64(fd, w->entries, sizeof(w->entries))) > 0) {
        const struct dirent64 *e;
        for (ssize_t i = 0; i < n; i += e->d_reclen) {
            e = (const struct dirent64 *)(const void *)(w->entries + i);
            if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..")) add_name(a, out, e);
        }
    }
    if (n < 0) return go_path_error("readdirent", at->path, errno);
    if (out->count > 0) qsort(out->items, out->count, sizeof(*out->items), by_name);
    return NULL;
}

static struct error *visit_dir(struct walk *w, const struct place *at) {
    cleanup_arena struct arena scratch = {0};
    struct names names = {0};
    cleanup_fd int fd = openat(at->dir, at->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return go_path_error("open", at->path, errno);
    TRY(read_names(w, at, fd, &scratch, &names));
    size_t n = strlen(at->path), slash = at->path[n - 1] != '/';
    for (size_t i = 0; i < names.count; i++) {
        size_t len = strlen(names.items[i] + 1);
        char *path = arena_alloc(w->arena, n + slash + len + 1);
        memcpy(path, at->path, n);
        path[n] = '/';
        memcpy(path + n + slash, names.items[i] + 1, len + 1);
        struct place child = {.dir = fd, .path = path, .base = path + n + slash, .type = (unsigned char)names.items[i][0], .depth = at->depth + 1};
        TRY(visit(w, &child));
    }
    return NULL;
}

/* ---- files ---- */

/* The length of the byte order mark that the data begin with. */
static size_t mark_length(const char *data, size_t len) { return len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; }

/* Borrowed files are mapped when they are large, since a render may well never look at them (custom resource definitions, documents,
 * dashboards); large templates, since they are needed one after the other. Behind the last byte there is a NUL, unless the
 * file ends with its page: then it is not mapped. */
static bool map_file(const struct walk *w, int fd, size_t size, struct chart_file *file) {
    bool template = strstr(file->name, "templates/") != NULL;
    if (w->bytes != CHART_BORROWED || size % w->page == 0 || (size < MAPPED && !template)) return false;
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | (template ? MAP_POPULATE : 0), fd, 0);
    if (p == MAP_FAILED) return false;
    char start[3];
    ssize_t n = template ? 0 : pread(fd, start, sizeof(start), 0); /* a page of what is not needed shall not be touched */
    size_t mark = template ? mark_length(p, size) : mark_length(start, (size_t)MAX(n, 0));
    file->data = (char *)p + mark;
    file->len = size - mark;
    return file->mapped = true;
}

static void set_data(struct chart_file *file, char *data, size_t len) {
    data[len] = '\0';
    size_t mark = mark_length(data, len);
    file->data = data + mark;
    file->len = len - mark;
}

/* Reads up to `size` bytes; *len < size: that was all of the file, for files on disks give what they have. */
static struct error *read_bytes(const struct chart_file *file, const char *path, int fd, char *data, size_t size, size_t *len) {
    ssize_t n;
    do n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    *len = (size_t)MAX(n, 0);
    return n < 0 ? error_wrap(go_path_error("read", path, errno), "error reading %s", file->name) : NULL;
}

void chart_file_unneeded(const struct chart_file *f) {
    if (!f->mapped) return;
    size_t within = (uintptr_t)f->data % (uintptr_t)sysconf(_SC_PAGESIZE); /* a byte order mark was cut off */
    madvise((char *)(uintptr_t)f->data - within, f->len + within, MADV_DONTNEED);
}

static struct error *too_large(const char *path) {
    const char *base = strrchr(path, '/') + 1;
    cleanup_buf struct buf name = {0};
    go_quote(&name, base, strlen(base));
    return error_new("chart file %s is larger than the maximum file size %d", buf_str(&name), MAX_FILE);
}

static struct error *irregular(const char *path) {
    return error_new("cannot load irregular file %s as it has file mode type bits set", path);
}

/* What is in no small file: `start` is its beginning. */
static struct error *read_large(struct walk *w, const char *path, int fd, size_t start, struct chart_file *file) {
    struct stat st;
    if (fstat(fd, &st) != 0) return error_wrap(go_path_error("open", path, errno), "error reading %s", file->name);
    if (!S_ISREG(st.st_mode)) return irregular(path);
    if (st.st_size > MAX_FILE) return too_large(path);
    size_t size = MAX((size_t)st.st_size, start);
    if (map_file(w, fd, size, file)) return NULL;
    char *data = arena_alloc(w->arena, size + 1);
    memcpy(data, w->small, start);
    for (size_t n = 1; start < size && n > 0; start += n) TRY(read_bytes(file, path, fd, data + start, size - start, &n));
    set_data(file, data, start);
    return NULL;
}

static struct error *visit_file(struct walk *w, const struct place *at, const char *name) {
    if (at->type != DT_REG) return irregular(at->path);
    struct chart_file file = {.name = name};
    cleanup_fd int fd = openat(at->dir, at->base, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return error_wrap(go_path_error("open", at->path, errno), "error reading %s", name);
    size_t n;
    TRY(read_bytes(&file, at->path, fd, w->small, SMALL, &n));
    if (n == SMALL) TRY(read_large(w, at->path, fd, n, &file));
    else set_data(&file, memcpy(arena_alloc(w->arena, n + 1), w->small, n), n);
    w->total += file.len;
    if (w->files->count >= MAX_FILES || w->total > max_chart) return error_new("chart %s is too large: more than %d files or 1 GiB", w->top, MAX_FILES);
    chart_files_add(w->arena, w->files, file);
    return NULL;
}

static struct error *find_type(struct place *at) {
    struct stat st;
    if (at->type != DT_UNKNOWN) return NULL;
    if (fstatat(at->dir, at->base, &st, AT_SYMLINK_NOFOLLOW) != 0) return go_path_error("lstat", at->path, errno);
    at->type = (unsigned char)IFTODT(st.st_mode);
    return NULL;
}

static struct error *visit(struct walk *w, struct place *at) {
    if (at->depth > MAX_DEPTH) return error_new("chart %s: directories are nested more than %d deep, or links lead in a circle", w->top, MAX_DEPTH);
    TRY(find_type(at));
    if (at->type == DT_LNK) return visit_link(w, at);
    const char *name = str_starts(at->path, w->top) ? at->path + strlen(w->top) : at->path;
    if (name[0] != '\0' && ignore_matches(&w->rules, name, at->type == DT_DIR)) return NULL;
    return at->type == DT_DIR ? visit_dir(w, at) : visit_file(w, at, name);
}

static struct error *absolute(struct arena *a, const char *dir, const char **out) {
    char here[PATH_MAX];
    if (dir[0] != '/' && getcwd(here, sizeof here) == NULL) return go_path_error("getwd", ".", errno);
    *out = path_clean(a, dir[0] == '/' ? dir : arena_printf(a, "%s/%s", here, dir));
    return NULL;
}

struct error *chart_directory_files(struct arena *a, const char *dir, enum chart_bytes bytes, struct chart_files *out) {
    const char *top;
    TRY(absolute(a, dir, &top));
    struct walk w = {.arena = a, .files = out, .rules = {.arena = a}, .bytes = bytes, .page = (size_t)sysconf(_SC_PAGESIZE)};
    w.top = str_eq(top, "/") ? top : arena_printf(a, "%s/", top);
    const char *ignore_file = arena_printf(a, "%s.helmignore", w.top);
    struct stat st;
    if (stat(ignore_file, &st) == 0) {
        cleanup_buf struct buf text = {0};
        TRY(go_read_file(ignore_file, MAX_FILE, &text));
        TRY(ignore_parse(&w.rules, buf_str(&text), text.len));
    }
    ignore_add_defaults(&w.rules);
    return visit_dir(&w, &(struct place){.dir = AT_FDCWD, .path = w.top, .base = w.top, .type = DT_DIR});
}
