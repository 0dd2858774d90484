/* Files with Go's error texts: "open x: no such file or directory". */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* *fs.PathError's text. */
struct error *go_path_error(const char *op, const char *path, int sys) __attribute__((returns_nonnull));
/* os.ReadFile, of at most `max` bytes (0: a gigabyte); "-"… is no special name here. Appends. */
MUST_CHECK struct error *go_read_file(const char *path, size_t max, struct buf *out);
/* os.WriteFile with mode 0644, and os.MkdirAll with 0755. */
MUST_CHECK struct error *go_write_file(const char *path, const void *p, size_t n);
MUST_CHECK struct error *go_mkdir_all(const char *path);
/* path.Clean: without ".", ".." where possible, double and trailing slashes; "" becomes ".". */
char *path_clean(struct arena *a, const char *path);
/* path.Join of two: cleaned; empty parts do not count. */
char *path_join(struct arena *a, const char *left, const char *right);
