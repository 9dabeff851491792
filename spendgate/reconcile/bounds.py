"""What a rate is known to be at most: never a rate without its sample and its bound."""

from math import ceil, sqrt

Z95 = 1.6448536269514722
"""The 95 % point of the normal distribution, one-sided."""
PPB = 1_000_000_000


def upper_bound(bad: int, of: int) -> float | None:
    """The 95 % upper bound of a rate of which ``bad`` were seen in ``of``; None for an empty sample.

    None seen: the rule of three, 3 / n (Hanley and Lippman-Hand 1983). Else Wilson's score (1927), one-sided.
    """
    if of <= 0:
        return None
    if bad == 0:
        return min(1.0, 3 / of)
    rate, z2 = bad / of, Z95 * Z95
    middle = rate + z2 / (2 * of)
    above = (middle + Z95 * sqrt(rate * (1 - rate) / of + z2 / (4 * of * of))) / (1 + z2 / of)
    return min(1.0, max(rate, above))  # where all are bad, rounding can leave it a hair below


def upper_bound_ppb(bad: int, of: int) -> int | None:
    """As ``upper_bound``, in parts per billion, rounded up: a document holds no fraction."""
    bound = upper_bound(bad, of)
    return None if bound is None else min(PPB, ceil(bound * PPB))
