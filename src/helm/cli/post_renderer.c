/* --post-renderer: a program between rendering and the cluster. */
#include "base/str.h"
#include "helm/cli/chart_flags.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
enum { MAX_OUTPUT = 1 << 30 };

struct program {
    const char *path;
    char **argv;
};

static const char *find_program(struct arena *a, const char *name) {
    if (strchr(name, '/') != NULL) return access(name, X_OK) == 0 ? name : NULL;
    const char *path = getenv("PATH");
    size_t count;
    char **dirs = str_split(a, path != NULL ? path : "", ':', &count);
    for (size_t i = 0; i < count; i++) {
        const char *full = arena_printf(a, "%s/%s", dirs[i][0] != '\0' ? dirs[i] : ".", name);
        if (access(full, X_OK) == 0) return full;
    }
    return access(name, X_OK) == 0 ? arena_printf(a, "./%s", name) : NULL;
}

/* Feeds the program and collects what it says on both outputs, without waiting for either side alone. */
static void pump(int in, int out, int err, const char *text, size_t len, struct buf *output, struct buf *errors) {
    struct pollfd fds[] = {{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
    for (int i = 0; i < 3; i++) fcntl(fds[i].fd, F_SETFL, O_NONBLOCK);
    if (len == 0) close(in), fds[0].fd = -1;
    while (fds[1].fd >= 0 || fds[2].fd >= 0) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR) break;
        if (fds[0].fd >= 0 && fds[0].revents != 0) {
            ssize_t n = write(in, text, len);
            if (n > 0) text += n, len -= (size_t)n;
            if (len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close(in), fds[0].fd = -1;
        }
        for (int i = 1; i < 3; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0) continue;
            char chunk[65536];
            ssize_t n = read(fds[i].fd, chunk, sizeof chunk);
            if (n > 0) buf_add(i == 1 ? output : errors, chunk, (size_t)n);
            else if (n == 0 || (errno != EAGAIN && errno != EINTR)) close(fds[i].fd), fds[i].fd = -1;
        }
    }
    if (fds[0].fd >= 0) close(in);
}

static struct error *run_program(void *arg, const char *manifest, size_t len, struct buf *out) {
    const struct program *p = arg;
    int in[2], output[2], errors[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) return error_sys(errno, "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
    pid_t pid;
    int failed = posix_spawn(&pid, p->path, &actions, NULL, p->argv, environ), status = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]), close(output[1]), close(errors[1]);
    cleanup_buf struct buf said = {.max = 1 << 20};
    out->max = MAX_OUTPUT;
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    if (failed == 0) pump(in[1], output[0], errors[0], manifest, len, out, &said);
    else close(in[1]), close(output[0]), close(errors[0]);
    signal(SIGPIPE, old);
    if (failed != 0) return error_wrap(go_path_error("fork/exec", p->path, failed), "error while running command %s. error output:\n", p->path);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(status)) return error_new("error while running command %s. error output:\n%s: signal: %s", p->path, buf_str(&said), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0) return error_new("error while running command %s. error output:\n%s: exit status %d", p->path, buf_str(&said), WEXITSTATUS(status));
    if (strspn(buf_str(out), " \t\r\n") == out->len) return error_new("post-renderer %s produced empty output", p->path);
    return NULL;
}

struct error *post_renderer_use(struct helm *h, const struct post_renderer *p, struct render_options *o) {
    if (p->path[0] == '\0') return NULL;
    struct program *program = ARENA_NEW(&h->arena, struct program);
    const char *found = find_program(&h->arena, p->path);
    if (found == NULL) {
        cleanup_buf struct buf shown = {0};
        go_quote(&shown, p->path, strlen(p->path));
        bool path = strchr(p->path, '/') != NULL;
        return error_new("invalid argument %s for \"--post-renderer\" flag: unable to find binary at %s: exec: %s: %s", buf_str(&shown), p->path,
                         buf_str(&shown), path ? "no such file or directory" : "executable file not found in $PATH");
    }
    program->path = helm_absolute_path(h, found);
    program->argv = arena_calloc(&h->arena, p->args.count + 2, sizeof(char *));
    program->argv[0] = arena_strdup(&h->arena, program->path);
    for (size_t i = 0; i < p->args.count; i++) program->argv[i + 1] = arena_strdup(&h->arena, p->args.items[i]);
    o->post_render = run_program;
    o->post_render_arg = program;
    return NULL;
}
