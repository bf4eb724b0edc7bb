"""Giving up rights, inside a converter's process: no network, no other files, no other user.

What the kernel offers is taken: a network namespace of its own and a ruleset of Landlock where
they are allowed, a filter of system calls (seccomp, by the system's libseccomp) always.
"""

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Confined", "confine", "leave_network", "set_bounds"]

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# Calls that no conversion needs once its libraries are loaded: reaching others, starting
# programs, looking into other processes, changing what the process may.
_REFUSED_CALLS = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("kill", "tkill", "pidfd_send_signal", "mount", "umount2", "pivot_root", "chroot"),
    *("unshare", "setns", "bpf", "perf_event_open", "keyctl", "add_key", "request_key"),
    *("io_uring_setup", "userfaultfd", "open_by_handle_at", "mknod", "mknodat", "symlink"),
    *("symlinkat", "link", "linkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat"),
)
_SCMP_ALLOW, _SCMP_ERRNO = 0x7FFF0000, 0x00050000
# Landlock's system calls have the same numbers on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_PATH_BENEATH = 1
# Rights over files of Landlock's first version, all of which are handled; reading a file or a
# folder are the third and fourth of them.
_ALL_RIGHTS, _READ_RIGHTS = (1 << 13) - 1, (1 << 2) | (1 << 3)
_FILE_RIGHTS = (1 << 0) | (1 << 1) | (1 << 2)
# What libraries read beside themselves: fonts, shared libraries, the zones of time.
_SYSTEM_PATHS = (
    *("/usr", "/lib", "/lib64", "/etc/fonts", "/etc/ld.so.cache", "/var/cache/fontconfig"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
    *("/dev/null", "/dev/urandom"),
)


@dataclass(frozen=True, slots=True)
class Confined:
    """What was given up.

    Attributes
    ----------
    user : bool
        Whether the process has a user of its own: only root can change it.
    namespace : bool
        Whether its network is a namespace without any device.
    calls : bool
        Whether calls to the network, among others, are refused (seccomp).
    files : bool
        Whether other files cannot be opened (Landlock).
    """

    user: bool
    namespace: bool
    calls: bool
    files: bool

    def summary(self) -> str:
        """One line for people who start the program."""
        network = " and ".join(
            name for name, has in (("a namespace", self.namespace), ("seccomp", self.calls)) if has
        )
        user = "a user of its own" if self.user else "the program's own user"
        files = "no other files (Landlock)" if self.files else "the user's files in sight"
        return f"converters run apart: {user}, no network ({network}), {files}"


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def set_bounds(*, cpu_s: int, memory_bytes: int, file_bytes: int, open_files: int) -> None:
    """Bound what this process may use, for good."""
    # At the softer bound the process ends by a signal that says why.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    for what, most in (
        (resource.RLIMIT_DATA, memory_bytes),
        # Files mapped and memory that is reserved only count here, too.
        (resource.RLIMIT_AS, memory_bytes + 3 * 2**30),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def leave_network() -> bool:
    """Move into a network namespace without any device; False where that is not allowed.

    A namespace is a thread's own: this comes before any library begins others.
    """
    # Without rights of root a namespace of users comes first, where the system allows it.
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    left: int = _libc.unshare(flags)
    return left == 0


def confine(folder: Path, readable: Iterable[str], user: int | None) -> tuple[bool, bool]:
    """Give up every right but to read `readable` and to use `folder`; there is no way back.

    Parameters
    ----------
    folder : Path
        The working folder of this conversion.
    readable : iterable of str
        Where the interpreter and its libraries lie.
    user : int or None
        Number of the user to become; None keeps the present one.

    Returns
    -------
    calls, files : bool
        As in `Confined`.

    Raises
    ------
    OSError
        If the user cannot be changed, or the process has threads, which would keep their rights.
    """
    if len([*Path("/proc/self/task").iterdir()]) > 1:
        raise OSError(errno.EBUSY, "the converter has begun threads before it was confined")
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    # A change of user takes these back, so that they come after it.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the process cannot give up new rights")
    files = _restrict_files(folder, (*readable, *_SYSTEM_PATHS))
    return _refuse_calls(), files


def _restrict_files(folder: Path, readable: Iterable[str]) -> bool:
    rules = _Ruleset(_ALL_RIGHTS)
    ruleset = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path, _READ_RIGHTS)
        _allow(ruleset, "/dev/null", _FILE_RIGHTS)
        _allow(ruleset, str(folder), _ALL_RIGHTS)
        restricted: int = _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return restricted == 0


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there, or not readable, need not be allowed
        return
    try:
        if not Path(path).is_dir():
            rights &= _FILE_RIGHTS
        beneath = _Beneath(rights, opened)
        _libc.syscall(_LANDLOCK_ADD, ruleset, _LANDLOCK_PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(opened)


def _refuse_calls() -> bool:
    try:
        seccomp = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_SCMP_ALLOW)))
    if not rules:
        return False
    try:
        for name in _REFUSED_CALLS:
            number = seccomp.seccomp_syscall_resolve_name(name.encode())
            # A negative number is a call that this architecture does not have.
            if number >= 0:
                action = ctypes.c_uint32(_SCMP_ERRNO | errno.EPERM)
                seccomp.seccomp_rule_add(rules, action, ctypes.c_int(number), ctypes.c_uint(0))
        loaded: int = seccomp.seccomp_load(rules)
    finally:
        seccomp.seccomp_release(rules)
    return loaded == 0
