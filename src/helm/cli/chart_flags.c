/* Shared flags: see chart_flags.h. */
#include "helm/cli/chart_flags.h"

#define AT(member) offsetof(struct chart_path_options, member)
const struct helm_flag chart_path_flags[CHART_PATH_FLAG_COUNT] = {
    {"version", 0, HELM_STRING, AT(version), NULL, NULL, "the chart's version, or a range such as ^2.0.0; the newest if not given", NULL, false},
    {"verify", 0, HELM_BOOL, AT(verify), NULL, NULL, "check the chart's signature before using it", NULL, false},
    {"keyring", 0, HELM_STRING, AT(keyring), NULL, NULL, "file of public keys for --verify", NULL, false},
    {"repo", 0, HELM_STRING, AT(repo), NULL, NULL, "address of the repository that has the chart", NULL, false},
    {"username", 0, HELM_STRING, AT(username), NULL, NULL, "user name at the repository", NULL, false},
    {"password", 0, HELM_STRING, AT(password), NULL, NULL, "password at the repository", NULL, false},
    {"cert-file", 0, HELM_STRING, AT(cert_file), NULL, NULL, "certificate to show to HTTPS servers", NULL, false},
    {"key-file", 0, HELM_STRING, AT(key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"insecure-skip-tls-verify", 0, HELM_BOOL, AT(insecure_skip_tls_verify), NULL, NULL, "do not check certificates when fetching the chart", NULL, false},
    {"plain-http", 0, HELM_BOOL, AT(plain_http), NULL, NULL, "fetch the chart over HTTP without TLS", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(ca_file), NULL, NULL, "authorities that HTTPS servers' certificates are checked against", NULL, false},
    {"pass-credentials", 0, HELM_BOOL, AT(pass_credentials), NULL, NULL, "send user name and password to all hosts", NULL, false},
};
#undef AT

#define AT(member) offsetof(struct value_options, member)
const struct helm_flag value_flags[VALUE_FLAG_COUNT] = {
    {"values", 'f', HELM_STRING_SLICE, AT(files), NULL, NULL, "YAML file or URL with values; may be repeated, the last wins", NULL, false},
    {"set", 0, HELM_STRING_ARRAY, AT(set), NULL, NULL, "set values: key1=val1,key2=val2", NULL, false},
    {"set-string", 0, HELM_STRING_ARRAY, AT(set_string), NULL, NULL, "set values, all as strings", NULL, false},
    {"set-file", 0, HELM_STRING_ARRAY, AT(set_file), NULL, NULL, "set values to the contents of files: key1=path1,key2=path2", NULL, false},
    {"set-json", 0, HELM_STRING_ARRAY, AT(set_json), NULL, NULL, "set values written in JSON", NULL, false},
    {"set-literal", 0, HELM_STRING_ARRAY, AT(set_literal), NULL, NULL, "set one value to the text as it stands", NULL, false},
};
#undef AT

#define AT(member) offsetof(struct install_options, member)
const struct helm_flag install_flags[INSTALL_FLAG_COUNT] = {
    {"create-namespace", 0, HELM_BOOL, AT(create_namespace), NULL, NULL, "create the release's namespace if it is not there", NULL, false},
    {"dry-run", 0, HELM_STRING, AT(dry_run), NULL, "client", "only show what would be done; =server asks the cluster on the way", NULL, false},
    {"force", 0, HELM_BOOL, AT(force), NULL, NULL, "replace resources instead of patching them", NULL, false},
    {"no-hooks", 0, HELM_BOOL, AT(no_hooks), NULL, NULL, "run no hooks", NULL, false},
    {"replace", 0, HELM_BOOL, AT(replace), NULL, NULL, "use a name again that a deleted release had", NULL, false},
    {"timeout", 0, HELM_DURATION, AT(timeout), "5m0s", NULL, "how long each operation in the cluster may take", NULL, false},
    {"wait", 0, HELM_BOOL, AT(wait), NULL, NULL, "wait until everything is ready, at most --timeout", NULL, false},
    {"wait-for-jobs", 0, HELM_BOOL, AT(wait_for_jobs), NULL, NULL, "with --wait: wait for jobs to be completed too", NULL, false},
    {"generate-name", 'g', HELM_BOOL, AT(generate_name), NULL, NULL, "make up a name", NULL, false},
    {"name-template", 0, HELM_STRING, AT(name_template), NULL, NULL, "template that makes the name", NULL, false},
    {"description", 0, HELM_STRING, AT(description), NULL, NULL, "text to keep with the release", NULL, false},
    {"devel", 0, HELM_BOOL, AT(devel), NULL, NULL, "development versions too; without effect beside --version", NULL, false},
    {"dependency-update", 0, HELM_BOOL, AT(dependency_update), NULL, NULL, "fetch missing dependencies first", NULL, false},
    {"disable-openapi-validation", 0, HELM_BOOL, AT(disable_openapi_validation), NULL, NULL, "do not check manifests against the cluster's schema", NULL, false},
    {"atomic", 0, HELM_BOOL, AT(atomic), NULL, NULL, "take everything back on failure; implies --wait", NULL, false},
    {"skip-crds", 0, HELM_BOOL, AT(skip_crds), NULL, NULL, "leave the chart's CustomResourceDefinitions out", NULL, false},
    {"render-subchart-notes", 0, HELM_BOOL, AT(sub_notes), NULL, NULL, "show the dependencies' notes too", NULL, false},
    {"skip-schema-validation", 0, HELM_BOOL, AT(skip_schema_validation), NULL, NULL, "do not check values against JSON schemas", NULL, false},
    {"labels", 'l', HELM_STRING_MAP, AT(labels), NULL, NULL, "labels of the release record, separated by commas", NULL, false},
    {"enable-dns", 0, HELM_BOOL, AT(enable_dns), NULL, NULL, "let templates look up host names", NULL, false},
    {"hide-notes", 0, HELM_BOOL, AT(hide_notes), NULL, NULL, "do not show the notes", NULL, false},
    {"take-ownership", 0, HELM_BOOL, AT(take_ownership), NULL, NULL, "adopt existing resources whoever they belong to", NULL, false},
};
#undef AT
const struct helm_flag post_renderer_flags[POST_RENDERER_FLAG_COUNT] = {
    {"post-renderer", 0, HELM_STRING, offsetof(struct post_renderer, path), NULL, NULL, "program that the manifests pass through", "postRendererString", false},
    {"post-renderer-args", 0, HELM_STRING_ARRAY, offsetof(struct post_renderer, args), NULL, NULL, "argument of that program; may be repeated", "postRendererArgsSlice", false},
};
