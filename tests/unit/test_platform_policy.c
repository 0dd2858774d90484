/* IAM's policy language: tables of documented behaviour. In documents ' stands for ". */
#include "base/str.h"
#include "platform/aws/policy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define A "123456789012"
#define ALLOW POLICY_ALLOW
#define NO POLICY_IMPLICIT_DENY
#define DENY POLICY_EXPLICIT_DENY

static char *quotes(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    for (char *c = out; *c; c++) {
        if (*c == '\'') *c = '"';
        else if (*c == '`') *c = '\''; /* quotes of defaults inside variables */
    }
    return out;
}

static struct policy *parse(struct arena *a, const char *text, enum policy_type type) {
    struct policy *p = NULL;
    const char *json = quotes(a, text);
    struct error *e = policy_parse(a, json, strlen(json), type, &p);
    if (e != NULL) fail_msg("%s: %s", text, e->message);
    return p;
}

/* "key=value;key=value"; "key" alone is there without values. */
static struct policy_context *context_of(struct arena *a, const char *text) {
    struct policy_context *c = ARENA_NEW(a, struct policy_context);
    c->arena = a;
    for (char **part = str_split(a, text ? text : "", ';', NULL); *part != NULL; part++) {
        char *equals = strchr(*part, '=');
        if (equals != NULL) {
            *equals = '\0';
            policy_context_add(c, *part, equals + 1);
        } else if (**part) {
            policy_context_add_empty(c, *part);
        }
    }
    return c;
}

static const struct aws_principal jane = {.type = AWS_USER, .account = A, .arn = "arn:aws:iam::" A ":user/team/jane", .user_id = "AIDAJANEJANEJANEJANEJ", .user_name = "jane"};
static const struct aws_principal dev = {.type = AWS_ASSUMED_ROLE, .account = A, .arn = "arn:aws:sts::" A ":assumed-role/dev/s1", .user_id = "AROADEVDEVDEVDEVDEVDE:s1",
                                         .role_arn = "arn:aws:iam::" A ":role/x/dev", .role_id = "AROADEVDEVDEVDEVDEVDE", .session_name = "s1"};
static const struct aws_principal root = {.type = AWS_ROOT, .account = A, .arn = "arn:aws:iam::" A ":root", .user_id = A};
static const struct aws_principal web = {.type = AWS_FEDERATED, .account = A, .arn = "arn:aws:iam::" A ":oidc-provider/oidc.example.com"};
static const struct aws_principal pods = {.type = AWS_SERVICE, .account = A, .arn = "pods.eks.amazonaws.com"};
static const struct aws_principal nobody = {.type = AWS_ANONYMOUS};
static const struct aws_principal other = {.type = AWS_USER, .account = "999999999999", .arn = "arn:aws:iam::999999999999:user/joe", .user_id = "AIDAJOEJOEJOEJOEJOEJO", .user_name = "joe"};

/* ---- one identity policy ---- */

#define ANY "'Action':'*','Resource':'*'"
#define S3 "arn:aws:s3:::"

struct row {
    const char *statements; /* members of one statement, or statements in brackets */
    const char *action, *resource, *context;
    enum policy_decision expected;
};

static const struct row rows[] = {
    /* effects */
    {"'Effect':'Allow'," ANY, "s3:GetObject", S3 "b/k", "", ALLOW},
    {"'Effect':'Deny'," ANY, "s3:GetObject", S3 "b/k", "", DENY},
    {"'Effect':'Allow','Action':'s3:PutObject','Resource':'*'", "s3:GetObject", S3 "b/k", "", NO},
    {"[{'Effect':'Allow'," ANY "},{'Effect':'Deny','Action':'s3:Delete*','Resource':'*'}]", "s3:DeleteObject", S3 "b/k", "", DENY},
    {"[{'Effect':'Deny','Action':'s3:Delete*','Resource':'*'},{'Effect':'Allow'," ANY "}]", "s3:DeleteObject", S3 "b/k", "", DENY},
    {"[{'Effect':'Deny','Action':'s3:Delete*','Resource':'*'},{'Effect':'Allow'," ANY "}]", "s3:GetObject", S3 "b/k", "", ALLOW},
    {"[{'Effect':'Deny','Action':'s3:*','Resource':'*','Condition':{'Bool':{'aws:SecureTransport':'false'}}},{'Effect':'Allow'," ANY "}]", "s3:GetObject", S3 "b", "aws:SecureTransport=false", DENY},
    {"[{'Effect':'Deny','Action':'s3:*','Resource':'*','Condition':{'Bool':{'aws:SecureTransport':'false'}}},{'Effect':'Allow'," ANY "}]", "s3:GetObject", S3 "b", "aws:SecureTransport=true", ALLOW},
    /* actions */
    {"'Effect':'Allow','Action':'S3:getobject','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','Action':'s3:Get*','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','Action':'s3:*Object','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','Action':'s3:Get?bject','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','Action':'s3:Get?','Resource':'*'", "s3:GetObject", "*", "", NO},
    {"'Effect':'Allow','Action':'s3:*','Resource':'*'", "ec2:RunInstances", "*", "", NO},
    {"'Effect':'Allow','Action':['ec2:*','s3:GetObject'],'Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','Action':'*:*','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','NotAction':'iam:*','Resource':'*'", "s3:GetObject", "*", "", ALLOW},
    {"'Effect':'Allow','NotAction':'iam:*','Resource':'*'", "iam:GetUser", "*", "", NO},
    {"'Effect':'Deny','NotAction':['iam:*','sts:*'],'Resource':'*'", "ec2:RunInstances", "*", "", DENY},
    {"'Effect':'Deny','NotAction':['iam:*','sts:*'],'Resource':'*'", "sts:AssumeRole", "*", "", NO},
    {"[{'Effect':'Allow'," ANY "},{'Effect':'Deny','NotAction':'iam:*','Resource':'*'}]", "iam:GetUser", "*", "", ALLOW},
    /* resources */
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/*'", "s3:GetObject", S3 "b/k", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/*'", "s3:GetObject", S3 "b/k/deep/er", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/*'", "s3:GetObject", S3 "c/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "B/*'", "s3:GetObject", S3 "b/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b?/*'", "s3:GetObject", S3 "b1/k", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b?/*'", "s3:GetObject", S3 "b/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':['" S3 "a','" S3 "b']", "s3:ListBucket", S3 "b", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:iam::" A ":role/*'", "iam:GetRole", "arn:aws:iam::" A ":role/x/dev", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:iam::*:role/*'", "iam:GetRole", "arn:aws:iam::" A ":role/dev", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:iam::*:user/dev'", "iam:GetRole", "arn:aws:iam::" A ":role/dev", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:iam:*:*:role/dev'", "iam:GetRole", "arn:aws:iam::" A ":role/dev", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:ec2:us-*:*:instance/*'", "ec2:StopInstances", "arn:aws:ec2:us-east-1:" A ":instance/i-1", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:ec2:us-*:*:instance/*'", "ec2:StopInstances", "arn:aws:ec2:eu-west-1:" A ":instance/i-1", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'arn:aws:*:*:*:secret'", "s3:GetObject", "arn:aws:s3:::x:secret", "", NO}, /* * stays within its part */
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/*'", "s3:ListAllMyBuckets", "*", "", NO},
    {"'Effect':'Allow','Action':'*','NotResource':'" S3 "b/*'", "s3:GetObject", S3 "c/k", "", ALLOW},
    {"'Effect':'Allow','Action':'*','NotResource':'" S3 "b/*'", "s3:GetObject", S3 "b/k", "", NO},
    {"'Effect':'Deny','Action':'*','NotResource':['" S3 "b','" S3 "b/*']", "s3:GetObject", S3 "c/k", "", DENY},
    {"'Effect':'Deny','Action':'*','NotResource':['" S3 "b','" S3 "b/*']", "s3:GetObject", S3 "b/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'arn:*:s3:::b'", "s3:ListBucket", S3 "b", "", ALLOW},
    /* variables */
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "b/jane/k", "aws:username=jane", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "b/joe/k", "aws:username=jane", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${AWS:UserName}/*'", "s3:GetObject", S3 "b/jane/k", "aws:username=jane", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "b//k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "b/jane/k", "aws:username=*", NO}, /* its * is a star */
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "b/*/k", "aws:username=*", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:PrincipalTag/team, `company`}/*'", "s3:GetObject", S3 "b/company/k", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:PrincipalTag/team, `company`}/*'", "s3:GetObject", S3 "b/red/k", "aws:PrincipalTag/team=red", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:PrincipalTag/team, `company`}/*'", "s3:GetObject", S3 "b/company/k", "aws:PrincipalTag/team=red", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:PrincipalTag/team, `*`}/*'", "s3:GetObject", S3 "b/red/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${aws:TagKeys}/*'", "s3:GetObject", S3 "b/x/k", "aws:TagKeys=x;aws:TagKeys=y", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${*}'", "s3:GetObject", S3 "b/*", "", ALLOW},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${*}'", "s3:GetObject", S3 "b/k", "", NO},
    {"'Effect':'Allow','Action':'*','Resource':'" S3 "b/${?}${$}'", "s3:GetObject", S3 "b/?$", "", ALLOW},
    {"'Effect':'Deny','Action':'*','NotResource':'" S3 "b/${aws:username}/*'", "s3:GetObject", S3 "c", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringLike':{'s3:prefix':['${aws:username}/*','']}}", "s3:ListBucket", S3 "b", "s3:prefix=jane/x;aws:username=jane", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'aws:ResourceTag/owner':'${aws:username}'}}", "ec2:StopInstances", "*", "aws:ResourceTag/owner=jane;aws:username=jane", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'aws:ResourceTag/owner':'${aws:username}'}}", "ec2:StopInstances", "*", "aws:ResourceTag/owner=;aws:username=jane", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEquals':{'aws:ResourceTag/owner':'${aws:username}'}}", "ec2:StopInstances", "*", "aws:ResourceTag/owner=x", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'${k:y}'}}", "a:B", "*", "k:x=*;k:y=*", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringLike':{'k:x':'${k:y}'}}", "a:B", "*", "k:x=anything;k:y=*", NO},
    /* strings */
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a'}}", "a:B", "*", "k:x=a", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'K:X':'a'}}", "a:B", "*", "k:x=a", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a'}}", "a:B", "*", "k:x=A", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a*'}}", "a:B", "*", "k:x=ab", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':['a','b']}}", "a:B", "*", "k:x=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a'}}", "a:B", "*", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':[]}}", "a:B", "*", "k:x=a", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a','k:y':'b'}}", "a:B", "*", "k:x=a;k:y=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a','k:y':'b'}}", "a:B", "*", "k:x=a", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a'},'StringLike':{'k:y':'b*'}}", "a:B", "*", "k:x=a;k:y=bcd", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'a'},'StringLike':{'k:y':'b*'}}", "a:B", "*", "k:x=a;k:y=c", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEquals':{'k:x':'a'}}", "a:B", "*", "k:x=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEquals':{'k:x':'a'}}", "a:B", "*", "k:x=a", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEquals':{'k:x':['a','b']}}", "a:B", "*", "k:x=b", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEquals':{'k:x':'a'}}", "a:B", "*", "", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEqualsIgnoreCase':{'k:x':'aBc'}}", "a:B", "*", "k:x=AbC", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEqualsIgnoreCase':{'k:x':'aBc'}}", "a:B", "*", "k:x=AbC", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEqualsIgnoreCase':{'k:x':'aBc'}}", "a:B", "*", "k:x=d", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringLike':{'k:x':'a*c?'}}", "a:B", "*", "k:x=abbcd", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringLike':{'k:x':'a*c?'}}", "a:B", "*", "k:x=abbc", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotLike':{'k:x':'a*'}}", "a:B", "*", "k:x=abc", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotLike':{'k:x':'a*'}}", "a:B", "*", "k:x=bc", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':true}}", "a:B", "*", "k:x=true", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':5}}", "a:B", "*", "k:x=5", ALLOW},
    /* IfExists */
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEqualsIfExists':{'k:x':'a'}}", "a:B", "*", "", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEqualsIfExists':{'k:x':'a'}}", "a:B", "*", "k:x=b", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringEqualsIfExists':{'k:x':'a'}}", "a:B", "*", "k:x=a", ALLOW},
    {"'Effect':'Deny'," ANY ",'Condition':{'BoolIfExists':{'aws:MultiFactorAuthPresent':'false'}}", "a:B", "*", "", DENY},
    {"'Effect':'Deny'," ANY ",'Condition':{'Bool':{'aws:MultiFactorAuthPresent':'false'}}", "a:B", "*", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThanIfExists':{'k:n':5}}", "a:B", "*", "", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLikeIfExists':{'k:a':'arn:aws:s3:::b'}}", "a:B", "*", "k:a=arn:aws:s3:::c", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'StringNotEqualsIfExists':{'k:x':'a'}}", "a:B", "*", "", ALLOW},
    /* numbers */
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericEquals':{'k:n':'5'}}", "a:B", "*", "k:n=5.0", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericEquals':{'k:n':5}}", "a:B", "*", "k:n=6", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericNotEquals':{'k:n':5}}", "a:B", "*", "k:n=6", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThan':{'k:n':5}}", "a:B", "*", "k:n=-10", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThan':{'k:n':5}}", "a:B", "*", "k:n=5", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThanEquals':{'k:n':5}}", "a:B", "*", "k:n=5", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericGreaterThan':{'k:n':5}}", "a:B", "*", "k:n=10", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericGreaterThan':{'k:n':5}}", "a:B", "*", "k:n=5", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericGreaterThanEquals':{'k:n':5}}", "a:B", "*", "k:n=5", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThan':{'k:n':5}}", "a:B", "*", "k:n=four", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThan':{'k:n':5}}", "a:B", "*", "k:n=nan", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'NumericLessThanEquals':{'s3:max-keys':'10'}}", "s3:ListBucket", "*", "", NO},
    /* dates */
    {"'Effect':'Allow'," ANY ",'Condition':{'DateGreaterThan':{'aws:CurrentTime':'2026-01-01T00:00:00Z'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:01Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateGreaterThan':{'aws:CurrentTime':'2026-01-01T00:00:00Z'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:00Z", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateGreaterThanEquals':{'aws:CurrentTime':'2026-01-01T00:00:00Z'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:00Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThan':{'aws:CurrentTime':'2026-01-02'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T23:59:59Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThanEquals':{'aws:CurrentTime':'2026'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:00Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateEquals':{'aws:CurrentTime':'2026-01-01T01:00:00+01:00'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:00Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateNotEquals':{'aws:CurrentTime':'2026-01-01T00:00:00Z'}}", "a:B", "*", "aws:CurrentTime=2026-01-01T00:00:00Z", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThan':{'aws:EpochTime':'1767225600'}}", "a:B", "*", "aws:EpochTime=1767225599", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThan':{'aws:CurrentTime':1767225600}}", "a:B", "*", "aws:CurrentTime=2025-12-31T23:59:59Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThan':{'aws:CurrentTime':'tomorrow'}}", "a:B", "*", "aws:CurrentTime=2025-12-31T23:59:59Z", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'DateLessThan':{'aws:CurrentTime':'2026-01-01T00:00Z'}}", "a:B", "*", "aws:CurrentTime=2025-12-31T23:59:59Z", ALLOW},
    /* booleans, bytes, null */
    {"'Effect':'Allow'," ANY ",'Condition':{'Bool':{'aws:SecureTransport':true}}", "a:B", "*", "aws:SecureTransport=true", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'Bool':{'aws:SecureTransport':'TRUE'}}", "a:B", "*", "aws:SecureTransport=true", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'Bool':{'aws:SecureTransport':'true'}}", "a:B", "*", "aws:SecureTransport=false", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'Bool':{'aws:SecureTransport':'yes'}}", "a:B", "*", "aws:SecureTransport=yes", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'BinaryEquals':{'k:b':'QmluYXJ5'}}", "a:B", "*", "k:b=QmluYXJ5", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'BinaryEquals':{'k:b':'QmluYXJ5'}}", "a:B", "*", "k:b=QmluYXJ6", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'BinaryEquals':{'k:b':'QmluYXJ5'}}", "a:B", "*", "k:b=%%%", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'Null':{'aws:TokenIssueTime':'true'}}", "a:B", "*", "", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'Null':{'aws:TokenIssueTime':'true'}}", "a:B", "*", "aws:TokenIssueTime=2026-01-01T00:00:00Z", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'Null':{'aws:TokenIssueTime':false}}", "a:B", "*", "aws:TokenIssueTime=2026-01-01T00:00:00Z", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'Null':{'aws:TokenIssueTime':'false'}}", "a:B", "*", "", NO},
    {"'Effect':'Deny'," ANY ",'Condition':{'Null':{'aws:RequestTag/cost':'true'}}", "a:B", "*", "aws:RequestTag/other=x", DENY},
    /* addresses */
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'203.0.113.0/24'}}", "a:B", "*", "aws:SourceIp=203.0.113.255", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'203.0.113.0/24'}}", "a:B", "*", "aws:SourceIp=203.0.114.1", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'203.0.113.128/25'}}", "a:B", "*", "aws:SourceIp=203.0.113.127", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'203.0.113.7'}}", "a:B", "*", "aws:SourceIp=203.0.113.7", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}", "a:B", "*", "aws:SourceIp=198.51.100.1", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}", "a:B", "*", "aws:SourceIp=2001:db8::1", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'2001:db8::/33'}}", "a:B", "*", "aws:SourceIp=2001:db8:7fff::1", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'2001:db8::/33'}}", "a:B", "*", "aws:SourceIp=2001:db8:8000::1", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'192.0.2.0/24'}}", "a:B", "*", "aws:SourceIp=::ffff:192.0.2.5", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'IpAddress':{'aws:SourceIp':'192.0.2.0/99'}}", "a:B", "*", "aws:SourceIp=192.0.2.5", NO},
    {"'Effect':'Deny'," ANY ",'Condition':{'NotIpAddress':{'aws:SourceIp':['192.0.2.0/24','203.0.113.0/24']}}", "a:B", "*", "aws:SourceIp=203.0.113.9", NO},
    {"'Effect':'Deny'," ANY ",'Condition':{'NotIpAddress':{'aws:SourceIp':['192.0.2.0/24','203.0.113.0/24']}}", "a:B", "*", "aws:SourceIp=198.51.100.1", DENY},
    {"'Effect':'Deny'," ANY ",'Condition':{'NotIpAddress':{'aws:SourceIp':'192.0.2.0/24'}}", "a:B", "*", "", DENY},
    /* ARNs */
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnEquals':{'aws:SourceArn':'arn:aws:sns:*:" A ":t'}}", "a:B", "*", "aws:SourceArn=arn:aws:sns:us-east-1:" A ":t", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/*'}}", "a:B", "*", "aws:PrincipalArn=arn:aws:iam::" A ":role/x/dev", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/dev'}}", "a:B", "*", "aws:PrincipalArn=arn:aws:iam::" A ":role/x/dev", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLike':{'k:a':'arn:aws:s*:b'}}", "a:B", "*", "k:a=arn:aws:s3:::b", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnNotLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/*'}}", "a:B", "*", "aws:PrincipalArn=arn:aws:iam::" A ":user/jane", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnNotEquals':{'aws:PrincipalArn':'arn:aws:iam::" A ":user/jane'}}", "a:B", "*", "aws:PrincipalArn=arn:aws:iam::" A ":user/jane", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLike':{'k:a':'arn:aws:iam::" A ":user/${aws:username}'}}", "a:B", "*", "k:a=arn:aws:iam::" A ":user/jane;aws:username=jane", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ArnLike':{'k:a':'arn:aws:iam::" A ":user/x'}}", "a:B", "*", "k:a=no arn", NO},
    /* keys with several values */
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "aws:TagKeys=a;aws:TagKeys=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "aws:TagKeys=a;aws:TagKeys=c", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "aws:TagKeys", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "aws:TagKeys=c;aws:TagKeys=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "aws:TagKeys=c", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringEquals':{'aws:TagKeys':['a','b']}}", "a:B", "*", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringLike':{'oidc:amr':'authenticated*'}}", "a:B", "*", "oidc:amr=x;oidc:amr=authenticated-1", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringNotEquals':{'aws:TagKeys':['x']}}", "a:B", "*", "aws:TagKeys=a;aws:TagKeys=b", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringNotEquals':{'aws:TagKeys':['x']}}", "a:B", "*", "aws:TagKeys=a;aws:TagKeys=x", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringNotEquals':{'aws:TagKeys':['x']}}", "a:B", "*", "aws:TagKeys=a;aws:TagKeys=x", ALLOW},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringNotEquals':{'aws:TagKeys':['x']}}", "a:B", "*", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAllValues:StringLike':{'aws:TagKeys':'cost*'},'Null':{'aws:TagKeys':'false'}}", "a:B", "*", "", NO},
    {"'Effect':'Allow'," ANY ",'Condition':{'ForAnyValue:StringEqualsIfExists':{'aws:TagKeys':'a'}}", "a:B", "*", "", ALLOW},
};

static void identity_policies_decide_as_documented(void **state UNUSED) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct row *r = &rows[i];
        bool list = *r->statements == '[';
        const char *text = arena_printf(&a, "{'Version':'2012-10-17','Statement':%s%s%s}", list ? "" : "{", r->statements, list ? "" : "}");
        const struct policy *p = parse(&a, text, POLICY_IDENTITY);
        struct policy_request q = {r->action, r->resource, &jane, context_of(&a, r->context)};
        enum policy_decision got = policy_evaluate(&a, &(struct policy_list){&p, 1}, &q);
        if (got != r->expected) fail_msg("row %zu: %s: %s on %s with %s: got %d, expected %d", i, r->statements, r->action, r->resource, r->context, got, r->expected);
    }
}

static void old_versions_know_no_variables(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct policy *p = parse(&a, "{'Version':'2008-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::b/${aws:username}'}}", POLICY_IDENTITY);
    struct policy_request q = {"s3:GetObject", "arn:aws:s3:::b/jane", &jane, context_of(&a, "aws:username=jane")};
    assert_int_equal(policy_evaluate(&a, &(struct policy_list){&p, 1}, &q), NO);
    q.resource = "arn:aws:s3:::b/${aws:username}";
    assert_int_equal(policy_evaluate(&a, &(struct policy_list){&p, 1}, &q), ALLOW);
}

/* ---- trust policies: who is meant by a principal? ---- */

static const struct trust_row {
    const char *principal; /* members of the statement: Principal or NotPrincipal, perhaps Condition */
    const char *effect;
    const struct aws_principal *who;
    enum policy_decision alone; /* without any identity policy */
    enum policy_decision permitted; /* with an identity policy that allows everything */
} trust_rows[] = {
    {"'Principal':'*'", "Allow", &jane, ALLOW, ALLOW},
    {"'Principal':{'AWS':'*'}", "Allow", &dev, ALLOW, ALLOW},
    {"'Principal':{'AWS':'" A "'}", "Allow", &jane, NO, ALLOW},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":root'}", "Allow", &jane, NO, ALLOW},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":root'}", "Allow", &dev, NO, ALLOW},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":root'}", "Allow", &root, ALLOW, ALLOW},
    {"'Principal':{'AWS':'999999999999'}", "Allow", &jane, NO, NO},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":user/team/jane'}", "Allow", &jane, ALLOW, ALLOW},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":user/jane'}", "Allow", &jane, NO, NO},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":user/team/Jane'}", "Allow", &jane, NO, NO},
    {"'Principal':{'AWS':'AIDAJANEJANEJANEJANEJ'}", "Allow", &jane, ALLOW, ALLOW},
    {"'Principal':{'AWS':'AIDAOTHEROTHEROTHERXX'}", "Allow", &jane, NO, NO},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":role/x/dev'}", "Allow", &dev, ALLOW, ALLOW},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":role/dev'}", "Allow", &dev, NO, NO},
    {"'Principal':{'AWS':'AROADEVDEVDEVDEVDEVDE'}", "Allow", &dev, ALLOW, ALLOW},
    {"'Principal':{'AWS':'arn:aws:sts::" A ":assumed-role/dev/s1'}", "Allow", &dev, ALLOW, ALLOW},
    {"'Principal':{'AWS':'arn:aws:sts::" A ":assumed-role/dev/s2'}", "Allow", &dev, NO, NO},
    {"'Principal':{'AWS':['" A "','arn:aws:iam::" A ":user/team/jane']}", "Allow", &jane, ALLOW, ALLOW},
    {"'Principal':{'Service':'ec2.amazonaws.com'}", "Allow", &jane, NO, NO},
    {"'Principal':{'Service':'pods.eks.amazonaws.com'}", "Allow", &pods, ALLOW, ALLOW},
    {"'Principal':{'Service':['ec2.amazonaws.com','pods.eks.amazonaws.com']}", "Allow", &pods, ALLOW, ALLOW},
    {"'Principal':{'AWS':'" A "'}", "Allow", &pods, NO, NO},
    {"'Principal':{'Federated':'arn:aws:iam::" A ":oidc-provider/oidc.example.com'}", "Allow", &web, ALLOW, ALLOW},
    {"'Principal':{'Federated':'arn:aws:iam::" A ":oidc-provider/other.example.com'}", "Allow", &web, NO, NO},
    {"'Principal':{'AWS':'" A "'}", "Allow", &web, NO, NO},
    {"'Principal':{'AWS':'" A "'}", "Allow", &nobody, NO, NO},
    {"'Principal':{'AWS':'" A "'}", "Deny", &jane, DENY, DENY},
    {"'Principal':{'AWS':'arn:aws:iam::" A ":role/x/dev'}", "Deny", &dev, DENY, DENY},
    {"'NotPrincipal':{'AWS':['" A "','arn:aws:iam::" A ":user/team/jane']}", "Deny", &jane, NO, NO},
    {"'NotPrincipal':{'AWS':'arn:aws:iam::" A ":user/team/jane'}", "Deny", &jane, DENY, DENY}, /* the account is not spared */
    {"'NotPrincipal':{'AWS':['" A "','arn:aws:iam::" A ":role/x/dev']}", "Deny", &dev, DENY, DENY},
    {"'NotPrincipal':{'AWS':['" A "','arn:aws:iam::" A ":role/x/dev','arn:aws:sts::" A ":assumed-role/dev/s1']}", "Deny", &dev, NO, NO},
    {"'NotPrincipal':{'Service':'pods.eks.amazonaws.com'}", "Deny", &pods, NO, NO},
    {"'NotPrincipal':{'Service':'pods.eks.amazonaws.com'}", "Deny", &jane, DENY, DENY},
    {"'Principal':{'AWS':'" A "'},'Condition':{'StringEquals':{'sts:ExternalId':'x'}}", "Allow", &jane, NO, NO},
};

static void trust_policies_name_principals(void **state UNUSED) {
    for (size_t i = 0; i < ARRAY_LEN(trust_rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct trust_row *r = &trust_rows[i];
        const struct policy *trust = parse(&a, arena_printf(&a, "{'Version':'2012-10-17','Statement':[{'Effect':'%s','Action':'sts:AssumeRole',%s}]}", r->effect, r->principal), POLICY_TRUST);
        const struct policy *all = parse(&a, "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'*','Resource':'*'}]}", POLICY_IDENTITY);
        struct policy_list identity = {&all, 1}, none = {0};
        struct policy_request q = {"sts:AssumeRole", "arn:aws:iam::" A ":role/r", r->who, NULL};
        struct policy_inputs in = {.identity = &none, .resource_policy = trust, .resource_must_allow = true};
        enum policy_decision alone = policy_decide(&a, &in, &q).decision;
        in.identity = &identity;
        enum policy_decision permitted = policy_decide(&a, &in, &q).decision;
        if (alone != r->alone || permitted != r->permitted) fail_msg("row %zu: %s %s: got %d and %d, expected %d and %d", i, r->effect, r->principal, alone, permitted, r->alone, r->permitted);
    }
}

/* ---- all kinds of policies together ---- */

#define YES_TO(action) "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'" action "','Resource':'*'}]}"
#define NO_TO(action) "{'Version':'2012-10-17','Statement':[{'Effect':'Deny','Action':'" action "','Resource':'*'}]}"
#define GRANT(to) "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':" to ",'Action':'s3:*','Resource':'*'}]}"
#define REFUSE(to) "{'Version':'2012-10-17','Statement':[{'Effect':'Deny','Principal':" to ",'Action':'s3:*','Resource':'*'}]}"
#define JANE "{'AWS':'arn:aws:iam::" A ":user/team/jane'}"
#define ROLE "{'AWS':'arn:aws:iam::" A ":role/x/dev'}"
#define SESSION "{'AWS':'arn:aws:sts::" A ":assumed-role/dev/s1'}"
#define ACCOUNT "{'AWS':'" A "'}"

static const struct decide_row {
    const struct aws_principal *who;
    const char *identity, *boundary, *session, *resource; /* NULL: none; "": a list without documents */
    enum policy_decision expected;
    const char *reason; /* part of it */
} decide_rows[] = {
    {&jane, NULL, NULL, NULL, NULL, NO, "because no identity-based policy allows the s3:GetObject action"},
    {&jane, YES_TO("s3:*"), NULL, NULL, NULL, ALLOW, NULL},
    {&jane, NO_TO("s3:*"), NULL, NULL, NULL, DENY, "with an explicit deny in an identity-based policy"},
    {&root, NULL, NULL, NULL, NULL, ALLOW, NULL},
    {&jane, YES_TO("*"), YES_TO("s3:*"), NULL, NULL, ALLOW, NULL},
    {&jane, YES_TO("*"), YES_TO("ec2:*"), NULL, NULL, NO, "because no permissions boundary allows the s3:GetObject action"},
    {&jane, YES_TO("*"), "", NULL, NULL, NO, "because no permissions boundary allows"},
    {&jane, NULL, YES_TO("*"), NULL, NULL, NO, "because no identity-based policy allows"},
    {&jane, YES_TO("*"), NO_TO("s3:*"), NULL, NULL, DENY, "with an explicit deny in a permissions boundary"},
    {&dev, YES_TO("*"), NULL, YES_TO("s3:*"), NULL, ALLOW, NULL},
    {&dev, YES_TO("*"), NULL, YES_TO("ec2:*"), NULL, NO, "because no session policy allows the s3:GetObject action"},
    {&dev, YES_TO("*"), NULL, "", NULL, NO, "because no session policy allows"},
    {&dev, YES_TO("ec2:*"), NULL, YES_TO("s3:*"), NULL, NO, "because no identity-based policy allows"},
    {&dev, YES_TO("*"), NULL, NO_TO("s3:*"), NULL, DENY, "with an explicit deny in a session policy"},
    {&dev, YES_TO("*"), YES_TO("s3:*"), YES_TO("s3:*"), NULL, ALLOW, NULL},
    {&dev, YES_TO("*"), YES_TO("s3:*"), YES_TO("ec2:*"), NULL, NO, "session"},
    /* a resource's policy in the same account: either side suffices */
    {&jane, NULL, NULL, NULL, GRANT(JANE), ALLOW, NULL},
    {&jane, NULL, "", NULL, GRANT(JANE), ALLOW, NULL}, /* a grant to the user himself is not limited by his boundary */
    {&jane, NO_TO("s3:*"), NULL, NULL, GRANT(JANE), DENY, "identity-based"},
    {&jane, NULL, NO_TO("s3:*"), NULL, GRANT(JANE), DENY, "boundary"},
    {&jane, YES_TO("*"), NULL, NULL, REFUSE(JANE), DENY, "with an explicit deny in a resource-based policy"},
    {&jane, YES_TO("*"), NULL, NULL, GRANT("{'AWS':'999999999999'}"), ALLOW, NULL},
    {&jane, NULL, NULL, NULL, GRANT(ACCOUNT), NO, "because no identity-based policy allows"},
    {&jane, YES_TO("s3:*"), NULL, NULL, GRANT(ACCOUNT), ALLOW, NULL},
    {&dev, NULL, NULL, NULL, GRANT(ROLE), ALLOW, NULL},
    {&dev, NULL, YES_TO("ec2:*"), NULL, GRANT(ROLE), NO, "boundary"},
    {&dev, NULL, NULL, YES_TO("ec2:*"), GRANT(ROLE), NO, "session"},
    {&dev, NULL, YES_TO("ec2:*"), YES_TO("ec2:*"), GRANT(SESSION), ALLOW, NULL},
    {&dev, NULL, NULL, NO_TO("s3:*"), GRANT(SESSION), DENY, "session"},
    {&jane, NULL, NULL, NULL, GRANT("'*'"), ALLOW, NULL},
    {&root, NULL, NULL, NULL, REFUSE("'*'"), DENY, "resource-based"},
    /* another account: both sides must allow */
    {&other, YES_TO("*"), NULL, NULL, NULL, NO, "because no resource-based policy allows"},
    {&other, NULL, NULL, NULL, GRANT("{'AWS':'999999999999'}"), NO, "because no identity-based policy allows"},
    {&other, YES_TO("*"), NULL, NULL, GRANT("{'AWS':'999999999999'}"), ALLOW, NULL},
    {&other, NULL, NULL, NULL, GRANT("{'AWS':'arn:aws:iam::999999999999:user/joe'}"), NO, "because no identity-based policy allows"},
    {&other, YES_TO("*"), YES_TO("ec2:*"), NULL, GRANT("{'AWS':'999999999999'}"), NO, "boundary"},
    {&nobody, NULL, NULL, NULL, GRANT("'*'"), NO, NULL},
};

static struct policy_list *list_of(struct arena *a, const char *text) {
    if (text == NULL) return NULL;
    struct policy_list *l = ARENA_NEW(a, struct policy_list);
    if (*text == '\0') return l;
    l->items = arena_calloc(a, 1, sizeof(*l->items));
    l->items[l->count++] = parse(a, text, POLICY_IDENTITY);
    return l;
}

static void all_policies_count_together(void **state UNUSED) {
    for (size_t i = 0; i < ARRAY_LEN(decide_rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct decide_row *r = &decide_rows[i];
        struct policy_inputs in = {.identity = list_of(&a, r->identity), .boundary = list_of(&a, r->boundary), .session = list_of(&a, r->session),
                                   .resource_policy = r->resource ? parse(&a, r->resource, POLICY_RESOURCE) : NULL, .resource_account = A};
        struct policy_request q = {"s3:GetObject", "arn:aws:s3:::b/k", r->who, NULL};
        struct policy_verdict v = policy_decide(&a, &in, &q);
        if (v.decision != r->expected) fail_msg("row %zu: got %d (%s), expected %d", i, v.decision, v.reason ? v.reason : "", r->expected);
        if (r->reason != NULL && strstr(v.reason, r->reason) == NULL) fail_msg("row %zu: \"%s\" does not say \"%s\"", i, v.reason, r->reason);
    }
}

/* ---- documents that are refused ---- */

#define DOC(members) "{'Version':'2012-10-17','Statement':[{" members "}]}"
#define SYNTAX "Syntax errors in policy."

static const struct malformed_row {
    enum policy_type type;
    const char *text, *message;
} malformed_rows[] = {
    {POLICY_IDENTITY, "", "This policy contains invalid Json"},
    {POLICY_IDENTITY, "{", "This policy contains invalid Json"},
    {POLICY_IDENTITY, "[]", SYNTAX},
    {POLICY_IDENTITY, "'x'", SYNTAX},
    {POLICY_IDENTITY, "{}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2012-10-17'}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2012-10-17','Statement':[]}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2012-10-17','Statement':'x'}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2020-01-01','Statement':[{'Effect':'Allow'," ANY "}]}", "The policy must contain a valid version string"},
    {POLICY_IDENTITY, "{'Version':1,'Statement':[{'Effect':'Allow'," ANY "}]}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2012-10-17','Unknown':1,'Statement':[{'Effect':'Allow'," ANY "}]}", SYNTAX},
    {POLICY_IDENTITY, "{'Version':'2012-10-17','Version':'2008-10-17','Statement':[{'Effect':'Allow'," ANY "}]}", SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Effect':'Deny'," ANY), SYNTAX},
    {POLICY_IDENTITY, DOC(ANY), "Missing required field Effect"},
    {POLICY_IDENTITY, DOC("'Effect':'allow'," ANY), "Invalid effect: allow"},
    {POLICY_IDENTITY, DOC("'Effect':true," ANY), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Other':1," ANY), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Resource':'*'"), "Policy statement must contain actions."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':[],'Resource':'*'"), "Policy statement must contain actions."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':1,'Resource':'*'"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':[['*']],'Resource':'*'"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'s3:*','NotAction':'s3:*','Resource':'*'"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'GetObject','Resource':'*'"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'s3:Get:Object','Resource':'*'"), "Actions/Condition can contain only one colon."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'s 3:GetObject','Resource':'*'"), "Vendor s 3 is not valid"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'s3:','Resource':'*'"), "The policy failed legacy parsing"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*'"), "Policy statement must contain resources."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*','Resource':[]"), "Policy statement must contain resources."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*','Resource':'bucket'"), "Resource bucket must be in ARN format or \"*\"."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*','Resource':'arn:aws:s3'"), "The policy failed legacy parsing"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*','Resource':'arn:foo:s3:::b'"), "Partition \"foo\" is not valid for resource \"arn:foo:s3:::b\"."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow','Action':'*','Resource':'*','NotResource':'*'"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Principal':'*'"), "Policy document should not specify a principal."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':[]"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'StringEquals':'x'}"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'StringSame':{'k:x':'y'}}"), "Invalid Condition type : StringSame"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'stringequals':{'k:x':'y'}}"), "Invalid Condition type : stringequals"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'NullIfExists':{'k:x':'true'}}"), "Invalid Condition type : NullIfExists"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'ForSomeValues:StringEquals':{'k:x':'y'}}"), "Invalid Condition type : ForSomeValues:StringEquals"},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':{'a':'b'}}}"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'x':'y'}}"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
    {POLICY_IDENTITY, DOC("'Effect':'Allow'," ANY ",'Condition':{'StringEquals':{'k:x':'\\u0001'}}"), SYNTAX},
    {POLICY_IDENTITY, DOC("'Sid':'a b','Effect':'Allow'," ANY), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
    {POLICY_IDENTITY, "{'Version':'2012-10-17','Statement':[{'Sid':'a','Effect':'Allow'," ANY "},{'Sid':'a','Effect':'Allow'," ANY "}]}", "Statement IDs (SID) in a single policy must be unique."},
    {POLICY_TRUST, DOC("'Effect':'Allow','Action':'sts:AssumeRole'"), "Missing required field Principal"},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{},'Action':'sts:AssumeRole'"), "Missing required field Principal cannot be empty!"},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{'AWS':[]},'Action':'sts:AssumeRole'"), "Missing required field Principal cannot be empty!"},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole','Resource':'*'"), "Has prohibited field Resource"},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':'*','Action':'s3:GetObject'"), "AssumeRole policy may only specify STS AssumeRole actions."},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':'*','Action':'*'"), "AssumeRole policy may only specify STS AssumeRole actions."},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':'*'"), "Missing required field Action"},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':'me','Action':'sts:AssumeRole'"), "Invalid principal in policy: \"STAR\":\"me\""},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::" A ":user/*'},'Action':'sts:AssumeRole'"), "Invalid principal in policy: \"AWS\":\"arn:aws:iam::" A ":user/*\""},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{'AWS':'1234'},'Action':'sts:AssumeRole'"), "Invalid principal in policy: \"AWS\":\"1234\""},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{'Federated':'*'},'Action':'sts:AssumeRole'"), "Invalid principal in policy: \"Federated\":\"*\""},
    {POLICY_TRUST, DOC("'Effect':'Allow','Principal':{'Group':'x'},'Action':'sts:AssumeRole'"), "Invalid principal in policy: \"Group\""},
    {POLICY_TRUST, DOC("'Effect':'Allow','NotPrincipal':{'AWS':'" A "'},'Action':'sts:AssumeRole'"), "Allow with NotPrincipal is not allowed."},
    {POLICY_TRUST, DOC("'Effect':'Deny','Principal':'*','NotPrincipal':'*','Action':'sts:AssumeRole'"), SYNTAX},
};

static void bad_documents_are_refused(void **state UNUSED) {
    for (size_t i = 0; i < ARRAY_LEN(malformed_rows); i++) {
        cleanup_arena struct arena a = {0};
        struct policy *p;
        const char *text = quotes(&a, malformed_rows[i].text);
        cleanup_error struct error *e = policy_parse(&a, text, strlen(text), malformed_rows[i].type, &p);
        if (e == NULL) fail_msg("row %zu was accepted: %s", i, malformed_rows[i].text);
        assert_string_equal(e->reason, "MalformedPolicyDocument");
        assert_int_equal(e->code, 400);
        if (!str_eq(e->message, malformed_rows[i].message)) fail_msg("row %zu: got \"%s\", expected \"%s\"", i, e->message, malformed_rows[i].message);
    }
}

static void wildcards_cost_no_more_than_text_times_pattern(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    char *text = arena_alloc(&a, 2001), *pattern = arena_alloc(&a, 2001);
    memset(text, 'a', 2000);
    for (size_t i = 0; i < 2000; i++) pattern[i] = i % 2 ? 'a' : '*';
    text[2000] = pattern[2000] = '\0';
    pattern[1999] = 'b';
    assert_false(policy_wildcard(pattern, text));
    text[1999] = 'b';
    assert_true(policy_wildcard(pattern, text));
    assert_true(policy_wildcard("*", ""));
    assert_false(policy_wildcard("?", ""));
    assert_true(policy_wildcard("", ""));
    assert_true(policy_wildcard("a**b", "ab"));
}

static void the_tables_are_as_long_as_they_are_to_be(void **state UNUSED) {
    size_t cases = ARRAY_LEN(rows) + ARRAY_LEN(trust_rows) + ARRAY_LEN(decide_rows);
    print_message("%zu cases of evaluation, %zu malformed documents\n", cases, ARRAY_LEN(malformed_rows));
    assert_true(cases >= 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_policies_decide_as_documented),
        cmocka_unit_test(old_versions_know_no_variables),
        cmocka_unit_test(trust_policies_name_principals),
        cmocka_unit_test(all_policies_count_together),
        cmocka_unit_test(bad_documents_are_refused),
        cmocka_unit_test(the_tables_are_as_long_as_they_are_to_be),
        cmocka_unit_test(wildcards_cost_no_more_than_text_times_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
