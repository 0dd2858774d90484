#include "base/log.h"
#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {[LOG_ERROR] = "ERROR", [LOG_WARN] = "WARN", [LOG_INFO] = "INFO", [LOG_DEBUG] = "DEBUG"};
static _Atomic int limit = LOG_INFO;
static const char *_Atomic line_start;

void log_set_level(enum log_level level) { limit = (int)level; }
void log_set_line_start(const char *text) { line_start = text; }

bool log_parse_level(const char *name, enum log_level *level) {
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(name, names[i]) != 0) continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}

/* One write per line, so that lines of threads do not mix. Control characters from outside become spaces. */
void log_write(enum log_level level, const char *component, const char *fmt, ...) {
    if ((int)level > limit) return;
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    cleanup_buf struct buf line = {0};
    const char *start = line_start;
    buf_adds(&line, start != NULL ? start : "");
    size_t from = line.len;
    buf_printf(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s: ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
               tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000, names[level], component);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&line, fmt, args);
    va_end(args);
    for (size_t i = from; i < line.len; i++)
        if ((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t') line.data[i] = ' ';
    buf_addc(&line, '\n');
    ssize_t written UNUSED = write(STDERR_FILENO, line.data, line.len);
}
