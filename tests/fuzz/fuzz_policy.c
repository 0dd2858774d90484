/* Policy documents: parsed as each type, then evaluated; the second line is what is asked. */
#include "base/str.h"
#include "platform/aws/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data, *newline = size ? memchr(text, '\n', size) : NULL;
    size_t len = newline ? (size_t)(newline - text) : size;
    for (enum policy_type type = POLICY_IDENTITY; type <= POLICY_RESOURCE; type++) {
        cleanup_arena struct arena a = {0};
        struct policy *p;
        struct policy_context context = {.arena = &a};
        const struct aws_principal who = {.type = AWS_ASSUMED_ROLE, .account = "123456789012", .arn = "arn:aws:sts::123456789012:assumed-role/r/s",
                                          .role_arn = "arn:aws:iam::123456789012:role/r", .role_id = "AROA", .user_id = "AROA:s"};
        char *question = newline ? arena_strndup(&a, newline + 1, strnlen(newline + 1, size - len - 1)) : arena_strdup(&a, "s3:GetObject arn:aws:s3:::b/k v");
        char **words = str_split(&a, question, ' ', NULL);
        const char *value = words[1] && words[2] ? words[2] : "v";
        policy_context_add(&context, "k:x", value);
        policy_context_add(&context, "aws:username", value);
        struct error *e = policy_parse(&a, text, len, type, &p);
        if (e == NULL) {
            struct policy_request q = {words[0], words[1] ? words[1] : "*", &who, &context};
            struct policy_inputs in = {.resource_policy = p, .identity = type == POLICY_IDENTITY ? &(struct policy_list){(const struct policy *[]){p}, 1} : NULL};
            policy_decide(&a, &in, &q);
        }
        error_free(e);
    }
    return 0;
}
