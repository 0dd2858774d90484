#include "base/child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN, OUT, ERR, STREAMS };

struct run {
    const struct child *child;
    int fd[STREAMS];
    size_t written;
};

static void run_close(struct run *r) {
    for (int i = 0; i < STREAMS; i++)
        if (r->fd[i] >= 0) close(r->fd[i]);
}

/* Copies of the caller's variables with `more` over them. */
static char **environment(const char *const *more) {
    size_t n = 0, m = 0, len = 0;
    while (environ[n]) n++;
    while (more && more[m]) m++;
    char **env = xcalloc(n + m + 1, sizeof(*env));
    for (size_t i = 0; i < n + m; i++) {
        const char *pair = i < n ? environ[i] : more[i - n];
        size_t name = strcspn(pair, "="), at = 0;
        while (at < len && (strncmp(env[at], pair, name) != 0 || env[at][name] != '=')) at++;
        free(env[at]);
        env[at] = xstrdup(pair);
        len = MAX(len, at + 1);
    }
    return env;
}

static void free_strings(char **list) {
    for (size_t i = 0; list[i]; i++) free(list[i]);
    free(list);
}

static bool put(struct run *r) {
    const struct child *c = r->child;
    ssize_t n = write(r->fd[IN], (const char *)c->input + r->written, c->input_len - r->written);
    if (n > 0) r->written += (size_t)n;
    return (n > 0 && r->written < c->input_len) || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool take(int fd, struct buf *to) {
    char chunk[16384];
    ssize_t n = read(fd, chunk, sizeof(chunk));
    if (n > 0 && to != NULL) buf_add(to, chunk, (size_t)n);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Until the program has closed its ends. */
static void serve(struct run *r) {
    while (r->fd[OUT] >= 0 || r->fd[ERR] >= 0 || r->fd[IN] >= 0) {
        struct pollfd p[STREAMS] = {{r->fd[IN], POLLOUT, 0}, {r->fd[OUT], POLLIN, 0}, {r->fd[ERR], POLLIN, 0}};
        if (poll(p, STREAMS, -1) < 0 && errno != EINTR) return;
        for (int i = 0; i < STREAMS; i++) {
            if (p[i].fd < 0 || p[i].revents == 0) continue;
            bool more = i == IN ? !(p[i].revents & (POLLERR | POLLHUP)) && put(r) : take(r->fd[i], i == OUT ? r->child->out : r->child->err);
            if (more) continue;
            close(r->fd[i]);
            r->fd[i] = -1;
        }
    }
}

static int start(struct run *r, int theirs[STREAMS], pid_t *pid) {
    const struct child *c = r->child;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    if (theirs[IN] < 0 && !c->inherit_input) posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < STREAMS; i++)
        if (theirs[i] >= 0) posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    size_t n = 0;
    while (c->argv[n]) n++;
    char **argv = xcalloc(n + 1, sizeof(*argv)), **env = environment(c->env);
    for (size_t i = 0; i < n; i++) argv[i] = xstrdup(c->argv[i]);
    int failed = posix_spawnp(pid, argv[0], &actions, &attributes, argv, env);
    free_strings(argv);
    free_strings(env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

struct error *child_run(const struct child *c, int *status) {
    CLEANUP(run_close) struct run r = {.child = c, .fd = {-1, -1, -1}};
    int theirs[STREAMS] = {-1, -1, -1}, how;
    bool wanted[STREAMS] = {c->input != NULL, true, c->err != NULL};
    for (int i = 0; i < STREAMS; i++) {
        int pair[2];
        if (!wanted[i]) continue;
        if (pipe2(pair, O_CLOEXEC) != 0) return error_sys(errno, "pipe");
        r.fd[i] = pair[i == IN];
        theirs[i] = pair[i != IN];
    }
    if (r.fd[IN] >= 0) fcntl(r.fd[IN], F_SETFL, O_NONBLOCK);
    pid_t pid;
    int failed = start(&r, theirs, &pid);
    for (int i = 0; i < STREAMS; i++)
        if (theirs[i] >= 0) close(theirs[i]);
    if (failed) return error_sys(failed, "%s", c->argv[0]);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* it may end before it has read everything */
    serve(&r);
    signal(SIGPIPE, before);
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {}
    *status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    return NULL;
}
