/* The Pod Security Standards in their versions, by the sentences that a refused pod is answered with. */
#include "apiserver/pod_security.h"
#include "base/arena.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LATEST POD_SECURITY_LATEST
#define FINE "'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']},'runAsNonRoot':true,'seccompProfile':{'type':'RuntimeDefault'}"

static const struct row {
    const char *pod; /* the spec's members */
    enum pod_security_level level;
    int64_t minor;
    const char *details;
} rows[] = {
    {"'hostNetwork':true,'hostPID':true", LEVEL_PRIVILEGED, LATEST, ""},
    {"'hostNetwork':true,'hostPID':true", LEVEL_BASELINE, 0, "host namespaces (hostNetwork=true, hostPID=true)"},
    /* a pod that fits, and what it may still lack in earlier versions */
    {"'containers':[{'name':'a','securityContext':{" FINE "}}]", LEVEL_RESTRICTED, LATEST, ""},
    {"'containers':[{'name':'a','securityContext':{'runAsNonRoot':true}}]", LEVEL_RESTRICTED, 7, ""},
    {"'containers':[{'name':'a','securityContext':{'runAsNonRoot':true}}]", LEVEL_RESTRICTED, 8,
     "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)"},
    {"'containers':[{'name':'a','securityContext':{'runAsNonRoot':true,'allowPrivilegeEscalation':false}}]", LEVEL_RESTRICTED, 21,
     "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"},
    {"'containers':[{'name':'a'},{'name':'b'}]", LEVEL_RESTRICTED, 22,
     "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set securityContext.allowPrivilegeEscalation=false), "
     "unrestricted capabilities (containers \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"]), "
     "runAsNonRoot != true (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true), "
     "seccompProfile (pod or containers \"a\", \"b\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"},
    /* the restricted check replaces the baseline's from its own first version on */
    {"'containers':[{'name':'a','securityContext':{'allowPrivilegeEscalation':false,'runAsNonRoot':true,'seccompProfile':{'type':'Localhost'},"
     "'capabilities':{'drop':['ALL'],'add':['SYS_TIME','CHOWN','SYS_TIME']}}}]", LEVEL_RESTRICTED, 21,
     "non-default capabilities (container \"a\" must not include \"SYS_TIME\" in securityContext.capabilities.add)"},
    {"'containers':[{'name':'a','securityContext':{'allowPrivilegeEscalation':false,'runAsNonRoot':true,'seccompProfile':{'type':'Localhost'},"
     "'capabilities':{'drop':['ALL'],'add':['SYS_TIME','CHOWN','SYS_TIME']}}}]", LEVEL_RESTRICTED, 22,
     "unrestricted capabilities (container \"a\" must not include \"CHOWN\", \"SYS_TIME\" in securityContext.capabilities.add)"},
    {"'securityContext':{'runAsNonRoot':true,'runAsUser':0},'containers':[{'name':'a','securityContext':{" FINE "}}]", LEVEL_RESTRICTED, 22, ""},
    {"'securityContext':{'runAsNonRoot':true,'runAsUser':0},'containers':[{'name':'a','securityContext':{" FINE "}}]", LEVEL_RESTRICTED, 23,
     "runAsUser=0 (pod must not set runAsUser=0)"},
    {"'hostUsers':false,'securityContext':{'runAsUser':0},'containers':[{'name':'a','securityContext':{" FINE ",'runAsUser':0}}]", LEVEL_RESTRICTED, 34,
     "runAsUser=0 (pod and container \"a\" must not set runAsUser=0)"},
    {"'hostUsers':false,'securityContext':{'runAsUser':0},'containers':[{'name':'a','securityContext':{" FINE "}}]", LEVEL_RESTRICTED, 35, ""},
    {"'hostUsers':false,'containers':[{'name':'a','securityContext':{'procMount':'Unmasked'}}]", LEVEL_BASELINE, 35, ""},
    {"'hostUsers':false,'containers':[{'name':'a','securityContext':{'procMount':'Unmasked'}}]", LEVEL_BASELINE, 34,
     "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")"},
    {"'hostUsers':false,'containers':[{'name':'a','securityContext':{'procMount':'Unmasked'," FINE "}}]", LEVEL_RESTRICTED, LATEST,
     "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")"},
    {"'os':{'name':'windows'},'containers':[{'name':'a','securityContext':{'runAsNonRoot':true}}]", LEVEL_RESTRICTED, 25, ""},
    {"'os':{'name':'windows'},'containers':[{'name':'a','securityContext':{'runAsNonRoot':true}}]", LEVEL_RESTRICTED, 20,
     "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false), "
     "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"},
    /* lists that have grown */
    {"'securityContext':{'sysctls':[{'name':'net.ipv4.tcp_rmem'},{'name':'net.ipv4.tcp_fin_timeout'},{'name':'kernel.msgmax'}]}", LEVEL_BASELINE, 28,
     "forbidden sysctls (net.ipv4.tcp_rmem, net.ipv4.tcp_fin_timeout, kernel.msgmax)"},
    {"'securityContext':{'sysctls':[{'name':'net.ipv4.tcp_rmem'},{'name':'net.ipv4.tcp_fin_timeout'},{'name':'kernel.msgmax'}]}", LEVEL_BASELINE, 29,
     "forbidden sysctls (net.ipv4.tcp_rmem, kernel.msgmax)"},
    {"'securityContext':{'sysctls':[{'name':'net.ipv4.tcp_rmem'},{'name':'net.ipv4.tcp_fin_timeout'},{'name':'kernel.msgmax'}]}", LEVEL_BASELINE, 32,
     "forbidden sysctls (kernel.msgmax)"},
    {"'securityContext':{'seLinuxOptions':{'type':'container_engine_t'}},'containers':[{'name':'a','securityContext':{'seLinuxOptions':{'type':'x','user':'u','role':'r'}}}]",
     LEVEL_BASELINE, 30,
     "seLinuxOptions (pod and container \"a\" set forbidden securityContext.seLinuxOptions: types \"container_engine_t\", \"x\"; user may not be set; role may not be set)"},
    {"'securityContext':{'seLinuxOptions':{'type':'container_engine_t'}}", LEVEL_BASELINE, 31, ""},
    {"'containers':[{'name':'a','livenessProbe':{'httpGet':{'host':'h2'}},'lifecycle':{'preStop':{'tcpSocket':{'host':'h1'}}}}]", LEVEL_BASELINE, 34,
     "probe or lifecycle host (container \"a\" uses probe or lifecycle hosts \"h1\", \"h2\")"},
    {"'containers':[{'name':'a','livenessProbe':{'httpGet':{'host':'h2'}}}]", LEVEL_BASELINE, 33, ""},
    /* the other baseline checks, all versions */
    {"'initContainers':[{'name':'i','ports':[{'hostPort':80},{'hostPort':9}]}],'containers':[{'name':'a','ports':[{'hostPort':80}]}]", LEVEL_BASELINE, 0,
     "hostPort (containers \"i\", \"a\" use hostPorts 80, 9)"},
    {"'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','nfs':{}}]", LEVEL_BASELINE, LATEST, "hostPath volumes (volume \"v\")"},
    {"'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','nfs':{}},{'name':'s','secret':{}}]", LEVEL_RESTRICTED, LATEST,
     "restricted volume types (volumes \"v\", \"w\" use restricted volume types \"hostPath\", \"nfs\")"},
    {"'securityContext':{'windowsOptions':{'hostProcess':true}},'containers':[{'name':'a','securityContext':{'privileged':true}}]", LEVEL_BASELINE, 1,
     "privileged (container \"a\" must not set securityContext.privileged=true), hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"},
    {"'securityContext':{'appArmorProfile':{'type':'Unconfined'}},'containers':[{'name':'a','securityContext':{'seccompProfile':{'type':'Unconfined'}}}]", LEVEL_BASELINE, 19,
     "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\"), "
     "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")"},
};

static const struct json *pod_with(struct arena *a, const char *meta, const char *spec) {
    struct buf text = {0};
    buf_printf(&text, "{'metadata':{%s},'spec':{%s}}", meta, spec);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\'') text.data[i] = '"';
    const struct json *pod;
    struct error *e = json_parse(a, text.data, text.len, NULL, NULL, &pod);
    if (e) fail_msg("%s", e->message);
    buf_free(&text);
    return pod;
}

static void every_version_has_its_checks(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        struct pod_security_result r = pod_security_evaluate(&a, pod_with(&a, "", rows[i].pod), rows[i].level, rows[i].minor);
        assert_string_equal(r.details, rows[i].details);
        assert_int_equal(r.count > 0, *rows[i].details != '\0');
    }
}

static void annotations_counted_before_there_were_fields(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    const char *notes = "'annotations':{'seccomp.security.alpha.kubernetes.io/pod':'unconfined','container.apparmor.security.beta.kubernetes.io/a':'x'}";
    const struct json *pod = pod_with(&a, notes, "'containers':[{'name':'a'}]");
    struct pod_security_result old = pod_security_evaluate(&a, pod, LEVEL_BASELINE, 18), now = pod_security_evaluate(&a, pod, LEVEL_BASELINE, LATEST);
    assert_string_equal(old.details,
                        "forbidden AppArmor profile (annotation must not set AppArmor profile type to \"container.apparmor.security.beta.kubernetes.io/a=\"x\"\"), "
                        "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")");
    assert_string_equal(now.reasons, "forbidden AppArmor profile");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_has_its_checks),
        cmocka_unit_test(annotations_counted_before_there_were_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
