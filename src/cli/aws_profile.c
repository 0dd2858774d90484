#include "cli/aws_profile.h"
#include "base/str.h"
#include <ctype.h>

#define FILE_MAX (1 << 20)

static const char *home_file(struct arena *a, const char *variable, const char *name) {
    const char *given = getenv(variable), *home = getenv("HOME");
    return given && *given ? given : arena_printf(a, "%s/.aws/%s", home ? home : "/root", name);
}
const char *profile_config_file(struct arena *a) { return home_file(a, "AWS_CONFIG_FILE", "config"); }
const char *profile_credentials_file(struct arena *a) { return home_file(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials"); }

static bool is_section(const char *line) { return line[strspn(line, " \t")] == '['; }

static bool names_section(const char *line, const char *section) {
    const char *open = strchr(line, '['), *close = strchr(line, ']');
    if (!is_section(line) || close == NULL) return false;
    while (isspace((unsigned char)*++open)) {}
    while (close > open && isspace((unsigned char)close[-1])) close--;
    return strlen(section) == (size_t)(close - open) && memcmp(open, section, strlen(section)) == 0;
}

/* The value if the line is "key = value"; in the arena. */
static const char *value_of(struct arena *a, const char *line, const char *key) {
    size_t n = strlen(key);
    if (strncmp(line, key, n) != 0) return NULL;
    const char *equals = line + n + strspn(line + n, " \t");
    if (*equals != '=') return NULL;
    const char *value = equals + 1 + strspn(equals + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && isspace((unsigned char)value[len - 1])) len--;
    return arena_strndup(a, value, len);
}

static char **read_lines(struct arena *a, const char *path, size_t *count) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *absent = file_read(path, FILE_MAX, &text);
    if (absent != NULL || text.len == 0) return *count = 0, NULL;
    char **lines = str_split(a, text.data, '\n', count);
    if (*count > 0 && *lines[*count - 1] == '\0') --*count; /* what follows the last newline */
    return lines;
}

const char *profile_read(struct arena *a, const char *path, const char *section, const char *key) {
    size_t count;
    bool inside = false;
    char **lines = read_lines(a, path, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_section(lines[i])) inside = names_section(lines[i], section);
        const char *value = inside ? value_of(a, lines[i], key) : NULL;
        if (value != NULL) return value;
    }
    return NULL;
}

static void add_entries(struct buf *out, const struct profile_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].value != NULL) buf_printf(out, "%s = %s\n", entries[i].key, entries[i].value);
    }
}

static bool is_replaced(struct arena *a, const char *line, const struct profile_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (value_of(a, line, entries[i].key) != NULL) return true;
    }
    return false;
}

struct error *profile_write(struct arena *a, const char *path, const char *section, const struct profile_entry *entries, size_t count) {
    size_t line_count;
    bool inside = false, found = false;
    cleanup_buf struct buf out = {0};
    char **lines = read_lines(a, path, &line_count);
    for (size_t i = 0; i < line_count; i++) {
        if (is_section(lines[i])) {
            inside = names_section(lines[i], section);
            buf_printf(&out, "%s\n", lines[i]);
            if (inside && !found) add_entries(&out, entries, count);
            found |= inside;
        } else if (!inside || !is_replaced(a, lines[i], entries, count)) {
            buf_printf(&out, "%s\n", lines[i]);
        }
    }
    if (!found) {
        buf_printf(&out, "%s[%s]\n", out.len > 0 ? "\n" : "", section);
        add_entries(&out, entries, count);
    }
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) TRY(dir_make(arena_strndup(a, path, (size_t)(slash - path)), 0700));
    return file_write_atomic(path, out.data, out.len, 0600);
}
