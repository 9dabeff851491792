"""The partition of a key is the Java client's, on every machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.partition import murmur2, partition_of

VECTORS = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]
"""From org.apache.kafka.common.utils.UtilsTest.testMurmur2; Java's int is signed."""


def signed(number: int) -> int:
    return int.from_bytes(number.to_bytes(4, "big"), "big", signed=True)


@pytest.mark.parametrize(("key", "expected"), VECTORS)
def test_murmur2_is_kafkas(key: bytes, expected: int) -> None:
    assert signed(murmur2(key)) == expected


@pytest.mark.parametrize(("key", "expected"), VECTORS)
def test_the_sign_bit_is_cleared_before_the_modulus(key: bytes, expected: int) -> None:
    assert partition_of(key, 2**31) == expected & 0x7FFFFFFF
    assert partition_of(key, 8) == (expected & 0x7FFFFFFF) % 8


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_every_key_has_one_partition_of_those_there_are(key: bytes, partitions: int) -> None:
    assert 0 <= murmur2(key) < 2**32
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(bytes(key), partitions)
