"""Side by side, in order, on threads of their own."""

import threading

import pytest
import torch

from kolumn.parallel import parallel_map


def test_order_threads_and_bound(two_threads):
    here, held, most, lock = threading.get_ident(), 0, 0, threading.Lock()
    meet = threading.Barrier(2)

    def items():
        nonlocal held, most
        for i in range(8):
            assert threading.get_ident() == here
            with lock:
                held += 1
                most = max(most, held)
            yield i

    def work(i):
        assert torch.get_num_threads() == 1
        meet.wait(10)  # two at a time, or it breaks
        assert list(parallel_map(lambda j: j + i, range(3))) == [i, i + 1, i + 2]  # one inside the other
        return i * i

    found = []
    for result in parallel_map(work, items()):
        with lock:
            held -= 1
        found.append(result)
    assert found == [i * i for i in range(8)]
    assert most <= 4
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("n", [0, 1])
def test_few_items_keep_the_threads_of_torch(two_threads, n):
    assert list(parallel_map(lambda i: torch.get_num_threads(), range(n))) == [2] * n


def test_an_error_comes_through(two_threads):
    def work(i):
        if i == 3:
            raise ValueError("three")
        return i

    seen = []
    with pytest.raises(ValueError, match="three"):
        for result in parallel_map(work, range(100)):
            seen.append(result)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_the_mode_is_that_of_the_calling_thread(two_threads, mode):
    with mode():
        out = torch.zeros(4)  # which only the same mode may change in place

        def work(i):
            out[i] = i
            return torch.is_inference_mode_enabled(), torch.is_grad_enabled()

        here = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        assert set(parallel_map(work, range(4))) == {here}
    assert out.tolist() == [0, 1, 2, 3]
