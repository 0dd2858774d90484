/* coracle VERB …: finds the verb and runs it. */
#include "base/str.h"
#include "cli/verbs.h"
#include <stdio.h>

const struct verb_info *const verbs[] = {&verb_server, &verb_agent, &verb_kubeconfig, &verb_token, &verb_snapshot, &verb_restore,
                                         &verb_check, &verb_uninstall, &verb_helm, &verb_aws, &verb_version, &verb_completion, NULL};

static void print_help(void) {
    puts("Coracle is a whole Kubernetes " KUBERNETES_VERSION " platform in one program.\n\n"
         "  coracle server           starts a cluster on this machine\n"
         "  export KUBECONFIG=/var/lib/coracle/kubeconfig\n"
         "  kubectl get nodes        talks to it, as to any cluster\n\n"
         "Usage:\n  coracle VERB [flags]\n\nVerbs:");
    for (size_t i = 0; verbs[i] != NULL; i++) printf("  %-12s  %s\n", verbs[i]->name, verbs[i]->summary);
    puts("\n`coracle VERB --help` explains a verb and its flags.");
}

static int run_verb(char *name, int argc, char **argv) {
    for (size_t i = 0; verbs[i] != NULL; i++) {
        if (str_eq(name, verbs[i]->name)) return verbs[i]->run(argc, argv);
    }
    fprintf(stderr, "error: unknown verb \"%s\"; `coracle --help` lists the verbs\n", name);
    return 2;
}

int main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    if (str_eq(slash != NULL ? slash + 1 : argv[0], "helm")) return verb_helm.run(argc, argv); /* by a link of that name */
    if (argc < 2) return print_help(), 2;
    bool help = str_in(argv[1], (const char *const[]){"--help", "-h", "help", NULL});
    if (help && argc > 2) return run_verb(argv[2], 2, (char *[]){argv[2], (char[]){"--help"}, NULL});
    if (help) return print_help(), 0;
    if (str_eq(argv[1], "--version")) return verb_version.run(1, argv + 1);
    return run_verb(argv[1], argc - 1, argv + 1);
}
