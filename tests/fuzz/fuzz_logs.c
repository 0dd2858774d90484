/* Log files of containers, which say whatever they like. */
#include "node/logs.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static bool take(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    char path[32];
    cleanup_fd int fd = memfd_create("log", MFD_CLOEXEC);
    cleanup_buf struct buf out = {0}, tail = {0};
    if (n < 2 || write(fd, p + 2, n - 2) != (ssize_t)(n - 2)) return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const struct log_options o = {.timestamps = p[0] & 1, .tail_lines = p[0] & 2 ? p[1] % 8 : -1, .limit_bytes = p[0] & 4 ? p[1] : -1,
                                  .since = p[0] & 8 ? 1 : 0, .stream = p[0] & 16 ? "stdout" : NULL};
    error_free(logs_read(path, &o, take, NULL, &out));
    if (o.limit_bytes >= 0 && out.len > (size_t)o.limit_bytes) abort();
    logs_tail(path, 2048, 80, &tail);
    return 0;
}
