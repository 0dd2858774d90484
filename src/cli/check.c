/* coracle check: what this machine lacks to be a node, and the command that mends it. A table of probes. */
#include "base/str.h"
#include "cli/verbs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/netlink.h>

enum outcome { OK, WARN, MISSING };
struct probe {
    const char *what;
    enum outcome (*run)(const char *argument, char note[160]);
    const char *argument;
    const char *remedy; /* a command, or what to do */
};

static enum outcome root(const char *argument UNUSED, char note[160]) {
    snprintf(note, 160, "uid %d", (int)geteuid());
    return geteuid() == 0 ? OK : MISSING;
}

static enum outcome kernel(const char *argument UNUSED, char note[160]) {
    struct utsname u;
    int major = 0, minor = 0;
    if (uname(&u) != 0) return MISSING;
    snprintf(note, 160, "%.150s", u.release);
    sscanf(u.release, "%d.%d", &major, &minor);
    return major > 5 || (major == 5 && minor >= 6) ? OK : MISSING; /* openat2, pidfd */
}

static enum outcome program(const char *name, char note[160]) {
    static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        snprintf(note, 160, "%s/%s", dirs[i], name);
        if (access(note, X_OK) == 0) return OK;
    }
    snprintf(note, 160, "not found");
    return MISSING;
}

static enum outcome file(const char *path, char note[160]) {
    snprintf(note, 160, "%s", path);
    return access(path, F_OK) == 0 ? OK : MISSING;
}

/* A line "nodev<TAB>NAME" or "<TAB>NAME"; file systems that are modules appear once loaded. */
static enum outcome filesystem(const char *name, char note[160]) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read("/proc/filesystems", 1 << 16, &text);
    char line[64];
    snprintf(line, sizeof(line), "\t%s\n", name);
    snprintf(note, 160, "file system %s", name);
    return e == NULL && strstr(buf_str(&text), line) != NULL ? OK : MISSING;
}

static enum outcome netfilter(const char *argument UNUSED, char note[160]) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return snprintf(note, 160, "%s", strerror(errno)), MISSING;
    close(fd);
    snprintf(note, 160, "netlink answers");
    return OK;
}

static enum outcome sysctl_is_one(const char *path, char note[160]) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read(path, 64, &text);
    snprintf(note, 160, "%s", e ? e->message : path);
    return e == NULL && buf_str(&text)[0] == '1' ? OK : WARN;
}

static enum outcome cgroups(const char *argument UNUSED, char note[160]) {
    static const char *const needed[] = {"cpu", "memory", "pids", "cpuset"};
    bool v2 = access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0;
    cleanup_buf struct buf text = {0};
    if (v2) error_free(file_read("/sys/fs/cgroup/cgroup.controllers", 4096, &text));
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", needed[i]);
        if (v2 ? strstr(buf_str(&text), needed[i]) == NULL : access(path, F_OK) != 0) {
            return snprintf(note, 160, "version %d without the %s controller", v2 ? 2 : 1, needed[i]), MISSING;
        }
    }
    snprintf(note, 160, "version %d", v2 ? 2 : 1);
    return OK;
}

static enum outcome disk(const char *path, char note[160]) {
    struct statvfs v;
    if (statvfs(path, &v) != 0) return snprintf(note, 160, "%s: %s", path, strerror(errno)), MISSING;
    uint64_t mib = (uint64_t)v.f_bavail * v.f_frsize >> 20;
    snprintf(note, 160, "%llu MiB free under %s", (unsigned long long)mib, path);
    return mib >= 2048 ? OK : WARN;
}

static const struct probe probes[] = {
    {"runs as root", root, NULL, "sudo coracle check"},
    {"kernel 5.6 or newer", kernel, NULL, "upgrade the kernel"},
    {"cgroup controllers", cgroups, NULL, "enable them: cgroup_enable=memory on the kernel's command line"},
    {"overlay file system", filesystem, "overlay", "modprobe overlay"},
    {"nftables", netfilter, NULL, "modprobe nf_tables nfnetlink"},
    {"bridges", file, "/proc/sys/net/bridge", "modprobe br_netfilter"},
    {"tun devices", file, "/dev/net/tun", "modprobe tun"},
    {"IPv4 forwarding", sysctl_is_one, "/proc/sys/net/ipv4/ip_forward", "none needed: the server switches it on"},
    {"containerd", program, "containerd", "apt-get install containerd"},
    {"runc", program, "runc", "apt-get install runc"},
    {"CNI plugin bridge", file, "/usr/lib/cni/bridge", "apt-get install containernetworking-plugins"},
    {"CNI plugin portmap", file, "/usr/lib/cni/portmap", "apt-get install containernetworking-plugins"},
    {"conntrack", program, "conntrack", "apt-get install conntrack"},
    {"disk space", disk, "/var/lib", "free some: images and volumes live there"},
};

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    const char *const *rest;
    int status, missing = 0;
    if (!flags_start(&a, &verb_check, argc, argv, NULL, &rest, &status)) return status;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        char note[160] = "";
        enum outcome o = probes[i].run(probes[i].argument, note);
        printf("%-7s %-22s %s\n", o == OK ? "ok" : o == WARN ? "note" : "MISSING", probes[i].what, note);
        if (o != OK) printf("        -> %s\n", probes[i].remedy);
        missing += o == MISSING;
    }
    if (missing == 0) puts("\nThis machine can run a node.");
    else printf("\n%d missing; after mending them run `coracle check` again.\n", missing);
    return missing > 0;
}

const struct verb_info verb_check = {
    .name = "check",
    .summary = "tells what this machine lacks to run a node, and how to mend it",
    .usage = "coracle check",
    .description = "Looks at the kernel, cgroups, network and programs that a node needs. Each line that is not ok is followed\n"
                   "by the command that mends it. Changes nothing. Exit status 1 if something is missing.",
    .run = run,
};
