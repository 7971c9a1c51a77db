"""What differs between the platforms: each has a module that defines the same names, and here stand those of this one.

Linux is what the project is developed and tested on. `macos` is written by its documentation and untried; it is also
what any other system gets, for it promises the least.
"""

import sys

if sys.platform == "linux":
    from labserver.system.linux import (
        CAN_ATTACH,
        CAN_FORK,
        KEEPS_BOOKS,
        LIMITS_ADDRESS_SPACE,
        address_space,
        limit_address_space,
        peer_of,
    )
else:
    from labserver.system.macos import (
        CAN_ATTACH,
        CAN_FORK,
        KEEPS_BOOKS,
        LIMITS_ADDRESS_SPACE,
        address_space,
        limit_address_space,
        peer_of,
    )

__all__ = [
    "CAN_ATTACH",
    "CAN_FORK",
    "KEEPS_BOOKS",
    "LIMITS_ADDRESS_SPACE",
    "address_space",
    "limit_address_space",
    "peer_of",
]
