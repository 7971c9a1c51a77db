from dataclasses import replace

from labserver.report.contents import what_came
from labserver.report.holder_chain import end_of, guilty_index, holder_index, holder_name


def test_a_holder_is_named_as_in_code(leak):
    (holder,) = leak.holders
    assert holder_index(holder) == 2
    assert holder_name(holder) == "shop.STORE._jobs"


def test_the_holder_is_found_by_its_type_where_an_older_version_does_not_tell_its_place(leak):
    holder = replace(leak.holders[0], holder_at=None)
    assert holder_index(holder) == 2
    assert holder_name(replace(holder, holder_type="module")) == "shop"
    assert holder_index(replace(holder, holder_type="Thread")) == 2


def test_a_thread_holds_by_its_own_local(leak):
    (holder,) = leak.holders
    held = replace(holder, holder_type="Thread", holder_at=0)
    assert (holder_index(held), guilty_index(held)) == (0, 1)


def test_a_holder_without_a_chain_has_its_path(leak):
    (holder,) = leak.holders
    assert holder_name(replace(holder, chain=())) == "module shop → STORE → Store._jobs"


def test_what_came_is_told_behind_the_last_link(leak):
    (holder,) = leak.holders
    assert (holder_index(holder), guilty_index(holder), end_of(holder)) == (2, 3, "× 240")


def test_items_that_end_the_chain_are_counted_without_what_else_is_of_their_type(leak):
    (holder,) = leak.holders
    keyed = replace(holder, buffer_type="bytes", buffers=800, items=400, item_type="bytes")  # the keys are bytes, too
    assert end_of(keyed) == "× 400"
    assert f"{what_came(keyed)} ".startswith("400 × bytes ")
    assert end_of(replace(keyed, item_type="Session")) == "× 800"
    assert end_of(replace(keyed, holder_at=1)) == "× 800"  # what ends the chain is part of an item


def test_where_the_chain_ends_with_the_holder_the_edge_to_it_is_the_guilty_one(leak):
    (holder,) = leak.holders
    ends = replace(holder, chain=holder.chain[:3], buffer_type="int")
    assert (holder_index(ends), guilty_index(ends), holder_name(ends)) == (2, 2, "shop.STORE._jobs")
    assert end_of(ends) == "with int × 240"
    grown = replace(ends, buffer_type=ends.chain[-1].type, buffers=1)
    assert end_of(grown) == "× 1"
    assert end_of(replace(grown, buffers=2)).startswith("with ")
