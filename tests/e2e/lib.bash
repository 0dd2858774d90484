# Shared by the end-to-end tests (bats). A file's cluster is started in setup_file and ended in teardown_file.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CORACLE=${CORACLE:-$HERE/../../build/coracle}
IMAGES_TAR=${IMAGES_TAR:-$HERE/../../build/test-images.tar}

newest_kubectl() { # $KUBECTL, else the newest of those in PATH
    [ -n "${KUBECTL:-}" ] && { echo "$KUBECTL"; return; }
    local k best= v bestv=0
    for k in $(type -ap kubectl | sort -u); do
        v=$("$k" version --client -o json 2>/dev/null | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -1)
        [ "${v:-0}" -gt "$bestv" ] && { best=$k; bestv=$v; }
    done
    echo "${best:?no kubectl found}"
}

cluster_names() { # E2E_NAME and E2E_NET, if set, let runs go on side by side
    export NAME=${E2E_NAME:-$1} NET=${E2E_NET:-$2}
    KUBECTL=$(newest_kubectl); export KUBECTL
    KUBECTL_MINOR=$("$KUBECTL" version --client -o json | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -1); export KUBECTL_MINOR
    CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/coracle-e2e.XXXXXX"); export CLUSTER
    [ -e "$IMAGES_TAR" ] || "$HERE/images/build" "$IMAGES_TAR"
}
cluster_start() { # cluster_start NAME NET [cluster start options]
    cluster_names "$1" "$2"; shift 2
    "$HERE/cluster" start "$CLUSTER" "$CORACLE" --images "$IMAGES_TAR" "$@"
}
cluster_prepare() { # cluster_prepare NAME NET: only the namespaces
    cluster_names "$1" "$2"
    "$HERE/cluster" prepare "$CLUSTER" "$CORACLE"
}
cluster_stop() {
    [ -n "${KEEP:-}" ] && { echo "# kept $CLUSTER" >&3; return; }
    "$HERE/cluster" stop "$CLUSTER"; rm -rf "$CLUSTER"
}
k() { "$HERE/cluster" exec "$CLUSTER" "$KUBECTL" "$@"; }
host() { "$HERE/cluster" exec "$CLUSTER" "$@"; }
on_node() { "$HERE/cluster" node "$CLUSTER" "$@"; }

aws_cli() { # the SDKs' environment, and the aws to test: PyPI's, or the one that AWS_CLI names
    VENV=$(readlink -f "$(dirname "$CORACLE")")/aws-venv
    "$HERE/aws-venv" "$VENV"
    mkdir -p "$BATS_FILE_TMPDIR/bin"
    ln -sf "${AWS_CLI:-$VENV/bin/aws}" "$BATS_FILE_TMPDIR/bin/aws"
    export VENV AWS=$BATS_FILE_TMPDIR/bin/aws PATH=$BATS_FILE_TMPDIR/bin:$VENV/bin:$PATH
}

free_port() { # one that nobody listens on, and the next is free, too
    local p; until p=$((20000 + RANDOM % 10000)); ! ss -Hltn | grep -qE ":($p|$((p + 1))) "; do :; done; echo $p
}
eventually() { # eventually SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || { echo "never true: $*" >&2; return 1; }; sleep 0.2; done
}
terminal() { # terminal COMMAND...: on the first node, on a terminal of 77 columns and 33 rows
    local words; printf -v words '%q ' "$@"
    host script -qec "stty cols 77 rows 33; $words" /dev/null
}
k_since() { [ "$KUBECTL_MINOR" -ge "$1" ]; } # is kubectl 1.N or newer?
lacks() { # lacks TEXT COMMAND...: its output does not
    local text=$1 out; shift
    out=$("$@" 2>&1) || true
    case $out in *"$text"*) echo "did not expect \"$text\" in: $out" >&2; return 1;; esac
}
fails() { # fails TEXT COMMAND...: it ends with an error, and says the text
    local text=$1 out; shift
    if out=$("$@" 2>&1); then echo "succeeded: $*: $out" >&2; return 1; fi
    case $out in *"$text"*) ;; *) echo "expected \"$text\" in: $out" >&2; return 1;; esac
}
has() { # has TEXT COMMAND...: its output contains the text
    local text=$1 out; shift
    out=$("$@" 2>&1) || true
    case $out in *"$text"*) ;; *) echo "expected \"$text\" in: $out" >&2; return 1;; esac
}
