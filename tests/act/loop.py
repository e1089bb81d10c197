"""A loop to be killed: owns a watchdog, sends a command every few milliseconds until it is told nothing more.

Run as ``python loop.py PORT SILENCE [fork]``; says the process number of the watchdog once its first command is out.
With fork, a copy of it that does nothing lives until standard input ends.
"""

import os
import select
import sys
import time

from ranvier.act import Command, Guard, Watchdog


def main():
    port, silence = int(sys.argv[1]), float(sys.argv[2])
    guard, k = Guard(max_age=0.2), 0
    with Watchdog(f"udp:127.0.0.1:{port}", silence=silence) as watchdog:
        if sys.argv[3:] and not os.fork():
            sys.stdin.buffer.raw.read(1)
            os._exit(0)
        while not select.select([sys.stdin], [], [], 0.002)[0]:
            now, k = time.monotonic_ns(), k + 1
            wanted = Command(
                values=(float(k),), names=("x",), units=("1",), sample=k, age=0.0, made=now, expires=now + 10**9,
                sequence=k,
            )  # fmt: skip
            watchdog.send(guard.approve(wanted, now))
            if k == 1:
                print(watchdog.pid, flush=True)


if __name__ == "__main__":
    main()
