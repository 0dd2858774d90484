#include "helm/cli/terminal.h"
#include "base/buf.h"
#include <errno.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_INPUT = 1 << 20 };

struct error *terminal_ask(struct helm *h, const char *prompt, bool silent, const char **out) {
    struct termios old, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    cleanup_buf struct buf line = {.max = MAX_INPUT};
    fputs(prompt, h->out);
    fflush(h->out);
    if (silent && !terminal) return error_sys(errno, "ioctl");
    if (silent) {
        quiet = old;
        quiet.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    char c;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') buf_addc(&line, c);
    if (silent) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', h->out);
    }
    if (n <= 0 && line.len == 0) return error_new("EOF");
    if (line.len > 0 && line.data[line.len - 1] == '\r') line.data[line.len - 1] = '\0';
    *out = arena_strdup(&h->arena, buf_str(&line));
    return NULL;
}

struct error *terminal_read_all(struct arena *a, const char **out) {
    cleanup_buf struct buf all = {.max = MAX_INPUT};
    char chunk[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0) buf_add(&all, chunk, (size_t)n);
    size_t len = all.len;
    if (len > 0 && all.data[len - 1] == '\n') len--;
    if (len > 0 && all.data[len - 1] == '\r') len--;
    *out = arena_strndup(a, buf_str(&all), len);
    return NULL;
}
