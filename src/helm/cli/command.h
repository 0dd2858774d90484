/* helm's command line as tables. A command has a struct of options, and flag tables that say which flag fills which
 * member; the engine parses as cobra and pflag do and words its errors as they do.
 *
 * A new command: one file with its options, flag table and a `const struct helm_command`, and a row in main.c. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "helm/cli/settings.h"
#include <stdio.h>

enum helm_flag_type {
    HELM_BOOL,         /* bool */
    HELM_STRING,       /* const char *; never NULL after parsing */
    HELM_INT,          /* int64_t */
    HELM_FLOAT,        /* double */
    HELM_DURATION,     /* int64_t, nanoseconds */
    HELM_STRING_ARRAY, /* struct helm_strings: one element per flag, as it is */
    HELM_STRING_SLICE, /* struct helm_strings: comma-separated (CSV), may be repeated */
    HELM_STRING_MAP,   /* struct helm_strings of "key=value" pairs: comma-separated, may be repeated */
    HELM_FORMAT,       /* enum helm_format */
};

enum helm_format { HELM_TABLE, HELM_JSON, HELM_YAML };

struct helm_flag {
    const char *name; /* without dashes */
    char shorthand;   /* 0: none */
    enum helm_flag_type type;
    size_t offset;         /* of the member in the options */
    const char *value;     /* the default as text; NULL: the type's zero */
    const char *if_bare;   /* the value of a flag that is given without one (pflag's NoOptDefVal); bool: "true" */
    const char *help;      /* own words, one line */
    const char *type_name; /* in the help; NULL: by type */
    bool hidden;
};
/* A table of flags whose members lie in a structure at `offset` of the options: a group shared by several commands. The
 * list of a command ends with {0}. */
struct helm_flags {
    const struct helm_flag *flags;
    size_t count;
    size_t offset;
};
#define HELM_FLAGS(table, at) {(table), ARRAY_LEN(table), (at)}

struct helm;
enum helm_arity { HELM_ARGS_ANY, HELM_ARGS_NONE, HELM_ARGS_EXACT, HELM_ARGS_MIN, HELM_ARGS_MAX };
struct helm_command {
    const char *name;              /* one word */
    const char *arguments;         /* in the usage line, behind the name: "[NAME] [CHART]"; NULL: none */
    const char *const *aliases;    /* ends with NULL */
    const char *const *suggest_for; /* other words people try, ends with NULL */
    const char *summary, *description; /* own words; description NULL: the summary */
    enum helm_arity arity;
    int arg_count;
    const struct helm_flags *flags; /* ends with {0}; NULL: none */
    size_t options_size;
    const struct helm_command *const *commands; /* a group of commands, ends with NULL */
    bool hidden, plain_usage;                   /* plain_usage: the usage line has no "[flags]" */
    /* `options` points to options_size bytes with flags and defaults filled in, alive as long as h->arena. The error is
     * printed as "Error: …" and gives exit status 1. NULL for groups: they print their help. */
    struct error *(*run)(struct helm *h, void *options, size_t argc, const char *const *argv);
};

/* One run of helm: what every command gets. Single-threaded. */
struct helm {
    struct arena arena; /* for the whole run */
    struct helm_settings settings;
    const struct helm_command *command;
    const char *path;    /* "helm repo add" */
    const char *program; /* as it was called, for HELM_BIN */
    FILE *out, *err;
    const struct helm_flag **changed; /* flags given on the command line */
    size_t changed_count, changed_cap;
    int status; /* exit status of a run without error; commands may set it */
};

extern const struct helm_command helm_root; /* the table of all commands */

/* Was the flag given on the command line? */
bool helm_flag_changed(const struct helm *h, const char *name);
/* Prints to h->err when --debug is on: "TIME [debug] message" as helm does. */
void helm_debug(struct helm *h, const char *fmt, ...) PRINTF(2, 3);
/* "WARNING: message" on h->err. */
void helm_warning(struct helm *h, const char *fmt, ...) PRINTF(2, 3);

/* ---- the engine's parts ---- */

/* Finds the command that argv (without the program) names and the arguments that remain for it. */
MUST_CHECK struct error *helm_find(struct helm *h, int argc, char **argv, const char *const **rest, size_t *rest_count);
/* Parses flags: global ones into h->settings, the command's into options; the others in `args`. *help: -h or --help was there. */
MUST_CHECK struct error *helm_parse(struct helm *h, size_t argc, const char *const *argv, void *options, const char *const **args,
                                    size_t *arg_count, bool *help);
void helm_print_help(struct helm *h);
/* "helm install [NAME] [CHART] [flags]" */
const char *helm_use_line(struct helm *h);
extern const struct helm_flag helm_global_flags[]; /* into struct helm_settings */
extern const size_t helm_global_flag_count;
