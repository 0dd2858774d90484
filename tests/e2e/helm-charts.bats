#!/usr/bin/env bats
# coracle helm without a cluster: charts are made, checked, rendered and packed; what is hostile ends in an error.
load lib.bash

setup() { cd "$BATS_TEST_TMPDIR"; export HOME=$PWD KUBECONFIG=/proc/nonexistent; }
helm() { "$CORACLE" helm "$@"; }
# chart NAME: a chart directory; its template comes from standard input
chart() { mkdir -p "$1/templates"; printf 'apiVersion: v2\nname: %s\nversion: 0.1.0\n' "$1" > "$1/Chart.yaml"; cat > "$1/templates/x.yaml"; }
# bounded SECONDS KIB COMMAND...: ends in time and memory
bounded() { local seconds=$1 kib=$2; shift 2; run timeout "$seconds" /usr/bin/time -f "peak %M" "$@"; [ "$status" -ne 124 ]; [ "$(sed -n 's/^peak //p' <<< "$output")" -lt "$kib" ]; }

@test "a new chart is sound, renders, and is packed" {
    helm create demo
    run helm lint demo; [ "$status" -eq 0 ]; [[ "$output" == *"1 chart(s) linted, 0 chart(s) failed"* ]]
    helm template rel demo > one
    grep -q "name: rel-demo" one
    helm package demo | grep -q "Successfully packaged chart and saved it to: $PWD/demo-0.1.0.tgz"
    helm template rel demo-0.1.0.tgz | diff one -
    helm show chart demo-0.1.0.tgz | grep -q '^appVersion: 1.16.0$'
    helm lint demo-0.1.0.tgz
}

@test "a link named helm is helm, and its words can be completed" {
    ln -s "$CORACLE" helm
    [ "$(./helm version --short)" = "$(helm version --short)" ]
    PATH=$PWD:$PATH bash -c 'source <(helm completion bash); COMP_WORDS=(helm show ch); COMP_CWORD=2; _coracle_helm; [ "${COMPREPLY[*]}" = chart ]'
}

@test "values come from files and flags in helm's order" {
    chart v <<< '{{ toJson .Values }}'
    printf 'a: 1\nb: {c: 2, d: 3}\n' > v/values.yaml
    printf 'b: {c: 5, d: null}\n' > f.yaml
    printf content > file
    helm template v -f f.yaml --set-json 'j=[1]' --set a=2,l[1]=x --set-string s=1 --set-file f=file --set-literal 'q=a,b' --set b.c=6 > out
    grep -qF '{"a":2,"b":{"c":6},"f":"content","j":[1],"l":[null,"x"],"q":"a,b","s":"1"}' out
}

@test "dependencies come from directories and are locked" {
    helm create sub
    chart top <<< 'kind: Top'
    printf 'dependencies:\n- {name: sub, version: ">0.0.1", repository: "file://../sub"}\n' >> top/Chart.yaml
    fails "missing in charts/ directory: sub" helm template top
    helm dependency update top
    [ -e top/charts/sub-0.1.0.tgz ]; grep -q '^digest: sha256:' top/Chart.lock
    helm template top | grep -q 'Source: top/charts/sub/templates/service.yaml'
    rm -r top/charts; helm dependency build top; [ -e top/charts/sub-0.1.0.tgz ]
    sed -i 's/>0.0.1/>0.0.2/' top/Chart.yaml
    fails "out of sync" helm dependency build top
}

@test "files are written below the output directory, and one template can be shown alone" {
    helm create demo
    helm template rel demo --output-dir out | grep -q "wrote out/demo/templates/service.yaml"
    [ -s out/demo/templates/service.yaml ]
    helm template rel demo -s templates/service.yaml > one
    [ "$(grep -c '^# Source' one)" -eq 1 ]
    fails "could not find template templates/none.yaml in chart" helm template rel demo -s templates/none.yaml
}

@test "recursion without end, endless loops and floods of text are errors in bounded time and memory" {
    chart include <<< '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'
    bounded 60 600000 "$CORACLE" helm template include; [ "$status" -eq 1 ]; [[ "$output" == *"nested reference name: a"* ]]
    chart template <<< '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}'
    bounded 60 600000 "$CORACLE" helm template template; [ "$status" -eq 1 ]; [[ "$output" == *"Error: "* ]]
    chart tpl <<< '{{ tpl .Values.x . }}'; echo 'x: "{{ tpl .Values.x . }}"' > tpl/values.yaml
    bounded 60 600000 "$CORACLE" helm template tpl; [ "$status" -eq 1 ]; [[ "$output" == *"Error: "* ]]
    chart flood <<< '{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}x{{ end }}{{ end }}{{ end }}'
    bounded 120 3000000 "$CORACLE" helm template flood; [ "$status" -eq 1 ]; [[ "$output" == *"Error: "* ]]
    chart repeat <<< '{{ repeat 1000000000 "xxxx" }}'
    bounded 60 3000000 "$CORACLE" helm template repeat; [ "$status" -eq 1 ]; [[ "$output" == *"Error: "* ]]
}

@test "a package is signed with a key that GnuPG made, and GnuPG accepts it" {
    export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
    gpg --batch --quiet --pinentry-mode loopback --passphrase 'open sesame' --quick-gen-key 'signer <signer@example.com>' rsa3072 sign never
    gpg --batch --quiet --pinentry-mode loopback --passphrase 'open sesame' --export-secret-keys > secret.gpg
    gpg --batch --quiet --export > public.gpg
    gpgconf --kill gpg-agent
    helm create demo
    echo 'open sesame' > passphrase
    helm package demo --sign --key signer --keyring secret.gpg --passphrase-file passphrase
    gpg --batch --verify demo-0.1.0.tgz.prov
    helm verify demo-0.1.0.tgz --keyring public.gpg | grep -qF 'Signed by: signer <signer@example.com>'
    helm template demo-0.1.0.tgz --verify --keyring public.gpg > /dev/null
    run helm package demo --sign --key signer --keyring public.gpg
    [ "$status" -eq 1 ]; [[ "$output" == *"provided key is not a private key"* ]]
}

@test "archives that lie are refused, and nothing is written outside" {
    mkdir -p evil/templates; printf 'apiVersion: v2\nname: evil\nversion: 0.1.0\n' > evil/Chart.yaml
    tar czf up.tgz --transform 's,evil/Chart.yaml,evil/../../pwned,' evil/Chart.yaml -P
    fails "illegally references parent directory" helm template up.tgz
    tar czf abs.tgz --transform 's,evil/Chart.yaml,evil//etc/pwned,' evil/Chart.yaml -P
    fails "absolute paths" helm template abs.tgz
    head -c 200M /dev/zero | gzip > bomb.tgz
    bounded 30 400000 "$CORACLE" helm template bomb.tgz; [ "$status" -eq 1 ]; [[ "$output" == *"larger than the maximum file size"* ]]
    [ ! -e pwned ] && [ ! -e ../pwned ] && [ ! -e /etc/pwned ]
    ln -s . evil/templates/loop
    fails "links lead in a circle" helm template evil
}
