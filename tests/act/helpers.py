"""Commands and guards for tests."""

from ranvier.act import Command, Guard

NAMES, UNITS = ("vx", "vy"), ("cm/s", "cm/s")
MS, S = 10**6, 10**9


def command(values=(1.0, 2.0), sequence=1, made=0, lifetime=S, **more):
    given = {"names": NAMES, "units": UNITS, "sample": 100, "age": 0.01, "confidence": 0.9}
    return Command(values=values, sequence=sequence, made=made, expires=made + lifetime, **(given | more))


def approved(values=(1.0, 2.0), sequence=1, made=0, **more):
    return Guard().approve(command(values, sequence, made, **more), made)
