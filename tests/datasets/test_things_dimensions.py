import numpy as np
import pytest

from realnet.datasets import things_dimensions
from realnet.errors import InvalidInput, MissingInput


def write(root, weights="0 .1\n.2 .3\n.4 .5", concepts="apple bear car", labels="red round", header="Word\tuniqueID"):
    (root / "spose_embedding_2d_sorted.txt").write_text(weights)
    (root / "item_names.tsv").write_text("\n".join([header, *(f"the {name}\t{name}" for name in concepts.split(" "))]))
    (root / "labels_2d.txt").write_text(labels.replace(" ", "\n"))
    return root


def test_the_published_embedding_is_read_to_the_last_digit(real_data):
    dimensions = things_dimensions.load(real_data)
    assert dimensions.shape == (1854, 49)
    lines = (real_data / "things_spose" / "spose_embedding_49d_sorted.txt").read_text().splitlines()
    np.testing.assert_array_equal(dimensions, [[float(number) for number in line.split()] for line in lines])


@pytest.mark.parametrize(
    ("concept", "dimension"),
    [("chicken_wire", "grating"), ("hot-air_balloon", "sky-"), ("hot_chocolate", "food-"), ("aardvark", "animal-")],
)
def test_rows_of_the_published_embedding_mean_what_their_concept_means(real_data, concept, dimension):
    row = things_dimensions.load(real_data).sel(concept=concept)
    assert dimension in "".join(row["dimension"].to_numpy()[np.argsort(-row.to_numpy())[:2]])


def test_rows_are_found_by_the_names_of_concepts_and_missing_ones_are_named(tmp_path):
    dimensions = things_dimensions.load(write(tmp_path))
    chosen = things_dimensions.for_concepts(dimensions, ["car", "apple", "car"])
    assert chosen.sel(dimension="round").to_numpy().tolist() == [0.5, 0.1, 0.5]
    with pytest.raises(InvalidInput, match="'zebra', 'Apple'"):
        things_dimensions.for_concepts(dimensions, ["apple", "zebra", "Apple"])


@pytest.mark.parametrize(
    "change",
    [*({"weights": f"1 2\n3 {bad}\n5 6"} for bad in ("x", "4_0", "", "nan", "inf", "1 2")),
     *({"weights": text} for text in ("1 2\n3 4", "1 2 3\n3 4 5\n5 6 7")), {"header": "Word\tname"},
     *({"labels": text} for text in ("red", "red red")),
     *({"concepts": text} for text in ("apple bear bear", "apple  bear"))],
)  # fmt: skip
def test_damaged_files_get_a_sentence_that_names_them(tmp_path, change):
    with pytest.raises(InvalidInput, match=r"spose_embedding_2d_sorted.txt: .*item_names.tsv.*labels_2d.txt, but "):
        things_dimensions.load(write(tmp_path, **change))


def test_files_are_those_that_loading_opens_and_missing_or_second_ones_are_named(tmp_path):
    with pytest.raises(MissingInput, match=r"spose_embedding_49d_sorted.txt"):
        things_dimensions.files(tmp_path)
    write(tmp_path)
    (tmp_path / "labels_49d.txt").touch()
    names = ["spose_embedding_2d_sorted.txt", "item_names.tsv", "labels_2d.txt"]
    assert things_dimensions.files(tmp_path) == [tmp_path / name for name in names]
    (tmp_path / "spose_embedding_3d_sorted.txt").touch()
    with pytest.raises(InvalidInput, match="expected one file"):
        things_dimensions.load(tmp_path)
