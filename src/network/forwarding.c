#include "network/forwarding.h"
#include "base/str.h"
#include <stdio.h>
#include <unistd.h>

static const struct forwarding_switch kernels[] = {
    {"ipv4", "/proc/sys/net/ipv4/ip_forward", false},
    {"ipv6", "/proc/sys/net/ipv6/conf/all/forwarding", true},
    {0},
};

static const char *record_path(struct arena *a, const char *dir) { return arena_printf(a, "%s/forwarding", dir); }

static const char *this_boot(struct arena *a, const char *boot) {
    cleanup_buf struct buf text = {0};
    if (boot) return boot;
    cleanup_error struct error *e = file_read("/proc/sys/kernel/random/boot_id", 64, &text);
    return e ? "" : arena_strndup(a, text.data, strcspn(text.data, "\n"));
}

static bool is_on(const char *path) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read(path, 64, &text);
    return e == NULL && text.len > 0 && text.data[0] != '0';
}

static struct error *set(const struct forwarding_switch *s, bool on) {
    FILE *f = fopen(s->path, "we");
    if (f == NULL) return s->optional ? NULL : error_new("cannot write %s; run as root", s->path);
    fputs(on ? "1\n" : "0\n", f);
    fclose(f);
    return NULL;
}

/* "BOOT\nipv4 0\nipv6 1\n" of this boot; "" if there is none. */
static const char *read_record(struct arena *a, const char *dir, const char *boot) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read(record_path(a, dir), 4096, &text);
    size_t n = strlen(boot);
    if (e || strncmp(buf_str(&text), boot, n) != 0 || buf_str(&text)[n] != '\n') return "";
    return arena_strdup(a, buf_str(&text) + n);
}

/* What a start before this one has found stays: it has switched them on itself. */
static struct error *remember(struct arena *a, const char *dir, const struct forwarding_switch *switches, const char *boot) {
    cleanup_buf struct buf out = {0};
    if (*read_record(a, dir, boot)) return NULL;
    buf_printf(&out, "%s\n", boot);
    for (const struct forwarding_switch *s = switches; s->name; s++) buf_printf(&out, "%s %d\n", s->name, is_on(s->path));
    TRY(dir_make(dir, 0755));
    return file_write_atomic(record_path(a, dir), out.data, out.len, 0644);
}

struct error *forwarding_allow(const char *dir, const struct forwarding_switch *switches, const char *boot) {
    cleanup_arena struct arena a = {0};
    if (switches == NULL) switches = kernels;
    if (dir) TRY(remember(&a, dir, switches, this_boot(&a, boot)));
    for (const struct forwarding_switch *s = switches; s->name; s++) TRY(set(s, true));
    return NULL;
}

struct error *forwarding_restore(const char *dir, const struct forwarding_switch *switches, const char *boot) {
    cleanup_arena struct arena a = {0};
    if (switches == NULL) switches = kernels;
    const char *record = read_record(&a, dir, this_boot(&a, boot));
    for (const struct forwarding_switch *s = switches; s->name; s++)
        if (strstr(record, arena_printf(&a, "\n%s 0\n", s->name))) TRY(set(s, false));
    return NULL;
}
