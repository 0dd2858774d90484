/* The format: https://www.sqlite.org/fileformat.html, "The Write-Ahead Log". A header and frames, all numbers big-endian; checksums run
 * on from the header over all frames. Commits are synced one by one, so at most the last one can be torn: when two ends of
 * commits stand behind a frame that does not check, the first of them had been acknowledged. */
#include "store/wal.h"
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 32, FRAME_HEADER = 24, MAGIC = 0x377f0682, FORMAT = 3007000 };

struct checksum {
    bool big_endian;
    uint32_t a, b;
};

static uint32_t big32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static uint32_t little32(const uint8_t *p) { return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]; }

static void sum(struct checksum *c, const uint8_t *p, size_t n) {
    for (size_t i = 0; i + 8 <= n; i += 8) {
        c->a += (c->big_endian ? big32(p + i) : little32(p + i)) + c->b;
        c->b += (c->big_endian ? big32(p + i + 4) : little32(p + i + 4)) + c->a;
    }
}

static bool sums_to(const struct checksum *c, const uint8_t *expected) { return c->a == big32(expected) && c->b == big32(expected + 4); }

static bool all_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

/* A file that was made, but whose first write never came, is empty or zero. */
static bool header_good(const uint8_t *log, struct checksum *c, size_t *page) {
    c->big_endian = big32(log) & 1;
    *page = big32(log + 8) == 1 ? 65536 : big32(log + 8);
    sum(c, log, 24);
    return (big32(log) & ~1U) == MAGIC && big32(log + 4) == FORMAT && *page >= 512 && *page <= 65536 && sums_to(c, log + 24);
}

static bool of_this_log(const uint8_t *log, const uint8_t *frame) { return memcmp(frame + 8, log + 16, 8) == 0; }

static struct error *damaged(const char *path) {
    return error_new("the database's log %s is damaged; restore a backup, or move the log away to go on without the commits in it", path);
}

static struct error *check_frames(const char *path, const uint8_t *log, size_t size, struct checksum c, size_t page) {
    size_t at = HEADER, step = FRAME_HEADER + page;
    for (; at + step <= size && of_this_log(log, log + at); at += step) {
        sum(&c, log + at, 8);
        sum(&c, log + at + FRAME_HEADER, page);
        if (!sums_to(&c, log + at + 16)) break;
    }
    int commits = 0;
    for (; at + step <= size; at += step) commits += of_this_log(log, log + at) && big32(log + at + 4) != 0;
    return commits > 1 ? damaged(path) : NULL;
}

static struct error *check(const char *path, const uint8_t *log, size_t size) {
    struct checksum c = {0};
    size_t page;
    if (size < HEADER || all_zero(log, HEADER)) return NULL;
    return header_good(log, &c, &page) ? check_frames(path, log, size, c, page) : damaged(path);
}

struct error *wal_check(const char *path) {
    struct stat st;
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? NULL : error_sys(errno, "opening %s", path);
    if (fstat(fd, &st) != 0) return error_sys(errno, "reading %s", path);
    if (st.st_size == 0) return NULL;
    size_t size = (size_t)st.st_size;
    void *log = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (log == MAP_FAILED) return error_sys(errno, "reading %s", path);
    struct error *e = check(path, log, size);
    munmap(log, size);
    return e;
}
