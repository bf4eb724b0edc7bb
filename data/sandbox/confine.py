"""Giving up rights, inside a converter's process: no network, no other files, no other user.

What the kernel offers is taken: a network namespace of its own and a ruleset of Landlock, with all
that its version can take away, where they are allowed; a list of system calls beside which there
are none (`data.sandbox.calls`) always.
"""

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.sandbox.calls import allow_only_known_calls

__all__ = ["Confined", "confine", "leave_network", "set_bounds"]

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# Landlock's system calls have the same numbers on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION, _LANDLOCK_PATH_BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _DEVICE = (1 << n for n in (0, 1, 2, 3, 14, 15))
# How many rights over files each version of Landlock knows: version 2 adds links and renames from
# folder to folder, 3 truncating, 5 commands to devices; version 4 the network by TCP (two rights),
# 6 scopes (abstract sockets, signals).
_FILE_RIGHTS_SINCE = {1: 13, 2: 14, 3: 15, 5: 16}
_TCP, _TCP_SINCE, _SCOPES, _SCOPES_SINCE = 3, 4, 3, 6
# In its own folder a task reads, writes, makes and removes plain files and folders.
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE
_OF_OWN_FOLDER = sum(1 << n for n in (1, 2, 3, 4, 5, 7, 8, 14))
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
        Whether only calls that conversions need are answered (seccomp).
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
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


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
    return allow_only_known_calls(), files


def _restrict_files(folder: Path, readable: Iterable[str]) -> bool:
    rules = _handled(int(_libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)))
    ruleset = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return False
    try:
        known = rules.handled_access_fs
        for path in readable:
            _allow(ruleset, path, known & (_READ | _LIST))
        _allow(ruleset, "/dev/null", known & (_READ | _WRITE | _TRUNCATE))
        _allow(ruleset, str(folder), known & _OF_OWN_FOLDER)
        restricted: int = _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return restricted == 0


def _handled(version: int) -> _Ruleset:
    """All that a version of Landlock can take away; a kernel takes no bit that it does not know."""
    rights = max((n for since, n in _FILE_RIGHTS_SINCE.items() if since <= version), default=13)
    return _Ruleset(
        (1 << rights) - 1,
        _TCP if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there, or not readable, need not be allowed
        return
    try:
        if not Path(path).is_dir():
            rights &= _OF_FILES
        beneath = _Beneath(rights, opened)
        _libc.syscall(_LANDLOCK_ADD, ruleset, _LANDLOCK_PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(opened)
