/* What the CNI plugin portmap leaves in iptables when the last pod with a host port is gone. */
#include "network/portmap.h"
#include "base/child.h"
#include "base/str.h"

#define LOCAL_JUMP "-m", "addrtype", "--dst-type", "LOCAL", "-j", "CNI-HOSTPORT-DNAT"
#define LONGEST 12

/* The arguments behind `iptables -w -t nat`, in an order in which each can succeed. */
static const char *const undo[][LONGEST] = {
    {"-D", "PREROUTING", LOCAL_JUMP}, {"-D", "OUTPUT", LOCAL_JUMP},
    {"-D", "POSTROUTING", "-m", "comment", "--comment", "CNI portfwd requiring masquerade", "-j", "CNI-HOSTPORT-MASQ"},
    {"-F", "CNI-HOSTPORT-DNAT"}, {"-F", "CNI-HOSTPORT-MASQ"}, {"-F", "CNI-HOSTPORT-SETMARK"},
    {"-X", "CNI-HOSTPORT-DNAT"}, {"-X", "CNI-HOSTPORT-MASQ"}, {"-X", "CNI-HOSTPORT-SETMARK"},
};

static bool iptables(const char *program, const char *const *words, struct buf *out) {
    const char *argv[LONGEST + 4] = {program, "-w", "-t", "nat"};
    for (size_t i = 0; i < LONGEST && words[i] != NULL; i++) argv[4 + i] = words[i];
    int status;
    cleanup_buf struct buf unread = {0}, said = {0};
    cleanup_error struct error *e = child_run(&(struct child){.argv = argv, .out = out ? out : &unread, .err = &said}, &status);
    return e == NULL && status == 0;
}

/* Rules of others: anything but the policies of the built-in chains. */
static bool is_empty(const char *rules) {
    for (const char *line = rules; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        if (!str_starts(line, "-P ")) return false;
    }
    return true;
}

static void clean(const char *program, const char *family) {
    static const char *const list[LONGEST] = {"-S"};
    cleanup_buf struct buf rules = {0};
    int status;
    if (!iptables(program, list, &rules)) return; /* no iptables, so no portmap */
    bool in_use = strstr(buf_str(&rules), "CNI-DN-") != NULL; /* another runtime has ports */
    for (size_t i = 0; i < ARRAY_LEN(undo) && !in_use && strstr(buf_str(&rules), "CNI-HOSTPORT-") != NULL; i++) iptables(program, undo[i], NULL);
    buf_clear(&rules);
    if (!iptables(program, list, &rules) || !is_empty(buf_str(&rules))) return;
    const char *const argv[] = {"nft", "delete", "table", family, "nat", NULL}; /* even listing makes it */
    cleanup_buf struct buf said = {0};
    error_free(child_run(&(struct child){.argv = argv, .out = &said, .err = &said}, &status));
}

void portmap_remove_all(void) {
    clean("iptables", "ip");
    clean("ip6tables", "ip6");
}
