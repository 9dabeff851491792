"""Whatever comes in from outside: each target keeps its law on every seed, on the corpus, and on both, spoilt."""

import random

import pytest

from tests.fuzz.seeds import ALIKE, CORPUS, seeds
from tests.fuzz.targets import TARGETS, timed
from tests.fuzz.words import foreign, is_field

every_target = pytest.mark.parametrize("target", TARGETS)
SPOILT = 60
"""Spoilt inputs a target: what a hunt does by the million, enough to see that the laws are looked at."""


@every_target
def test_no_seed_breaks_a_law(target: str) -> None:
    for data in seeds(target):
        TARGETS[target](data)


@every_target
def test_no_spoilt_seed_breaks_a_law(target: str) -> None:
    draw = random.Random(target)
    small = [data for data in seeds(target) if len(data) < 4096]
    for _ in range(SPOILT):
        TARGETS[target](_spoilt(draw, draw.choice(small), draw.choice(small)))


def _spoilt(draw: random.Random, data: bytes, other: bytes) -> bytes:
    at, end, place = (draw.randint(0, len(data)) for _ in range(3))
    match draw.randint(0, 4):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + other[: draw.randint(0, len(other))] + data[at:]
        case 3:
            return data[: min(at, end)] + data[max(at, end) :]
        case _:
            return data[:place] + data[min(at, end) : max(at, end)] * 3 + data[place:]


def test_every_file_of_the_corpus_belongs_to_a_target() -> None:
    known = {"any", *ALIKE, *TARGETS}
    assert {path.name for path in CORPUS.iterdir()} <= known
    assert all(path.stat().st_size < 2**16 for path in CORPUS.rglob("*") if path.is_file())


def test_a_message_that_repeats_what_came_in_is_noticed() -> None:
    assert foreign("a whole number from 0 to 2^53 - 1, Europe/Berlin") == []
    assert foreign("expected zqxjzqxj, found 4111111111111111") == ["zqxjzqxj", "4111111111111111"]
    assert is_field("input_tokens")
    assert is_field("ChargePeriodStart")
    assert not is_field("tell the patient")


def test_reading_that_takes_too_long_is_noticed() -> None:
    def slow(data: bytes) -> None:
        sum(range(2 * 10**6 if data else 0))

    timed(slow)(b"")
    with pytest.raises(AssertionError, match="s for 1 bytes"):
        timed(slow, start_s=0.001)(b"x")
