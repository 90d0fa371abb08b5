"""Decisions of people as published, the simulated ones in the same layout, and what happens with damaged files."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realnet.behavior import human_ceiling
from realnet.datasets import geirhos2021
from realnet.errors import InvalidInput, MissingInput
from realnet.settings import SimulationSettings
from simulation import people
from simulation.stimuli import make_catalogue

HEADER = "subj,session,trial,rt,object_response,category,condition,imagename"
ROWS = [
    "subject-01,1,1,0.5,oven,oven,0,0001_edg_s01_0_oven_00_oven10.png",
    "subject-01,1,2,NaN,na,bear,0,0002_edg_s01_0_bear_00_bear_a_1.png",
]


def write_decisions(folder, rows=ROWS, header=HEADER, name="edge-experiment_subject-01_session_1.csv"):
    path = folder / "raw-data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


# -- published files


def test_real_decisions_are_read_as_the_files_have_them(real_data):
    table = geirhos2021.load(real_data / "geirhos_edge")
    assert table.person.groupby(table.subject).first().sum() == 10 and table.subject.nunique() == 13
    assert (table.groupby("subject").size() == 160).all() and table.category.nunique() == 16
    paths = sorted((real_data / "geirhos_edge").rglob("*subject-09*.csv"))
    raw = pd.read_csv(paths[0], keep_default_na=False)  # an oracle that knows nothing of the layout
    ours = table[table.subject == "subject-09"]
    assert ours.object_response.tolist() == raw.object_response.tolist()
    assert ours.correct.mean() == np.mean(raw.object_response == raw.category)
    assert not ours.correct[ours.object_response == "na"].any()


def test_every_real_trial_finds_its_drawing(real_data):
    table = geirhos2021.load(real_data / "geirhos_edge")
    for subject in ("subject-01", "alexnet"):
        trials = table[table.subject == subject]
        paths = geirhos2021.find_images(real_data / "geirhos_edge", trials)
        assert [path.parent.name for path in paths] == trials.category.tolist()
        assert len(set(paths)) == 160


def test_real_categories_have_the_known_classes(real_data):
    categories = geirhos2021.load_categories(real_data)
    assert len(categories) == 16 and categories["oven"].tolist() == [766] and len(categories["dog"]) == 109


# -- small files


def test_a_missing_answer_is_wrong_and_pictures_keep_their_underscores(tmp_path):
    write_decisions(tmp_path, header=HEADER.replace("session", "Session"))
    table = geirhos2021.load(tmp_path)
    assert table.correct.tolist() == [True, False]
    assert table.stimulus.tolist() == ["oven10", "bear_a_1"]
    assert table.rt.isna().tolist() == [False, True]
    assert table.experiment.unique().tolist() == ["edge-experiment"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([ROWS[0].replace("oven,oven", "spoon,oven")], "trial 1.*not 'spoon'"),
        ([ROWS[0].replace("0.5", "fast")], "numbers as session, trial and rt"),
        ([ROWS[0], ROWS[0].replace("subject-01,1,1", "subject-01,1,3")], "decided twice on oven10 in condition 0"),
        ([ROWS[0], ROWS[1].replace("subject-01", "subject-02")], "one subject"),
        (["subject-01,1,2"], "trial 2 has empty cells"),
        ([], "no trials"),
    ],
)
def test_damaged_decisions_are_refused_in_one_sentence(tmp_path, rows, says):
    path = write_decisions(tmp_path, rows)
    with pytest.raises(InvalidInput, match=says) as caught:
        geirhos2021.load(tmp_path)
    assert path.name in str(caught.value) or "decided twice" in str(caught.value)


def test_absent_columns_files_and_images_are_named(tmp_path):
    with pytest.raises(MissingInput, match=r"session_1.csv"):
        geirhos2021.load(tmp_path)
    write_decisions(tmp_path)
    trials = geirhos2021.load(tmp_path)
    with pytest.raises(MissingInput, match=r"2 of 2 images.*bear_a_1 in condition 0"):
        geirhos2021.find_images(tmp_path, trials)
    with pytest.raises(MissingInput, match="16 categories"):
        geirhos2021.load_categories(tmp_path)
    write_decisions(tmp_path, header=HEADER.replace("imagename", "image"))
    with pytest.raises(InvalidInput, match="expected the column 'imagename'"):
        geirhos2021.load(tmp_path)


def test_images_are_told_apart_by_experiment_and_condition(tmp_path):
    rows = [f"subject-01,1,{i},0.5,oven,oven,{c},000{i}_con_s01_{c}_oven_00_a.png" for i, c in ((1, "c05"), (2, "c10"))]
    write_decisions(tmp_path, rows)
    names = ["0009_con_dnn_c05_oven_00_a", "0001_con_dnn_c10_oven_00_a", "0001_edg_dnn_c10_oven_00_a", "a"]
    for name in names:
        people.write_file(tmp_path / "images" / f"{name}.png", np.zeros((2, 2, 3), dtype=np.uint8))
    found = geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path))
    assert [path.stem for path in found] == names[:2]
    people.write_file(tmp_path / "images" / "0002_con_dnn_c10_oven_00_a.png", np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(InvalidInput, match="is also at"):
        geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path))


SILHOUETTE = "silhouette-experiment"


def two_experiments(root):
    """Decisions on pictures of the same names in two experiments of one condition."""
    for name in ("edge-experiment", SILHOUETTE):
        tag = name[:3]
        rows = [row.replace("_edg_", f"_{tag}_") for row in ROWS]
        write_decisions(root, rows, name=f"{name}_subject-01_session_1.csv")
    decisions = geirhos2021.load(root)
    return decisions[decisions.experiment == "edge-experiment"], decisions[decisions.experiment == SILHOUETTE]


def draw(folder):
    for name in ("oven10", "bear_a_1"):
        people.write_file(folder / f"{name}.png", np.zeros((2, 2, 3), dtype=np.uint8))


def test_an_image_with_a_plain_name_is_not_taken_for_one_of_another_experiment(tmp_path):
    edges, silhouettes = two_experiments(tmp_path)
    draw(tmp_path / "stimuli")
    for trials in (edges, silhouettes):
        with pytest.raises(MissingInput, match=r"oven10.png may be of another experiment: .* called \S+-experiment"):
            geirhos2021.find_images(tmp_path, trials)
    draw(tmp_path / "stimuli" / "edges" / "oven")
    found = geirhos2021.find_images(tmp_path, edges)
    assert {path.parent for path in found} == {tmp_path / "stimuli" / "edges" / "oven"}
    with pytest.raises(MissingInput, match=SILHOUETTE):
        geirhos2021.find_images(tmp_path, silhouettes)
    draw(tmp_path / SILHOUETTE)
    assert geirhos2021.find_images(tmp_path, silhouettes)[0].parent.name == SILHOUETTE
    assert geirhos2021.find_images(tmp_path, edges) == found


def test_a_folder_with_the_decisions_of_one_experiment_holds_its_images(tmp_path):
    two_experiments(tmp_path)
    for name in ("edge-experiment", SILHOUETTE):
        (folder := tmp_path / name[:1] / "raw-data").mkdir(parents=True)
        next(tmp_path.glob(f"raw-data/{name}*.csv")).rename(folder / f"{name}_subject-01_session_1.csv")
        draw(tmp_path / name[:1] / "stimuli")
    decisions = geirhos2021.load(tmp_path)
    for name in ("edge-experiment", SILHOUETTE):
        found = geirhos2021.find_images(tmp_path, decisions[decisions.experiment == name])
        assert {path.parent.parent.name for path in found} == {name[:1]}


def test_edge_drawings_alone_are_not_taken_for_silhouettes(tmp_path):
    two_experiments(tmp_path)
    next(tmp_path.glob("raw-data/edge*.csv")).unlink()
    draw(tmp_path / "stimuli" / "edges")
    silhouettes = geirhos2021.load(tmp_path)
    with pytest.raises(MissingInput, match="may be of another experiment"):
        geirhos2021.find_images(tmp_path, silhouettes)
    draw(tmp_path / "stimuli" / "oven")
    assert len(geirhos2021.find_images(tmp_path, silhouettes)) == 2


def test_two_files_of_categories_may_say_the_same_but_not_differ(tmp_path):
    mapping = {name: {"imagenet_indices": indices} for name, indices in {"oven": [766], "dog": [153, 152]}.items()}
    (tmp_path / "sixteen_class_mapping.json").write_text(json.dumps(mapping))
    python = tmp_path / "human_categories.py"
    python.write_text("dog_indices = [152, 153]\noven_indices = [766]\ncat_indices = [1]")
    found = geirhos2021.load_categories(tmp_path, {"oven", "dog"})
    assert {name: sorted(indices.tolist()) for name, indices in found.items()} == {"dog": [152, 153], "oven": [766]}
    python.write_text("dog_indices = [152]\noven_indices = [766]")
    with pytest.raises(InvalidInput, match=r"same classes of 'dog' as in .*human_categories.py, but they differ"):
        geirhos2021.load_categories(tmp_path, {"oven", "dog"})


def test_categories_are_read_from_the_published_python_file_without_running_it(tmp_path):
    text = """
import no_such_package
class HumanCategories:
    oven = ["n04111531"]
    oven_indices = [766]
    dog_indices = [152, 153,  # setters
                   154]
    frog_indices = [30, 31, 32]
    def f(self):
        other_indices = []
        more_indices = range(3)
"""
    path = tmp_path / "human_categories.py"
    path.write_text(text)
    found = geirhos2021.load_categories(tmp_path, {"oven", "dog"})
    assert {name: indices.tolist() for name, indices in found.items()} == {"dog": [152, 153, 154], "oven": [766]}
    with pytest.raises(InvalidInput, match="'truck'"):
        geirhos2021.load_categories(tmp_path, {"truck"})
    path.write_text("oven_indices = [f(1)]")
    with pytest.raises(InvalidInput, match=r"human_categories.py"):
        geirhos2021.load_categories(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"oven": []}', '{"oven": {"imagenet_indices": []}}', "{"])
def test_a_damaged_mapping_is_refused(tmp_path, text):
    (tmp_path / "sixteen_class_mapping.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"sixteen_class_mapping.json"):
        geirhos2021.load_categories(tmp_path)


# -- simulated people


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(SimulationSettings(n_pretraining_images=200))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, catalogue):
    root = tmp_path_factory.mktemp("people")
    for name, content in people.people_files(catalogue, 0):
        people.write_file(root / name, content)
    return root


@pytest.fixture(scope="module")
def decisions(folder):
    return geirhos2021.load(folder)


def right_of(decisions, condition):
    rows = decisions[decisions.condition == condition]
    return rows.pivot(index="subject", columns="stimulus", values="correct").to_numpy(dtype=bool)


def test_simulated_people_lie_in_the_published_layout(folder, decisions, catalogue):
    assert decisions.subject.nunique() == people.N_PEOPLE and decisions.person.all()
    assert set(decisions.condition) == set(people.CONDITIONS)
    assert 0 < (decisions.object_response == "na").mean() < 0.03
    categories = geirhos2021.load_categories(folder, set(decisions.category))
    assert sorted(np.concatenate(list(categories.values()))) == list(range(100)) and len(categories) == 16
    trials = decisions[decisions.subject == "subject-01"]
    paths = geirhos2021.find_images(folder, trials)
    held_out = dict(zip(catalogue.held_out.names, catalogue.held_out.pictures, strict=True))
    classes = dict(zip(catalogue.held_out.names, catalogue.held_out.category, strict=True))
    clean = (trials.condition == "0.0").to_numpy()
    for i in np.flatnonzero(clean)[:5]:
        np.testing.assert_array_equal(np.asarray(Image.open(paths[i])), held_out[trials.stimulus.iloc[i]])
    assert all(classes[t.stimulus] in categories[t.category] for t in trials.itertuples())


def test_simulated_people_are_worse_in_noise_and_agree_beyond_their_accuracy(decisions):
    rng = np.random.default_rng(0)
    accuracy = []
    for condition in people.CONDITIONS:
        right = right_of(decisions, condition)
        accuracy.append(right.mean())
        apart = np.stack([rng.permutation(row) for row in right])
        assert human_ceiling(right) > 0.2 and abs(human_ceiling(apart)) < 0.06
    assert 0.9 > accuracy[0] > accuracy[1] + 0.04 > 0.4


def test_the_shared_evidence_is_what_makes_them_agree(catalogue, monkeypatch):
    centres = people._class_centres(catalogue)
    category = people.make_categories(centres)
    dimensions = catalogue.held_out.dimensions
    truth, condition = category[catalogue.held_out.category], np.full(len(dimensions), "0.03")

    def ceiling(shared):
        monkeypatch.setattr(people, "SHARED", shared)
        answers = [people.decide(dimensions, condition, centres, category, 0, person) for person in range(1, 5)]
        return human_ceiling(np.stack([answer == truth for answer in answers]))

    alone, some, same = (ceiling(shared) for shared in (0.0, 0.6, 1.0))
    assert alone + 0.1 < some < same - 0.1


def test_few_classes_fill_as_many_categories_as_they_can():
    centres = np.random.default_rng(0).uniform(-1, 1, (10, 8))
    assert len(set(people.make_categories(centres))) == 10
    category = people.make_categories(np.random.default_rng(1).uniform(-1, 1, (40, 8)))
    assert np.unique(category, return_counts=True)[1].tolist().count(2) >= 8


def test_the_same_seed_gives_the_same_files_and_another_one_others(folder, catalogue):
    name = "raw-data/simulated-noise_subject-03_session_1.csv"
    written = (folder / "geirhos2021" / people.EXPERIMENT / name).read_text()
    again, other = (
        next(text for path, text in people.people_files(catalogue, seed) if path.endswith(name)) for seed in (0, 1)
    )
    assert again == written != other
    mapping = json.loads((folder / "geirhos2021" / "sixteen_class_mapping.json").read_text())
    assert all([catalogue.classes[i] for i in e["imagenet_indices"]] == e["wnids"] for e in mapping.values())
