/* What the controllers of CertificateSigningRequests share. */
#pragma once
#include "client/runner.h"
#include "net/pki.h"

#define SIGNER_CLIENT "kubernetes.io/kube-apiserver-client"
#define SIGNER_KUBELET_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define SIGNER_KUBELET_SERVING "kubernetes.io/kubelet-serving"
#define SIGNER_LEGACY "kubernetes.io/legacy-unknown"

/* spec.request as PEM, and what it says. */
MUST_CHECK struct error *certificate_request(struct arena *a, const struct json *csr, const char **pem, struct pki_subject *out);
/* Why a request is none of its signer's; NULL if it is one. Other signers: NULL. */
const char *certificate_problem(const struct json *csr, const struct pki_subject *s);
bool certificate_decided(const struct json *csr); /* approved or denied */
/* Approves; a request that is gone or decided meanwhile is no error. */
MUST_CHECK struct error *certificate_approve(struct runner *r, const char *name, const char *message);
