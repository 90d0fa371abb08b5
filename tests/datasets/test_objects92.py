import hashlib
import shutil

import h5py
import numpy as np
import pytest
import scipy.io
from scipy.spatial.distance import squareform
from scipy.stats import rankdata, spearmanr

from realnet.datasets import objects92
from realnet.errors import InvalidInput, MissingInput
from realnet.similarity import compare_rdms, noise_ceiling


@pytest.fixture(scope="module")
def objects():
    return objects92.load()


@pytest.fixture(scope="module")
def with_more_people(real_data):
    return objects92.load(real_data)


def test_the_committed_files_are_those_that_their_page_describes():
    page = (objects92.HERE / "README.md").read_text()
    files = list(objects92.HERE.glob("*.mat"))
    assert len(files) == 3 and "Copyright (c) 2019 rsatoolbox authors" in page
    assert all(f"`{file.name}`" in page and hashlib.sha256(file.read_bytes()).hexdigest() in page for file in files)


@pytest.mark.parametrize(("region", "lower", "upper"), [("EVC", 0.239, 0.386), ("IT", 0.449, 0.535)])
def test_the_noise_ceilings_of_the_15_subjects_are_the_known_ones(with_more_people, region, lower, upper):
    rdms = with_more_people["human_rdms"].sel(region=region).to_numpy()
    others = [spearmanr(rdms[i], np.delete(rdms, i, axis=0).mean(axis=0)).statistic for i in range(15)]
    everybody = [spearmanr(rdm, rdms.mean(axis=0)).statistic for rdm in rdms]
    assert (np.mean(others), np.mean(everybody)) == pytest.approx((lower, upper), abs=6e-4)
    ranks = rankdata(rdms, axis=1)  # ours averages ranks, as rsatoolbox does; the known values are of the raw RDMs
    others = [spearmanr(rdms[i], np.delete(ranks, i, axis=0).mean(axis=0)).statistic for i in range(15)]
    everybody = [spearmanr(rdm, ranks.mean(axis=0)).statistic for rdm in rdms]
    assert noise_ceiling(rdms) == pytest.approx((np.mean(others), np.mean(everybody)))


def test_the_images_come_with_categories_and_properties(objects):
    assert objects["images"].shape == (92, 175, 175, 3) and objects["images"].dtype == np.uint8
    assert objects["images"].dims == ("stimulus", "y", "x", "rgb")
    assert (objects["images"][:, 0, 0] == 128).all()  # on grey
    assert objects["category"].to_numpy()[[0, 91]].tolist() == ["human bodypart", "artificial inanimate"]
    assert int(objects["animal"].sum()) == 48
    inanimate = [category.endswith("inanimate") for category in objects["category"].to_numpy()]
    np.testing.assert_array_equal(objects["animal"], ~np.array(inanimate))


def test_two_sessions_of_a_person_agree_as_is_known(objects):
    """Values found independently from the file, in the order BE, KO, SN, TI."""
    assert objects["person"].values.tolist() == ["BE", "KO", "SN", "TI"]
    found = np.diagonal(compare_rdms(*(objects["session_rdms"].sel(session=i).values for i in (1, 2))))
    assert found == pytest.approx([0.277, 0.095, 0.383, 0.120], abs=6e-4)


def test_every_rdm_of_a_person_in_a_session_is_that_of_patterns(objects, with_more_people):
    """Then the component scores of the patterns are contained in it: 1 - RDM is positive definite."""
    rdms = [*objects["session_rdms"].values.reshape(8, -1), *with_more_people["human_rdms"].values.reshape(30, -1)]
    smallest = [np.linalg.eigvalsh(1 - squareform(rdm))[0] for rdm in rdms]
    assert min(smallest) > 0.01


def test_all_rdms_share_the_order_of_images(objects, with_more_people):
    human, monkey = (objects["reference_rdms"].sel(reference=name) for name in ("hIT", "mIT"))
    mean = with_more_people["human_rdms"].mean("subject").sel(region="IT")
    assert spearmanr(mean, human).statistic == pytest.approx(0.557, abs=0.003)
    assert spearmanr(mean, monkey).statistic == pytest.approx(0.486, abs=0.003)
    # the article's human IT is the mean of the four people of the file
    assert spearmanr(objects["session_rdms"].mean(["person", "session"]), human).statistic > 0.9
    # people judge as similar what human IT represents as similar (Mur et al. 2013), in no other order of the images
    judged, rng = squareform(objects["judgement_rdms"].mean("judge").values), np.random.default_rng(0)
    found = spearmanr(squareform(judged), human).statistic
    orders = [rng.permutation(92) for _ in range(20)]
    assert found > 0.2 > 2 * max(spearmanr(squareform(judged[order][:, order]), human).statistic for order in orders)


def test_pairs_are_condensed_as_squareform_has_them(with_more_people, real_data):
    objects = with_more_people
    with h5py.File(real_data / "algonauts2019" / "92" / "target_fmri.mat") as file:
        square = file["EVC_RDMs"][:, :, 3]
    np.testing.assert_array_equal(
        objects["human_rdms"].sel(region="EVC", subject="sub-04"), squareform(square, checks=False)
    )
    assert (objects["stimulus_a"].to_numpy()[0], objects["stimulus_b"].to_numpy()[-1]) == ("object-01", "object-92")
    pair = int(np.flatnonzero((objects["stimulus_a"] == "object-03") & (objects["stimulus_b"] == "object-10"))[0])
    assert objects["human_rdms"].sel(region="EVC", subject="sub-04")[pair] == square[2, 9]
    content = scipy.io.loadmat(objects92.HERE / "92_brainRDMs.mat")["RDMs"]
    assert objects["session_rdms"].sel(person="SN", session=2)[pair] == content[0, 2, 1]["RDM"][2, 9]


def test_without_the_15_people_there_is_everything_else(objects, tmp_path):
    assert "human_rdms" not in objects92.load(tmp_path) and "human_rdms" not in objects92.load(tmp_path / "nowhere")
    assert {"session_rdms", "judgement_rdms", "reference_rdms"} <= set(objects)


@pytest.fixture
def copies(real_data, tmp_path):
    (tmp_path / "target_fmri.mat").write_bytes(next(real_data.rglob("target_fmri.mat")).read_bytes())
    return tmp_path


def test_the_other_file_of_the_same_name_is_not_taken(copies):
    for folder in ("92", "118"):
        (copies / folder).mkdir()
    (copies / "target_fmri.mat").rename(copies / "92" / "target_fmri.mat")
    (copies / "118" / "target_fmri.mat").write_bytes(b"")
    assert objects92.load(copies).sizes["subject"] == 15


@pytest.mark.parametrize("value", [np.nan, -1.0, 0.123, np.inf])
def test_fmri_rdms_that_are_not_symmetric_numbers_are_refused(copies, value):
    with h5py.File(copies / "target_fmri.mat", "r+") as file:
        file["IT_RDMs"][3, 4, 5] = value
    with pytest.raises(InvalidInput, match=r"target_fmri.mat: expected symmetric"):
        objects92.load(copies)


def test_fmri_rdms_of_other_images_are_refused(copies):
    with h5py.File(copies / "target_fmri.mat", "r+") as file:
        del file["IT_RDMs"]
        file["IT_RDMs"] = np.zeros((118, 118, 15))
    with pytest.raises(InvalidInput, match="92 x 92 x 15"):
        objects92.load(copies)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Kriegeskorte_Neuron2008_supplementalData.mat", "expected the 92 objects"),
        ("92_brainRDMs.mat", "expected symmetric RDMs without NaN, 92 x 92, 1 x 4 x 2 of them"),
        ("92_behavRDMs.mat", "expected symmetric RDMs without NaN, 92 x 92, 1 x 16 of them"),
    ],
)
def test_files_of_another_shape_truncated_or_absent_are_refused_by_name(tmp_path, name, says):
    for file in objects92.HERE.glob("*.mat"):
        shutil.copy(file, tmp_path)
    content = (tmp_path / name).read_bytes()
    scipy.io.savemat(tmp_path / "other.mat", {"stimuli_92objs": np.zeros(3), "RDMs": 3, "rdms_behav_92": 3})
    for damaged in (content[:100_000], b"", b"text", (tmp_path / "other.mat").read_bytes()):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(InvalidInput, match=rf"{name}: {says}"):
            objects92.load(folder=tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(MissingInput, match="92 object images"):
        objects92.load(folder=tmp_path)
