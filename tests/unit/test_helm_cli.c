/* The command line of helm: flags as pflag takes them, errors as cobra words them, tables as uitable prints them. */
#include "base/str.h"
#include "helm/cli/output.h"
#include "helm_golden.h"

/* What a command line leads to: the error, or the command's path and arguments joined by '|'. */
static char *outcome(struct helm *h, void **options, const char *line) {
    char *words[32], *copy = arena_strdup(&h->arena, line);
    int n = 0;
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) words[n++] = w;
    const char *const *rest, *const *args;
    size_t count, arg_count;
    bool help;
    helm_settings_init(&h->arena, &h->settings);
    cleanup_error struct error *e = helm_find(h, n, words, &rest, &count);
    if (e != NULL) return arena_strdup(&h->arena, e->message);
    void *o = arena_calloc(&h->arena, 1, h->command->options_size + 1);
    if (options != NULL) *options = o;
    e = helm_parse(h, count, rest, o, &args, &arg_count, &help);
    if (e != NULL) return arena_strdup(&h->arena, e->message);
    cleanup_buf struct buf out = {0};
    buf_adds(&out, help ? "help of " : "");
    buf_adds(&out, h->path);
    for (size_t i = 0; i < arg_count; i++) buf_printf(&out, "|%s", args[i]);
    return arena_strdup(&h->arena, buf_str(&out));
}

static void command_lines_are_understood_as_helm_does(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"template name chart", "helm template|name|chart"},
        {"-n ns template --set a=b name -f x,y chart", "helm template|name|chart"},
        {"template -- -x --y", "helm template|-x|--y"},
        {"show chart x", "helm show chart|x"},
        {"inspect values x", "helm show values|x"},
        {"dep up --skip-refresh dir", "helm dependency update|dir"},
        {"template -h x", "help of helm template"},
        {"template --no-such", "unknown flag: --no-such"},
        {"template -q x", "unknown shorthand flag: 'q' in -q"},
        {"template --set", "flag needs an argument: --set"},
        {"template -f", "flag needs an argument: 'f' in -f"},
        {"template --=x", "bad flag syntax: --=x"},
        {"template --timeout=5", "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\""},
        {"template --timeout=5x", "invalid argument \"5x\" for \"--timeout\" flag: time: unknown unit \"x\" in duration \"5x\""},
        {"template --debug=perhaps", "invalid argument \"perhaps\" for \"--debug\" flag: strconv.ParseBool: parsing \"perhaps\": invalid syntax"},
        {"template --burst-limit=x", "invalid argument \"x\" for \"--burst-limit\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"},
        {"template -l a", "invalid argument \"a\" for \"-l, --labels\" flag: a must be formatted as key=value"},
        {"template -f a\"b", "invalid argument \"a\\\"b\" for \"-f, --values\" flag: parse error on line 1, column 2: bare \" in non-quoted-field"},
        {"nothing", "unknown command \"nothing\" for \"helm\"\nRun 'helm --help' for usage."},
        {"tempalte", "unknown command \"tempalte\" for \"helm\"\n\nDid you mean this?\n\ttemplate\n\nRun 'helm --help' for usage."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct helm h = {.out = stdout, .err = stderr};
        assert_string_equal(outcome(&h, NULL, cases[i][0]), cases[i][1]);
        arena_free(&h.arena);
    }
}

/* What a command prints. */
static void prints(const char *line, struct buf *out) {
    char *text = NULL;
    size_t len = 0;
    struct helm h = {.out = open_memstream(&text, &len), .err = stderr};
    void *options;
    (void)outcome(&h, &options, line);
    assert_null(h.command->run(&h, options, 0, NULL));
    fclose(h.out);
    buf_add(out, text, len);
    free(text);
    arena_free(&h.arena);
}

static void shells_are_told_how_to_ask_for_words(void **state) {
    (void)state;
    static const char *const shells[][2] = {
        {"completion bash", "\ncomplete -o default -F "},
        {"completion fish", "\ncomplete -c helm "},
        {"completion powershell", "\nRegister-ArgumentCompleter -Native -CommandName helm "},
        {"completion zsh", "#compdef helm\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        cleanup_buf struct buf out = {0};
        prints(shells[i][0], &out);
        assert_non_null(strstr(buf_str(&out), shells[i][1]));
        assert_non_null(strstr(buf_str(&out), " __complete "));
    }
}

static void flags_before_and_behind_the_command_count(void **state) {
    (void)state;
    struct helm h = {.out = stdout, .err = stderr};
    outcome(&h, NULL, "--namespace one template x --kube-context=two --debug -gn three");
    assert_string_equal(h.settings.ns, "three");
    assert_string_equal(h.settings.kube_context, "two");
    assert_true(h.settings.debug);
    assert_true(helm_flag_changed(&h, "generate-name"));
    assert_false(helm_flag_changed(&h, "kubeconfig"));
    arena_free(&h.arena);
}

static void tables_are_padded_cut_and_wrapped(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf plain = {0}, cut = {0}, wrapped = {0};
    struct helm_table t = {.arena = &a};
    HELM_ROW(&t, "NAME", "DESCRIPTION");
    HELM_ROW(&t, "a", "one two three four");
    helm_table_write(&t, &plain);
    assert_string_equal(plain.data, "NAME\tDESCRIPTION       \na   \tone two three four\n");
    t.max_width = 8;
    helm_table_write(&t, &cut);
    assert_string_equal(cut.data, "NAME\tDESCR...\na   \tone t...\n");
    t.wrap = true;
    helm_table_write(&t, &wrapped);
    assert_string_equal(wrapped.data, "NAME\tDESCR...\na   \tone two \n    \tthree   \n    \tfour    \n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_understood_as_helm_does),
        cmocka_unit_test(shells_are_told_how_to_ask_for_words),
        cmocka_unit_test(flags_before_and_behind_the_command_count),
        cmocka_unit_test(tables_are_padded_cut_and_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
