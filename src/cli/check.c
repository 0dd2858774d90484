/* coracle check: what this machine lacks to be a node, and the command that mends it. A table of probes. */
#include "base/str.h"
#include "cli/check.h"
#include "cli/verbs.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/netlink.h>

enum outcome { OK, WARN, MISSING };
struct probe {
    const char *what;
    enum outcome (*run)(const struct check_options *o, const char *argument, char note[160]);
    const char *argument;
    const char *remedy; /* a command, or what to do */
    bool vital;         /* a node does not even start without it */
};

static enum outcome root(const struct check_options *o UNUSED, const char *argument UNUSED, char note[160]) {
    snprintf(note, 160, "uid %d", (int)geteuid());
    return geteuid() == 0 ? OK : MISSING;
}

static enum outcome kernel(const struct check_options *o UNUSED, const char *argument UNUSED, char note[160]) {
    struct utsname u;
    int major = 0, minor = 0;
    if (uname(&u) != 0) return MISSING;
    snprintf(note, 160, "%.150s", u.release);
    sscanf(u.release, "%d.%d", &major, &minor);
    return major > 5 || (major == 5 && minor >= 6) ? OK : MISSING; /* openat2, pidfd */
}

/* As execvp finds it. */
static enum outcome program(const struct check_options *o UNUSED, const char *name, char note[160]) {
    cleanup_arena struct arena a = {0};
    const char *path = getenv("PATH");
    size_t n;
    char **dirs = str_split(&a, path ? path : "/usr/bin:/bin", ':', &n);
    for (size_t i = 0; i < n; i++) {
        snprintf(note, 160, "%s/%s", dirs[i], name);
        if (access(note, X_OK) == 0) return OK;
    }
    snprintf(note, 160, "not found in PATH");
    return MISSING;
}

/* Libraries that are loaded when they are first needed (src/base/lazy.c, src/network/nft.c): a copy of the program starts without them. */
static enum outcome library(const struct check_options *o UNUSED, const char *name, char note[160]) {
    void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL); /* stays: the server goes on to use it */
    snprintf(note, 160, "%s", handle != NULL ? name : dlerror());
    return handle != NULL ? OK : MISSING;
}

static enum outcome plugin(const struct check_options *o, const char *name, char note[160]) {
    snprintf(note, 160, "%s/%s", o->cni_bin_dir, name);
    return access(note, X_OK) == 0 ? OK : MISSING;
}

/* A line "nodev<TAB>NAME" or "<TAB>NAME"; file systems that are modules appear once loaded. */
static enum outcome filesystem(const struct check_options *o UNUSED, const char *name, char note[160]) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read("/proc/filesystems", 1 << 16, &text);
    char line[64];
    snprintf(line, sizeof(line), "\t%s\n", name);
    snprintf(note, 160, "file system %s", name);
    return e == NULL && strstr(buf_str(&text), line) != NULL ? OK : MISSING;
}

static enum outcome netfilter(const struct check_options *o UNUSED, const char *argument UNUSED, char note[160]) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return snprintf(note, 160, "%s", strerror(errno)), MISSING;
    close(fd);
    snprintf(note, 160, "netlink answers");
    return OK;
}

static enum outcome sysctl_is_one(const struct check_options *o UNUSED, const char *path, char note[160]) {
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read(path, 64, &text);
    snprintf(note, 160, "%s", e ? e->message : path);
    return e == NULL && buf_str(&text)[0] == '1' ? OK : WARN;
}

static enum outcome cgroups(const struct check_options *o UNUSED, const char *argument UNUSED, char note[160]) {
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

static enum outcome disk(const struct check_options *o, const char *argument UNUSED, char note[160]) {
    struct statvfs v;
    cleanup_free char *path = xstrdup(o->data_dir);
    while (statvfs(path, &v) != 0) { /* the directory may have to be made first */
        char *slash = strrchr(path, '/');
        if (slash == NULL || slash == path) return snprintf(note, 160, "%s: %s", path, strerror(errno)), MISSING;
        *slash = '\0';
    }
    uint64_t mib = (uint64_t)v.f_bavail * v.f_frsize >> 20;
    snprintf(note, 160, "%llu MiB free under %s", (unsigned long long)mib, path);
    return (v.f_flag & ST_RDONLY) ? MISSING : mib >= 2048 ? OK : WARN;
}

#define APT(package) "apt-get install -y " package
static const struct probe probes[] = {
    {"runs as root", root, NULL, "sudo coracle check", false},
    {"kernel 5.6 or newer", kernel, NULL, "apt-get install -y linux-image-amd64, then reboot", false},
    {"cgroup controllers", cgroups, NULL, "enable them: cgroup_enable=memory on the kernel's command line, then reboot", false},
    {"overlay file system", filesystem, "overlay", "modprobe overlay", false},
    {"nftables", netfilter, NULL, "modprobe nf_tables nfnetlink", false},
    {"IPv4 forwarding", sysctl_is_one, "/proc/sys/net/ipv4/ip_forward", "none needed: the server switches it on", false},
    {"TLS library", library, "libssl.so.3", APT("libssl3"), true},
    {"nftables library", library, "libnftables.so.1", APT("libnftables1"), true},
    {"containerd", program, "containerd", APT("containerd"), true},
    {"runc", program, "runc", APT("runc"), true},
    {"CNI plugin ptp", plugin, "ptp", APT("containernetworking-plugins"), true},
    {"CNI plugin host-local", plugin, "host-local", APT("containernetworking-plugins"), true},
    {"CNI plugin portmap", plugin, "portmap", APT("containernetworking-plugins"), true},
    {"CNI plugin loopback", plugin, "loopback", APT("containernetworking-plugins"), true},
    {"iptables", program, "iptables", APT("iptables"), false}, /* portmap runs it */
    {"conntrack", program, "conntrack", APT("conntrack"), false},
    {"disk space", disk, NULL, "free some, or choose another --data-dir: images and volumes live there", false},
};

static bool of_runtime(const struct probe *p) { return p->run == program && str_in(p->argument, (const char *const[]){"containerd", "runc", NULL}); }

struct error *check_root(const char *instead) {
    return geteuid() == 0 ? NULL : error_new("only root can run a node: it makes mounts and network interfaces%s", instead);
}

struct error *check_node(const struct check_options *o) {
    cleanup_buf struct buf missing = {0};
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        const struct probe *p = &probes[i];
        char note[160] = "";
        if (!p->vital || (o->runtime_endpoint != NULL && of_runtime(p)) || p->run(o, p->argument, note) == OK) continue;
        buf_printf(&missing, "%s%s: %s: %s", missing.len > 0 ? "; " : "", p->what, note, p->remedy);
    }
    return missing.len > 0 ? error_new("this machine lacks what a node needs (`coracle check` shows all): %s", missing.data) : NULL;
}

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct check_options o = {0};
    const char *const *rest;
    int status, missing = 0;
    if (!flags_start(&a, &verb_check, argc, argv, &o, &rest, &status)) return status;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        char note[160] = "";
        if (o.runtime_endpoint != NULL && of_runtime(&probes[i])) continue;
        enum outcome got = probes[i].run(&o, probes[i].argument, note);
        printf("%-7s %-22s %s\n", got == OK ? "ok" : got == WARN ? "note" : "MISSING", probes[i].what, note);
        if (got != OK) printf("        -> %s\n", probes[i].remedy);
        missing += got == MISSING;
    }
    if (missing == 0) puts("\nThis machine can run a node.");
    else printf("\n%d missing; after mending them run `coracle check` again.\n", missing);
    return missing > 0;
}

static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, offsetof(struct check_options, data_dir), "/var/lib/coracle", "DIR", "where the node's state will live"},
    {"cni-bin-dir", FLAG_STRING, offsetof(struct check_options, cni_bin_dir), "/usr/lib/cni", "DIR", "where the CNI plugins are"},
    {"container-runtime-endpoint", FLAG_STRING, offsetof(struct check_options, runtime_endpoint), NULL, "SOCKET",
     "a container runtime that runs already: containerd and runc are not looked for"},
};

const struct verb_info verb_check = {
    .name = "check",
    .summary = "tells what this machine lacks to run a node, and how to mend it",
    .usage = "coracle check [flags]",
    .description = "Looks at the kernel, cgroups, network and programs that a node needs. Each line that is not ok is followed\n"
                   "by the command that mends it. Changes nothing.",
    .examples = "  coracle check\n  sudo coracle check --data-dir /srv/coracle\n",
    .exit_status = "  1  something is missing\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
