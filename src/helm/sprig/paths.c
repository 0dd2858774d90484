/* Slash-separated paths: Go's package path, and path/filepath, which is the same on Linux. */
#include "helm/sprig/internal.h"

/* path.Clean: without empty elements, . and ..; "." for nothing. */
static void clean(struct buf *b, const char *s, size_t n) {
    bool rooted = n > 0 && s[0] == '/';
    size_t floor = rooted; /* what .. may not go above */
    buf_adds(b, rooted ? "/" : "");
    for (size_t i = 0; i < n;) {
        while (i < n && s[i] == '/') i++;
        size_t start = i;
        while (i < n && s[i] != '/') i++;
        size_t len = i - start;
        bool up = len == 2 && s[start] == '.' && s[start + 1] == '.';
        if (len == 0 || (len == 1 && s[start] == '.')) continue;
        if (up && b->len > floor) {
            size_t end = b->len - 1;
            while (end > floor && b->data[end] != '/') end--;
            b->len = end;
            continue;
        }
        if (up && rooted) continue;
        if (b->len > (size_t)rooted) buf_addc(b, '/');
        buf_add(b, s + start, len);
        if (up) floor = b->len;
    }
    if (b->len == 0) buf_addc(b, '.');
}

SPRIG(clean_path) {
    cleanup_buf struct buf b = {0};
    clean(&b, args[0].s, args[0].len);
    return sprig_give(run, &b, out);
}

SPRIG(base) {
    size_t end = args[0].len, start;
    if (end == 0) *out = value_literal(".");
    else {
        while (end > 0 && args[0].s[end - 1] == '/') end--;
        for (start = end; start > 0 && args[0].s[start - 1] != '/'; start--) continue;
        *out = end == 0 ? value_literal("/") : value_str(args[0].s + start, end - start);
    }
    return NULL;
}

SPRIG(dir) {
    cleanup_buf struct buf b = {0};
    size_t end = args[0].len;
    while (end > 0 && args[0].s[end - 1] != '/') end--;
    clean(&b, args[0].s, end);
    return sprig_give(run, &b, out);
}

SPRIG(extension) {
    size_t i = args[0].len;
    while (i > 0 && args[0].s[i - 1] != '/' && args[0].s[i - 1] != '.') i--;
    *out = i > 0 && args[0].s[i - 1] == '.' ? value_str(args[0].s + i - 1, args[0].len - i + 1) : value_literal("");
    return NULL;
}

SPRIG(is_abs) {
    *out = value_bool(args[0].len > 0 && args[0].s[0] == '/');
    return NULL;
}

const struct go_func sprig_paths[] = {
    GO_FUNC("base", base, &go_string, &go_string),
    GO_FUNC("dir", dir, &go_string, &go_string),
    GO_FUNC("clean", clean_path, &go_string, &go_string),
    GO_FUNC("ext", extension, &go_string, &go_string),
    GO_FUNC("isAbs", is_abs, &go_bool, &go_string),
    GO_FUNC("osBase", base, &go_string, &go_string),
    GO_FUNC("osDir", dir, &go_string, &go_string),
    GO_FUNC("osClean", clean_path, &go_string, &go_string),
    GO_FUNC("osExt", extension, &go_string, &go_string),
    GO_FUNC("osIsAbs", is_abs, &go_bool, &go_string),
    GO_FUNCS_END,
};
