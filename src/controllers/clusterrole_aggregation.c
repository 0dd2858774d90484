/* clusterrole-aggregation-controller: the rules of a ClusterRole with an aggregationRule are those of all that its
 * selectors match, in order of name and without repetitions. */
#include "controllers/all.h"

static void roles_concerned(struct runner *r, const struct resource *resource, struct doc *before UNUSED, struct doc *after UNUSED) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, resource, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (json_get(all.items[i]->root, "aggregationRule") != NULL) runner_add(r, doc_name(all.items[i]));
    }
}

static bool has_rule(const struct json_array *rules, const struct json *rule) {
    for (size_t i = 0; i < rules->len; i++) {
        if (json_semantic_equal(&rules->items[i], rule)) return true;
    }
    return false;
}

static struct error *add_matching(struct runner *r, struct arena *a, const struct json *selector, const char *self, struct json_array *rules) {
    struct selector *s;
    TRY(label_selector_from_json(a, selector, &s));
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_rbac_clusterroles, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        const struct json *role = all.items[i]->root;
        if (strcmp(doc_name(all.items[i]), self) == 0 || !label_selector_matches(s, object_labels(role))) continue;
        JSON_EACH(rule, json_get(role, "rules")) {
            if (!has_rule(rules, rule)) json_array_add(rules, json_copy(a, rule));
        }
    }
    return NULL;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *name) {
    cleanup_doc struct doc *role = cache_get(r->cache, &resource_rbac_clusterroles, NULL, name);
    const struct json *selectors = role ? json_get(role->root, "aggregationRule.clusterRoleSelectors") : NULL;
    if (selectors == NULL) return WORK_DONE;
    struct json_array rules = {.arena = a};
    JSON_EACH(selector, selectors) WORK_TRY(add_matching(r, a, selector, name, &rules));
    const struct json *wanted = json_array_done(&rules);
    if (json_semantic_equal(wanted, json_get(role->root, "rules"))) return WORK_DONE;
    const struct json *patch = json_make(a, "{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'ClusterRole','metadata':{'name':%s},'rules':%v}", name, wanted);
    return work_error(client_patch(r->client, &resource_rbac_clusterroles, NULL, name, NULL, PATCH_APPLY, patch, NULL));
}

static const struct controller_source sources[] = {{.resource = &resource_rbac_clusterroles, .keys = roles_concerned}, {0}};
const struct controller clusterrole_aggregation_controller = {"clusterrole-aggregation-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
