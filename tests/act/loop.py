"""A loop to be killed: owns a watchdog, sends a command every few milliseconds until it is told nothing more.

Run as ``python loop.py PORT SILENCE``; says "running" once its first command is out.
"""

import select
import sys
import time

from ranvier.act import Command, Guard, Watchdog


def main():
    port, silence = int(sys.argv[1]), float(sys.argv[2])
    guard, k = Guard(max_age=0.2), 0
    with Watchdog(f"udp:127.0.0.1:{port}", silence=silence) as watchdog:
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
