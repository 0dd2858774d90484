/* Help pages out of the tables. */
#include "base/str.h"
#include "helm/cli/command.h"

const char *helm_use_line(struct helm *h) {
    const struct helm_command *c = h->command;
    const char *flags = c->plain_usage ? "" : " [flags]";
    if (c->arguments == NULL) return arena_printf(&h->arena, "%s%s", h->path, flags);
    return arena_printf(&h->arena, "%s %s%s", h->path, c->arguments, flags);
}

static const char *type_name(const struct helm_flag *f) {
    static const char *const names[] = {"", "string", "int", "float", "duration", "stringArray", "strings", "stringToString", "format"};
    return f->type_name != NULL ? f->type_name : names[f->type];
}

static const char *left_column(struct arena *a, const struct helm_flag *f) {
    const char *type = type_name(f), *space = type[0] != '\0' ? " " : "";
    if (f->shorthand != 0) return arena_printf(a, "  -%c, --%s%s%s", f->shorthand, f->name, space, type);
    return arena_printf(a, "      --%s%s%s", f->name, space, type);
}

static void print_flags(struct helm *h, const struct helm_flags *tables, bool with_help) {
    size_t width = strlen("  -h, --help");
    for (const struct helm_flags *t = tables; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            if (!t->flags[i].hidden) width = MAX(width, strlen(left_column(&h->arena, &t->flags[i])));
        }
    }
    if (with_help) fprintf(h->out, "%-*s   shows this page\n", (int)width, "  -h, --help");
    for (const struct helm_flags *t = tables; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            const struct helm_flag *f = &t->flags[i];
            if (f->hidden) continue;
            fprintf(h->out, "%-*s   %s", (int)width, left_column(&h->arena, f), f->help);
            if (f->value != NULL && f->value[0] != '\0') fprintf(h->out, f->type == HELM_STRING ? " (default \"%s\")" : " (default %s)", f->value);
            fputc('\n', h->out);
        }
    }
}

static void print_commands(struct helm *h) {
    fprintf(h->out, "\nUsage:\n  %s [command]\n\nAvailable Commands:\n", h->path);
    for (size_t i = 0; h->command->commands[i] != NULL; i++) {
        const struct helm_command *c = h->command->commands[i];
        if (!c->hidden) fprintf(h->out, "  %-11s %s\n", c->name, c->summary);
    }
}

void helm_print_help(struct helm *h) {
    const struct helm_command *c = h->command;
    fprintf(h->out, "%s\n", c->description != NULL ? c->description : c->summary);
    if (c->commands != NULL) print_commands(h);
    else fprintf(h->out, "\nUsage:\n  %s\n", helm_use_line(h));
    if (c->aliases != NULL) {
        fprintf(h->out, "\nAliases:\n  %s", c->name);
        for (size_t i = 0; c->aliases[i] != NULL; i++) fprintf(h->out, ", %s", c->aliases[i]);
        fputc('\n', h->out);
    }
    fputs("\nFlags:\n", h->out);
    print_flags(h, c->flags, true);
    fputs("\nGlobal Flags:\n", h->out);
    print_flags(h, (const struct helm_flags[]){{helm_global_flags, helm_global_flag_count, 0}, {0}}, false);
    if (c->commands != NULL) fprintf(h->out, "\n\"%s [command] --help\" tells more about a command.\n", h->path);
}
