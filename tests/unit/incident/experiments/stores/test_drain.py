from labserver.incident.experiments.stores.drain import real_drain


def test_in_real_time_a_store_with_a_ttl_keeps_all_until_then_and_another_for_ever(tmp_path):
    drain = real_drain(["leaky", "ttl", "weak"], ttl_s=0.3, sweep_s=0.05, csv=tmp_path / "drain.csv")
    assert drain.gone_after_s("leaky") is None
    assert drain.gone_after_s("ttl") >= 0.3
    assert drain.samples["weak"][0][2] == 0  # at the first look
    assert drain.left_bytes("leaky") == drain.put_bytes
    assert drain.left_bytes("ttl") == drain.left_bytes("weak") == 0
    rows = (tmp_path / "drain.csv").read_text().splitlines()
    assert rows[0] == "store,t_s,kept_bytes"
    assert len(rows) == 1 + sum(map(len, drain.samples.values()))
