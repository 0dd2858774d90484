/* coracle completion bash|zsh|fish: generated from the verbs' flag tables. */
#include "base/str.h"
#include "cli/verbs.h"
#include <stdio.h>

static const struct flag help = {.name = "help", .type = FLAG_BOOL, .help = "show the help"};

/* What stands in single quotes of a shell. */
static void print_quoted(const char *s) {
    for (; *s != '\0'; s++) *s == '\'' ? fputs("'\\''", stdout) : putchar(*s);
}

typedef void print_flag_fn(const struct verb_info *v, const struct flag *f);
static void each_flag(const struct verb_info *v, print_flag_fn *print) {
    for (size_t i = 0; i < v->flag_count; i++) {
        if (v->flags[i].type != FLAG_SECTION) print(v, &v->flags[i]);
    }
    print(v, &help);
}

/* ---- bash ---- */

static void bash_flag(const struct verb_info *v UNUSED, const struct flag *f) { printf(" --%s", f->name); }

static void print_bash(void) {
    puts("_coracle() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\n  if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("    words='");
    for (size_t i = 0; verbs[i] != NULL; i++) printf("%s ", verbs[i]->name);
    puts("'\n  else case ${COMP_WORDS[1]} in");
    for (size_t i = 0; verbs[i] != NULL; i++) {
        printf("    %s) case $cur in -*) words='", verbs[i]->name);
        each_flag(verbs[i], bash_flag);
        printf("';; *) words='%s';; esac;;\n", verbs[i]->arguments ? verbs[i]->arguments : "");
    }
    puts("  esac; fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _coracle coracle");
}

/* ---- zsh ---- */

static void zsh_word(const char *dashes, const char *name, const char *text) {
    printf("'%s%s:", dashes, name);
    print_quoted(text);
    printf("' ");
}
static void zsh_flag(const struct verb_info *v UNUSED, const struct flag *f) { zsh_word("--", f->name, f->help); }

static void print_zsh(void) {
    printf("#compdef coracle\n_coracle() {\n  local -a found\n  if (( CURRENT == 2 )); then\n    found=(");
    for (size_t i = 0; verbs[i] != NULL; i++) zsh_word("", verbs[i]->name, verbs[i]->summary);
    puts(")\n    _describe verb found\n    return\n  fi\n  if [[ $words[CURRENT] == -* ]]; then\n    case $words[2] in");
    for (size_t i = 0; verbs[i] != NULL; i++) {
        printf("    %s) found=(", verbs[i]->name);
        each_flag(verbs[i], zsh_flag);
        puts(");;");
    }
    puts("    esac\n    _describe flag found\n    return\n  fi\n  case $words[2] in");
    for (size_t i = 0; verbs[i] != NULL; i++) {
        if (verbs[i]->arguments != NULL) printf("  %s) compadd %s;;\n", verbs[i]->name, verbs[i]->arguments);
    }
    puts("  *) _files;;\n  esac\n}\nif [[ $funcstack[1] == _coracle ]]; then _coracle \"$@\"; else compdef _coracle coracle; fi");
}

/* ---- fish ---- */

static void fish_flag(const struct verb_info *v, const struct flag *f) {
    printf("complete -c coracle -n '__fish_seen_subcommand_from %s' -l %s%s -d '", v->name, f->name, f->type == FLAG_BOOL ? "" : " -r");
    print_quoted(f->help);
    puts("'");
}

static void print_fish(void) {
    for (size_t i = 0; verbs[i] != NULL; i++) {
        printf("complete -c coracle -n __fish_use_subcommand -f -a %s -d '", verbs[i]->name);
        print_quoted(verbs[i]->summary);
        puts("'");
        each_flag(verbs[i], fish_flag);
        if (verbs[i]->arguments != NULL) printf("complete -c coracle -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", verbs[i]->name, verbs[i]->arguments);
    }
}

static const struct {
    const char *shell;
    void (*print)(void);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_completion, argc, argv, NULL, &rest, &status)) return status;
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        if (str_eq(rest[0], shells[i].shell)) return shells[i].print(), 0;
    }
    return cli_fail(error_new("name a shell: coracle completion bash|zsh|fish")), 2;
}

const struct verb_info verb_completion = {
    .name = "completion",
    .summary = "prints shell completion for bash, zsh or fish",
    .usage = "coracle completion bash|zsh|fish",
    .description = "Prints a script that lets the shell complete verbs, flags and files.",
    .examples = "  source <(coracle completion bash)\n"
                "  coracle completion bash > /etc/bash_completion.d/coracle\n"
                "  coracle completion zsh > \"${fpath[1]}/_coracle\"\n"
                "  coracle completion fish > ~/.config/fish/completions/coracle.fish\n",
    .argument_count = 1,
    .arguments = "bash zsh fish",
    .run = run,
};
