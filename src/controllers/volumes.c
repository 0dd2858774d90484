#include "controllers/volumes.h"
#include "base/str.h"

const char *volume_class(const struct json *o) {
    const char *old = object_annotation(o, "volume.beta.kubernetes.io/storage-class");
    return old ? old : json_str_or(o, "spec.storageClassName", "");
}

bool claim_has_class(const struct json *claim) {
    return object_annotation(claim, "volume.beta.kubernetes.io/storage-class") || json_get(claim, "spec.storageClassName");
}

bool volume_bound_to(const struct json *volume, const struct doc *claim) {
    const struct json *ref = json_get(volume, "spec.claimRef");
    if (!json_str_is(ref, "name", doc_name(claim)) || !json_str_is(ref, "namespace", doc_namespace(claim))) return false;
    const char *uid = json_str_or(ref, "uid", "");
    return *uid == '\0' || str_eq(uid, doc_uid(claim));
}

bool volume_modes_differ(const struct json *volume, const struct json *claim) {
    return !str_eq(json_str_or(volume, "spec.volumeMode", "Filesystem"), json_str_or(claim, "spec.volumeMode", "Filesystem"));
}

static bool has_access_modes(const struct json *volume, const struct json *claim) {
    JSON_EACH(wanted, json_get(claim, "spec.accessModes")) {
        bool found = false;
        JSON_EACH(mode, json_get(volume, "spec.accessModes")) found = found || json_equal(mode, wanted);
        if (!found) return false;
    }
    return true;
}

static struct quantity capacity(const struct json *volume) { return quantity_of(json_get(volume, "spec.capacity.storage")); }
static struct quantity request(const struct json *claim) { return quantity_of(json_get(claim, "spec.resources.requests.storage")); }

static bool large_enough(const struct json *volume, const struct json *claim) {
    struct quantity has = capacity(volume), needs = request(claim);
    return quantity_compare(&has, &needs) >= 0;
}

static bool attributes_differ(const struct json *volume, const struct json *claim) {
    return !str_eq(json_str_or(volume, "spec.volumeAttributesClassName", ""), json_str_or(claim, "spec.volumeAttributesClassName", ""));
}

static bool selector_matches(struct arena *a, const struct json *volume, const struct json *claim) {
    const struct json *selector = json_get(claim, "spec.selector");
    struct selector *s;
    if (!selector) return true;
    struct error *e = label_selector_from_json(a, selector, &s);
    if (e) return error_free(e), false;
    return label_selector_matches(s, object_labels(volume));
}

static bool usable(const struct json *volume, const struct doc *claim) {
    bool foreign = json_get(volume, "spec.claimRef") && !volume_bound_to(volume, claim);
    return !foreign && !object_deleting(volume) && large_enough(volume, claim->root) && has_access_modes(volume, claim->root) &&
           !volume_modes_differ(volume, claim->root) && !attributes_differ(volume, claim->root);
}

static bool better(const struct json *volume, const struct json *best) {
    size_t modes = json_len(json_get(volume, "spec.accessModes")), best_modes = json_len(json_get(best, "spec.accessModes"));
    if (!best || modes != best_modes) return !best || modes < best_modes;
    struct quantity x = capacity(volume), y = capacity(best);
    return quantity_compare(&x, &y) < 0;
}

struct doc *volume_best_match(struct arena *a, const struct doc_list *volumes, const struct doc *claim, bool delayed) {
    struct doc *best = NULL;
    for (size_t i = 0; i < volumes->len; i++) {
        struct doc *v = volumes->items[i];
        if (!usable(v->root, claim)) continue;
        if (volume_bound_to(v->root, claim)) return v;
        if (delayed || !json_str_is(v->root, "status.phase", "Available") || !str_eq(volume_class(v->root), volume_class(claim->root))) continue;
        if (selector_matches(a, v->root, claim->root) && better(v->root, best ? best->root : NULL)) best = v;
    }
    return best;
}

const char *volume_mismatch(const struct json *volume, const struct json *claim) {
    if (!large_enough(volume, claim)) return "requested PV is too small";
    if (!str_eq(volume_class(volume), volume_class(claim))) return "storageClassName does not match";
    if (volume_modes_differ(volume, claim)) return "incompatible volumeMode";
    if (!has_access_modes(volume, claim)) return "incompatible accessMode";
    return attributes_differ(volume, claim) ? "volumeAttributesClassName does not match" : NULL;
}
