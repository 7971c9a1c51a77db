"""The tables of the ways to poll, as Markdown."""

from collections.abc import Mapping

from labserver.incident.experiments.polling.measurements import EndlessPolling, Herd
from labserver.incident.experiments.table import Table


def both_clients(endless: EndlessPolling, users: int) -> Table:
    """What the clients sent, held and were told, side by side."""
    clients = (endless.unbounded, endless.capped)
    ends = ["never" if client.ended_s is None else f"after {client.ended_s:.1f} s" for client in clients]
    rows = [
        ["ends by itself", *ends],
        ["polls of a client", *(f"{len(client.polls) / users:g}" for client in clients)],
        ["polls after the cap", *(f"{endless.after_the_cap(client)}" for client in clients)],
        ["connections held at the end", *(f"{client.connections_end}" for client in clients)],
        ["is told", *(client.told for client in clients)],
    ]
    return Table.of(["", "no cap", "capped"], rows)


def policies(herds: Mapping[str, Herd], window_s: float) -> Table:
    """Load on the server and delay of the clients, by policy."""
    rows = [
        [
            herd.policy,
            f"{herd.polls.peak(window_s)}",
            f"{len(herd.polls)}",
            f"{herd.mean_notice.estimate:.2f} s",
            f"{herd.notice_s.max():.2f} s",
        ]
        for herd in herds.values()
    ]
    header = ["policy", f"most polls in {window_s * 1e3:.0f} ms", "polls in all", "mean delay", "longest delay"]
    return Table.of(header, rows)
