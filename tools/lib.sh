# SPDX-License-Identifier: Apache-2.0
# Shell functions that tools/demo, tools/check and tools/install-deps share. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The loader of transport plugins refuses what others may write, and some users' umask is 002.
umask 022

# The working directory is part of what ccache hashes with -g: clones would not share a thing.
export CCACHE_NOHASHDIR=1

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' plain=$'\e[0m'
else
    bold='' plain=''
fi

# Progress goes to stderr: stdout belongs to results.
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# quietly LOG COMMAND...: the output goes to LOG and is shown only when the command fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        printf '%s failed (whole output: %s)\n' "$1 ${2:-}" "$log" >&2
        return 1
    fi
}

# Of build/: lines for a stack but not every variable, a third less to compile.
native_options=(-Dcpp_args=-g1)

# A precompiled header saves a third of compiling the tests, and keeps ccache from giving them back: it is for machines
# whose ccache has never seen them. MTKEY_PCH=true or false decides otherwise.
precompile() {
    local seen
    seen=$(ccache --print-stats 2>/dev/null | sed -n 's/^files_in_cache\t//p')
    [ "${seen:-0}" -lt 1500 ] && echo true || echo false
}

# configure DIR [MESON ARGUMENT...]: once; afterwards meson notices changes by itself.
configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] && return 0
    say "configuring $(basename "$dir")"
    mkdir -p "$dir"
    quietly "$dir/configure.log" meson setup "$dir" "$root" "-Db_pch=${MTKEY_PCH:-$(precompile)}" "$@"
}

# compile DIR [NINJA TARGET...]: everything without targets. Shows ninja's own progress on a terminal.
compile() {
    local dir=$1
    shift
    # Nothing to do is the usual case and must be quick and silent.
    if ninja -C "$dir" -n "$@" 2>/dev/null | grep -q 'no work to do'; then
        return 0
    fi
    say "compiling $(basename "$dir")"
    if [ -t 2 ]; then
        ninja -C "$dir" -k 10 "$@" >&2
    else
        quietly "$dir/compile.log" ninja -C "$dir" -k 10 "$@"
    fi
}
