"""How many bits the samples of a picture use."""

_BITS = (8, 10, 12, 14, 16)


def bits_in_use(largest: int) -> int:
    """The fewest of 8, 10, 12, 14 and 16 bits that hold a picture's largest sample, 0 to 65535."""
    return next(bits for bits in _BITS if largest < 1 << bits)
