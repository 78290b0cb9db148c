#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""launch.py [OPTION...] -- COMMAND...: becomes COMMAND, prepared so that it can neither outlive nor disturb anybody.

A program of its own, not a preexec_fn: the rig has threads, and nothing but exec is safe between fork and exec then.
"""
import argparse
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
NAMESPACES = {"user": CLONE_NEWUSER, "net": CLONE_NEWNET, "mnt": CLONE_NEWNS}
MS_REC, MS_SLAVE = 0x4000, 0x80000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FOLDER = "/proc/self/fd/4"

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def confine() -> None:
    """A network with nothing but a loopback interface of its own, and an empty /run; in a user namespace without root.

    pcscd keeps its process id in /run/pcscd, which may be missing, forbidden or the system's.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS), "unshare")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "mount")
    check(libc.mount(b"none", b"/run", b"tmpfs", 0, b"mode=1777,size=1m"), "mount /run")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags, = struct.unpack_from("h", fcntl.ioctl(control, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def join(pid: int, *names: str) -> None:
    """Those namespaces of process `pid`; its user namespace first, which gives the right to enter the others."""
    # Who enters a namespace of mounts begins at its root, and not at that of the chroot where `pid` may be.
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY) if "mnt" in names else None
    for name in ("user", *names):
        path = f"/proc/{pid}/ns/{name}"
        if os.stat(path).st_ino == os.stat(f"/proc/self/ns/{name}").st_ino:
            continue
        with open(path, "rb") as namespace:
            check(libc.setns(namespace.fileno(), NAMESPACES[name]), f"setns {name}")
    if root is not None:
        os.chdir(root)
        os.chroot(".")
        os.close(root)


def inherit(descriptor: int, number: int) -> None:
    os.dup2(descriptor, number)
    os.set_inheritable(number, True)  # dup2 leaves it alone when it was that one already


def listen(path: str, group: int | None) -> None:
    """The socket activation of systemd, sd_listen_fds(3): pcscd knows no other way to another path."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    if group is None:
        os.chmod(path, 0o666)  # pcscd may run as another user than its clients
    else:
        os.chown(path, -1, group)
        os.chmod(path, 0o660)
    server.listen(16)
    inherit(server.detach(), 3)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True, help="end when this process ends")
    parser.add_argument("--confine", action="store_true", help="own network and /run")
    parser.add_argument("--folder", metavar="DIR", help=f"held open as {FOLDER}: another user cannot walk to DIR")
    parser.add_argument("--join", type=int, metavar="PID", help="enter the network of that process")
    parser.add_argument("--with-run", action="store_true", help="and its /run")
    parser.add_argument("--uid", type=int, help="give up root for this user")
    parser.add_argument("--group", type=int, action="append", default=[], help="that this user is in besides")
    parser.add_argument("--listen", metavar="PATH")
    parser.add_argument("--listen-group", type=int, metavar="GID", help="nobody else but the owner may connect")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    try:
        if options.confine:
            confine()
        if options.join is not None:
            join(options.join, "net", *(["mnt"] if options.with_run else []))
        if options.listen:
            listen(options.listen, options.listen_group)
        if options.folder:
            inherit(os.open(options.folder, os.O_PATH | os.O_DIRECTORY), 4)
        if options.uid is not None and os.getuid() == 0:
            os.setgroups(options.group)
            os.setresgid(options.uid, options.uid, options.uid)
            os.setresuid(options.uid, options.uid, options.uid)
    except OSError as error:
        sys.exit(f"launch.py: {error}")
    # Last: a change of user or user namespace clears it.
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
    if os.getppid() != options.parent:
        sys.exit("launch.py: the parent has ended")
    try:
        os.execvp(options.command[0], options.command)
    except OSError as error:
        sys.exit(f"launch.py: {options.command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
