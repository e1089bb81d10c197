"""Shared words: what threads add is not lost, what is released is seen whole."""

from threading import Thread

import numpy as np
from numba import njit

from ranvier.kernels._atomic import fence, fetch_add, load_acquire, pause, store_release
from ranvier.kernels._states import address

ROUNDS = 200_000


@njit("void(int64, int64)", nogil=True)
def add_often(at, n):
    for _ in range(n):
        fetch_add(at, 1)


@njit("int64(int64)", nogil=True)
def each_once(at):
    store_release(at, -5)
    fence()
    before = fetch_add(at, 3)
    return before * 100 + load_acquire(at)


@njit("void(int64, int64)", nogil=True)
def say(at, n):
    """Write k into two words under a claim and a publication; never wait."""
    for k in range(1, n + 1):
        store_release(at, k)
        fence()
        store_release(at + 64, k)
        store_release(at + 128, k)
        store_release(at + 192, k)


@njit("int64(int64, int64)", nogil=True)
def hear(at, n):
    """Count readings that pass the check and yet are torn, until the last is published."""
    torn = 0
    while True:
        published = load_acquire(at + 192)
        a = load_acquire(at + 64)
        b = load_acquire(at + 128)
        fence()
        if load_acquire(at) == published and not a == b == published:
            torn += 1
        if published == n:
            return torn
        pause()


def test_each_word_does_what_it_says():
    x = np.zeros(2, np.int64)
    assert each_once(address(x)) == -5 * 100 - 2
    assert x.tolist() == [-2, 0]


def test_sums_of_threads_lose_nothing():
    x = np.zeros(1, np.int64)
    threads = [Thread(target=add_often, args=(address(x), ROUNDS)) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x[0] == 3 * ROUNDS


def test_what_passes_the_check_is_whole():
    x = np.zeros(32, np.int64)
    writer = Thread(target=say, args=(address(x), ROUNDS))
    writer.start()
    torn = hear(address(x), ROUNDS)
    writer.join()
    assert torn == 0
