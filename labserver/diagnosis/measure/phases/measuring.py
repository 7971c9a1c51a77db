"""The measuring: what most checks are decided by."""

from labserver.diagnosis.measure.cycles import run_cycles
from labserver.diagnosis.measure.state import CheckState


def measure_floors(state: CheckState) -> None:
    """Run the planned cycles, and decide."""
    state.decision = run_cycles(state)
