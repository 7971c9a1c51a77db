"""Keys and signatures of OpenSSL."""

# /// script
# dependencies = ["cryptography"]
# [tool.libraries]
# kind = "memory of C"
# ///

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from using.pair import pair


def work(number):
    keys = [Ed25519PrivateKey.generate() for _ in range(10)]
    return [(key, key.sign(str(number).encode())) for key in keys]


leak, clean = pair(work)
