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

enum { MAX_FILE = 5 * 1024 * 1024, MAX_FILES = 100000, MAX_DEPTH = 200, MAPPED = 16384 /* bytes, from which files are mapped */ };
static const size_t max_chart = (size_t)1 << 30;

struct walk {
    struct arena *arena;
    const char *top; /* absolute, with a '/' at its end */
    struct ignore_rules rules;
    struct chart_files *files;
    size_t total;
};

static struct error *visit(struct walk *w, const char *path, unsigned depth);

static struct error *visit_link(struct walk *w, const char *path, unsigned depth) {
    char resolved[PATH_MAX];
    if (realpath(path, resolved) == NULL) return error_wrap(go_path_error("lstat", path, errno), "error evaluating symlink %s", path);
    fprintf(stderr, "found symbolic link in path: %s resolves to %s. Contents of linked file included and used\n", path, resolved);
    /* helm takes what it finds there under its resolved name, cut only where that lies inside the chart */
    return visit(w, arena_strdup(w->arena, resolved), depth + 1);
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static struct error *visit_dir(struct walk *w, const char *path, unsigned depth) {
    DIR *d = opendir(path);
    if (d == NULL) return go_path_error("open", path, errno);
    const char **names = NULL;
    size_t count = 0, cap = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")) continue;
        if (count == cap) {
            names = arena_grow(w->arena, names, cap * sizeof(*names), (cap * 2 + 16) * sizeof(*names));
            cap = cap * 2 + 16;
        }
        names[count++] = arena_strdup(w->arena, e->d_name);
    }
    closedir(d);
    if (count > 0) qsort(names, count, sizeof(*names), by_name);
    size_t n = strlen(path);
    for (size_t i = 0; i < count; i++) {
        const char *child = arena_printf(w->arena, path[n - 1] == '/' ? "%s%s" : "%s/%s", path, names[i]);
        TRY(visit(w, child, depth + 1));
    }
    return NULL;
}

static const char byte_order_mark[] = "\xEF\xBB\xBF";

/* Large files that a render may well never look at (custom resource definitions, documents, dashboards) are mapped instead of
 * read, for as long as the process lives: commands load a chart or two and end. Behind the last byte there is a NUL, unless
 * the file ends with its page: then it is not mapped. */
static bool map_file(const char *path, size_t size, struct chart_file *file) {
    if (size < MAPPED || size % (size_t)sysconf(_SC_PAGESIZE) == 0 || strstr(file->name, "templates/") != NULL) return false;
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char start[3];
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size != size || pread(fd, start, 3, 0) != 3) return false;
    char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return false;
    size_t bom = memcmp(start, byte_order_mark, 3) == 0 ? 3 : 0;
    file->data = p + bom;
    file->len = size - bom;
    return true;
}

static struct error *visit_file(struct walk *w, const char *path, const char *name, const struct stat *st) {
    if (!S_ISREG(st->st_mode)) return error_new("cannot load irregular file %s as it has file mode type bits set", path);
    const char *base = strrchr(path, '/') + 1;
    cleanup_buf struct buf data = {0};
    if (st->st_size > MAX_FILE) {
        go_quote(&data, base, strlen(base));
        return error_new("chart file %s is larger than the maximum file size %d", buf_str(&data), MAX_FILE);
    }
    w->total += (size_t)st->st_size;
    if (w->files->count >= MAX_FILES || w->total > max_chart) return error_new("chart %s is too large: more than %d files or 1 GiB", w->top, MAX_FILES);
    struct chart_file file = {.name = name};
    if (!map_file(path, (size_t)st->st_size, &file)) {
        struct error *e = go_read_file(path, MAX_FILE, &data);
        if (e != NULL) return error_wrap(e, "error reading %s", name);
        size_t bom = data.len >= 3 && memcmp(data.data, byte_order_mark, 3) == 0 ? 3 : 0;
        file.len = data.len - bom;
        file.data = arena_strndup(w->arena, buf_str(&data) + bom, file.len);
    }
    chart_files_add(w->arena, w->files, file);
    return NULL;
}

static struct error *visit(struct walk *w, const char *path, unsigned depth) {
    struct stat st;
    if (depth > MAX_DEPTH) return error_new("chart %s: directories are nested more than %d deep, or links lead in a circle", w->top, MAX_DEPTH);
    if (lstat(path, &st) != 0) return go_path_error("lstat", path, errno);
    if (S_ISLNK(st.st_mode)) return visit_link(w, path, depth);
    const char *name = str_starts(path, w->top) ? path + strlen(w->top) : path;
    if (name[0] != '\0' && ignore_matches(&w->rules, name, S_ISDIR(st.st_mode))) return NULL;
    return S_ISDIR(st.st_mode) ? visit_dir(w, path, depth) : visit_file(w, path, name, &st);
}

static struct error *absolute(struct arena *a, const char *dir, const char **out) {
    char here[PATH_MAX];
    if (dir[0] != '/' && getcwd(here, sizeof here) == NULL) return go_path_error("getwd", ".", errno);
    *out = path_clean(a, dir[0] == '/' ? dir : arena_printf(a, "%s/%s", here, dir));
    return NULL;
}

struct error *chart_directory_files(struct arena *a, const char *dir, struct chart_files *out) {
    const char *top;
    TRY(absolute(a, dir, &top));
    struct walk w = {.arena = a, .files = out, .rules = {.arena = a}, .top = str_eq(top, "/") ? top : arena_printf(a, "%s/", top)};
    const char *ignore_file = arena_printf(a, "%s.helmignore", w.top);
    struct stat st;
    if (stat(ignore_file, &st) == 0) {
        cleanup_buf struct buf text = {0};
        TRY(go_read_file(ignore_file, MAX_FILE, &text));
        TRY(ignore_parse(&w.rules, buf_str(&text), text.len));
    }
    ignore_add_defaults(&w.rules);
    return visit_dir(&w, w.top, 0);
}
