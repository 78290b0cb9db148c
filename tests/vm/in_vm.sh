#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# in_vm.sh TEST.py [NAME...]: runs a system test in a virtual machine that has Debian's own kernel, and a clock of its own.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
vm=$root/testbed/vm
export VM_CACHE=${VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mtkey-vm}

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64; tools/install-deps installs it"
said=$("$vm/vm-kernel" "$VM_CACHE" 2>&1) || skip "Debian's kernel cannot be had: $(tail -n 1 <<<"$said" | tr -d '#')"
# Emulated, twenty times slower: what a test waits for takes longer there.
exec "$vm/vm-run" -w "$root" -m 2048 -t 580 /usr/bin/python3 "$@"
