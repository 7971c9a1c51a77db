from labserver.diagnosis.decide.lasting import Lasting


def looks_of(lives, looks):
    """The cohorts at each look of items that are there from one look to another."""
    found = []
    for number in range(1, looks + 1):
        cohorts = [0] * (number + 1)
        for came, gone, items in lives:
            if came <= number < gone:
                cohorts[came] += items
        found.append(tuple(cohorts))
    return Lasting(found)


def test_what_is_never_let_go_of_lasts_from_the_next_look_on():
    lasting = looks_of([(came, 99, 10) for came in range(1, 13)], 12)
    assert lasting.age == 1
    assert not lasting.passes
    assert sum(items for _, items in lasting.items(1)) == 110  # of the last look's own nobody knows yet


def test_what_is_on_its_way_is_no_part_of_what_lasts():
    lives = [(came, 99, 5) for came in range(1, 17)] + [(came, came + 1, 50) for came in range(1, 17)]
    lasting = looks_of(lives, 16)
    assert lasting.age == 1
    assert all(items == 5 for _, items in lasting.items(1))


def test_what_stays_behind_of_items_that_live_for_a_while_lasts_from_then_on():
    lives = [(came, 99, 5) for came in range(1, 33)] + [(came, came + 4, 50) for came in range(1, 33)]
    lasting = looks_of(lives, 32)
    assert lasting.age == 4
    assert all(items == 5 for _, items in lasting.items(4))


def test_items_that_all_go_pass():
    lasting = looks_of([(came, came + 3, 10) for came in range(1, 21)], 20)
    assert lasting.age is None
    assert lasting.passes


def test_where_only_the_oldest_are_gone_nothing_lasts_and_it_does_not_pass():
    lasting = looks_of([(came, came + 17, 10) for came in range(1, 21)], 20)
    assert lasting.age is None
    assert not lasting.passes
    assert lasting.let_go == 30


def test_a_few_that_are_gone_are_enough_where_they_are_the_oldest():
    lasting = looks_of([(came, came + 48, 10) for came in range(1, 54)], 53)
    assert lasting.let_go < 0.1 * lasting.came + 10
    assert lasting.age is None


def test_where_the_oldest_stay_and_later_ones_go_it_is_known_from_then_on_what_lasts():
    lives = [(came, 99, 10) for came in range(1, 4)] + [(came, came + 6, 10) for came in range(4, 13)]
    lasting = looks_of(lives + [(came, 99, 10) for came in range(13, 21)], 20)
    assert lasting.age == 8
    assert [items for _, items in lasting.items(8)] == [10] * 3 + [0] * 9


def test_as_many_that_go_of_the_baseline_as_come_last_no_longer():
    balanced = [(0, went, 10) for went in range(2, 21)] + [(came, 99, 10) for came in range(1, 21)]
    assert looks_of(balanced, 20).age is None
    assert looks_of([(0, 99, 190), *balanced[19:]], 20).age == 1


def test_a_look_that_did_not_know_the_items_is_passed_over():
    lasting = looks_of([(came, 99, 10) for came in range(1, 13)], 12)
    gaps = Lasting([() if at in {3, 7} else cohorts for at, cohorts in enumerate(lasting.looks)])
    assert gaps.age == 1
    assert Lasting([*lasting.looks, ()]).last == ()


def test_few_items_say_nothing():
    assert looks_of([(3, 99, 4)], 12).age is None
    assert Lasting([]).age is None
