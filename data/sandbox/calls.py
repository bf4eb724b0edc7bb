"""The system calls that conversions need: any other has no effect, also one of a newer kernel.

The list was taken from all conversions under ``strace``, once their libraries are loaded, and
completed by what the same libraries call elsewhere (other ways to open, wait, tell the time). It
holds nothing that acts on another process, on what a path is called or may be, on keys, mounts,
namespaces or memory that is shared. A call that is not in it answers ``ENOSYS``, as a kernel does
that does not have it: libraries then take the older way.
"""

import ctypes
import errno
import os

__all__ = ["allow_only_known_calls"]

_CALLS = (
    # Files: which of them, is Landlock's.
    *("read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev"),
    *("open", "openat", "close", "close_range", "lseek", "_llseek", "dup", "dup2", "dup3"),
    *("stat", "lstat", "fstat", "newfstatat", "statx", "stat64", "lstat64", "fstat64", "fstatat64"),
    *("statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat"),
    *("getcwd", "chdir", "fchdir", "umask", "getdents", "getdents64", "ftruncate", "fallocate"),
    *("fsync", "fdatasync", "flock", "fadvise64", "unlink", "unlinkat", "rename", "renameat"),
    *("renameat2", "mkdir", "mkdirat", "rmdir", "poll", "ppoll", "select", "pselect6"),
    # Memory and threads.
    *("brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync"),
    *("membarrier", "futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq"),
    *("sched_yield", "sched_getaffinity", "getcpu", "exit", "exit_group", "restart_syscall"),
    # Its own signals, time and chance, and what it is.
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack"),
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    *("times", "getrusage", "getrlimit", "ugetrlimit", "getrandom", "sysinfo", "uname"),
    *("getpid", "gettid", "getppid", "getpgrp", "getuid", "geteuid", "getgid", "getegid"),
    *("getresuid", "getresgid", "getgroups", "arch_prctl"),
)
_CLONE_THREAD = 0x00010000
# Of mounts, cgroups, names, messages, users, processes, network and time.
_CLONE_NAMESPACES = 0x7E020000 | 0x00000080
# Copying a number, what becomes of it, and locks: none that makes the kernel signal others.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)
# Whether it is a terminal, and whether it is closed at the start of another program.
_IOCTL = (0x5401, 0x5450, 0x5451)
_PR_SET_NAME = 15
_SCMP_ALLOW, _SCMP_ERRNO = 0x7FFF0000, 0x00050000
_EQUAL, _EQUAL_BELOW_MASK = 4, 7


class _Compared(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def allow_only_known_calls() -> bool:
    """Give up all system calls but those of the list; False where there is no libseccomp.

    A call of another architecture that the processor also understands ends who makes it.
    """
    try:
        seccomp = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    seccomp.seccomp_init.restype = ctypes.c_void_p
    default = ctypes.c_uint32(_SCMP_ERRNO | errno.ENOSYS)
    rules = ctypes.c_void_p(seccomp.seccomp_init(default))
    if not rules:
        return False
    try:
        for name in _CALLS:
            _allow(seccomp, rules, name)
        for name, compared in _compared():
            _allow(seccomp, rules, name, compared)
        loaded: int = seccomp.seccomp_load(rules)
    finally:
        seccomp.seccomp_release(rules)
    return loaded == 0


def _compared() -> list[tuple[str, _Compared]]:
    """Calls that are answered with some arguments only.

    A thread is begun by ``clone``, whose flags can be looked at; ``clone3`` keeps them in memory.
    """
    threads = _Compared(0, _EQUAL_BELOW_MASK, _CLONE_THREAD | _CLONE_NAMESPACES, _CLONE_THREAD)
    return [
        ("clone", threads),
        # To itself: how a library ends the process when it finds its memory broken.
        ("tgkill", _Compared(0, _EQUAL, os.getpid(), 0)),
        ("prlimit64", _Compared(0, _EQUAL, 0, 0)),
        ("prctl", _Compared(0, _EQUAL, _PR_SET_NAME, 0)),
        *(("fcntl", _Compared(1, _EQUAL, command, 0)) for command in _FCNTL),
        *(("fcntl64", _Compared(1, _EQUAL, command, 0)) for command in _FCNTL),
        *(("ioctl", _Compared(1, _EQUAL, command, 0)) for command in _IOCTL),
    ]


def _allow(
    seccomp: ctypes.CDLL, rules: ctypes.c_void_p, name: str, compared: _Compared | None = None
) -> None:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    # A negative number is a call that this architecture does not have.
    if number < 0:
        return
    action, count = ctypes.c_uint32(_SCMP_ALLOW), ctypes.c_uint(0 if compared is None else 1)
    held = None if compared is None else ctypes.byref(compared)
    seccomp.seccomp_rule_add_array(rules, action, ctypes.c_int(number), count, held)
