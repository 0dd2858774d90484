/* coracle completion bash|zsh|fish: generated from the verbs' flag tables. */
#include "base/str.h"
#include "cli/verbs.h"
#include <stdio.h>

static void print_words(const struct verb_info *v) {
    for (size_t i = 0; i < v->flag_count; i++) {
        if (v->flags[i].type != FLAG_SECTION) printf(" --%s", v->flags[i].name);
    }
    printf(" --help");
}

static void print_bash(void) {
    puts("_coracle() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\n  if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("    words='");
    for (size_t i = 0; verbs[i] != NULL; i++) printf("%s ", verbs[i]->name);
    puts("'\n  else case ${COMP_WORDS[1]} in");
    for (size_t i = 0; verbs[i] != NULL; i++) {
        printf("    %s) words='", verbs[i]->name);
        print_words(verbs[i]);
        puts("';;");
    }
    puts("  esac; fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _coracle coracle");
}

static void print_zsh(void) {
    puts("#compdef coracle\nautoload -U +X bashcompinit && bashcompinit");
    print_bash();
}

static void print_fish(void) {
    for (size_t i = 0; verbs[i] != NULL; i++) {
        const struct verb_info *v = verbs[i];
        printf("complete -c coracle -n __fish_use_subcommand -f -a %s -d '%s'\n", v->name, v->summary);
        for (size_t f = 0; f < v->flag_count; f++) {
            if (v->flags[f].type != FLAG_SECTION) {
                printf("complete -c coracle -n '__fish_seen_subcommand_from %s' -l %s%s\n", v->name, v->flags[f].name,
                       v->flags[f].type == FLAG_BOOL ? "" : " -r");
            }
        }
    }
}

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    const char *const *rest;
    int status;
    if (!flags_start(&a, &verb_completion, argc, argv, NULL, &rest, &status)) return status;
    if (str_eq(rest[0], "bash")) print_bash();
    else if (str_eq(rest[0], "zsh")) print_zsh();
    else if (str_eq(rest[0], "fish")) print_fish();
    else return cli_fail(error_new("name a shell: coracle completion bash|zsh|fish"));
    return 0;
}

const struct verb_info verb_completion = {
    .name = "completion",
    .summary = "prints shell completion for bash, zsh or fish",
    .usage = "coracle completion bash|zsh|fish",
    .description = "Prints a completion script for the shell named.",
    .examples = "  source <(coracle completion bash)\n  coracle completion fish > ~/.config/fish/completions/coracle.fish\n",
    .run = run,
};
