"""Chapter 05: layers against the EEG of other subjects, time by time."""

import numpy as np
import pandas as pd

from realnet.analyses import (
    add_ceilings,
    ceilings_of,
    comparisons,
    effect_rows,
    kinds_of,
    network_grid,
    resampled_similarities,
    tidy,
)
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import compare_rdms
from realnet.statistics import cluster_test, generalise, ratio


def eeg_table(study, networks):
    """Similarity of every layer with the EEG over time, and differences between kinds of networks (figure 4).

    Returns a DataFrame: ``rho``: per EEG subject, network, layer and time (s), with noise ceilings per time.
    ``difference``: per layer and time, mean over EEG subjects and networks (``subject`` and ``trained_on`` are
    ``mean``), with an interval over images, EEG subjects, training subjects and seeds; ``p_corrected`` for the times of
    a layer; ``p_cluster`` is the paper's test (sign flips of EEG subjects, mass of clusters over time), which
    generalises over EEG subjects alone and also finds differences between two Controls (chapter 11).
    ``window_difference``: the mean over all times (``time`` is missing). ``share``: what networks trained on shuffled
    pairs gain in the window, divided by what ReAlnet gains. ``improvement``: difference / reference, per EEG subject
    and for their mean, at times when the reference is above 0 after correction over times.
    """
    brains, inference = load_prepared(study, "things_eeg2_rdms", "things"), study.inference
    models, about = load_model_rdms(study, "things", networks), {"dataset": "things_eeg2", "stimulus_set": "things"}
    rho = compare_rdms(models, brains)
    table = add_ceilings(tidy(rho, networks, metric="rho", **about), "time", ceilings_of(brains, "time"))
    values, n_images = resampled_similarities(models, brains.transpose("subject", "time", "pair"), inference)
    options = {"n_images": n_images, "n_factors": 3, "level": inference.level}
    times, subjects = brains.time.values.astype(float).tolist(), brains.subject.values.astype(str).tolist()
    rows, n_seeds = [], network_grid(networks, "realnet").shape[1]
    for i, layer in enumerate(models.layer.values.astype(str)):
        # (1 + n_bootstraps, time, EEG subject, trained_on, seed)
        kinds = {m: values[:, network_grid(networks, m), i].transpose(0, 4, 3, 1, 2) for m in kinds_of(networks)}
        for model, reference in comparisons(networks):
            new, old = kinds[model], kinds[reference]
            mean = {"model": model, "reference": reference, "layer": layer, "subject": "mean", "trained_on": "mean"}
            differences = effect_rows(generalise(new - old, **options), {"time": times}, **mean, metric="difference")
            paired = (new - old)[0].mean(axis=(-1, -2)).T  # (EEG subject, time)
            p = [np.nan] * len(times)
            if len(paired) > 1:
                p = cluster_test(paired, inference.n_permutations, inference.seed)
            rows += [row | {"p_cluster": value} for row, value in zip(differences, p, strict=True)]
            window = (new - old).mean(axis=1)
            rows += effect_rows(generalise(window, **options), {}, **mean, metric="window_difference")
            if model != "realnet":
                gain = (kinds["realnet"] - old).mean(axis=1)
                rows += effect_rows(ratio(window, gain, **options), {}, **mean, metric="share")
                continue
            base = generalise(old, **options)
            clear = (base.value > 0) & (base.p_corrected < 1 - inference.level)
            for s, subject in enumerate([*subjects, "mean"]):
                one = slice(None) if subject == "mean" else slice(s, s + 1)
                gain = ratio((new - old)[:, :, one], old[:, :, one], **options)
                gain = [np.where(clear, part, np.nan) for part in gain]
                rows += effect_rows(gain, {"time": times}, **mean | {"subject": subject}, metric="improvement")
    rows = pd.DataFrame(rows).assign(**about, beta=study.training.main_beta, n_seeds=n_seeds)
    return pd.concat([table, rows], ignore_index=True)
