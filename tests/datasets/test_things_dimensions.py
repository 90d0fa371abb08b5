import numpy as np
import pytest

from realnet.datasets import things_dimensions
from realnet.errors import InvalidInput, MissingInput


@pytest.fixture
def write(tmp_path):
    def write(weights=None, concepts=("apple", "bear", "car"), labels=("red", "round"), header="Word\tuniqueID", k=2):
        weights = np.arange(len(concepts) * k).reshape(-1, k) / 7 if weights is None else weights
        text = (
            weights if isinstance(weights, str) else "\n".join(" ".join(map(repr, map(float, row))) for row in weights)
        )
        (tmp_path / f"spose_embedding_{k}d_sorted.txt").write_text(text)
        (tmp_path / "item_names.tsv").write_text("\n".join([header, *(f"the {c}\t{c}" for c in concepts)]) + "\n")
        (tmp_path / f"labels_{k}d.txt").write_text("\n".join(labels) + "\n")
        return tmp_path

    return write


def test_load_gives_weights_under_the_names_of_concepts_and_dimensions(write):
    dimensions = things_dimensions.load(write())
    assert dimensions.dims == ("concept", "dimension")
    assert dimensions.sel(concept="bear", dimension="round").item() == pytest.approx(3 / 7)


def test_the_published_embedding_is_read_as_numpy_reads_it(real_data):
    dimensions = things_dimensions.load(real_data)
    assert dimensions.shape == (1854, 49)
    text = np.loadtxt(real_data / "things_spose" / "spose_embedding_49d_sorted.txt")
    np.testing.assert_array_equal(dimensions, text)


@pytest.mark.parametrize(
    ("concept", "dimension"),
    [
        ("chicken_wire", "has grating"),
        ("hot-air_balloon", "sky-related / flying-related / floating-related"),
        ("hot_chocolate", "food-related / eating-related / kitchen-related"),
        ("aardvark", "animal-related / organic"),
    ],
)
def test_rows_of_the_published_embedding_mean_what_their_concept_means(real_data, concept, dimension):
    row = things_dimensions.load(real_data).sel(concept=concept)
    strongest = row["dimension"].to_numpy()[np.argsort(-row.to_numpy())[:2]]
    assert dimension in strongest


def test_rows_for_concepts_come_in_their_order_and_may_repeat(write):
    dimensions = things_dimensions.load(write())
    chosen = things_dimensions.for_concepts(dimensions, ["car", "apple", "car"])
    np.testing.assert_array_equal(chosen, dimensions.to_numpy()[[2, 0, 2]])
    assert chosen["concept"].to_numpy().tolist() == ["car", "apple", "car"]


def test_concepts_without_a_row_are_named(write):
    dimensions = things_dimensions.load(write())
    with pytest.raises(InvalidInput, match="2 concepts have no row, among them zebra, Apple"):
        things_dimensions.for_concepts(dimensions, ["apple", "zebra", "Apple"])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"weights": "1 2\n3 x\n5 6"}, "numbers only"),
        ({"weights": "1 2\n3 4_0\n5 6"}, "numbers only"),
        ({"weights": "1 2\n3\n5 6"}, "equally many"),
        ({"weights": ""}, "equally many"),
        ({"weights": "1 2\n3 nan\n5 6"}, "finite"),
        ({"weights": "1 2\n3 inf\n5 6"}, "finite"),
        ({"weights": "1 2\n3 4"}, "3 concepts"),
        ({"weights": "1 2 3\n3 4 5\n5 6 7"}, "2 dimensions"),
        ({"labels": ("red",)}, "1 names"),
        ({"labels": ("red", "red")}, "every name of a dimension once"),
        ({"concepts": ("apple", "bear", "bear")}, "every concept"),
        ({"concepts": ("apple", "", "bear")}, "every concept"),
        ({"header": "Word\tname"}, "uniqueID"),
    ],
)
def test_spoilt_files_get_a_sentence(write, spoil, says):
    with pytest.raises(InvalidInput, match=says):
        things_dimensions.load(write(**spoil))


def test_wrong_encoding_missing_files_and_several_embeddings_are_errors(write, tmp_path):
    with pytest.raises(MissingInput, match=r"spose_embedding_49d_sorted.txt"):
        things_dimensions.load(tmp_path)
    write()
    (tmp_path / "item_names.tsv").write_bytes("Word\tuniqueID\nx\tcafé".encode("utf-16"))
    with pytest.raises(InvalidInput, match=r"item_names.tsv: expected UTF-8"):
        things_dimensions.load(tmp_path)
    write()
    write(k=1, labels=("red",))
    with pytest.raises(InvalidInput, match="2 in all"):
        things_dimensions.load(tmp_path)
    assert things_dimensions.load(tmp_path, n_dimensions=1).shape == (3, 1)
    (tmp_path / "labels_1d.txt").unlink()
    with pytest.raises(MissingInput, match=r"labels_1d.txt"):
        things_dimensions.load(tmp_path, n_dimensions=1)
