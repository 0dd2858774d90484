#!/usr/bin/env bats
# The command line: help that reads like a manual page, completion in three shells.
load lib.bash

setup_file() { ln -sf "$CORACLE" "$BATS_FILE_TMPDIR/coracle"; PATH=$BATS_FILE_TMPDIR:$PATH; export PATH; }
verbs() { coracle --help | sed -n '/^Verbs:/,/^$/p' | awk 'NR > 1 && NF {print $1}'; }
flags() { coracle "$1" --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort -u; }

@test "help lists the verbs, and each of them has a page with all parts" {
    [ "$(verbs | wc -l)" -ge 10 ]
    local verb part
    for verb in $(verbs | grep -v helm); do # which is helm's own
        has "coracle $verb - " coracle help "$verb"
        for part in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS"; do coracle "$verb" --help | grep -qx "$part"; done
        [ "$(coracle "$verb" --help)" = "$(coracle help "$verb")" ]
        [ "$(coracle "$verb" -h | awk 'length > 170' | wc -l)" = 0 ]
    done
    for verb in server agent kubeconfig token snapshot restore check uninstall completion; do coracle "$verb" --help | grep -qx EXAMPLES; done
    for verb in server agent kubeconfig token snapshot restore uninstall; do coracle "$verb" --help | grep -qx FILES; done
    has "default /var/lib/coracle" coracle server --help
    [ "$(coracle help helm)" = "$(coracle helm --help)" ]
}

@test "versions are told" {
    has "Kubernetes v1.35" coracle version
    [ "$(coracle --version)" = "$(coracle version)" ]
}

# what bash offers behind the words given
bash_offers() { bash -c 'source <(coracle completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coracle; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"; }

@test "bash completes verbs, flags and arguments" {
    [ "$(bash_offers coracle ser)" = server ]
    [ "$(bash_offers coracle "" | sort)" = "$(verbs | sort)" ]
    [ "$(bash_offers coracle server --secure)" = --secure-port ]
    [ "$(bash_offers coracle uninstall - | sort)" = "$(flags uninstall)" ]
    [ "$(bash_offers coracle completion f)" = fish ]
    [ "$(bash_offers coracle aws i)" = init ]
}

fish_offers() { fish -N -c "coracle completion fish | source; complete -C '$*'" | cut -f1; }

@test "fish completes verbs, flags and arguments" {
    [ "$(fish_offers coracle ser)" = server ]
    [ "$(fish_offers coracle server --secure)" = --secure-port ]
    [ "$(fish_offers coracle uninstall -- | sort)" = "$(flags uninstall)" ]
    [ "$(fish_offers coracle completion z)" = zsh ]
    has "addresses of pods" fish -N -c "coracle completion fish | source; complete -C 'coracle server --cluster-cid'"
}

# types the words and a tab at a zsh of its own, and prints what stands in its line then
zsh_completes() {
    zsh -f -c 'zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; source <(coracle completion zsh); echo go"
        zpty -r z out "*go*"; zpty -r z out "*go*"
        zpty -w -n z "$1"$'"'\\t'"'; sleep 1.5; zpty -w z "#end"; zpty -r z out "*#end*"; print -r -- "$out"' zsh "$1" | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g'
}

@test "zsh completes verbs, flags and arguments" {
    has "coracle server " zsh_completes "coracle ser"
    has "coracle server --secure-port " zsh_completes "coracle server --secure"
    has "coracle completion bash " zsh_completes "coracle completion b"
}

@test "kubeconfig and token need a cluster, and say how to get one" {
    fails "start one with \`coracle server\`" coracle kubeconfig --data-dir "$BATS_TEST_TMPDIR/none"
    fails "start one with \`coracle server\`" coracle token --data-dir "$BATS_TEST_TMPDIR/none"
    fails "name one file" coracle snapshot
    fails "name a shell" coracle completion tcsh
    run coracle snapshot; [ "$status" -eq 2 ] # the command line is wrong, and nothing else
}
