from labserver.incident.experiments.theory.dominators import ROOT, SIZES, dominator, dominators, retained, retained_kb


def test_a_holder_retains_what_only_it_leads_to():
    assert retained("STORE") == {"STORE", "job 1", "job 2", "image 1", "image 2"}
    assert retained_kb("STORE") == sum(SIZES[name] for name in retained("STORE"))
    assert retained("LATEST") == {"LATEST"}


def test_what_two_lead_to_is_nobodys():
    assert dominator("photo") == ROOT
    assert dominator("image 2") == "job 2"
    assert dominator("job 2") == "STORE"


def test_the_roots_retain_everything():
    assert retained(ROOT) == {*SIZES}


def test_each_object_stands_in_both_pictures_with_its_own_size_and_with_what_it_retains():
    own, held = ({text.get_text() for text in axes.texts} for axes in dominators().axes)
    for name, size in SIZES.items():
        if name != ROOT:
            assert f"{name}\n{size} kB" in own
            assert f"{name}\n{retained_kb(name)} kB" in held
