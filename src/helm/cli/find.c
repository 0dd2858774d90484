/* From the words of the command line to a command, as cobra finds it. */
#include "base/str.h"
#include "helm/cli/command.h"
#include <ctype.h>
#include <strings.h>

static const struct helm_flag *global_flag(const char *name, size_t len) {
    for (size_t i = 0; i < helm_global_flag_count; i++) {
        const struct helm_flag *f = &helm_global_flags[i];
        if (len == 1 ? f->shorthand == name[0] : strlen(f->name) == len && memcmp(f->name, name, len) == 0) return f;
    }
    return NULL;
}

static bool in_table(const struct helm_flags *t, const char *name, bool shorthand, const struct helm_flag **out) {
    for (; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            const struct helm_flag *f = &t->flags[i];
            if (shorthand ? f->shorthand == name[0] : str_eq(f->name, name)) return *out = f, true;
        }
    }
    return false;
}

/* Does the next word belong to this flag? Flags that nobody knows count as having one, as in cobra. */
static bool takes_next(const struct helm_command *c, const char *word) {
    if (strchr(word, '=') != NULL) return false;
    bool shorthand = word[1] != '-';
    if (shorthand && strlen(word) != 2) return false;
    const char *name = word + (shorthand ? 1 : 2);
    if (str_eq(name, shorthand ? "h" : "help")) return false;
    const struct helm_flag *f = NULL;
    if (!in_table(c->flags, name, shorthand, &f)) f = global_flag(name, shorthand ? 1 : strlen(name));
    return f == NULL || (f->type != HELM_BOOL && f->if_bare == NULL);
}

/* The position of the first word that is no flag and no flag's value; `count` if there is none. */
static size_t first_word(const struct helm_command *c, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *w = words[i];
        if (str_eq(w, "--")) return count;
        if (w[0] == '-' && w[1] != '\0') {
            if (takes_next(c, w)) {
                if (i + 2 >= count) return count;
                i++;
            }
        } else if (w[0] != '\0' && w[0] != '-') {
            return i;
        }
    }
    return count;
}

static const struct helm_command *subcommand(const struct helm_command *c, const char *name) {
    for (size_t i = 0; c->commands != NULL && c->commands[i] != NULL; i++) {
        if (str_eq(c->commands[i]->name, name) || (c->commands[i]->aliases != NULL && str_in(name, c->commands[i]->aliases))) return c->commands[i];
    }
    return NULL;
}

/* Levenshtein's distance, without regard to case; words are short. */
static size_t distance(const char *a, const char *b) {
    size_t row[65], n = strlen(b);
    if (n > 64 || strlen(a) > 64) return 64;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static bool suggested(const struct helm_command *c, const char *typed) {
    if (distance(typed, c->name) <= 2 || strncasecmp(c->name, typed, strlen(typed)) == 0) return true;
    for (size_t i = 0; c->suggest_for != NULL && c->suggest_for[i] != NULL; i++) {
        if (strcasecmp(c->suggest_for[i], typed) == 0) return true;
    }
    return false;
}

static struct error *unknown_command(struct helm *h, const char *typed) {
    struct error *e = error_new("unknown command \"%s\" for \"helm\"", typed);
    cleanup_buf struct buf text = {0};
    for (size_t i = 0; helm_root.commands[i] != NULL; i++) {
        const struct helm_command *c = helm_root.commands[i];
        if (c->hidden || !suggested(c, typed)) continue;
        if (text.len == 0) buf_adds(&text, "\n\nDid you mean this?\n");
        buf_printf(&text, "\t%s\n", c->name);
    }
    buf_printf(&text, "\nRun 'helm --help' for usage.");
    h->path = "helm";
    char *message = xprintf("%s%s", e->message, buf_str(&text));
    free(e->message);
    e->message = message;
    return e;
}

struct error *helm_find(struct helm *h, int argc, char **argv, const char *const **rest, size_t *rest_count) {
    size_t count = (size_t)argc;
    const char **words = arena_calloc(&h->arena, count + 1, sizeof(*words));
    for (size_t i = 0; i < count; i++) words[i] = argv[i];
    const struct helm_command *c = &helm_root;
    h->path = "helm";
    for (;;) {
        size_t at = first_word(c, words, count);
        const struct helm_command *next = at < count ? subcommand(c, words[at]) : NULL;
        if (next == NULL) {
            if (at < count && c == &helm_root) return unknown_command(h, words[at]);
            break;
        }
        memmove(words + at, words + at + 1, (count - at) * sizeof(*words));
        count--;
        c = next;
        h->path = arena_printf(&h->arena, "%s %s", h->path, c->name);
    }
    h->command = c;
    *rest = words;
    *rest_count = count;
    return NULL;
}
