/* Certificate signing requests: what the approvers and the signer share. */
#pragma once
#include "client/runner.h"
#include "net/pki.h"

#define CSR_CLIENT "kubernetes.io/kube-apiserver-client"
#define CSR_KUBELET_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define CSR_KUBELET_SERVING "kubernetes.io/kubelet-serving"
#define CSR_LEGACY "kubernetes.io/legacy-unknown"

bool csr_is_decided(const struct json *csr); /* approved or denied */
/* The request's PEM decoded and parsed. */
MUST_CHECK struct error *csr_parse(struct arena *a, const struct json *csr, const char **pem, struct pki_subject *subject);
MUST_CHECK struct error *csr_approve(struct runner *r, struct arena *a, const struct doc *csr, const char *reason, const char *message);
bool csr_has_usages(const struct json *csr, const char *const *wanted, const char *const *allowed); /* both end with NULL */
/* NULL if request and subject are what the signer of nodes' certificates asks for; else what is wrong. */
const char *csr_node_problem(const struct json *csr, const struct pki_subject *s, bool serving);
