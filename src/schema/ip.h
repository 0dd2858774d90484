/* IP addresses and CIDR blocks as Go's net and netip packages read and write them. */
#pragma once
#include "base/base.h"

struct ip {
    uint8_t bytes[16]; /* IPv4 as IPv4-mapped IPv6 */
    bool v6;           /* written with colons; an IPv4-mapped address so written has v6 set */
    bool leading_zeros; /* a decimal part began with a superfluous 0 */
};
#define IP_TEXT_MAX 56

bool ip_parse(const char *s, struct ip *out);     /* tolerates leading zeros, as ParseIPSloppy; no zones */
bool ip_is_v4(const struct ip *ip);               /* IPv4, mapped or not */
bool ip_equal(const struct ip *a, const struct ip *b);
const char *ip_format(char out[IP_TEXT_MAX], const struct ip *ip); /* net.IP.String: mapped addresses print as IPv4 */

/* "address/bits"; `bits` counts from the start of the written form: up to 32 for IPv4, else up to 128. */
bool cidr_parse(const char *s, struct ip *address, int *bits, bool *leading_zeros);
struct ip ip_masked(const struct ip *ip, int bits);
/* net.IPNet.String of the given address (not masked here). */
const char *cidr_format(char out[IP_TEXT_MAX], const struct ip *address, int bits);
bool cidr_contains(const struct ip *network, int bits, const struct ip *ip);
