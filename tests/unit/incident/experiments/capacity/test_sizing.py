from labserver.incident.experiments.capacity.formulas import Retention
from labserver.incident.experiments.capacity.sizing import Assumptions, plan, simulation_error


def test_the_plan_names_a_store_for_each_scale():
    scales = plan([10, 100, 10_000], Assumptions(Retention(600.0, 60.0, (190_000.0,)), 0.04), days=5)
    assert [scale.store for scale in scales] == ["byte-budget", "redis", "object store"]
    assert [scale.instances for scale in scales] == [1, 2, 167]
    assert all(simulation_error(scale, Retention(600.0, 60.0, (190_000.0,))) < 0.02 for scale in scales)
