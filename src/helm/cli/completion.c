/* helm completion bash|fish|powershell|zsh, and the hidden command that the scripts ask */
#include "base/str.h"
#include "helm/cli/commands.h"

static const char bash_script[] =
    "# completes the words of helm: source it, or put it into /etc/bash_completion.d\n"
    "_coracle_helm() {\n"
    "    local line word=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r line _; do\n"
    "        case $line in :*) ;; \"$word\"*) COMPREPLY+=(\"$line\") ;; esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2> /dev/null)\n"
    "}\n"
    "complete -o default -F _coracle_helm helm\n";
static const char zsh_script[] =
    "#compdef helm\n"
    "_helm() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2> /dev/null | sed -n '/^:/!s/\\t/:/p')\"})\n"
    "    _describe helm found || _files\n"
    "}\n"
    "compdef _helm helm\n";
static const char fish_script[] =
    "# completes the words of helm: helm completion fish | source\n"
    "function __coracle_helm\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    $words[1] __complete $words[2..-1] 2> /dev/null | string match -v ':*'\n"
    "end\n"
    "complete -c helm -f -a '(__coracle_helm)'\n";
static const char powershell_script[] =
    "# completes the words of helm: helm completion powershell | Out-String | Invoke-Expression\n"
    "Register-ArgumentCompleter -Native -CommandName helm -ScriptBlock {\n"
    "    param($word, $line, $cursor)\n"
    "    $typed = @($line.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor } | ForEach-Object { $_.Extent.Text })\n"
    "    $program = $typed[0]\n"
    "    $words = @($typed | Select-Object -Skip 1)\n"
    "    # before 7.3 an empty argument is lost unless it is quoted twice\n"
    "    if ($word -eq '') { $words += if ($PSNativeCommandArgumentPassing -in 'Standard', 'Windows') { '' } else { '\"\"' } }\n"
    "    & $program __complete @words 2> $null | Where-Object { $_ -notlike ':*' } | ForEach-Object {\n"
    "        $name, $about = $_ -split \"`t\", 2\n"
    "        if (-not $about) { $about = $name }\n"
    "        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $about)\n"
    "    }\n"
    "}\n";

static struct error *print(struct helm *h, const char *script) {
    fputs(script, h->out);
    return NULL;
}
static struct error *run_bash(struct helm *h, void *o UNUSED, size_t argc UNUSED, const char *const *argv UNUSED) { return print(h, bash_script); }
static struct error *run_zsh(struct helm *h, void *o UNUSED, size_t argc UNUSED, const char *const *argv UNUSED) { return print(h, zsh_script); }
static struct error *run_fish(struct helm *h, void *o UNUSED, size_t argc UNUSED, const char *const *argv UNUSED) { return print(h, fish_script); }

static struct error *run_powershell(struct helm *h, void *o UNUSED, size_t argc UNUSED, const char *const *argv UNUSED) {
    return print(h, powershell_script);
}

static const struct helm_command bash = {.name = "bash", .summary = "a script for bash", .arity = HELM_ARGS_NONE, .plain_usage = true, .run = run_bash};
static const struct helm_command fish = {.name = "fish", .summary = "a script for fish", .arity = HELM_ARGS_NONE, .plain_usage = true, .run = run_fish};
static const struct helm_command powershell = {
    .name = "powershell", .summary = "a script for PowerShell", .arity = HELM_ARGS_NONE, .plain_usage = true, .run = run_powershell};
static const struct helm_command zsh = {.name = "zsh", .summary = "a script for zsh", .arity = HELM_ARGS_NONE, .plain_usage = true, .run = run_zsh};

const struct helm_command helm_completion = {
    .name = "completion",
    .summary = "prints scripts that complete helm's words in a shell",
    .commands = (const struct helm_command *const[]){&bash, &fish, &powershell, &zsh, NULL},
};

/* ---- what the scripts ask: `helm __complete WORD…`, the last of them is the one to complete ---- */

static void print_flags(struct helm *h, const struct helm_flags *tables, const char *word) {
    for (const struct helm_flags *t = tables; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            const struct helm_flag *f = &t->flags[i];
            if (!f->hidden && str_starts(f->name, word + MIN(strlen(word), 2))) fprintf(h->out, "--%s\t%s\n", f->name, f->help);
        }
    }
}

struct error *helm_complete(struct helm *h, int argc, char **argv) {
    const char *word = argc > 0 ? argv[argc - 1] : "";
    const char *const *rest;
    size_t count;
    /* an empty word behind the others keeps them all in place */
    TRY(helm_find(h, argc > 0 ? argc - 1 : 0, argv, &rest, &count));
    const struct helm_command *c = h->command;
    for (size_t i = 0; word[0] != '-' && c->commands != NULL && c->commands[i] != NULL; i++) {
        if (!c->commands[i]->hidden && str_starts(c->commands[i]->name, word)) fprintf(h->out, "%s\t%s\n", c->commands[i]->name, c->commands[i]->summary);
    }
    if (word[0] == '-') {
        print_flags(h, c->flags, word);
        print_flags(h, (const struct helm_flags[]){{helm_global_flags, helm_global_flag_count, 0}, {0}}, word);
    }
    fputs(c->commands != NULL ? ":4\n" : ":0\n", h->out);
    return NULL;
}
