# Sourced by the other scripts; Bash 3.2, which macOS brings, is enough.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin  # where dockerd and iptables are, also for those who are not root
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
build_folder=$root/.build
env_folder=$root/.build-env

say() { printf '%s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
on_linux() { [ "$(uname -s)" = Linux ]; }

now_ms() {
    if [ -n "${EPOCHREALTIME:-}" ]; then
        local micros=${EPOCHREALTIME/[.,]/}
        echo $((micros / 1000))
    else
        perl -MTime::HiRes=time -e 'printf "%d\n", time * 1000'
    fi
}

# The last lines of a log, indented, for an error message.
log_tail() { [ -f "$1" ] && tail -n "${2:-8}" "$1" | sed 's/^/    /' >&2 || true; }

sha256_of() { if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

# A dead process whose parent has not noticed yet still takes signals; it does not count as alive.
is_alive() {
    kill -0 "$1" 2>/dev/null || return 1
    case $(ps -p "$1" -o stat= 2>/dev/null) in "" | Z*) return 1 ;; esac
}

# Whether process $1 lives and has $2 in its command line: a pid file alone may name a stranger.
process_is() {
    [ -n "$1" ] && is_alive "$1" && ps -p "$1" -o command= -ww 2>/dev/null | grep -qF -- "$2"
}

# Ends process $1 with TERM, after $2 seconds with KILL.
end_process() {
    local pid=$1 tries=$((${2:-10} * 20))
    kill -TERM "$pid" 2>/dev/null || return 0
    while is_alive "$pid"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then kill -KILL "$pid" 2>/dev/null || true; return 0; fi
        sleep 0.05
    done
}

# Runs a command in a session of its own, so that Ctrl-C reaches our traps and not it; prints its pid.
start_detached() {
    local log=$1
    shift
    if have setsid; then setsid "$@" </dev/null >"$log" 2>&1 & else nohup "$@" </dev/null >"$log" 2>&1 & fi
    echo $!
}

# A request to the engine at $1: engine_curl ENDPOINT PATH [curl's arguments].
engine_curl() {
    local endpoint=$1 path=$2
    shift 2
    case $endpoint in
        unix://*) curl -sS --noproxy '*' --unix-socket "${endpoint#unix://}" "$@" "http://docker$path" ;;
        tcp://* | http://*) curl -sS --noproxy '*' "$@" "http://${endpoint#*://}$path" ;;
        *) say "DOCKER_HOST=$endpoint: only unix:// and tcp:// without TLS are understood here"; return 2 ;;
    esac
}

engine_answers() { [ "$(engine_curl "$1" /_ping -m 3 2>/dev/null)" = OK ]; }

# Prints the endpoint of an engine that runs already; DOCKER_HOST, when set, is the only candidate.
running_engine() {
    local endpoint
    if [ -n "${DOCKER_HOST:-}" ]; then
        engine_answers "$DOCKER_HOST" && echo "$DOCKER_HOST"
        return
    fi
    for endpoint in /var/run/docker.sock "${XDG_RUNTIME_DIR:-/nonexistent}/docker.sock" "${HOME:-}/.docker/run/docker.sock"; do
        if [ -S "$endpoint" ] && engine_answers "unix://$endpoint"; then echo "unix://$endpoint"; return; fi
    done
    return 1
}

# Prints the first Python that is new enough and can make virtual environments, by its real path (not a shim's).
find_python() {
    local candidate
    for candidate in "${WHARF_PYTHON:-}" python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        [ -n "$candidate" ] && have "$candidate" || continue
        "$candidate" -c '
import sys
try:
    import ensurepip, ssl, venv
except ImportError:
    sys.exit(1)
if sys.version_info < (3, 10):
    sys.exit(1)
print(sys.executable)' 2>/dev/null && return
    done
    return 1
}

find_registry() { command -v docker-registry || command -v registry; }

# The first string that a JSON text on stdin has under this name; enough for what the engine answers.
json_field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# pack FOLDER FILE NAME...: an archive of those names in FOLDER that is the same whenever their content is.
pack() {
    local folder=$1 file=$2
    shift 2
    if tar --version 2>/dev/null | grep -q GNU; then
        tar -C "$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$file" "$@"
    else
        (cd "$folder" && find "$@" | sort | xargs touch -h -t 197001010000.00 &&
            find "$@" | sort | tar --uid 0 --gid 0 --no-recursion -cf "$file" -T -)
    fi
}

# has_image ENDPOINT TAG CONTENT: whether the image with this tag was built from this content.
has_image() { [ "$(engine_curl "$1" "/images/$2/json" | json_field wharf.content)" = "$3" ]; }

# build_image ENDPOINT TAG CONTENT FOLDER NAME...: builds from FOLDER/Dockerfile and those names, labelled with CONTENT.
build_image() {
    local endpoint=$1 tag=$2 content=$3 folder=$4 before problem context
    shift 4
    context=$folder/context.tar
    printf 'LABEL wharf.content="%s"\n' "$content" >>"$folder/Dockerfile"
    pack "$folder" "$context" Dockerfile "$@"
    before=$(engine_curl "$endpoint" "/images/$tag/json")
    engine_curl "$endpoint" "/build?t=$(printf '%s' "$tag" | sed 's|/|%2F|g; s|:|%3A|g')&forcerm=1" \
        -X POST -H 'Content-Type: application/x-tar' -T "$context" >"$folder/answer" ||
        fail "the engine at $endpoint broke off the build"
    problem=$(json_field message <"$folder/answer")
    [ -z "$problem" ] || fail "the engine at $endpoint could not build $tag: $problem"
    has_image "$endpoint" "$tag" "$content" || fail "the engine at $endpoint did not build $tag"
    # The image that carried the tag before is ours when it has our label; without a tag it only takes space.
    if [ -n "$(printf '%s' "$before" | json_field wharf.content)" ]; then
        engine_curl "$endpoint" "/images/$(printf '%s' "$before" | json_field Id)" -X DELETE >/dev/null || true
    fi
    say "$tag is built, $(($(wc -c <"$context") / 1048576)) MiB, content ${content:0:12}"
    rm -f "$context" "$folder/answer"
}
