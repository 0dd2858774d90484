/* Answers in the shapes of the protocols. */
#include "base/str.h"
#include "platform/aws/internal.h"

/* ---- XML ---- */

static void add_text(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '&') buf_adds(out, "&amp;");
        else if (c == '<') buf_adds(out, "&lt;");
        else if (c == '>') buf_adds(out, "&gt;");
        else if (c == '"') buf_adds(out, "&quot;");
        else if (c == '\r') buf_adds(out, "&#xD;");
        else if (c >= 0x20 || c == '\t' || c == '\n') buf_addc(out, (char)c); /* the others are not XML */
    }
}

static void add_value(struct buf *out, const struct json *v, const char *item);

/* Maps are lists of {key,value} under the name "entry", which each of them then bears itself. */
static void add_element(struct buf *out, const char *name, const struct json *v, const char *item) {
    if (json_is(v, JSON_NULL)) return;
    if (json_is(v, JSON_ARRAY) && str_eq(name, "entry")) return add_value(out, v, "entry");
    buf_printf(out, "<%s>", name);
    add_value(out, v, item);
    buf_printf(out, "</%s>", name);
}

static void add_value(struct buf *out, const struct json *v, const char *item) {
    if (json_is(v, JSON_STRING)) add_text(out, v->s, v->len);
    else if (json_is(v, JSON_ARRAY)) JSON_EACH(e, v) add_element(out, item, e, item);
    else if (json_is(v, JSON_OBJECT)) JSON_EACH_MEMBER(m, v) add_element(out, m->key, &m->value, item);
    else json_encode(out, v);
}

static void query_result(struct buf *out, const struct aws_request *r, const struct json *result) {
    const char *name = r->action->name;
    buf_printf(out, "<%sResponse xmlns=\"%s\">", name, r->service->xmlns);
    if (r->service->protocol == AWS_EC2_QUERY) {
        buf_printf(out, "<requestId>%s</requestId>", r->request_id);
        add_value(out, result ? result : &json_empty_object, "item");
    } else {
        if (result != NULL) add_element(out, arena_printf(r->arena, "%sResult", name), result, "member");
        buf_printf(out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>", r->request_id);
    }
    buf_printf(out, "</%sResponse>", name);
}

void render_result(struct aws_answer *out, const struct aws_request *r, const struct json *result, bool json) {
    out->status = r->status;
    if (r->service->protocol == AWS_REST_JSON) {
        out->content_type = "application/json";
        json_encode(&out->body, result ? result : &json_empty_object);
    } else if (json && r->service->protocol == AWS_QUERY) {
        out->content_type = "application/json";
        const struct json *inner = json_make(r->arena, "{'ResponseMetadata':{'RequestId':%s}}", r->request_id);
        if (result != NULL) inner = json_with_member(r->arena, inner, arena_printf(r->arena, "%sResult", r->action->name), result);
        json_encode(&out->body, json_with_member(r->arena, NULL, arena_printf(r->arena, "%sResponse", r->action->name), inner));
    } else {
        out->content_type = "text/xml";
        query_result(&out->body, r, result);
    }
}

/* ---- errors ---- */

/* What the errors of signatures and permissions are called in other dialects than STS's and IAM's. */
static const struct dialect {
    const char *code, *json, *ec2;
    int ec2_status;
} dialects[] = {
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", 403},
    {"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", 401},
    {"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", 401},
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", 400},
    {"MissingAuthenticationToken", "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403},
    {"IncompleteSignature", "IncompleteSignatureException", "IncompleteSignature", 400},
    {"InvalidAction", "UnknownOperationException", "InvalidAction", 400},
    {"ValidationError", "InvalidParameterException", "InvalidParameterValue", 400},
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", 503},
    {"InternalFailure", "ServerException", "InternalError", 500},
};

static const char *code_in(enum aws_protocol protocol, const char *code, int *status) {
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        if (!str_eq(dialects[i].code, code)) continue;
        if (protocol == AWS_REST_JSON) return dialects[i].json;
        if (protocol == AWS_EC2_QUERY) return *status = dialects[i].ec2_status, dialects[i].ec2;
    }
    return code;
}

static void xml_error(struct buf *out, const struct aws_service *s, const char *type, const char *code, const char *message, const char *request_id) {
    bool ec2 = s != NULL && s->protocol == AWS_EC2_QUERY;
    if (ec2) buf_adds(out, "<Response><Errors><Error>");
    else buf_printf(out, "<ErrorResponse xmlns=\"%s\"><Error><Type>%s</Type>", s ? s->xmlns : aws_sts.xmlns, type);
    buf_adds(out, "<Code>");
    add_text(out, code, strlen(code));
    buf_adds(out, "</Code><Message>");
    add_text(out, message, strlen(message));
    buf_printf(out, ec2 ? "</Message></Error></Errors><RequestID>%s</RequestID></Response>"
               : "</Message></Error><RequestId>%s</RequestId></ErrorResponse>", request_id);
}

void render_error(struct aws_answer *out, const struct aws_service *service, const struct error *e, const char *request_id, bool json) {
    cleanup_arena struct arena a = {0};
    bool known = e->code > 0 && e->reason != NULL;
    const char *code = known ? e->reason : "InternalFailure";
    const char *message = known ? e->message : "The request processing has failed because of an unknown error, exception or failure.";
    out->status = known ? e->code : 500;
    const char *type = out->status < 500 ? "Sender" : "Receiver";
    if (service != NULL) code = code_in(service->protocol, code, &out->status);
    if (service != NULL && service->protocol == AWS_REST_JSON) {
        out->content_type = "application/json";
        out->error_type = code;
        json_encode(&out->body, json_make(&a, "{'__type':%s,'message':%s}", code, message));
    } else if (json && !(service != NULL && service->protocol == AWS_EC2_QUERY)) {
        out->content_type = "application/json";
        json_encode(&out->body, json_make(&a, "{'Error':{'Code':%s,'Message':%s,'Type':%s},'RequestId':%s}", code, message, type, request_id));
    } else {
        out->content_type = "text/xml";
        xml_error(&out->body, service, type, code, message, request_id);
    }
}
