import h5py
import numpy as np
import pytest
import scipy.io
from scipy.spatial.distance import squareform
from scipy.stats import rankdata, spearmanr

from realnet.datasets import objects92
from realnet.errors import InvalidInput, MissingInput
from realnet.similarity import noise_ceiling


@pytest.fixture(scope="module")
def objects(real_data):
    return objects92.load(real_data)


@pytest.mark.parametrize(("region", "lower", "upper"), [("EVC", 0.239, 0.386), ("IT", 0.449, 0.535)])
def test_the_noise_ceilings_of_the_15_subjects_are_the_known_ones(objects, region, lower, upper):
    rdms = objects["human_rdms"].sel(region=region).to_numpy()
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


def test_the_fmri_of_15_subjects_and_the_published_rdms_share_the_order_of_images(objects):
    mean = objects["human_rdms"].mean("subject")
    human, monkey = (objects["reference_rdms"].sel(reference=name) for name in ("hIT", "mIT"))
    assert spearmanr(mean.sel(region="IT"), human).statistic == pytest.approx(0.557, abs=0.003)
    assert spearmanr(mean.sel(region="IT"), monkey).statistic == pytest.approx(0.486, abs=0.003)


def test_pairs_are_condensed_as_squareform_has_them(objects, real_data):
    with h5py.File(real_data / "algonauts2019" / "92" / "target_fmri.mat") as file:
        square = file["EVC_RDMs"][:, :, 3]
    np.testing.assert_array_equal(
        objects["human_rdms"].sel(region="EVC", subject="sub-04"), squareform(square, checks=False)
    )
    assert (objects["stimulus_a"].to_numpy()[0], objects["stimulus_b"].to_numpy()[-1]) == ("object-01", "object-92")
    pair = int(np.flatnonzero((objects["stimulus_a"] == "object-03") & (objects["stimulus_b"] == "object-10"))[0])
    assert objects["human_rdms"].sel(region="EVC", subject="sub-04")[pair] == square[2, 9]


@pytest.fixture
def copies(real_data, tmp_path):
    for name in ("Kriegeskorte_Neuron2008_supplementalData.mat", "target_fmri.mat"):
        (tmp_path / name).write_bytes(next(real_data.rglob(name)).read_bytes())
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


def test_files_of_another_shape_truncated_or_absent_are_refused_by_name(copies):
    images, fmri = copies / "Kriegeskorte_Neuron2008_supplementalData.mat", copies / "target_fmri.mat"
    content = images.read_bytes()
    scipy.io.savemat(copies / "other.mat", {"stimuli_92objs": np.zeros(3)})
    for damaged in (content[:1_000_000], b"", b"text", (copies / "other.mat").read_bytes()):
        images.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=r"supplementalData.mat: expected the 92 objects"):
            objects92.load(copies)
    images.write_bytes(content)
    with h5py.File(fmri, "r+") as file:
        del file["IT_RDMs"]
        file["IT_RDMs"] = np.zeros((118, 118, 15))
    with pytest.raises(InvalidInput, match="92 x 92 x 15"):
        objects92.load(copies)
    fmri.unlink()
    with pytest.raises(MissingInput, match=r"target_fmri.mat"):
        objects92.load(copies)
    images.unlink()
    with pytest.raises(MissingInput, match="92 object images"):
        objects92.load(copies)
