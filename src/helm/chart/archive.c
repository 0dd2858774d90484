/* Packed charts, read without trust: sizes, counts and names are limited as helm limits them, nothing is written. */
#include "helm/chart/archive.h"
#include "base/str.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <zlib.h>

enum { BLOCK = 512, MAX_FILE = 5 * 1024 * 1024, MAX_CHART = 100 * 1024 * 1024, MAX_ENTRIES = 100000 };

/* ---- gzip ---- */

struct error *gzip_inflate(const char *data, size_t len, struct buf *out) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    if (len > UINT32_MAX || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return error_new("gzip: cannot be read");
    int status = Z_OK;
    char chunk[65536];
    while (status == Z_OK && !out->overflow) {
        z.next_out = (Bytef *)chunk;
        z.avail_out = sizeof chunk;
        status = inflate(&z, Z_NO_FLUSH);
        if (status == Z_OK || status == Z_STREAM_END) buf_add(out, chunk, sizeof chunk - z.avail_out);
        if (status == Z_STREAM_END && z.avail_in >= 18) status = inflateReset(&z); /* another member */
        if (status == Z_OK && z.avail_in == 0 && z.avail_out != 0) status = Z_BUF_ERROR;
    }
    bool at_start = z.total_in < 10 && z.total_out == 0;
    inflateEnd(&z);
    if (status == Z_STREAM_END || out->overflow) return NULL;
    if (status == Z_BUF_ERROR) return error_new(len == 0 ? "EOF" : "unexpected EOF");
    return error_new(at_start ? "gzip: invalid header" : "flate: corrupt input before offset %lu", (unsigned long)z.total_in);
}

void gzip_deflate(struct buf *out, const char *data, size_t len) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    char chunk[65536];
    int status = Z_OK;
    while (status == Z_OK) {
        z.next_out = (Bytef *)chunk;
        z.avail_out = sizeof chunk;
        status = deflate(&z, Z_FINISH);
        buf_add(out, chunk, sizeof chunk - z.avail_out);
    }
    deflateEnd(&z);
}

/* ---- tar: POSIX ustar with PAX and GNU long names ---- */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], uname[32], gname[32],
        major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct entry {
    char type;
    const char *name;
    const char *data;
    uint64_t size;
};
struct reader {
    struct arena *arena;
    const char *data;
    size_t len, at;
};

static bool parse_octal(const char *s, size_t n, uint64_t *out) {
    *out = 0;
    if ((unsigned char)s[0] & 0x80) { /* GNU: a binary number */
        for (size_t i = 0; i < n; i++) {
            if (*out >> 55) return false;
            *out = *out << 8 | (i == 0 ? (unsigned char)s[i] & 0x7f : (unsigned char)s[i]);
        }
        return true;
    }
    while (n > 0 && (*s == ' ' || *s == '\0')) s++, n--;
    for (; n > 0 && *s >= '0' && *s <= '7'; s++, n--) *out = *out * 8 + (uint64_t)(*s - '0');
    return n == 0 || *s == ' ' || *s == '\0';
}

static bool checksum_holds(const struct header *h) {
    uint64_t want, sum = 0;
    const unsigned char *p = (const unsigned char *)h;
    for (size_t i = 0; i < BLOCK; i++) sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : p[i];
    return parse_octal(h->checksum, sizeof h->checksum, &want) && want == sum;
}

static bool is_zero_block(const char *p) {
    for (size_t i = 0; i < BLOCK; i++) {
        if (p[i] != '\0') return false;
    }
    return true;
}

/* "27 path=very/long/name\n" records of a PAX header. */
static const char *pax_value(struct arena *a, const char *text, size_t len, const char *key) {
    const char *found = NULL;
    for (size_t at = 0; at < len;) {
        char *end;
        unsigned long record = strtoul(text + at, &end, 10);
        if (*end != ' ' || record < 5 || record > len - at || text[at + record - 1] != '\n') break;
        const char *start = end + 1, *stop = text + at + record - 1, *equals = memchr(start, '=', (size_t)(stop - start));
        if (equals != NULL && (size_t)(equals - start) == strlen(key) && memcmp(start, key, strlen(key)) == 0)
            found = arena_strndup(a, equals + 1, (size_t)(stop - equals - 1));
        at += record;
    }
    return found;
}

static const char *header_name(struct arena *a, const struct header *h) {
    const char *name = arena_strndup(a, h->name, strnlen(h->name, sizeof h->name));
    if (memcmp(h->magic, "ustar\0" "00", 8) != 0 || h->prefix[0] == '\0') return name;
    return arena_printf(a, "%.*s/%s", (int)strnlen(h->prefix, sizeof h->prefix), h->prefix, name);
}

/* The next entry with its true name. *done at the end of the archive. */
static struct error *next_entry(struct reader *r, struct entry *out, bool *done) {
    const char *long_name = NULL, *long_size = NULL;
    for (;;) {
        if (r->at == r->len || (r->len - r->at >= BLOCK && is_zero_block(r->data + r->at))) return *done = true, NULL;
        if (r->len - r->at < BLOCK) return error_new("unexpected EOF");
        const struct header *h = (const struct header *)(const void *)(r->data + r->at);
        uint64_t size;
        if (!checksum_holds(h) || !parse_octal(h->size, sizeof h->size, &size)) return error_new("archive/tar: invalid tar header");
        char type = h->type == '\0' ? '0' : h->type;
        bool has_data = strchr("0xgLK7S", type) != NULL;
        if (long_size != NULL && type != 'x' && type != 'L') size = strtoull(long_size, NULL, 10);
        r->at += BLOCK;
        *out = (struct entry){.type = type, .data = r->data + r->at, .size = has_data ? size : 0};
        out->name = long_name != NULL ? long_name : header_name(r->arena, h);
        if (out->size > MAX_CHART && type == '0') return NULL; /* the caller refuses it */
        if (out->size > r->len - r->at) return error_new("unexpected EOF");
        r->at += MIN((out->size + BLOCK - 1) / BLOCK * BLOCK, r->len - r->at);
        if (type == 'x') {
            const char *text = arena_strndup(r->arena, out->data, out->size), *path = pax_value(r->arena, text, out->size, "path");
            if (path != NULL) long_name = path;
            long_size = pax_value(r->arena, text, out->size, "size");
        } else if (type == 'L') {
            long_name = arena_strndup(r->arena, out->data, strnlen(out->data, out->size));
        } else if (type != 'K') {
            return NULL;
        }
    }
}

static const char *quoted(struct arena *a, const char *s) {
    cleanup_buf struct buf out = {0};
    go_quote(&out, s, strlen(s));
    return arena_strdup(a, buf_str(&out));
}

/* The name inside the chart's own directory; helm's refusals. */
static struct error *inner_name(struct arena *a, const char *name, const char **out) {
    char delimiter = strchr(name, '\\') != NULL ? '\\' : '/';
    const char *rest = strchr(name, delimiter);
    char *n = arena_strdup(a, rest != NULL ? rest + 1 : "");
    for (char *p = n; *p != '\0'; p++) {
        if (*p == delimiter) *p = '/';
    }
    if (n[0] == '/') return error_new("chart illegally contains absolute paths");
    n = path_clean(a, n);
    if (str_eq(n, ".")) return error_new("chart illegally contains content outside the base directory: %s", quoted(a, name));
    if (str_starts(n, "..")) return error_new("chart illegally references parent directory");
    if (((n[0] >= 'a' && n[0] <= 'z') || (n[0] >= 'A' && n[0] <= 'Z')) && n[1] == ':' && n[2] == '/')
        return error_new("chart contains illegally named files");
    if (str_starts(name, "Chart.yaml") && (name[10] == '\0' || name[10] == delimiter)) return error_new("chart yaml not in base directory");
    *out = n;
    return NULL;
}

struct error *chart_archive_files(struct arena *a, const char *data, size_t len, struct chart_files *out) {
    cleanup_buf struct buf plain = {.max = (size_t)MAX_CHART + MAX_CHART / 8};
    TRY(gzip_inflate(data, len, &plain));
    if (plain.overflow) return error_new("decompressed chart is larger than the maximum file size %d", MAX_CHART);
    struct reader r = {.arena = a, .data = buf_str(&plain), .len = plain.len};
    uint64_t remaining = MAX_CHART;
    for (size_t n = 0;; n++) {
        struct entry e;
        bool done = false;
        TRY(next_entry(&r, &e, &done));
        if (done) break;
        size_t name_len = strlen(e.name);
        if (e.type == '5' || e.type == 'g' || (name_len > 0 && e.name[name_len - 1] == '/')) continue;
        const char *name;
        TRY(inner_name(a, e.name, &name));
        if (e.size > remaining || n >= MAX_ENTRIES) return error_new("decompressed chart is larger than the maximum file size %d", MAX_CHART);
        if (e.size > MAX_FILE) return error_new("decompressed chart file %s is larger than the maximum file size %d", quoted(a, e.name), MAX_FILE);
        remaining -= e.size;
        if (remaining == 0) return error_new("decompressed chart is larger than the maximum file size %d", MAX_CHART);
        size_t bom = e.size >= 3 && memcmp(e.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        chart_files_add(a, out, (struct chart_file){name, arena_strndup(a, e.data + bom, e.size - bom), e.size - bom, false});
    }
    if (out->count == 0) return error_new("no files in chart archive");
    return NULL;
}

/* ---- writing ---- */

/* Octal digits with zeros before them and a NUL behind. */
static void octal(char *field, size_t size, uint64_t n) {
    field[size - 1] = '\0';
    for (size_t i = size - 1; i-- > 0; n >>= 3) field[i] = (char)('0' + (n & 7));
}

struct error *tar_add(struct buf *out, const char *name, const char *data, size_t len, int64_t mtime) {
    struct header h = {.type = '0', .magic = "ustar"};
    size_t n = strlen(name);
    memcpy(h.magic + 6, "00", 2);
    if (n <= sizeof h.name) {
        memcpy(h.name, name, n);
    } else {
        const char *cut = n - 100 <= sizeof h.prefix ? strchr(name + n - 101, '/') : NULL; /* the first that leaves 100 behind it */
        if (cut == NULL || cut == name || cut[1] == '\0' || (size_t)(cut - name) > sizeof h.prefix) return error_new("archive/tar: cannot encode header: name too long: %s", name);
        memcpy(h.prefix, name, (size_t)(cut - name));
        memcpy(h.name, cut + 1, strlen(cut + 1));
    }
    octal(h.mode, sizeof h.mode, 0644);
    octal(h.uid, sizeof h.uid, 0);
    octal(h.gid, sizeof h.gid, 0);
    octal(h.size, sizeof h.size, len);
    octal(h.mtime, sizeof h.mtime, mtime > 0 ? (uint64_t)mtime : 0);
    memset(h.checksum, ' ', sizeof h.checksum);
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++) sum += ((const unsigned char *)&h)[i];
    octal(h.checksum, 7, sum);
    h.checksum[6] = '\0';
    static const char zeros[BLOCK];
    buf_add(out, &h, BLOCK);
    buf_add(out, data, len);
    buf_add(out, zeros, (BLOCK - len % BLOCK) % BLOCK);
    return NULL;
}

void tar_end(struct buf *out) {
    static const char zeros[2 * BLOCK];
    buf_add(out, zeros, sizeof zeros);
}
