/* Links, addresses and routes by rtnetlink. Every call opens its own socket; blocking, but short. Each does nothing when
 * what it asks for is there already, and takes only IP addresses and networks in text. */
#pragma once
#include "base/error.h"

#define RTNL_PROTOCOL 107 /* of the routes that Coracle makes, so that it finds its own */

/* An interface that only carries the address (/32, /128) and is up: a bridge without ports, as some kernels have no dummy
 * interfaces. */
MUST_CHECK struct error *rtnl_holder(const char *name, const char *address);
/* A VXLAN interface (port 8472, no learning) on the address's device, up, with `own` as its address. */
MUST_CHECK struct error *rtnl_vxlan(const char *name, uint32_t id, const char *local, const char *own, uint8_t mac[6]);
/* Where frames for `mac` go, and which MAC the tunnel's far address has. */
MUST_CHECK struct error *rtnl_vxlan_peer(const char *name, const uint8_t mac[6], const char *remote, const char *far);
MUST_CHECK struct error *rtnl_link_delete(const char *name);
/* A route to `network` through `gateway` (may be NULL) on `device` (may be NULL: by the gateway). `onlink`: the gateway
 * is reached on the device although no address says so. */
MUST_CHECK struct error *rtnl_route_replace(const char *network, const char *gateway, const char *device, bool onlink);
MUST_CHECK struct error *rtnl_route_delete(const char *network);
MUST_CHECK struct error *rtnl_routes_delete(void); /* all of RTNL_PROTOCOL */
/* Is the address on a network that one of this machine's interfaces is attached to? */
bool rtnl_on_link(const char *address);
