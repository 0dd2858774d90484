/* Structured logging to stderr, one line per event:  2026-01-02T15:04:05.123Z INFO scheduler: message key=value ...
 * Thread-safe. Levels: errors need a person, warnings may, info says what changed, debug is for developers. */
#pragma once
#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
bool log_parse_level(const char *name, enum log_level *level);
/* What each line begins with from now on, NULL for nothing: on a terminal whose last line is unfinished, what removes that. */
void log_set_line_start(const char *text);
/* `component` is a short name ("store"); the message is one line without its newline. */
void log_write(enum log_level level, const char *component, const char *fmt, ...) PRINTF(3, 4);

/* Each file says `#define LOG_COMPONENT "store"` before its first use. */
#define log_error(...) log_write(LOG_ERROR, LOG_COMPONENT, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, LOG_COMPONENT, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, LOG_COMPONENT, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, LOG_COMPONENT, __VA_ARGS__)
