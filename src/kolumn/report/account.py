"""How iterative methods got to their images: what a table or a line says of all slices together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from statistics import median
from typing import Any, NamedTuple

from torch import Tensor

from ..acquisition import Acquisition
from ..recon import Reconstructor
from ..recon.solution import SEARCHING, Progress


class Account(NamedTuple):
    """Of each slice, in order, what :class:`kolumn.recon.solution.Solution` says; empty for a method without one."""

    iterations: tuple[int, ...] = ()
    objective: tuple[float, ...] = ()
    lam: tuple[float, ...] = ()
    unit: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


EMPTY = Account()


def solve(method: Reconstructor, acquisition: Acquisition) -> tuple[Tensor, Account]:
    """The image, and the account of a method that gives one."""
    if not hasattr(method, "solve"):
        return method(acquisition), EMPTY
    s = method.solve(acquisition)
    return s.image, Account(s.iterations, s.objective, s.lam, (s.unit,) * len(s.lam), s.stopped)


def middle_history(method: Reconstructor, acquisition: Acquisition) -> tuple[Progress, ...]:
    """The way to the image, of the middle entry of a batch; nothing for a method that does not iterate."""
    ways = method.solve(acquisition, history=True).history if hasattr(method, "solve") else ()
    return ways[len(ways) // 2] if ways else ()


def join_accounts(accounts: Iterable[Account]) -> Account:
    """The account of some slices and then others."""
    return Account(*(tuple(chain.from_iterable(parts)) for parts in zip(*accounts, strict=True)))


def iterations_text(account: Account) -> str:
    """The median, ``43``, or a dash."""
    return f"{median(account.iterations):g}" if account.iterations else "-"


def objective_text(account: Account) -> str:
    """The sum, ``1.234e-09``, or a dash."""
    return f"{sum(account.objective):.4g}" if account.objective else "-"


def lambda_text(account: Account) -> str:
    """The median with its unit, ``0.0012 max``, or a dash."""
    return f"{median(account.lam):.2g} {_unit(account)}" if account.lam else "-"


def _unit(account: Account) -> str:
    return "/".join(dict.fromkeys(account.unit))


def account_text(account: Account) -> str:
    """``lambda 0.0012 max, 43 iterations, stopped by tolerance``."""
    ends = Counter(account.stopped)
    how = account.stopped[0] if len(ends) == 1 else ", ".join(f"{why} in {n}" for why, n in ends.items())
    n = iterations_text(account)
    return f"lambda {lambda_text(account)}, {n} iteration{'s' * (n != '1')}, stopped by {how}"


def limit_note(name: str, account: Account) -> str:
    """What to do where a limit ended some of them too early; empty where none did."""
    if late := account.stopped.count(SEARCHING):
        where = f" in {late} of {len(account.stopped)} slices" if len(account.stopped) > 1 else ""
        return (
            f"{name} had not found its lambda when half of the time was over{where}, and went on with the best so far, "
            "mostly too large; raise --seconds or give --lam"
        )
    at = [n for n, why in zip(account.iterations, account.stopped, strict=True) if why == "iterations"]
    if not at:
        return ""
    where = f" in {len(at)} of {len(account.stopped)} slices" if len(account.stopped) > 1 else ""
    limit = f"its limit of {max(at)} iteration{'s' * (max(at) != 1)}{where}"
    return f"{name} stopped at {limit} and may not have converged; raise --max-iterations"


def account_record(account: Account) -> dict[str, Any]:
    """The account ready for JSON; nothing where there is none, null for a number that is not finite."""
    if not account.iterations:
        return {}
    return {
        "iterations": list(account.iterations),
        "objective": _finite(account.objective),
        "lambda": _finite(account.lam),
        "lambda_unit": _unit(account),
        "stopped": list(account.stopped),
    }


def _finite(values: Iterable[float]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values]
