"""What msgspec raises for bytes that are no JSON of the type asked for: more than its own errors."""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Text that is no UTF-8 is found when it is decoded, which is after what stands before it was read."""
