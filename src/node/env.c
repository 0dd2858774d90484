/* A container's environment: upstream's makeEnvironmentVariables. */
#include "node/container.h"
#include "node/objects.h"
#include <ctype.h>

/* ---- $(NAME) ---- */

const char *expand_variables(struct arena *a, const char *text, const struct json *env, const char **missing) {
    struct buf b = {0};
    for (const char *p = text; *p; p++) {
        const char *end = p[0] == '$' && p[1] == '(' ? strchr(p, ')') : NULL;
        if (p[0] == '$' && p[1] == '$') {
            buf_addc(&b, '$');
            p++;
        } else if (end) {
            const char *name = arena_strndup(a, p + 2, (size_t)(end - p - 2)), *value = json_str(json_member(env, name), NULL);
            if (!value && missing && !*missing) *missing = name;
            if (value) buf_adds(&b, value);
            else buf_printf(&b, "$(%s)", name);
            p = end;
        } else buf_addc(&b, *p);
    }
    const char *out = arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return out;
}

/* ---- services ---- */

static const char *variable_name(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return out;
}

static void set(struct json_object *env, const char *name, const char *value) {
    json_object_set(env, name, json_string(env->arena, value));
}

static void add_service(struct json_object *env, const struct json *service) {
    struct arena *a = env->arena;
    const char *name = variable_name(a, json_str_or(service, "metadata.name", "")), *ip = json_str_or(service, "spec.clusterIP", "");
    const struct json *ports = json_get(service, "spec.ports");
    bool v6 = strchr(ip, ':') != NULL;
    set(env, arena_printf(a, "%s_SERVICE_HOST", name), ip);
    size_t i = 0;
    JSON_EACH(p, ports) {
        long long port = json_int(p, "port", 0);
        const char *number = arena_printf(a, "%lld", port), *proto = json_str_or(p, "protocol", "TCP");
        char *lower = arena_strdup(a, proto);
        for (char *c = lower; *c; c++) *c = (char)tolower((unsigned char)*c);
        const char *prefix = arena_printf(a, "%s_PORT_%s_%s", name, number, proto);
        const char *url = arena_printf(a, v6 ? "%s://[%s]:%s" : "%s://%s:%s", lower, ip, number);
        if (i++ == 0) {
            set(env, arena_printf(a, "%s_SERVICE_PORT", name), number);
            set(env, arena_printf(a, "%s_PORT", name), url);
        }
        if (*json_str_or(p, "name", "")) set(env, arena_printf(a, "%s_SERVICE_PORT_%s", name, variable_name(a, json_str(p, "name"))), number);
        set(env, prefix, url);
        set(env, arena_printf(a, "%s_PROTO", prefix), lower);
        set(env, arena_printf(a, "%s_PORT", prefix), number);
        set(env, arena_printf(a, "%s_ADDR", prefix), ip);
    }
}

/* The services of the namespace, and the API server's in every case. */
static const struct json *service_env(struct container_context *c) {
    struct json_object env = {.arena = c->a};
    struct doc_list services = {0};
    const char *ns = json_str(c->pod, "metadata.namespace");
    cleanup_doc struct doc *api = cache_get(c->w->node->cache, &resource_services, "default", "kubernetes");
    if (api) add_service(&env, api->root);
    if (json_bool(c->pod, "spec.enableServiceLinks", true)) cache_list(c->w->node->cache, &resource_services, ns, &services);
    for (size_t i = 0; i < services.len; i++) {
        const char *ip = json_str_or(services.items[i]->root, "spec.clusterIP", "");
        if (*ip && !str_eq(ip, "None")) add_service(&env, services.items[i]->root);
    }
    doc_list_free(&services);
    return json_object_done(&env);
}

/* ---- sources ---- */

struct from {
    struct json_object *env;
    const char *prefix;
};

static void add_key(void *arg, const char *key, const char *data, size_t len) {
    struct from *f = arg;
    struct arena *a = f->env->arena;
    if (strchr(key, '=') || !utf8_valid(data, len)) return;
    json_object_set(f->env, arena_printf(a, "%s%s", f->prefix, key), json_string_n(a, data, len));
}

static struct error *add_from(struct container_context *c, struct json_object *env, const struct json *source) {
    const struct json *ref = json_member(source, "configMapRef");
    const struct resource *r = ref ? &resource_configmaps : &resource_secrets;
    if (!ref) ref = json_member(source, "secretRef");
    if (!ref) return NULL;
    cleanup_doc struct doc *d = NULL;
    struct error *e = object_fetch(c->w->node, r, json_str(c->pod, "metadata.namespace"), json_str_or(ref, "name", ""), &d);
    if (error_is(e, "NotFound") && json_bool(ref, "optional", false)) {
        error_free(e);
        return NULL;
    }
    if (e) return e;
    struct from f = {env, json_str_or(source, "prefix", "")};
    object_each(c->a, r, json_copy(c->a, d->root), add_key, &f);
    return NULL;
}

/* The value of a key of a ConfigMap or Secret; *value stays NULL where it is optional and absent. */
static struct error *key_value(struct container_context *c, const struct json *ref, const struct resource *r, const char **value) {
    const char *ns = json_str(c->pod, "metadata.namespace"), *name = json_str_or(ref, "name", ""), *key = json_str_or(ref, "key", "");
    bool optional = json_bool(ref, "optional", false);
    cleanup_doc struct doc *d = NULL;
    struct error *e = object_fetch(c->w->node, r, ns, name, &d);
    if (error_is(e, "NotFound") && optional) {
        error_free(e);
        return NULL;
    }
    if (e) return e;
    const char *data;
    size_t len;
    if (object_data(c->a, r, d->root, key, &data, &len)) *value = arena_strndup(c->a, data, len);
    else if (!optional) return error_new("couldn't find key %s in %s %s/%s", key, r->kind, ns, name);
    return NULL;
}

static struct error *value_from(struct container_context *c, const struct json *from, const char **value) {
    const struct json *ref;
    if ((ref = json_member(from, "fieldRef"))) return field_value(c->a, c->w, c->pod, c->ips, json_str_or(ref, "fieldPath", ""), value);
    if ((ref = json_member(from, "resourceFieldRef"))) return field_resource_value(c->a, c->w->node, c->pod, c->container, ref, value);
    if ((ref = json_member(from, "configMapKeyRef"))) return key_value(c, ref, &resource_configmaps, value);
    if ((ref = json_member(from, "secretKeyRef"))) return key_value(c, ref, &resource_secrets, value);
    return NULL;
}

/* `env` so far over the services' variables. */
static const struct json *scope(struct arena *a, const struct json_object *env, const struct json *services) {
    struct json_object all = {.arena = a};
    JSON_EACH_MEMBER(m, services) json_object_set(&all, m->key, &m->value);
    for (size_t i = 0; i < env->len; i++) json_object_set(&all, env->members[i].key, &env->members[i].value);
    return json_object_done(&all);
}

struct error *container_env(struct container_context *c, const struct json **envs) {
    const struct json *services = service_env(c);
    struct json_object env = {.arena = c->a};
    JSON_EACH(source, json_member(c->container, "envFrom")) TRY(add_from(c, &env, source));
    JSON_EACH(v, json_member(c->container, "env")) {
        const char *value = json_str_or(v, "value", "");
        if (*value) value = expand_variables(c->a, value, scope(c->a, &env, services), NULL);
        else if (json_member(v, "valueFrom")) {
            value = NULL;
            TRY(value_from(c, json_member(v, "valueFrom"), &value));
            if (!value) continue;
        }
        set(&env, json_str_or(v, "name", ""), value);
    }
    struct json_array out = {.arena = c->a};
    c->env = scope(c->a, &env, services);
    JSON_EACH_MEMBER(m, c->env) json_array_add(&out, json_make(c->a, "{'key':%s,'value':%v}", m->key, &m->value));
    *envs = json_array_done(&out);
    return NULL;
}
