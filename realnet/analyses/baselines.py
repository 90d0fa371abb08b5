"""Chapter 03b: models without training, what networks add to them, specificity to a subject, encoding of voxels.

Rows but ``rho`` are values of a kind of networks or, with ``reference``, differences of two kinds; per subject
(``trained_on`` = ``subject``) and for their ``mean``, per region and for the ``mean``, with the intervals and p of
:func:`realnet.statistics.generalise` over images, seeds and, for the mean, subjects.
"""

from itertools import product

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import pdist
from sklearn.decomposition import KernelPCA
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from realnet.activations import compute_activations, compute_model_rdms
from realnet.analyses import BEST, comparisons, effect_rows, kinds_of, network_grid, resampled_similarities, with_mean
from realnet.cornet import LAYERS, CORnetS
from realnet.io import load_model_rdms, load_prepared
from realnet.networks import load_network, load_pretrained, load_stimuli
from realnet.rdm import correlation_rdm, count_stimuli, labelled
from realnet.responses import reliable_voxels
from realnet.similarity import FeatureRDMs, compare_rdms, partial_spearman
from realnet.statistics import bootstrap_partial_spearman, generalise

LOW_LEVEL = ("pixels", "mean RGB", "gabor")
ALPHAS = np.logspace(-1, 4, 6)  # penalties of the ridge regression, per feature of standard deviation 1


def baseline_rdms(study, stimulus_set):
    """RDMs of models without training: DataArray (baseline, pair).

    ``model``: ``pixels`` (1 - Pearson), ``mean RGB`` (distance of mean colours), ``gabor`` (1 - Pearson of
    :func:`gabor_energy`), ``untrained`` (CORnet-S with random weights, per ``layer``; the others have ``best``) and
    ``category`` (0 where ids agree before the first ``_``, as WordNet ids do, else 1), without constant ones.
    """
    stimulus, images = load_stimuli(study, stimulus_set)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = compute_model_rdms(CORnetS(load_pretrained(study).width), images, stimulus)
    kinds = np.unique([name.split("_")[0] for name in stimulus], return_inverse=True)[1]
    rdms = {"pixels": correlation_rdm(images.flatten(1)), "mean RGB": pdist(images.double().mean((2, 3))),
            "gabor": correlation_rdm(gabor_energy(images)), "category": pdist(kinds[:, None], "hamming")}  # fmt: skip
    rows = [(name, BEST, rdm) for name, rdm in rdms.items() if np.ptp(rdm) > 0]
    rows += [("untrained", layer, rdm) for layer, rdm in zip(LAYERS, untrained.values, strict=True)]
    models, layers, rdms = map(list, zip(*rows, strict=True))
    return labelled(rdms, stimulus, ("baseline",), model=("baseline", models), layer=("baseline", layers))


def gabor_energy(images):
    """Energy of Gabor filters (2 to 16 cycles per image, 8 orientations) on grey images, averaged in an 8 x 8 grid.

        E = |x * g|^2, the Fourier transform of g a Gaussian around c cycles per image whose SD is c / 3

    Returns tensor (n_images, n_frequencies * 8 * 64) of tensor (n_images, 3, size, size); c is at most size / 4.
    """
    size, energy = images.shape[-1], []
    spectrum, frequency = torch.fft.fft2(images.float().mean(dim=1)), torch.fft.fftfreq(size, 1 / size)
    spectrum[:, 0, 0] = 0  # mean luminance
    for c, angle in product([c for c in (2, 4, 8, 16) if c <= size / 4], np.pi * np.arange(8) / 8):
        squared = (frequency - c * np.sin(angle))[:, None] ** 2 + (frequency - c * np.cos(angle)) ** 2
        filtered = torch.fft.ifft2(spectrum * torch.exp(-squared / (2 * (c / 3) ** 2)))
        energy.append(torch.nn.functional.adaptive_avg_pool2d(filtered.abs() ** 2, 8).flatten(1))
    return torch.cat(energy, dim=1)


def baseline_similarity(study, baselines):
    """Rows ``rho``: Spearman of each baseline (``model``) with the fMRI and EEG, by layer and at the best one.

    ``baselines``: dict stimulus set -> DataArray of :func:`baseline_rdms`.
    """
    recordings, parts = [(study.fmri.dataset, name) for name in study.stimulus_sets if name != "things"], []
    recordings += [("horikawa2017", "natural")] * bool(study.fmri.other_subjects)
    for dataset, name in recordings + [("things_eeg2", "things")] * bool(study.eeg.subjects):
        brains = load_prepared(study, f"{dataset}_rdms", name)
        rows = compare_rdms(baselines[name], brains).to_dataframe("value").reset_index()
        best = rows.groupby(["model", *brains.dims[:-1]], as_index=False).value.max().assign(layer=BEST)
        rows = pd.concat([best, rows[rows.layer != BEST].drop(columns="baseline")])
        parts.append(rows.assign(metric="rho", dataset=dataset, stimulus_set=name))
    return pd.concat(parts, ignore_index=True)


def unique_variance(study, networks, baseline):
    """Rows ``unique``: r |r| (the square with its sign) of the partial Spearman correlation r of a network's best layer
    with a region of the subject, given CORnet's layers and the low-level rows of ``baseline`` (of the main images)."""
    models, brains = _rdms(study, study.fmri.main_set, networks)
    given = [*models[0].values, *baseline[np.isin(baseline.model, LOW_LEVEL)].values]
    best, kinds = compare_rdms(models, brains).values.argmax(axis=1), {}  # (network, subject, roi)
    draws = study.inference.n_bootstraps, study.inference.seed
    for model in kinds_of(networks)[1:]:
        grid = network_grid(networks, model)
        r = np.empty((1 + draws[0], brains.sizes["roi"], *grid.shape))
        for roi, subject, seed in np.ndindex(r.shape[1:]):
            n, brain = grid[subject, seed], brains.values[subject, roi]
            features = FeatureRDMs(np.stack([models.values[n, best[n, subject, roi]], *given]))
            r[0, roi, subject, seed] = partial_spearman(brain, features)[0]
            r[1:, roi, subject, seed] = bootstrap_partial_spearman(brain, features, *draws)[:, 0]
        kinds[model] = with_mean(r * abs(r), 1)
    axes = {"roi": [*brains.roi.values.tolist(), "mean"]}
    return _rows(study, networks, kinds, count_stimuli(models.sizes["pair"]), axes, metric="unique", layer=BEST)


def specificity(study, networks):
    """Rows ``specificity``: similarity with a subject of its own network minus that of the other subjects' networks of
    the same kind and seed, at the best layers. None for a single subject; CORnet and Control, which belong to no
    subject, have 0: the value of another kind is its difference from them."""
    parts, n = [pd.DataFrame()], len(study.fmri.subjects)
    weight = (n * np.eye(n) - 1) / max(n - 1, 1)  # (trained on, subject)
    for name in study.fmri.test_sets if n > 1 else ():
        models, brains = _rdms(study, name, networks)
        values, n_images = resampled_similarities(models, brains, study.inference)
        values = with_mean(values.max(axis=2), 3)  # (1 + n_bootstraps, network, subject, roi)
        grids = {n.model: network_grid(networks, n.model) for n in networks if n.subject}
        kinds = {model: np.einsum("btisr,ts->brsi", values[:, grid], weight) for model, grid in grids.items()}
        about = {"metric": "specificity", "layer": BEST, "stimulus_set": name}
        parts.append(_rows(study, networks, kinds, n_images, {"roi": [*brains.roi.values.tolist(), "mean"]}, **about))
    return pd.concat(parts, ignore_index=True)


def encoding(study, networks):
    """Rows ``encoding``: R2 of the responses to natural images that :func:`predict_voxels` predicts from a layer, over
    the reliability of the voxel, mean over a region's reliable voxels; of the regions that have some in every subject.
    None where images were shown once, or the study reads no training images."""
    empty = pd.DataFrame(columns=["model", "reference", "value", "metric"])
    if not study.trains:
        return empty
    ids, images = zip(*(load_stimuli(study, name) for name in ("training", "natural")), strict=True)
    data = [reliable_voxels(study, subject, *ids) for subject in sorted(study.fmri.subjects)]
    rois = [] if None in data else [roi for roi in study.fmri.rois if all(roi in part[3] for part in data)]
    if not rois:
        return empty
    n, n_bootstraps = len(ids[1]), study.inference.n_bootstraps
    counts = np.random.default_rng(study.inference.seed).multinomial(n, np.full(n, 1 / n), n_bootstraps)
    counts = np.vstack([np.ones(n), counts])
    shares = np.full((len(networks), len(data), len(counts), len(LAYERS), len(rois)), np.nan)
    for i, network in enumerate(networks):
        own = [s for s, subject in enumerate(sorted(study.fmri.subjects)) if network.subject in (0, subject)]
        features = [compute_activations(load_network(study, network), part) for part in images]
        for k, layer in enumerate(LAYERS):
            predicted = predict_voxels(*(part[layer] for part in features), [data[s][0] for s in own])
            for s, response in zip(own, predicted, strict=True):
                _, measured, reliable, masks = data[s]
                total = counts @ measured**2 - (counts @ measured) ** 2 / n
                share = (1 - counts @ (measured - response) ** 2 / total) / reliable
                shares[i, s, :, k] = np.stack([share[:, masks[roi]].mean(axis=1) for roi in rois], axis=1)
    at = np.arange(len(data))[:, None]
    kinds = {model: shares[network_grid(networks, model), at].transpose(2, 3, 4, 0, 1) for model in kinds_of(networks)}
    kinds = {model: with_mean(values, 2) for model, values in kinds.items()}
    return _rows(study, networks, kinds, n, {"layer": LAYERS, "roi": [*rois, "mean"]}, metric="encoding")


def predict_voxels(train, test, responses):
    """Responses to test images by ridge regression on standardised features; each voxel has the penalty of ``ALPHAS``
    (per feature) with the smallest leave-one-out error.

    ``train``, ``test``: array (n, n_features); ``responses``: list of array (n_train, n_voxels). Returns list of array
    (n_test, n_voxels).
    """
    n_features, scaler = train.shape[1], StandardScaler().fit(train)
    train, test = (scaler.transform(x).astype(float) for x in (train, test))
    if n_features > len(train):  # the principal axes: fewer features, and the same predictions
        rotation = KernelPCA(eigen_solver="dense", remove_zero_eig=True)
        train, test = rotation.fit_transform(train), rotation.transform(test)
    ridge = RidgeCV(ALPHAS * n_features, alpha_per_target=True).fit(train, np.hstack(responses))
    return np.split(ridge.predict(test), np.cumsum([y.shape[1] for y in responses])[:-1], axis=1)


def _rdms(study, stimulus_set, networks):
    """RDMs of the networks, and of the subjects in the order of `network_grid`."""
    models = load_model_rdms(study, stimulus_set, networks).sel(layer=list(LAYERS))
    trained = sorted({n.trained_on for n in networks if n.subject})
    brains = load_prepared(study, f"{study.fmri.dataset}_rdms", stimulus_set).sel(subject=trained)
    return models, brains.transpose("subject", "roi", "pair")


def _rows(study, networks, kinds, n_images, axes, **about):
    """Rows of each kind's values (1 + n_bootstraps, *axes, subject, seed) and of the differences of two kinds."""
    rows, names = [], [*sorted({n.trained_on for n in networks if n.subject}), "mean"]
    pairs = [pair for pair in comparisons(networks) if {*pair} <= {*kinds}]
    for (model, reference), (i, name) in product([*((m, None) for m in kinds), *pairs], enumerate(names)):
        values = kinds[model] - kinds[reference] if reference else kinds[model]
        values = values if name == "mean" else values[..., i : i + 1, :]
        columns = {"model": model, "reference": reference, "subject": name, "trained_on": name, **about}
        rows += effect_rows(generalise(values, n_images, 2, study.inference.level), axes, **columns)
    settings = {"dataset": study.fmri.dataset, "beta": study.training.main_beta, "n_seeds": values.shape[-1]}
    return pd.DataFrame([{"stimulus_set": study.fmri.main_set, **settings, **row} for row in rows])
