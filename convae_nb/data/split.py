"""Which images train and which test, decided by name: the same on every machine, and for an image whatever lies beside it."""

import hashlib
import unicodedata

import numpy as np

_TEST_SHARE = 0.2


def keys(names):
    """Hash each name to a number in [0, 1), the first 53 bits of its SHA-256. macOS spells accents in two letters: it gets the same."""
    texts = (unicodedata.normalize("NFC", name).encode("utf-8", "backslashreplace") for name in names)
    return np.array([(int.from_bytes(hashlib.sha256(text).digest()[:8]) >> 11) / 2**53 for text in texts])


def in_test(keys):
    """Say of each key whether its image is for testing: a fifth on average. Of two or more images, at least one is, and one is not."""
    tested = keys < _TEST_SHARE
    if len(keys) > 1:
        tested[np.argmin(keys)] = True
        if tested.all():
            tested[np.argmax(keys)] = False
    return tested
