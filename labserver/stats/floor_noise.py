"""How much floors differ though nothing has grown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FloorNoise:
    """The least standard deviation in bytes that a floor is believed to have, by the process it is read of.

    However well a few floors happen to agree, their residuals cannot show it: free lists, dictionaries' spare room,
    interned strings and a connection's buffer or two come and go.

    Attributes:
        own_process: an application that nothing else shares its process with. tests/bench/verdict_noise.json has
            1.4 to 2.1 kB for eleven of twelve servers; the twelfth, 4.9 kB, shows its own scatter. With 4,096
            a quarter fewer of the slow caches are called clean (tests/bench/verdict_simulate.py).
        shared_process: the service of a notebook, beside the kernel, the monitor and the server's threads. 24 floors of
            the store `ttl` scattered by 2.5 kB, and neighbours leaned the same way: three to six floors show less.
    """

    own_process: float = 2048.0
    shared_process: float = 4096.0


FLOOR_NOISE = FloorNoise()
