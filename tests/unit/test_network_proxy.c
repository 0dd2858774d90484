/* From Services and EndpointSlices to nftables rules, checked by the kernel in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "network/nft.h"
#include "network/proxy_rules.h"
#include <sched.h>

static struct doc *parse(struct arena *a, const char *text) {
    const struct json *v = json_make(a, text); // NOLINT(clang-diagnostic-format-security)
    return doc_new(v);
}

struct fixture {
    struct arena a;
    struct doc *service;
    struct doc_list slices;
    struct service_rules rules;
};

static void build(struct fixture *f, const char *service, const char *slice, enum family family) {
    f->service = parse(&f->a, service);
    struct doc *s = parse(&f->a, slice);
    doc_list_add(&f->slices, s);
    doc_unref(s);
    struct rules_input in = {family, "node-1", NULL, "10.42.0.0/16", f->service, &f->slices};
    service_rules_build(&f->a, &in, &f->rules);
}

static void drop(struct fixture *f) {
    doc_unref(f->service);
    doc_list_free(&f->slices);
    arena_free(&f->a);
}

static const char *verdict_of(const struct fixture *f, const char *map, const char *key) {
    for (size_t i = 0; i < f->rules.element_count; i++) {
        if (str_eq(f->rules.elements[i].map, map) && str_eq(f->rules.elements[i].key, key)) return f->rules.elements[i].verdict;
    }
    return NULL;
}

static const char *chain_of(const struct fixture *f, const char *verdict) {
    if (verdict == NULL || !str_starts(verdict, "goto ")) return NULL;
    for (size_t i = 0; i < f->rules.chain_count; i++) {
        if (str_eq(f->rules.chains[i].name, verdict + 5)) return f->rules.chains[i].rules;
    }
    return NULL;
}

#define SERVICE(spec) "{'metadata':{'name':'web','namespace':'default'},'spec':{'clusterIP':'10.96.0.20','clusterIPs':['10.96.0.20']," spec "}}"
#define SLICE(endpoints) "{'metadata':{'name':'web-1','namespace':'default'},'addressType':'IPv4','ports':[{'name':'http','port':8080,'protocol':'TCP'}],'endpoints':[" endpoints "]}"
#define PORTS "'ports':[{'name':'http','port':80,'protocol':'TCP','nodePort':30080}]"
#define ENDPOINT(ip, node, ready, more) "{'addresses':['" ip "'],'nodeName':'" node "','conditions':{'ready':" ready more "}}"

static void a_cluster_address_leads_to_a_chain_that_balances_over_ready_endpoints(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'ClusterIP'," PORTS), SLICE(ENDPOINT("10.42.0.5", "node-1", "true", "") "," ENDPOINT("10.42.1.5", "node-2", "true", "") "," ENDPOINT("10.42.1.6", "node-2", "false", "")), FAMILY_IPV4);
    const char *chain = chain_of(&f, verdict_of(&f, "service-ips", "10.96.0.20 . tcp . 80"));
    assert_non_null(chain);
    assert_non_null(strstr(chain, "mod 2 map { 0 : 10.42.0.5 . 8080, 1 : 10.42.1.5 . 8080 }"));
    assert_null(strstr(chain, "10.42.1.6"));
    drop(&f);
}

static void without_endpoints_connections_are_refused(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'NodePort'," PORTS), SLICE(ENDPOINT("10.42.1.6", "node-2", "false", "")), FAMILY_IPV4);
    assert_string_equal(verdict_of(&f, "no-endpoint-ips", "10.96.0.20 . tcp . 80"), "goto reject-chain");
    assert_string_equal(verdict_of(&f, "no-endpoint-nodeports", "tcp . 30080"), "goto reject-chain");
    assert_null(verdict_of(&f, "service-ips", "10.96.0.20 . tcp . 80"));
    drop(&f);
}

static void ports_without_a_service_are_refused_at_cluster_addresses(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'ClusterIP'," PORTS), SLICE(ENDPOINT("10.42.0.5", "node-1", "true", "")), FAMILY_IPV4);
    size_t found = 0;
    for (size_t i = 0; i < f.rules.element_count; i++) found += strcmp(f.rules.elements[i].map, "cluster-ips") == 0 && strcmp(f.rules.elements[i].key, "10.96.0.20") == 0;
    assert_int_equal(found, 1); /* however many ports: elements are counted */
    drop(&f);
}

static void terminating_endpoints_serve_while_nothing_else_is_ready(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'ClusterIP'," PORTS), SLICE(ENDPOINT("10.42.1.6", "node-2", "false", ",'serving':true,'terminating':true")), FAMILY_IPV4);
    assert_non_null(strstr(chain_of(&f, verdict_of(&f, "service-ips", "10.96.0.20 . tcp . 80")), "10.42.1.6 . 8080"));
    drop(&f);
}

static void external_policy_local_keeps_to_this_node_and_the_clients_address(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'NodePort','externalTrafficPolicy':'Local'," PORTS), SLICE(ENDPOINT("10.42.0.5", "node-1", "true", "") "," ENDPOINT("10.42.1.5", "node-2", "true", "")), FAMILY_IPV4);
    const char *chain = chain_of(&f, verdict_of(&f, "service-nodeports", "tcp . 30080"));
    assert_non_null(strstr(chain, "mod 1 map { 0 : 10.42.0.5 . 8080 }"));
    assert_null(strstr(chain, "10.42.1.5"));
    drop(&f);
}

static void internal_policy_local_without_local_endpoints_drops(void **state) {
    (void)state;
    struct fixture f = {0};
    build(&f, SERVICE("'type':'ClusterIP','internalTrafficPolicy':'Local'," PORTS), SLICE(ENDPOINT("10.42.1.5", "node-2", "true", "")), FAMILY_IPV4);
    assert_string_equal(verdict_of(&f, "no-endpoint-ips", "10.96.0.20 . tcp . 80"), "drop");
    drop(&f);
}

static void headless_and_external_name_services_have_no_rules(void **state) {
    (void)state;
    static const char *const services[] = {"{'metadata':{'name':'a','namespace':'b'},'spec':{'clusterIP':'None'," PORTS "}}",
                                           "{'metadata':{'name':'a','namespace':'b'},'spec':{'type':'ExternalName','externalName':'example.com'}}"};
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        struct fixture f = {0};
        build(&f, services[i], SLICE(ENDPOINT("10.42.1.5", "node-2", "true", "")), FAMILY_IPV4);
        assert_int_equal(f.rules.element_count + f.rules.chain_count, 0);
        drop(&f);
    }
}

static void run_rules(struct nft *n, const struct fixture *f) {
    cleanup_buf struct buf b = {0};
    buf_adds(&b, "add table ip coracle\nadd chain ip coracle mark-for-masquerade\nadd map ip coracle service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
                 "add map ip coracle service-nodeports { type inet_proto . inet_service : verdict; }\nadd set ip coracle cluster-ips { type ipv4_addr; }\n");
    for (size_t i = 0; i < f->rules.set_count; i++) buf_printf(&b, "add set ip coracle %s %s\n", f->rules.sets[i], f->rules.set_definitions[i]);
    for (size_t i = 0; i < f->rules.chain_count; i++) buf_printf(&b, "add chain ip coracle %s\n", f->rules.chains[i].name);
    struct arena a = {0};
    for (size_t i = 0; i < f->rules.chain_count; i++) {
        size_t count;
        char **lines = str_split(&a, f->rules.chains[i].rules, '\n', &count);
        for (size_t l = 0; l < count; l++) {
            if (lines[l][0] != '\0') buf_printf(&b, "add rule ip coracle %s %s\n", f->rules.chains[i].name, lines[l]);
        }
    }
    for (size_t i = 0; i < f->rules.element_count; i++) {
        const struct rule_element *e = &f->rules.elements[i];
        buf_printf(&b, "add element ip coracle %s { %s%s%s }\n", e->map, e->key, e->verdict ? " : " : "", e->verdict ? e->verdict : "");
    }
    struct error *e = nft_run(n, b.data);
    if (e != NULL) fail_msg("%s\n%s", e->message, b.data);
    arena_free(&a);
}

static void the_kernel_takes_the_rules(void **state) {
    (void)state;
    if (unshare(CLONE_NEWNET) != 0) skip(); /* needs root */
    struct nft *n;
    assert_null(nft_open(&n));
    static const char *const specs[] = {
        SERVICE("'type':'NodePort'," PORTS), SERVICE("'type':'NodePort','externalTrafficPolicy':'Local'," PORTS),
        SERVICE("'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':30}},'type':'NodePort'," PORTS),
        SERVICE("'externalIPs':['192.0.2.9'],'loadBalancerSourceRanges':['192.0.2.0/24'],'type':'LoadBalancer'," PORTS)};
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct fixture f = {0};
        build(&f, specs[i], SLICE(ENDPOINT("10.42.0.5", "node-1", "true", "") "," ENDPOINT("10.42.1.5", "node-2", "true", "")), FAMILY_IPV4);
        run_rules(n, &f);
        assert_null(nft_run(n, "delete table ip coracle"));
        drop(&f);
    }
    nft_close(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_address_leads_to_a_chain_that_balances_over_ready_endpoints),
        cmocka_unit_test(without_endpoints_connections_are_refused),
        cmocka_unit_test(ports_without_a_service_are_refused_at_cluster_addresses),
        cmocka_unit_test(terminating_endpoints_serve_while_nothing_else_is_ready),
        cmocka_unit_test(external_policy_local_keeps_to_this_node_and_the_clients_address),
        cmocka_unit_test(internal_policy_local_without_local_endpoints_drops),
        cmocka_unit_test(headless_and_external_name_services_have_no_rules),
        cmocka_unit_test(the_kernel_takes_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
