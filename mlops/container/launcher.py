"""The program that starts a container's program and stays beside it: `python launcher.py FILE`.

It gives it a network in which there is nobody, leads a Unix socket to its port, and passes on the one signal that
SageMaker sends, to the program itself and to nothing around it. It ends as the program ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_PR_SET_PDEATHSIG = 1
_CHUNK = 65536


def isolate() -> None:
    """Leave the machine's network: from now on there is a loopback device, and nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        uid, gid = os.getuid(), os.getgid()
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"no private network: {os.strerror(number)}")
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny", encoding="ascii")
        (own / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        (own / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        request = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(device, _SIOCGIFFLAGS, request))
        fcntl.ioctl(device, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


class Launched:
    """The container's program."""

    def __init__(self, plan: dict[str, Any]) -> None:
        """Start it as the plan says."""
        self._inside: int | None = None
        self._asked = False
        command = list(plan["command"])
        self._plain = plan.get("arguments") is None
        descriptors: list[int] = []
        if not self._plain:
            told, tells = os.pipe()
            arguments = os.memfd_create("arguments")
            os.write(arguments, b"".join(os.fsencode(word) + b"\0" for word in plan["arguments"]))
            os.lseek(arguments, 0, os.SEEK_SET)
            descriptors = [arguments, tells]
            command[1:1] = ["--info-fd", str(tells), "--args", str(arguments)]
        self.child = subprocess.Popen(  # noqa: S603 - what the plan says
            command,
            env=plan["environment"],
            cwd=plan["folder"],
            pass_fds=descriptors,
            # Of its own, so that a signal to the group of this program does not reach what only holds the sandbox.
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls nothing but the kernel
        )
        for descriptor in descriptors:
            os.close(descriptor)
        if not self._plain:
            threading.Thread(target=self._learn, args=(told,), daemon=True).start()

    def ask_to_end(self) -> None:
        """Send it SIGTERM, now or as soon as it is there."""
        self._asked = True
        with contextlib.suppress(ProcessLookupError):
            if self._plain:
                os.killpg(self.child.pid, signal.SIGTERM)
            elif self._inside is not None:
                os.kill(self._inside, signal.SIGTERM)

    def _learn(self, told: int) -> None:
        said = b""
        with open(told, "rb", buffering=0) as stream:
            while self._inside is None and (part := stream.read(_CHUNK)):
                said += part
                with contextlib.suppress(ValueError, KeyError):
                    self._inside = int(json.loads(said)["child-pid"])
        if self._asked:
            self.ask_to_end()


async def _relay(path: str, port: int) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inward, outward = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()  # the program does not listen yet
            return
        await asyncio.gather(_copy(reader, outward), _copy(inward, writer))

    return await asyncio.start_unix_server(connected, path)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


async def _run(plan: dict[str, Any]) -> int:
    loop = asyncio.get_running_loop()
    early = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, early.set)
    if plan["socket"] is not None:
        await _relay(plan["socket"], plan["port"])
    launched = Launched(plan)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, launched.ask_to_end)
    if early.is_set():
        launched.ask_to_end()
    ended: asyncio.Future[int] = loop.create_future()

    def wait() -> None:
        status = launched.child.wait()
        loop.call_soon_threadsafe(ended.set_result, status)

    threading.Thread(target=wait, daemon=True).start()
    status = await ended
    return 128 - status if status < 0 else status


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Run what the plan in the file says and return its exit status."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if plan["socket"] is not None:
        Path(plan["socket"]).unlink(missing_ok=True)
    if plan["isolated"]:
        try:
            isolate()
        except OSError as error:
            sys.stderr.write(f"the program was not started: {error}\n")
            return 125
    return asyncio.run(_run(plan))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # connections that are still open must not delay the end
