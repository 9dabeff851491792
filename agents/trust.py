"""Whose activations are obeyed: those that the policy store has signed, and any in development alone."""

from collections.abc import Callable

from spendgate.model.activation import Activation
from spendgate.model.decode import Decoded, Fault

Trust = Callable[[Activation], bool]
"""Whether an activation is to be obeyed."""
_UNTRUSTED = Fault(0, "bad_activation", "signature", "the signature of the policy store over exactly this record")


def anyone(_: Activation) -> bool:
    """Development: no signature is looked at."""
    return True


def checked(decoded: Decoded, trusts: Trust) -> Decoded:
    """The message as it is, or its activation set aside. Live, again, in a rebuild and in the ledger alike."""
    if decoded.activation is None or trusts(decoded.activation):
        return decoded
    return Decoded(decoded.tenant, [], [], [_UNTRUSTED])
