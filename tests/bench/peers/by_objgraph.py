"""`objgraph.growth` around jobs, and a chain to one object of what grew most."""

# /// script
# dependencies = ["objgraph"]
# [tool.peers]
# name = "objgraph.growth"
# settings = [{ jobs = 100, least = 0.5 }, { jobs = 1000, least = 0.5 }, { jobs = 3000, least = 0.01 }]
# ///

import random

import objgraph
from working import answer, asked, job_of


def main():
    """A type that grew by `least` a job, twice, counts as a leak."""
    key, setting = asked()
    jobs, job, peaks = setting["jobs"], job_of(key), {}
    for _ in range(250):
        job()
    objgraph.growth(limit=None, peak_stats=peaks)
    grown = []
    for _ in range(2):
        for _ in range(jobs):
            job()
        found = objgraph.growth(limit=None, peak_stats=peaks)
        grown.append({name: more for name, _, more in found if more >= setting["least"] * jobs})
    both = [name for name in grown[1] if name in grown[0]]
    answer(leak=bool(both), named=both, text=chain_to(both[0]) if both else "")


def chain_to(name):
    chain = objgraph.find_backref_chain(random.choice(objgraph.by_type(name)), objgraph.is_proper_module)
    return " → ".join(map(described, chain))


def described(link):
    """The types, and the names that modules, functions and dictionaries of names give."""
    name = getattr(link, "__name__", "") if type(link).__name__ in {"module", "function"} else ""
    keys = [key for key in link if isinstance(key, str)] if type(link) is dict and len(link) < 100 else []
    return f"{type(link).__name__} {name} {' '.join(keys)}"


if __name__ == "__main__":
    main()
