/* Command-line flags as tables. A verb has a struct of options and a const table that says which flag fills which
 * member; the same table gives parsing, `--config` (a YAML mapping from flag names to values), help and completion.
 *
 * Syntax as upstream's (pflag): --name=value, --name value, --switch, --switch=false. What is on the command line wins
 * over the configuration file, which wins over the default. Single-threaded. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

enum flag_type {
    FLAG_STRING,   /* const char * */
    FLAG_INT,      /* int64_t */
    FLAG_BOOL,     /* bool */
    FLAG_DURATION, /* int64_t, nanoseconds; Go's notation */
    FLAG_LIST,     /* const char *const *, ends with NULL; comma-separated, may be repeated */
    FLAG_ADDRESS,  /* const char *; an IP address */
    FLAG_NETWORK,  /* const char *; ADDRESS/BITS */
    FLAG_SECTION,  /* no flag: a heading in the help */
};
struct flag {
    const char *name; /* without dashes; for FLAG_SECTION the heading */
    enum flag_type type;
    size_t offset;        /* of the member in the options structure */
    const char *other;    /* the default as text; NULL: zero */
    const char *argument; /* "FILE", for the help; NULL: by type */
    const char *help;
    const char *allowed;  /* words that a string, or each item of a list, must be one of ("a b c"); an integer's range ("1..9"); NULL: anything */
};

struct verb_info {
    const char *name, *summary; /* one line for the list of verbs */
    const char *usage;          /* "coracle server [flags]" */
    const char *description;    /* paragraphs for `coracle VERB --help` */
    const char *examples;       /* these may be NULL */
    const char *files;
    size_t argument_count;      /* how many arguments beside flags it takes at most */
    const char *arguments;      /* words for the completion, where others than files are meant */
    const char *exit_status;    /* beyond 0, 1 and 2 */
    const struct flag *flags;
    size_t flag_count;
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
};

/* Fills `options` (zeroed by the caller) from defaults, the file named by a flag "config" if there is one, and argv.
 * What is no flag is returned in `rest` (ends with NULL); more than the verb takes is an error. Errors name the flag, the value and what is allowed.
 * `*help` is set when --help or -h is there; then nothing else counts. */
MUST_CHECK struct error *flags_parse(struct arena *a, const struct verb_info *v, int argc, char **argv, void *options,
                                     const char *const **rest, bool *help);
void flags_print_help(const struct verb_info *v);
/* For verbs: parses; prints help or the error. Returns true if the verb should go on, else its exit status in *status. */
bool flags_start(struct arena *a, const struct verb_info *v, int argc, char **argv, void *options, const char *const **rest,
                 int *status);
/* Prints "error: …" to stderr, frees the error, returns 1 for `return`. */
int cli_fail(struct error *e);
