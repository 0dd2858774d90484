#include "node/machine.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

int machine_cpus(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }

static int64_t meminfo(const char *key) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read("/proc/meminfo", 1 << 16, &text);
    const char *line = e ? NULL : strstr(text.data, key);
    error_free(e);
    return line ? strtoll(line + strlen(key), NULL, 10) * 1024 : 0;
}

int64_t machine_memory_total(void) { return meminfo("MemTotal:"); }
int64_t machine_swap_total(void) { return meminfo("SwapTotal:"); }
int64_t machine_memory_available(void) { return meminfo("MemAvailable:"); }

bool machine_fs(const char *path, struct machine_fs *out) {
    struct statvfs fs;
    if (statvfs(path, &fs) != 0) return false;
    int64_t block = (int64_t)fs.f_frsize;
    *out = (struct machine_fs){(int64_t)fs.f_blocks * block, (int64_t)fs.f_bavail * block, (int64_t)fs.f_files, (int64_t)fs.f_ffree};
    return true;
}

static const char *first_line(struct arena *a, const char *path) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(path, 4096, &text);
    const char *out = e ? "" : arena_strndup(a, buf_str(&text), strcspn(buf_str(&text), "\n"));
    error_free(e);
    return out;
}

const char *machine_id(struct arena *a) { return first_line(a, "/etc/machine-id"); }
const char *machine_boot_id(struct arena *a) { return first_line(a, "/proc/sys/kernel/random/boot_id"); }

const char *machine_uuid(struct arena *a) {
    const char *uuid = first_line(a, "/sys/class/dmi/id/product_uuid");
    return *uuid ? uuid : machine_id(a);
}

const char *machine_os_image(struct arena *a) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read("/etc/os-release", 1 << 16, &text);
    const char *line = e ? NULL : strstr(text.data, "PRETTY_NAME=\"");
    error_free(e);
    return line ? arena_strndup(a, line + 13, strcspn(line + 13, "\"")) : "Linux";
}

const char *machine_kernel(struct arena *a) {
    struct utsname u;
    return uname(&u) == 0 ? arena_strdup(a, u.release) : "";
}

const char *machine_arch(void) {
    static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"riscv64", "riscv64"}, {"ppc64le", "ppc64le"}};
    struct utsname u;
    if (uname(&u) != 0) return "amd64";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(u.machine, names[i][0])) return names[i][1];
    return "amd64";
}

/* Asks the routing table without sending anything. */
static const char *route_source(struct arena *a, const char *to) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)}, own;
    socklen_t n = sizeof(own);
    char text[INET_ADDRSTRLEN];
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, to, &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) return NULL;
    if (getsockname(fd, (struct sockaddr *)&own, &n) != 0) return NULL;
    return arena_strdup(a, inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text)));
}

const char *machine_address(struct arena *a) {
    const char *found = route_source(a, "192.0.2.1");
    struct ifaddrs *all = NULL;
    if (!found && getifaddrs(&all) == 0)
        for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
            if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK)) continue;
            char text[INET_ADDRSTRLEN];
            struct sockaddr_in in;
            memcpy(&in, i->ifa_addr, sizeof(in));
            found = arena_strdup(a, inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)));
        }
    if (all) freeifaddrs(all);
    return found ? found : "127.0.0.1";
}
