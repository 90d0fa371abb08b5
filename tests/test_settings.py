"""A study file is read exactly, and every mistake in one is a sentence that names it."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.settings import DEPENDS_ON, REPOSITORY, Network, Study, load_study

STUDIES = sorted(path.stem for path in (REPOSITORY / "studies").glob("*.yml"))


def _write(folder, text):
    path = folder / "mine.yml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", STUDIES)
def test_every_committed_study_is_valid_and_named_like_its_file(name):
    assert load_study(name).name == name


def test_the_paper_study_has_the_papers_numbers():
    study = load_study("paper")
    assert (study.training.epochs, study.training.batch_size, study.training.learning_rate) == (5, 16, 2e-5)
    assert study.training.betas == (10, 20, 30, 40, 50) and study.training.main_beta == 40
    assert study.fmri.n_components == 1024 and study.training.n_hidden == 128 and study.network.image_size == 224
    assert len(study.fmri.subjects) == 3 and len(study.fmri.other_subjects) == 5 and len(study.eeg.subjects) == 10
    assert study.eeg.window == (0.0, 0.19) and study.simulated is None


def test_the_released_study_has_the_released_notebooks_choices():
    study = load_study("released")
    assert study.training.epochs == 30 and study.training.betas == (100,)
    assert study.training.contrastive == "detached" and study.training.selection == "best_test_loss"
    assert study.training.batch_norm_momentum == 0.19 and study.eeg.window == (-0.1, 0.49)


def test_networks_are_one_control_per_seed_and_every_subject_with_every_beta_and_shuffles():
    study = load_study("paper")
    stems = [network.stem for network in study.networks()]
    # CORnet, Control per seed; per subject and seed the main beta and shuffled, the other betas with the first seed
    assert len(stems) == len(set(stems)) == 1 + 3 + 3 * (3 * 2 + 4)
    assert stems[:2] == ["cornet", "control_seed-0"] and "sub-03_beta-40_seed-2_shuffled" in stems
    assert "sub-02_beta-10_seed-0" in stems and "sub-02_beta-10_seed-1" not in stems
    within = study.model_copy(update={"training": study.training.model_copy(update={"shuffled_within": True})})
    more = {network.stem for network in within.networks()} - set(stems)
    assert more == {f"sub-{s:02d}_beta-40_seed-{seed}_shuffled_within" for s in (1, 2, 3) for seed in (0, 1, 2)}
    assert {n.trained_on for n in study.networks() if n.model == "control"} == {""}


def test_a_network_is_found_by_the_stem_of_its_files():
    study = load_study("demo")
    assert study.find_network("cornet") == Network("cornet", 0, 0, 0)
    assert study.find_network("control_seed-0") == Network("control", 0, 0, 0)
    assert study.find_network("sub-02_beta-40_seed-0") == Network("realnet", 2, 40, 0)
    assert study.find_network("sub-01_beta-40_seed-0_shuffled").model == "shuffled"


@pytest.mark.parametrize("stem", ["sub-09_beta-40_seed-0", "sub-01_beta-0_seed-0", "control_seed-7", ""])
def test_a_network_that_does_not_exist_is_refused_with_what_there_is(stem):
    with pytest.raises(InvalidInput, match=rf"no network '{stem}': it has cornet, control_seed-0, sub-01_beta-"):
        load_study("demo").find_network(stem)


@pytest.mark.parametrize(
    "text, pattern",
    [
        ("traning: {}", r"unknown key 'traning'; did you mean 'training'\?"),
        ("training: {epocs: 3}", r"unknown key 'training\.epocs'; did you mean 'epochs'\?"),
        ("simulated: {sed: 1}", r"unknown key 'simulated\.sed'; did you mean 'seed'\?"),
        ("training: {epochs: -1}", r"training\.epochs: .*greater than or equal to 1 \(got -1\)"),
        ("training: {epochs: many}", r"training\.epochs: .*integer.*\(got 'many'\)"),
        ("training: {contrastive: kendall}", r"training\.contrastive: .*'spearman'.*\(got 'kendall'\)"),
        ("training: {main_beta: 7}", r"main_beta 7 is not one of betas"),
        ("eeg: {window: [0.2, 0.1]}", r"window must be \(start, end\)"),
        ("fmri: {test_sets: [shapes]}", r"fmri: other_subjects need subjects and natural among test_sets"),
        (
            "fmri: {test_sets: [shapes], other_subjects: []}",
            r"the study: training needs .*natural among fmri.test_sets",
        ),
        ("network: {aligned: released}\nfmri: {dataset: own}", r"the study: network.aligned released needs .*shen2019"),
        ("network: {aligned: released}\nfmri: {subjects: [], other_subjects: []}\neeg: {subjects: []}", r"both empty"),
        ("fmri: {test_sets: [natural, sketches]}", r"fmri: the test_sets of shen2019 are letters, natural, shapes"),
        (
            "fmri: {dataset: own, test_sets: [natural, things]}",
            r"test_sets must name neither training nor things",
        ),
        ("fmri: {dataset: mine}", r"fmri\.dataset: .*'own' \(got 'mine'\)"),
        ("fmri: {subjects: [], other_subjects: []}", r"the study: training needs fmri.subjects"),
        ("training: {layers: [V1, V3]}", r"training\.layers\.1: .*\(got 'V3'\)"),
        ("training: {loss: rdm}", r"training\.loss: .*'similarity'.*\(got 'rdm'\)"),
        ("training: {loss: similarity, batch_size: 3}", r"training: loss similarity .* set batch_size to 4 or more"),
        ("training: {loss: similarity, contrastive: pearson}", r"has no contrastive part: leave out contrastive"),
        ("training: {loss: both}\nfmri: {component_scaling: zscore}", r"component_scaling zscore loses .* set global"),
        ("training: 3", r"training: .*\(got 3\)"),
        ("name: Has Spaces", r"name: .*pattern.*\(got 'Has Spaces'\)"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_file(tmp_path, text, pattern):
    base = "" if text.startswith("name:") else "name: mine\n"
    path = _write(tmp_path, f"{base}description: d\n{text}\n")
    with pytest.raises(InvalidInput, match=pattern) as caught:
        load_study(path)
    assert "mine.yml" in str(caught.value) and "\n" not in str(caught.value)


WRONG = {
    "training.epochs": [None, "three", 2.5, True, 0, 10**9, [3], {"a": 1}, "3"],
    "training.learning_rate": [None, "fast", math.nan, math.inf, 0, False],
    "training.betas": [[], [0], [40, 40], [40, 40.0000001], "40", 40, [math.inf], [True]],
    "training.main_beta": [7, None, "40", math.nan],
    "training.seeds": [[], [0, 0], [-1], [0.5], [2**32]],
    "training.shuffled": ["maybe", 1, None],
    "training.shuffled_within": ["maybe"],
    "fmri.subjects": [[], [0], [4], [1, 1], [True], "1", [1.5], 1],
    "fmri.other_subjects": [[6], [1, 1], None],
    "fmri.rois": [[], ["V1", "V1"], ["V5"], ["mean"], "V1"],
    "fmri.n_components": [0, 1200, 10**400, "all", None],
    "fmri.test_sets": [[], ["shapes"], ["natural", "natural"], ["natural", "training"]],
    "eeg.subjects": [[11], [1, 1], None],
    "eeg.window": [[0.2, 0.1], [-0.5, 0.1], [0, 2], [0.001, 0.002], [0], [0, math.nan], None],
    "eeg.n_folds": [1, 17, 80, "5"],
    "simulated.n_eeg_subjects": [0, 11, 3],
    "simulated.n_pretraining_images": [0, 99],
    "network.image_size": [0, 15, 10**6, "64x64", None],
    "network.weights": ["", "..", "/etc", "a/../..", "x\ny", 3],
    "inference.level": [0, 1, 95, "95%"],
    "name": ["", "..", "a/b", "Demo", "x" * 65, None, 3, "a b"],
    "raw": ["", ".", "..", "/", "data/../..", "results/demo", "data/prepared", None],
    "description": [None, 3, ["a"], "a\x00b"],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values], ids=repr
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(tmp_path, key, value):
    content = yaml.safe_load((REPOSITORY / "studies" / "demo.yml").read_text()) | {"name": "mine"}
    section, _, name = key.rpartition(".")
    (content.setdefault(section, {}) if section else content)[name] = value
    with pytest.raises(InvalidInput) as caught:
        load_study(_write(tmp_path, content))
    assert name in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "text",
    ["a: [", "- 1", "", "just words", "description: d", "\x00", "x: " + "[" * 3000, "when: !!set {a, b}",
     "x: !!int ten", "x: !!python/object/apply:os.system [ls]", "training:\n\tepochs: 3", "1: 2"],
)  # fmt: skip
def test_a_file_that_is_no_study_is_refused_in_one_sentence(tmp_path, text):
    with pytest.raises(InvalidInput, match=r"mine\.yml") as caught:
        load_study(_write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_yaml_that_is_valid_but_unusual_is_read(tmp_path):
    text = "\ufeffname: mine\ndescription: >\n  two\n  lines\ntraining: {learning_rate: 2e-5, betas: [40, 10.5]}\n"
    study = load_study(_write(tmp_path, text))
    assert study.training.learning_rate == 2e-5 and study.description == "two lines"


def test_an_unknown_study_names_the_nearest_one():
    with pytest.raises(MissingInput, match="did you mean 'demo'"):
        load_study("dmeo")


_values = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 200), st.floats(-1, 100), st.text(max_size=8),
    st.lists(st.integers(-1, 60), max_size=4), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
_keys = st.sampled_from([
    (section, key)
    for section, field in Study.model_fields.items()
    for key in getattr(type(load_study("demo")).model_fields[section].annotation, "model_fields", {"": 0})
] + [("training", "epocs"), ("eggs", "")])  # fmt: skip


@given(st.lists(st.tuples(_keys, _values), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_generated_studies_are_accepted_or_refused_in_one_sentence(tmp_path_factory, changes):
    content = {"name": "mine", "description": "d"}
    for (section, key), value in changes:
        if not key:
            content[section] = value
        elif isinstance(content.setdefault(section, {}), dict):
            content[section][key] = value
    path = _write(tmp_path_factory.getbasetemp(), content)
    try:
        study = load_study(path)
    except RealnetError as error:
        assert str(path) in str(error) and "\n" not in str(error) and "Traceback" not in str(error)
    else:
        assert study.networks()[0].model == "cornet"


def test_a_study_without_other_people_or_eeg_leaves_out_their_chapters(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    monkeypatch.delenv("REALNET_DATA", raising=False)
    assert load_study("demo").left_out == []
    assert load_study("paper").left_out == ["00_simulated_data", "07_behavior"]
    own = load_study("own")
    without = ["00_simulated_data", "01b_eeg_data", "04_fmri_across_subjects", "05_eeg", "06_object_dimensions"]
    without += ["07_behavior"]
    assert own.left_out == without
    assert own.stimulus_sets == ("natural",)
    assert load_study("paper").stimulus_sets == ("natural", "shapes", "letters", "things")


@pytest.mark.parametrize("path", ["imagenet/val/n01440764/a.JPEG", "geirhos2021/below/edge_subject-01_session_1.csv"])
def test_the_chapter_of_behaviour_is_there_where_one_of_its_two_sources_is(tmp_path, monkeypatch, path):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    monkeypatch.setenv("REALNET_DATA", str(tmp_path / "nowhere"))
    file = tmp_path / "data" / "raw" / path
    file.parent.mkdir(parents=True)
    assert "07_behavior" in load_study("paper").left_out
    file.touch()
    assert "07_behavior" not in load_study("paper").left_out


def test_natural_images_join_a_study_of_released_networks_once_they_are_placed(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    without, paper = load_study("public"), load_study("paper").fmri
    assert without.fmri.test_sets == ("shapes", "letters") and without.fmri.main_set == "shapes"
    assert {"04_fmri_across_subjects", "08_beta_sweep"} <= set(without.left_out)
    assert without.image_sets == ("shapes", "letters", "things")  # none of training
    image = tmp_path / "data/raw/shen2019/images/natural/n01443537_22563.JPEG"
    image.parent.mkdir(parents=True)
    image.touch()
    study = load_study("public")
    assert (study.fmri.test_sets, study.fmri.other_subjects) == (paper.test_sets, paper.other_subjects)
    assert study.fmri.main_set == "natural" and "04_fmri_across_subjects" not in study.left_out


def test_released_networks_are_cornet_and_one_realnet_per_subject_of_the_fmri_or_else_of_the_eeg():
    stems = ["cornet", *(f"sub-0{i}_beta-100_seed-0" for i in (1, 2, 3))]
    assert [n.stem for n in load_study("public").networks()] == stems
    study = load_study("public_eeg")
    assert [n.trained_on for n in study.networks()[1:]] == [f"sub-{i:02d}" for i in range(1, 11)]
    assert study.stimulus_sets == ("things",) and "03_fmri_within_subject" in study.left_out


def test_settings_do_not_change_after_reading():
    study = load_study("demo")
    with pytest.raises(ValueError):
        study.training.epochs = 3
    assert load_study(study) is study


def test_root_of_data_and_results_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = load_study("demo")
    assert study.results == tmp_path / "results" / "demo" and tmp_path in study.raw_folder("shen2019").parents


@pytest.mark.parametrize("value", ["", "results", "/nowhere/at/all", __file__])
def test_a_wrong_root_is_refused_by_the_name_of_its_variable(monkeypatch, value):
    monkeypatch.setenv("REALNET_ROOT", value)
    with pytest.raises(InvalidInput, match=r"REALNET_ROOT is .*: expected the absolute path of an existing folder"):
        load_study("demo")


def test_settings_of_a_notebook_change_only_with_what_its_results_depend_on():
    """A description, another beta and another inference setting are no reason to train a network again."""
    demo = load_study("demo")
    training = demo.training.model_copy(update={"betas": (10, 40, 50), "seeds": (0, 1)})
    inference = demo.inference.model_copy(update={"n_bootstraps": 7})
    other = demo.model_copy(update={"description": "x", "training": training, "inference": inference})
    changed = {name for name in DEPENDS_ON if other.settings_of(name) != demo.settings_of(name)}
    assert not changed & {"00_simulated_data", "01_data", "01b_eeg_data", "02_training"}
    assert {"03_fmri_within_subject", "08_beta_sweep", "index"} <= changed


def test_the_layers_a_study_may_name_are_those_of_cornet():
    from realnet.cornet import LAYERS

    assert load_study("demo").training.layers == LAYERS
    assert all(
        Study.model_validate({"name": "x", "description": "d", "training": {"layers": [layer]}}) for layer in LAYERS
    )


def test_a_copied_study_file_cannot_write_over_the_results_of_its_original(tmp_path):
    original = (REPOSITORY / "studies" / "paper.yml").read_text()
    copy = tmp_path / "mine.yml"
    copy.write_text(original)
    with pytest.raises(InvalidInput, match=r"mine\.yml: name is 'paper', .*would overwrite"):
        load_study(str(copy))
    copy.write_text(original.replace("name: paper", "name: mine"))
    assert load_study(str(copy)).name == "mine"
    link = tmp_path / "link.yml"
    link.symlink_to(REPOSITORY / "studies" / "paper.yml")
    assert load_study(str(link)).name == "paper"
