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

cluster_start() { # cluster_start NAME NET [cluster start options]
    export NAME=$1 NET=$2; shift 2
    KUBECTL=$(newest_kubectl); export KUBECTL
    CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/coracle-e2e.XXXXXX"); export CLUSTER
    [ -e "$IMAGES_TAR" ] || "$HERE/images/build" "$IMAGES_TAR"
    "$HERE/cluster" start "$CLUSTER" "$CORACLE" --images "$IMAGES_TAR" "$@"
}
cluster_stop() {
    [ -n "${KEEP:-}" ] && { echo "# kept $CLUSTER" >&3; return; }
    "$HERE/cluster" stop "$CLUSTER"; rm -rf "$CLUSTER"
}
k() { "$HERE/cluster" exec "$CLUSTER" "$KUBECTL" "$@"; }
host() { "$HERE/cluster" exec "$CLUSTER" "$@"; }
on_node() { "$HERE/cluster" node "$CLUSTER" "$@"; }

eventually() { # eventually SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || { echo "never true: $*" >&2; return 1; }; sleep 0.2; done
}
has() { # has TEXT COMMAND...: its output contains the text
    local text=$1 out; shift
    out=$("$@" 2>&1) || true
    case $out in *"$text"*) ;; *) echo "expected \"$text\" in: $out" >&2; return 1;; esac
}
