# Sourced by install and uninstall. Where the program and its two links go:
#   without PREFIX   ~/.local/bin/wharf       and  ~/.docker/cli-plugins (DOCKER_CONFIG honoured)
#   with PREFIX      PREFIX/bin/wharf         and  PREFIX/lib/docker/cli-plugins
if [ -n "${PREFIX:-}" ]; then
    case $PREFIX in /*) ;; *) fail "PREFIX=$PREFIX must be an absolute path" ;; esac
    program=$PREFIX/bin/wharf
    plugins=$PREFIX/lib/docker/cli-plugins
else
    [ -n "${HOME:-}" ] || fail "HOME is not set; set it, or say where with PREFIX=DIR"
    program=$HOME/.local/bin/wharf
    plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
fi
names="docker-model docker-mcp"
backup_suffix=.before-wharf
is_ours() { [ -L "$1" ] && [ "$(readlink "$1")" = "$program" ]; }
is_there() { [ -e "$1" ] || [ -L "$1" ]; }
