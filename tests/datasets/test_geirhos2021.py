"""Decisions of participants as published, and what happens with damaged files."""

import numpy as np
import pandas as pd
import pytest

from realnet.datasets import geirhos2021
from realnet.errors import InvalidInput, MissingInput
from simulation import published

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


def draw(folder, names=("oven10", "bear_a_1")):
    for name in names:
        published.write_file(folder / f"{name}.png", np.zeros((2, 2, 3), dtype=np.uint8))


def test_real_decisions_are_read_as_the_files_have_them(real_data):
    table = geirhos2021.load(real_data / "geirhos_edge")
    assert table.person.groupby(table.subject).first().sum() == 10 and table.subject.nunique() == 13
    assert (table.groupby("subject").size() == 160).all() and table.category.nunique() == 16
    path = next((real_data / "geirhos_edge").rglob("*subject-09*.csv"))
    raw = pd.read_csv(path, keep_default_na=False)  # an oracle that knows nothing of the layout
    ours = table[table.subject == "subject-09"]
    assert ours.object_response.tolist() == raw.object_response.tolist()
    assert ours.correct.mean() == np.mean(raw.object_response == raw.category)
    assert not ours.correct[ours.object_response == "na"].any()


def test_every_real_trial_finds_its_drawing_and_categories_have_the_known_classes(real_data):
    table = geirhos2021.load(real_data / "geirhos_edge")
    for subject in ("subject-01", "alexnet"):
        trials = table[table.subject == subject]
        paths = geirhos2021.find_images(real_data / "geirhos_edge", trials)
        assert [path.parent.name for path in paths] == trials.category.tolist() and len(set(paths)) == 160
    categories = geirhos2021.load_categories(real_data)
    assert len(categories) == 16 and categories["oven"].tolist() == [766] and len(categories["dog"]) == 109


def test_the_files_that_are_read_are_decisions_categories_and_images_and_no_others(real_data):
    names = [path.name for path in geirhos2021.files(real_data)]
    assert sum(name.endswith(".csv") for name in names) == 13 and sum(name.endswith(".png") for name in names) == 160
    assert len(names) == 13 + 1 + 160 and "sixteen_class_mapping.json" in names


def test_a_missing_answer_is_wrong_and_images_keep_their_underscores(tmp_path):
    write_decisions(tmp_path, header=HEADER.replace("session", "Session"))
    table = geirhos2021.load(tmp_path)
    assert table.correct.tolist() == [True, False] and table.stimulus.tolist() == ["oven10", "bear_a_1"]
    assert table.experiment.unique().tolist() == geirhos2021.find_experiments(tmp_path) == ["edge-experiment"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([ROWS[0].replace("oven,oven", "spoon,oven")], "subject-01 of edge-experiment has 'spoon' in trial 1"),
        ([ROWS[0], ROWS[0].replace("subject-01,1,1", "subject-01,1,3")], "in trial 3 .* oven10 .* once per image"),
        (["subject-01,1,2"], "edge-experiment_subject-01_session_1.csv: .*empty cells or no trials"),
        ([], "edge-experiment_subject-01_session_1.csv: .*empty cells or no trials"),
    ],
)
def test_damaged_decisions_are_refused_in_one_sentence(tmp_path, rows, says):
    write_decisions(tmp_path, rows)
    with pytest.raises(InvalidInput, match=says) as caught:
        geirhos2021.load(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_absent_columns_files_and_images_are_named(tmp_path):
    for read in (geirhos2021.load, geirhos2021.files):
        with pytest.raises(MissingInput, match=r"session_1.csv"):
            read(tmp_path)
    path = write_decisions(tmp_path)
    with pytest.raises(MissingInput, match=r"2 of 2 images of edge-experiment .* bear_a_1 in condition 0, oven10 in"):
        geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path))
    with pytest.raises(MissingInput, match="16 categories"):
        geirhos2021.load_categories(tmp_path)
    assert geirhos2021.files(tmp_path) == [path]
    write_decisions(tmp_path, header=HEADER.replace("imagename", "image"))
    with pytest.raises(InvalidInput, match=r"session_1.csv: .*'imagename'"):
        geirhos2021.load(tmp_path)


def test_images_are_told_apart_by_experiment_and_condition(tmp_path):
    rows = [f"subject-01,1,{i},0.5,oven,oven,{c},000{i}_con_s01_{c}_oven_00_a.png" for i, c in ((1, "c05"), (2, "c10"))]
    write_decisions(tmp_path, rows)
    names = ["0009_con_dnn_c05_oven_00_a", "0001_con_dnn_c10_oven_00_a", "0001_edg_dnn_c10_oven_00_a", "a"]
    draw(tmp_path / "edge", names)
    found = geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path))
    assert [path.stem for path in found] == names[:2]
    draw(tmp_path, ["0002_con_dnn_c10_oven_00_a"])
    with pytest.raises(InvalidInput, match="is also at"):
        geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path))


@pytest.mark.parametrize(
    "folders",
    [
        # as the repository texture-vs-shape has them
        {"edge-experiment": "stimuli/edges/oven", "silhouette-filled-experiment": "stimuli/filled-silhouettes/oven"},
        {"edge-experiment": "geirhos_edge", "silhouette-experiment": "filled-silhouettes"},
    ],
)
def test_an_image_named_after_its_object_is_taken_from_a_folder_named_after_the_experiment(tmp_path, folders):
    for name in folders:
        rows = [row.replace("_edg_", f"_{name[:3]}_") for row in ROWS]
        write_decisions(tmp_path, rows, name=f"{name}_subject-01_session_1.csv")
    draw(tmp_path / "stimuli" / "style-transfer")
    for name in folders:
        with pytest.raises(MissingInput, match=f"put them below a folder called {name}"):
            geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path, name))
    for folder in folders.values():
        draw(tmp_path / folder)
    for name, folder in folders.items():
        found = geirhos2021.find_images(tmp_path, geirhos2021.load(tmp_path, name))
        assert {path.parent for path in found} == {tmp_path / folder}


def test_categories_are_read_from_the_published_python_file_without_running_it_and_checked(tmp_path):
    path = tmp_path / "human_categories.py"
    path.write_text(
        'import no_such_package\nclass A:\n    oven = ["n04111531"]\n    oven_indices = [766]\n'
        "    dog_indices = [152, 153,  # setters\n        154]\n    other_indices = []\n    more_indices = range(3)\n"
    )
    found = geirhos2021.load_categories(tmp_path, {"oven", "dog"})
    assert {name: indices.tolist() for name, indices in found.items()} == {"dog": [152, 153, 154], "oven": [766]}
    with pytest.raises(InvalidInput, match="'truck'"):
        geirhos2021.load_categories(tmp_path, {"truck"})
    path.write_text("oven_indices = [f(1)]")
    with pytest.raises(InvalidInput, match=r"human_categories.py"):
        geirhos2021.load_categories(tmp_path)
    path.unlink()
    for text in ("[]", '{"oven": []}', '{"oven": {"imagenet_indices": []}}', "{"):
        (tmp_path / "sixteen_class_mapping.json").write_text(text)
        with pytest.raises(InvalidInput, match=r"sixteen_class_mapping.json"):
            geirhos2021.load_categories(tmp_path)
