#include "node/containerd.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_COMPONENT "containerd"
#define LOG_MAX (8 << 20) /* containerd.log is renamed to containerd.log.1 beyond that, at each start */
#define BACKOFF_MIN 250   /* ms */
#define BACKOFF_MAX 30000
#define STABLE SECONDS(60) /* having run that long resets the back-off */

struct containerd {
    char *dir, *socket, *config, *log;
    pthread_t thread;
    int stop_fd;
};

static const char template[] =
    "version = 2\n"
    "root = \"%1$s/root\"\n"
    "state = \"%1$s/state\"\n"
    "disabled_plugins = [\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.btrfs\","
    " \"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.zfs\", \"io.containerd.internal.v1.opt\","
    " \"io.containerd.internal.v1.tracing\", \"io.containerd.tracing.processor.v1.otlp\"]\n"
    "[grpc]\n  address = \"%1$s/containerd.sock\"\n"
    "[ttrpc]\n  address = \"%1$s/containerd.sock.ttrpc\"\n"
    "[plugins.\"io.containerd.grpc.v1.cri\"]\n"
    "  sandbox_image = \"%2$s\"\n"
    "  stream_server_address = \"127.0.0.1\"\n"
    "  stream_server_port = \"0\"\n"
    "  enable_unprivileged_ports = true\n"
    "  enable_unprivileged_icmp = true\n"
    "  restrict_oom_score_adj = %5$s\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n"
    "    bin_dir = \"%4$s\"\n"
    "    conf_dir = \"%3$s\"\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
    "    snapshotter = \"overlayfs\"\n"
    "    default_runtime_name = \"runc\"\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n"
    "    runtime_type = \"io.containerd.runc.v2\"\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n"
    "    SystemdCgroup = false\n"
    "%6$s";

/* Without CAP_SYS_RESOURCE no negative oom_score_adj can be written, and runc dies trying. */
static bool has_sys_resource(void) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read("/proc/self/status", 1 << 16, &text);
    const char *line = e ? NULL : strstr(text.data, "CapEff:");
    error_free(e);
    return line && (strtoull(line + 7, NULL, 16) >> 24 & 1);
}

static struct error *write_config(const struct containerd_config *c, const char *dir, const char *path) {
    cleanup_free char *registry_dir = xprintf("%s/registry", dir);
    cleanup_free char *registry = access(registry_dir, F_OK) == 0
        ? xprintf("[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"%s\"\n", registry_dir) : xstrdup("");
    cleanup_free char *text =
        xprintf(template, dir, c->sandbox_image, c->cni_conf_dir, c->cni_bin_dir, has_sys_resource() ? "false" : "true", registry);
    return file_write_atomic(path, text, strlen(text), 0600);
}

static int open_log(const struct containerd *c) {
    cleanup_free char *old = xprintf("%s.1", c->log);
    int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && lseek(fd, 0, SEEK_END) > LOG_MAX) {
        close(fd);
        rename(c->log, old);
        fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return fd;
}

static pid_t spawn(const struct containerd *c) {
    cleanup_fd int log = open_log(c);
    cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    dup2(null, 0), dup2(log, 1), dup2(log, 2);
    execlp("containerd", "containerd", "--config", c->config, "--log-level", "warn", (char *)NULL);
    static const char message[] = "cannot run containerd: is it installed?\n";
    _exit(write(2, message, sizeof(message) - 1) < 0 ? 126 : 127);
}

/* An agent that was killed may have left its containerd behind: the lock on its database would stop a new one. */
static void end_stale(const struct containerd *c) {
    cleanup_free char *path = xprintf("%s/pid", c->dir);
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(path, 64, &text);
    int64_t pid = 0;
    if (!e && str_to_int64(text.data, &pid) && pid > 1) {
        cleanup_free char *exe = xprintf("/proc/%lld/cmdline", (long long)pid);
        cleanup_buf struct buf command = {0};
        struct error *gone = file_read(exe, 4096, &command);
        bool ours = !gone && command.len && memmem(command.data, command.len, c->config, strlen(c->config));
        error_free(gone);
        if (ours) kill((pid_t)pid, SIGTERM);
        for (int i = 0; ours && i < 100 && kill((pid_t)pid, 0) == 0; i++) poll(NULL, 0, 50);
    }
    error_free(e);
}

static void note_pid(const struct containerd *c, pid_t pid) {
    cleanup_free char *path = xprintf("%s/pid", c->dir);
    char text[24];
    int n = snprintf(text, sizeof(text), "%d", pid);
    error_free(file_write_atomic(path, text, (size_t)n, 0600));
}

/* Waits for the child to end or the stop request; true when it is to stop. */
static bool wait_child(const struct containerd *c, pid_t pid) {
    cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd fds[2] = {{.fd = c->stop_fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {}
    bool stop = fds[0].revents != 0;
    if (stop) kill(pid, SIGTERM);
    if (stop && poll(&fds[1], 1, 10000) == 0) kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
    bool killed = WIFSIGNALED(status);
    if (!stop)
        log_error("containerd ended (%s %d), starting it again; its log is %s", killed ? "signal" : "exit status",
                  killed ? WTERMSIG(status) : WEXITSTATUS(status), c->log);
    return stop;
}

static void *supervise(void *arg) {
    struct containerd *c = arg;
    for (int backoff = BACKOFF_MIN;;) {
        int64_t since = clock_monotonic(&clock_real);
        pid_t pid = spawn(c);
        if (pid > 0) note_pid(c, pid);
        if (pid > 0 && wait_child(c, pid)) return NULL;
        if (clock_monotonic(&clock_real) - since > STABLE) backoff = BACKOFF_MIN;
        struct pollfd stop = {.fd = c->stop_fd, .events = POLLIN};
        if (poll(&stop, 1, backoff) > 0) return NULL;
        backoff = MIN(2 * backoff, BACKOFF_MAX);
    }
}

static struct error *prepare(const struct containerd_config *config, struct containerd *c) {
    if (strlen(c->socket) + 6 >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_new("containerd's socket path %s is too long: use a shorter data directory", c->socket);
    TRY(dir_make(c->dir, 0711));
    TRY(dir_make(config->cni_conf_dir, 0755));
    return write_config(config, c->dir, c->config);
}

struct error *containerd_start(const struct containerd_config *config, struct containerd **out) {
    struct containerd *c = xcalloc(1, sizeof(*c));
    c->dir = xstrdup(config->dir);
    c->socket = xprintf("%s/containerd.sock", c->dir);
    c->config = xprintf("%s/config.toml", c->dir);
    c->log = xprintf("%s/containerd.log", c->dir);
    c->stop_fd = -1;
    struct error *e = prepare(config, c);
    if (!e) {
        end_stale(c);
        c->stop_fd = eventfd(0, EFD_CLOEXEC);
        int failed = pthread_create(&c->thread, NULL, supervise, c);
        if (failed) e = error_sys(failed, "starting containerd's supervisor");
    }
    if (!e) {
        *out = c;
        return NULL;
    }
    cleanup_fd_(&c->stop_fd);
    free(c->dir), free(c->socket), free(c->config), free(c->log), free(c);
    return e;
}

const char *containerd_socket(const struct containerd *c) { return c->socket; }

void containerd_stop(struct containerd *c) {
    if (!c) return;
    uint64_t one = 1;
    if (write(c->stop_fd, &one, sizeof(one)) == sizeof(one)) pthread_join(c->thread, NULL);
    close(c->stop_fd);
    free(c->dir), free(c->socket), free(c->config), free(c->log), free(c);
}
