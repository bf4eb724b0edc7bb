"""What code that has taken over a converter can still do, where the program is not root.

Converter and program are the same user then: what one may do to the other is the kernel's word
alone. The attack: with the network, Landlock's first version and a list of refused calls in place,
such code emptied a private file by its path, changed modes and times, killed the server, and took
its limits away.
"""

import ctypes
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from data.sandbox.confine import _handled
from tests.conftest import ROOT

# A user who owns nothing else, where the suite is root.
USER = 61000
PROBE = """
import ctypes, errno, fcntl, os, resource, signal, sys, threading
from pathlib import Path
victim, server, folder, user = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
from data.sandbox.confine import confine, leave_network
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
path = victim.encode()
leave_network()
os.chdir(folder)
assert confine(folder, [], None)[0]
limits = (ctypes.c_uint64 * 2)(0, 0)
attempts = dict(
    read=lambda: open(victim).read(),
    write=lambda: open(victim, 'w'),
    truncate=lambda: call('truncate', path, ctypes.c_long(0)),
    utime=lambda: os.utime(victim, (1, 1)),
    setxattr=lambda: os.setxattr(victim, 'user.x', b'1'),
    chmod=lambda: os.chmod(victim, 0o777),
    fchmodat2=lambda: call('syscall', 452, -100, path, 0o777, 0),
    unlink=lambda: os.unlink(victim),
    rename=lambda: os.rename(victim, str(folder / 'mine')),
    link=lambda: os.link(victim, str(folder / 'mine')),
    kill=lambda: os.kill(server, 9),
    tgkill=lambda: call('syscall', 234, server, server, 9),
    sigqueue=lambda: call('syscall', 129, server, 9, ctypes.create_string_buffer(128)),
    pidfd=lambda: os.pidfd_open(server),
    prlimit=lambda: call('prlimit', server, resource.RLIMIT_NOFILE, limits, None),
    affinity=lambda: os.sched_setaffinity(server, {0}),
    priority=lambda: os.setpriority(os.PRIO_PROCESS, server, 19),
    owner=lambda: fcntl.fcntl(0, fcntl.F_SETOWN, server),
    ptrace=lambda: call('ptrace', 16, server, 0, 0),
    memory=lambda: call('syscall', 310, server, 0, 0, 0, 0, 0),
    shm=lambda: call('shmget', 0x4f4e45, 4096, 0o1600),
    msg=lambda: call('msgget', 0x4f4e45, 0o1600),
    sem=lambda: call('semget', 0x4f4e45, 1, 0o1600),
    mq=lambda: call('syscall', 240, b'x', 0o102, 0o600, None),
    inotify=lambda: call('inotify_init'),
    memfd=lambda: os.memfd_create('x'),
    fork=lambda: os.fork() or os._exit(0),
    user=lambda: call('unshare', 0x10000000),
    clone=lambda: call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0),
    clone3=lambda: call('syscall', 435, ctypes.create_string_buffer(88), 88),
    uring=lambda: call('syscall', 425, 4, ctypes.create_string_buffer(128)),
    fault=lambda: call('syscall', 323, 1),
    keys=lambda: call('syscall', 250, 0, -3, 1),
    mount=lambda: call('mount', b'x', b'/tmp', b'tmpfs', 0, None),
    bpf=lambda: call('syscall', 321, 0, 0, 0),
    perf=lambda: call('syscall', 298, None, 0, -1, -1, 0),
    newer=lambda: call('syscall', 999),
)
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError:
        continue
    print(name, 'was done', flush=True)
(folder / 'own').write_text('x' * 10)
os.rename(folder / 'own', folder / 'other')
with open(folder / 'other', 'r+') as own:
    own.truncate(3)
thread = threading.Thread(target=os.listdir, args=(folder,))
thread.start()
thread.join()
print('own work was done', (folder / 'other').stat().st_size)
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of calls are of this machine")
def test_code_inside_reaches_nothing_of_its_own_user(tmp_path: Path) -> None:
    user = USER if os.geteuid() == 0 else os.geteuid()
    victim, folder = tmp_path / "private", tmp_path / "folder"
    victim.write_text("x" * 100)
    victim.chmod(0o600)
    folder.mkdir()
    for path in (tmp_path, victim, folder):
        os.chown(path, user, -1)
    for path in [*tmp_path.parents][:3]:
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | stat.S_IXOTH)
    before = victim.stat()
    asleep = ["sleep", "60"]
    with subprocess.Popen(asleep, user=user if os.geteuid() == 0 else None) as server:
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        given = [str(victim), str(server.pid), str(folder), str(user)]
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *given],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        assert server.poll() is None
        assert Path(f"/proc/{server.pid}/limits").read_text() == limits
        server.kill()
    assert done.stdout.splitlines() == ["own work was done 3"], done.stdout + done.stderr
    after = victim.stat()
    assert (after.st_size, after.st_mode, after.st_mtime) == (100, before.st_mode, before.st_mtime)


@pytest.mark.parametrize(
    ("version", "files", "tcp", "scopes"),
    [
        *((-1, 13, 0, 0), (1, 13, 0, 0), (2, 14, 0, 0), (3, 15, 0, 0), (4, 15, 3, 0)),
        *((5, 16, 3, 0), (6, 16, 3, 3), (7, 16, 3, 3), (20, 16, 3, 3)),
    ],
)
def test_all_that_landlock_knows_is_taken_away(
    version: int, files: int, tcp: int, scopes: int
) -> None:
    rules = _handled(version)
    said = (rules.handled_access_fs, rules.handled_access_net, rules.scoped)
    assert said == ((1 << files) - 1, tcp, scopes)
    assert ctypes.sizeof(rules) == 24
