"""What a store with a time to live keeps under a steady load: the time is bounded, the bytes follow the arrivals.

A result that finishes at some instant stays for its whole time to live and then until the next sweep, which comes after
half a period on average and after one period at most. By Little's law, L = λW (J. D. C. Little, "A proof for the
queuing formula", Operations Research 9, 1961), the mean of what is kept follows, whatever the arrivals' distribution.
"""


def plateau_bytes(rate_per_s: float, ttl_s: float, sweep_s: float, result_bytes: float) -> float:
    """The mean of the kept bytes, over whole sweep periods, once the first result has been swept.

    Args:
        rate_per_s: jobs that finish per second, λ.
        ttl_s: seconds that a result may live, counted from its completion.
        sweep_s: seconds between two sweeps; 0 for a store that frees each result at its time.
        result_bytes: what one kept result costs, in bytes.

    Returns:
        λ · (TTL + sweep / 2) · bytes.
    """
    return rate_per_s * (ttl_s + sweep_s / 2) * result_bytes


def peak_bytes(rate_per_s: float, ttl_s: float, sweep_s: float, result_bytes: float) -> float:
    """The kept bytes just before a sweep: what the heap must have room for.

    Args:
        rate_per_s: jobs that finish per second, λ, at even distances; others add their fluctuation to the peak.
        ttl_s: seconds that a result may live, counted from its completion.
        sweep_s: seconds between two sweeps; 0 for a store that frees each result at its time.
        result_bytes: what one kept result costs, in bytes.

    Returns:
        λ · (TTL + sweep) · bytes.
    """
    return rate_per_s * (ttl_s + sweep_s) * result_bytes


def exhausting_rate(heap_bytes: float, ttl_s: float, sweep_s: float, result_bytes: float) -> float:
    """The rate of finished jobs per second at which the peak fills a heap.

    Args:
        heap_bytes: the room for results; whatever else lives in the heap must be taken off before.
        ttl_s: seconds that a result may live, counted from its completion.
        sweep_s: seconds between two sweeps; 0 for a store that frees each result at its time.
        result_bytes: what one kept result costs, in bytes.
    """
    return heap_bytes / ((ttl_s + sweep_s) * result_bytes)
