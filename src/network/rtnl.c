/* See rtnl.h. A request is built in a fixed buffer: attributes are appended, nested ones closed by their start. */
#include "network/rtnl.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    char body[1024];
};

static void *start(struct request *r, uint16_t type, uint16_t flags, size_t body) {
    memset(r, 0, sizeof(*r));
    r->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
    r->header.nlmsg_type = type;
    r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return NLMSG_DATA(&r->header);
}

static struct rtattr *add(struct request *r, uint16_t type, const void *data, size_t n) {
    struct rtattr *a = (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(n);
    if (n > 0) memcpy(RTA_DATA(a), data, n);
    r->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
    return a;
}

static void add_text(struct request *r, uint16_t type, const char *s) { add(r, type, s, strlen(s) + 1); }
static void add_u32(struct request *r, uint16_t type, uint32_t v) { add(r, type, &v, sizeof(v)); }
static void end_nested(struct request *r, struct rtattr *a) { a->rta_len = (uint16_t)((char *)r + r->header.nlmsg_len - (char *)a); }

/* Sends and waits for the acknowledgement; returns an errno. */
static int talk(struct request *r) {
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return errno;
    if (send(fd, r, r->header.nlmsg_len, 0) < 0) return errno;
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    ssize_t n = recv(fd, &answer, sizeof(answer), 0);
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_type != NLMSG_ERROR) return EPROTO;
    const struct nlmsgerr *e = NLMSG_DATA(&answer.header);
    return -e->error;
}

static struct error *run(struct request *r, int harmless, const char *what, const char *of) {
    int failed = talk(r);
    return failed == 0 || failed == harmless ? NULL : error_sys(failed, "cannot %s %s", what, of);
}

struct address {
    int family;
    uint8_t bytes[16];
    size_t len;
    int prefix; /* bits */
};

static struct error *parse(const char *text, struct address *out) {
    char ip[64];
    const char *slash = strchr(text, '/');
    snprintf(ip, sizeof(ip), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
    out->family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    out->len = out->family == AF_INET ? 4 : 16;
    out->prefix = (int)out->len * 8;
    int64_t bits = out->prefix;
    if (inet_pton(out->family, ip, out->bytes) != 1 || (slash != NULL && (!str_to_int64(slash + 1, &bits) || bits < 0 || bits > out->prefix))) {
        return error_new("\"%s\" is not an IP address or network", text);
    }
    out->prefix = (int)bits;
    return NULL;
}

static struct error *set_up(const char *name) {
    struct request r;
    struct ifinfomsg *m = start(&r, RTM_NEWLINK, 0, sizeof(*m));
    m->ifi_index = (int)if_nametoindex(name);
    m->ifi_flags = m->ifi_change = IFF_UP;
    return run(&r, 0, "switch on", name);
}

static struct error *add_address(const char *name, const char *text) {
    struct address address;
    TRY(parse(text, &address));
    struct request r;
    struct ifaddrmsg *m = start(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));
    m->ifa_family = (uint8_t)address.family;
    m->ifa_prefixlen = (uint8_t)address.prefix;
    m->ifa_index = if_nametoindex(name);
    if (address.family == AF_INET6) m->ifa_flags = IFA_F_NODAD;
    add(&r, IFA_LOCAL, address.bytes, address.len);
    add(&r, IFA_ADDRESS, address.bytes, address.len);
    return run(&r, EEXIST, "add an address to", name);
}

struct error *rtnl_holder(const char *name, const char *address) {
    struct request r;
    start(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    add_text(&r, IFLA_IFNAME, name);
    struct rtattr *info = add(&r, IFLA_LINKINFO, NULL, 0);
    add_text(&r, IFLA_INFO_KIND, "bridge");
    end_nested(&r, info);
    TRY(run(&r, EEXIST, "make the interface", name));
    TRY(add_address(name, address));
    return set_up(name);
}

static unsigned device_of(const struct address *local) {
    struct ifaddrs *all;
    unsigned index = 0;
    if (getifaddrs(&all) != 0) return 0;
    for (struct ifaddrs *i = all; i != NULL && index == 0; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != local->family) continue;
        const void *bytes = local->family == AF_INET ? (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
                                                     : (const void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr;
        if (memcmp(bytes, local->bytes, local->len) == 0) index = if_nametoindex(i->ifa_name);
    }
    freeifaddrs(all);
    return index;
}

struct error *rtnl_vxlan(const char *name, uint32_t id, const char *local, const char *own, uint8_t mac[6]) {
    struct address from;
    TRY(parse(local, &from));
    struct request r;
    start(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    add_text(&r, IFLA_IFNAME, name);
    add(&r, IFLA_ADDRESS, mac, 6);
    struct rtattr *info = add(&r, IFLA_LINKINFO, NULL, 0);
    add_text(&r, IFLA_INFO_KIND, "vxlan");
    struct rtattr *data = add(&r, IFLA_INFO_DATA, NULL, 0);
    add_u32(&r, IFLA_VXLAN_ID, id);
    add_u32(&r, IFLA_VXLAN_LINK, device_of(&from));
    add(&r, from.family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, from.bytes, from.len);
    uint16_t port = htons(8472);
    add(&r, IFLA_VXLAN_PORT, &port, sizeof(port));
    uint8_t off = 0;
    add(&r, IFLA_VXLAN_LEARNING, &off, 1);
    end_nested(&r, data);
    end_nested(&r, info);
    TRY(run(&r, EEXIST, "make the interface", name));
    TRY(add_address(name, own));
    return set_up(name);
}

static struct error *add_neighbour(const char *name, const uint8_t mac[6], const char *address, uint8_t family, uint8_t flags) {
    struct address to;
    TRY(parse(address, &to));
    struct request r;
    struct ndmsg *m = start(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m));
    m->ndm_family = family ? family : (uint8_t)to.family;
    m->ndm_ifindex = (int)if_nametoindex(name);
    m->ndm_state = NUD_PERMANENT;
    m->ndm_flags = flags;
    add(&r, NDA_DST, to.bytes, to.len);
    add(&r, NDA_LLADDR, mac, 6);
    return run(&r, 0, "add a peer to", name);
}

struct error *rtnl_vxlan_peer(const char *name, const uint8_t mac[6], const char *remote, const char *far) {
    TRY(add_neighbour(name, mac, remote, AF_BRIDGE, NTF_SELF));
    return add_neighbour(name, mac, far, 0, 0);
}

struct error *rtnl_link_delete(const char *name) {
    struct request r;
    struct ifinfomsg *m = start(&r, RTM_DELLINK, 0, sizeof(*m));
    m->ifi_index = (int)if_nametoindex(name);
    return m->ifi_index == 0 ? NULL : run(&r, ENODEV, "delete the interface", name);
}

static struct rtmsg *start_route(struct request *r, uint16_t type, uint16_t flags, const struct address *to) {
    struct rtmsg *m = start(r, type, flags, sizeof(*m));
    m->rtm_family = (uint8_t)to->family;
    m->rtm_dst_len = (uint8_t)to->prefix;
    m->rtm_table = RT_TABLE_MAIN;
    m->rtm_protocol = RTNL_PROTOCOL;
    m->rtm_type = RTN_UNICAST;
    return m;
}

struct error *rtnl_route_replace(const char *network, const char *gateway, const char *device, bool onlink) {
    struct address to, via;
    TRY(parse(network, &to));
    struct request r;
    struct rtmsg *m = start_route(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &to);
    m->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (onlink) m->rtm_flags = RTNH_F_ONLINK;
    add(&r, RTA_DST, to.bytes, to.len);
    if (gateway != NULL) {
        TRY(parse(gateway, &via));
        add(&r, RTA_GATEWAY, via.bytes, via.len);
    }
    if (device != NULL) add_u32(&r, RTA_OIF, if_nametoindex(device));
    return run(&r, 0, "add the route to", network);
}

struct error *rtnl_route_delete(const char *network) {
    struct address to;
    TRY(parse(network, &to));
    struct request r;
    start_route(&r, RTM_DELROUTE, 0, &to)->rtm_scope = RT_SCOPE_NOWHERE;
    add(&r, RTA_DST, to.bytes, to.len);
    return run(&r, ESRCH, "delete the route to", network);
}

/* Answers of a dump with the kernel's routes, as many as fit. */
struct routes {
    union {
        struct nlmsghdr first;
        char bytes[1 << 15];
    };
    size_t len;
};

static struct error *read_routes(int fd, struct routes *out) {
    ssize_t n = recv(fd, out->bytes, sizeof(out->bytes), 0);
    if (n < 0) return error_sys(errno, "reading routes");
    out->len = (size_t)n;
    return NULL;
}

static struct error *ask_for_routes(int fd) {
    struct request r;
    struct rtmsg *m = start(&r, RTM_GETROUTE, NLM_F_DUMP, sizeof(*m));
    m->rtm_family = AF_UNSPEC;
    return send(fd, &r, r.header.nlmsg_len, 0) < 0 ? error_sys(errno, "reading routes") : NULL;
}

/* The route as the kernel tells it is the request that deletes it. */
static struct error *delete_own(const struct nlmsghdr *h) {
    const struct rtmsg *m = NLMSG_DATA(h);
    struct request r;
    if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_protocol != RTNL_PROTOCOL || h->nlmsg_len > sizeof(r)) return NULL;
    memcpy(&r, h, h->nlmsg_len);
    r.header.nlmsg_type = RTM_DELROUTE;
    r.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    return run(&r, ESRCH, "delete", "a route");
}

struct error *rtnl_routes_delete(void) {
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return error_sys(errno, "opening rtnetlink");
    TRY(ask_for_routes(fd));
    while (true) {
        struct routes some;
        TRY(read_routes(fd, &some));
        for (const struct nlmsghdr *h = &some.first; NLMSG_OK(h, some.len); h = NLMSG_NEXT(h, some.len)) {
            if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) return NULL;
            TRY(delete_own(h));
        }
    }
}

bool rtnl_on_link(const char *address) {
    struct address to;
    struct error *e = parse(address, &to);
    if (e != NULL) return error_free(e), false;
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all) != 0) return false;
    for (struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_netmask == NULL || i->ifa_addr->sa_family != to.family || (i->ifa_flags & IFF_LOOPBACK)) continue;
        size_t at = to.family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr);
        const uint8_t *own = (const uint8_t *)i->ifa_addr + at, *mask = (const uint8_t *)i->ifa_netmask + at;
        found = true;
        for (size_t b = 0; b < to.len && found; b++) found = ((own[b] ^ to.bytes[b]) & mask[b]) == 0;
    }
    freeifaddrs(all);
    return found;
}
