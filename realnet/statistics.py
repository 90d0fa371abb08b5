"""Inference on similarities: bootstraps over images and subjects, permutations, sign flips, clusters, calibration.

With three subjects no test over subjects can be significant (see `sign_flip_test`); images are many, so intervals come
from a bootstrap over images, and everything that is compared shares its resamples.
"""

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from realnet.errors import InvalidInput
from realnet.rdm import check_same_stimuli, square
from realnet.resampling import permuted_rdms, resampled_correlations
from realnet.similarity import FeatureRDMs, normalised_ranks, partial_from_correlations

ALTERNATIVES = ("greater", "less", "two-sided")


def bootstrap_similarities(model_rdms, brain_rdms, n_bootstraps=1000, seed=0):
    """Spearman correlation of every model RDM with every brain RDM, over images drawn with replacement.

    model_rdms (n_models, n_pairs), brain_rdms (n_brains, n_pairs) -> (n_bootstraps, n_models, n_brains). The images of
    a resample are the same for all, so that differences are paired; pairs of an image with itself are left out. NaN
    where an RDM is constant over a resample. Raises `InvalidInput` where the stimuli differ.
    Source: Nili et al. (2014), doi 10.1371/journal.pcbi.1003553.
    """
    check_same_stimuli(model_rdms, brain_rdms)
    model_rdms, brain_rdms = _as_rows(model_rdms), _as_rows(brain_rdms)
    if model_rdms.shape[1] != brain_rdms.shape[1]:
        raise InvalidInput(f"model RDMs have {model_rdms.shape[1]} pairs and brain RDMs {brain_rdms.shape[1]}")
    n_models = len(model_rdms)
    return resampled_correlations(np.vstack([model_rdms, brain_rdms]), n_models, n_models, n_bootstraps, seed)


def bootstrap_partial_spearman(rdms, feature_rdms, n_bootstraps=1000, seed=0):
    """Partial Spearman correlations (`realnet.similarity.partial_spearman`) over images drawn with replacement.

    rdms (n_pairs,) or (n_rdms, n_pairs), feature_rdms (n_features, n_pairs) or `FeatureRDMs` -> (n_bootstraps,
    n_features) or (n_bootstraps, n_rdms, n_features); the resamples are those of `bootstrap_similarities` with the
    same seed and images.
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdms, features.source)
    rows = np.vstack([features.ranks, _as_rows(rdms)])
    n_features = len(features.ranks)
    correlations = resampled_correlations(rows, len(rows), 0, n_bootstraps, seed)
    try:
        inverse = np.linalg.inv(correlations[:, :n_features, :n_features])
    except np.linalg.LinAlgError:
        raise InvalidInput(
            f"{n_features} features are collinear over a resample of the images: use fewer features"
        ) from None
    partial, _ = partial_from_correlations(correlations[:, n_features:, :n_features], inverse)
    return partial[:, 0] if np.ndim(rdms) == 1 else partial


def permute_partial_spearman(rdm, feature_rdms, n_permutations=1000, seed=0):
    """Partial Spearman correlations after the images of `rdm` were permuted: what chance gives.

    rdm (n_pairs,), feature_rdms (n_features, n_pairs) or `FeatureRDMs` -> (n_permutations, n_features). Sums are in
    float32 (differences below 1e-5).
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdm, features.source)
    full = square(normalised_ranks(rdm, features.tie_tolerance)).astype(np.float32)
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(len(full)), (n_permutations, 1)), axis=1)
    orders = orders.astype(np.uint32)  # without a sign the compiler need not look for negative positions: twice as fast
    ranks = features.ranks.astype(np.float32)
    correlations = np.empty((n_permutations, len(ranks)))
    for start in range(0, n_permutations, 250):  # so many permuted RDMs of 200 images are 20 MB
        chunk = slice(start, start + 250)
        correlations[chunk] = permuted_rdms(full, orders[chunk]) @ ranks.T
    return partial_from_correlations(correlations, features.inverse)[0]


def resample_subjects(samples, axis=-1, seed=0):
    """Mean over subjects drawn with replacement, anew in every bootstrap: an interval that speaks of other people too.

    samples : bootstraps on axis 0, subjects on `axis` -> the same without `axis`. With a bootstrap over images both
    are resampled. Percentiles of these means are too narrow where few people differ much: `generalise_to_subjects`.
    """
    samples = np.moveaxis(np.asarray(samples, dtype=float), axis, -1)
    n_subjects = samples.shape[-1]
    drawn = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=len(samples))
    return np.einsum("b...s,bs->b...", samples, drawn / n_subjects)


def generalise_to_subjects(found, samples, level=0.95, alternative="greater"):
    """Mean over subjects with an interval and p that speak of other people and other images: (mean, lower, upper, p).

        mean +- t sqrt(v_subjects + v_images), t the quantile of Student's t with n_subjects - 1 degrees of freedom;
        v_subjects = variance of `found` over subjects / n_subjects, v_images = variance over the bootstraps of the
        mean over subjects; p from t = mean / sqrt(v_subjects + v_images)

    found : (..., n_subjects), what was found on all images; samples : (n_bootstraps, ..., n_subjects), the same over
    resampled images -> four arrays (...,). What the images' noise adds to the variance over subjects is counted twice,
    so the interval is rather wide; the percentiles of `resample_subjects` are too narrow where few people differ much
    (chapter 11: 3 people, coverage .8 instead of .95). Raises `InvalidInput` for one subject or other shapes.
    Source: the sum bounds the variance over both factors, Schütt et al. (2023), doi 10.7554/eLife.82566.
    """
    _check_alternative(alternative)
    _check_level(level)
    found, samples = np.asarray(found, dtype=float), np.asarray(samples, dtype=float)
    if found.ndim < 1 or found.shape[-1] < 2 or samples.shape[1:] != found.shape or len(samples) < 2:
        raise InvalidInput(
            "generalise_to_subjects expects values (..., n_subjects) of two subjects or more and samples of shape "
            f"(n_bootstraps, ..., n_subjects), not {found.shape} and {samples.shape}"
        )
    n_subjects = found.shape[-1]
    variance = found.var(axis=-1, ddof=1) / n_subjects + np.nanvar(samples.mean(axis=-1), axis=0, ddof=1)
    mean, error = found.mean(axis=-1), np.sqrt(variance)
    half_width = stats.t.ppf((1 + level) / 2, n_subjects - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0, mean / error)
    tails = {"greater": t, "less": -t, "two-sided": np.abs(t)}
    p = stats.t.sf(tails[alternative], n_subjects - 1) * (2 if alternative == "two-sided" else 1)
    return mean, mean - half_width, mean + half_width, p


def confidence_interval(samples, level=0.95, axis=0):
    """Percentile interval of bootstrap samples: (lower, upper), quantiles (1 -+ level) / 2 along `axis` without NaN."""
    _check_level(level)
    return tuple(np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=axis))


def bootstrap_p(samples, alternative="greater", axis=0):
    """p that the bootstrapped quantity is not above 0 ("greater"), not below ("less") or 0 ("two-sided").

    p = (1 + number of samples at or beyond 0) / (1 + number of samples); two-sided: twice the smaller one, at most 1
    """
    samples = np.moveaxis(np.asarray(samples, dtype=float), axis, 0)
    return permutation_p(0.0, -samples, alternative)


def permutation_p(observed, null, alternative="greater"):
    """p of `observed` (...,) among `null` (n_permutations, ...): (1 + number at least as extreme) / (1 + number)."""
    _check_alternative(alternative)
    null = np.asarray(null, dtype=float)
    # "not less extreme" counts a NaN (a resample that said nothing) against the effect
    greater = (1 + (~(null < observed)).sum(axis=0)) / (1 + len(null))
    less = (1 + (~(null > observed)).sum(axis=0)) / (1 + len(null))
    return {"greater": greater, "less": less, "two-sided": np.minimum(1, 2 * np.minimum(greater, less))}[alternative]


def sign_flip_test(values, alternative="greater", n_permutations=10000, seed=0):
    """p that the mean over subjects is 0, from flipping the signs of whole subjects: (n_subjects, ...) -> (...,).

    Exact (all flips) where 2^n_subjects <= n_permutations. It cannot fall below `smallest_sign_flip_p`: with 3 subjects
    .125 one-sided, .25 two-sided, whatever the effect; use a bootstrap over images there. Not corrected for the
    number of values: see `fdr` and `cluster_test`.
    """
    _check_alternative(alternative)
    values = _finite_subjects(values)
    settings = {"permutation_type": "samples", "n_resamples": n_permutations, "vectorized": True, "rng": seed}
    return stats.permutation_test((values,), np.mean, alternative=alternative, **settings).pvalue


def smallest_sign_flip_p(n_subjects, alternative="greater"):
    """The least p that a sign flip over n_subjects can give: 2^-n_subjects, twice that two-sided."""
    _check_alternative(alternative)
    return 2.0**-n_subjects * (2 if alternative == "two-sided" else 1)


def fdr(p):
    """p adjusted for the false discovery rate over all of them (Benjamini & Hochberg 1995), in the shape of p."""
    p = np.asarray(p, dtype=float)
    if p.size == 0 or not ((p >= 0) & (p <= 1)).all():
        raise InvalidInput("fdr expects p values between 0 and 1, one or more, without NaN")
    return multipletests(p.ravel(), method="fdr_bh")[1].reshape(p.shape)


def cluster_test(values, n_permutations=10000, seed=0, alternative="two-sided", threshold_p=0.05):
    """p per time, corrected over times: clusters of t against the largest cluster mass under sign flips of subjects.

        t over subjects at each time; a cluster is a run of times with t of one sign beyond that of threshold_p; its
        mass is the sum of |t|; p = share of sign flips, the data among them, with any cluster at least as heavy

    values : (n_subjects, n_times) differences -> p (n_times,), that of the cluster of a time, 1 outside of clusters.
    Exact (all flips) where 2^n_subjects <= n_permutations. A time at which every subject is 0 is in no cluster; one at
    which all differ by the same amount has an infinite t. A cluster says that there is an effect, not exactly when.
    Source: Maris & Oostenveld (2007), doi 10.1016/j.jneumeth.2007.03.024. Deviation: not by mne, whose exact one-sided
    test (1.13) leaves out the flip of all subjects and counts the data twice; two-sided the two are equal.
    """
    _check_alternative(alternative)
    values = _finite_subjects(values)
    if values.ndim != 2 or values.size == 0 or n_permutations < 1:
        raise InvalidInput(
            "cluster_test expects values of shape (n_subjects, n_times) and one permutation or more, not"
            f" {values.shape} and {n_permutations}"
        )
    signs = {"greater": (1,), "less": (-1,), "two-sided": (1, -1)}[alternative]
    threshold = stats.t.isf(threshold_p / len(signs), len(values) - 1)
    scores = _flipped_t(values, _sign_flips(len(values), n_permutations, seed))
    # mass of the cluster up to each time, and the heaviest of every flip; the first flip is the data
    p = np.ones(values.shape[1])
    heaviest = np.max([_cluster_masses(sign * scores, threshold).max(axis=1) for sign in signs], axis=0)
    for sign in signs:
        masses = _cluster_masses(sign * scores[:1], threshold)[0]
        for time in np.flatnonzero(masses)[::-1]:
            if time + 1 == len(masses) or masses[time + 1] == 0:  # the end of a cluster, where its mass is complete
                cluster_p = np.mean(heaviest >= masses[time] * (1 - 1e-9))  # equal masses may differ in their last bits
            p[time] = cluster_p
    return p


def null_data(n_subjects, n_times, autocorrelation=0.0, shared_offset=0.0, rng=None):
    """Differences (n_subjects, n_times) with no effect in them, to try a test on.

    Normal, variance 1 at each time, correlated autocorrelation^lag over times; plus an offset of standard deviation
    shared_offset that a subject has at all times, of mean 0 over subjects.
    """
    rng = np.random.default_rng(rng)
    noise = rng.standard_normal((n_subjects, n_times))
    for time in range(1, n_times):
        noise[:, time] = autocorrelation * noise[:, time - 1] + np.sqrt(1 - autocorrelation**2) * noise[:, time]
    return noise + shared_offset * rng.standard_normal((n_subjects, 1))


def family_wise_error(test, simulate, n_sets=2000, level=0.05, seed=0):
    """Share of null data sets on which a test finds anything: (rate, its standard error).

    test(values) -> p values; simulate(rng) -> values without an effect. Each set has its own generator: none depends
    on earlier ones. The rate of a good test lies within about two standard errors of `level`, or below.
    """
    children = np.random.SeedSequence(seed).spawn(n_sets)
    found = [np.min(test(simulate(np.random.default_rng(child)))) <= level for child in children]
    rate = float(np.mean(found))
    return rate, float(np.sqrt(max(rate * (1 - rate), level * (1 - level)) / n_sets))


def _sign_flips(n_subjects, n_permutations, seed):
    """Signs (n_flips, n_subjects), the first all +1: every combination where these are few enough, else random."""
    if 2.0**n_subjects <= n_permutations:
        return 1 - 2 * ((np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects)) & 1)
    flips = np.random.default_rng(seed).choice([-1, 1], size=(n_permutations, n_subjects))
    flips[0] = 1
    return flips


def _flipped_t(values, flips):
    """t over subjects after each flip, (n_flips, n_times); the sum of squares is the same for all flips."""
    n_subjects = len(values)
    mean, square_sum = flips @ values / n_subjects, (values**2).sum(axis=0)
    variance = (square_sum - n_subjects * mean**2) / (n_subjects - 1)
    variance[variance < 1e-13 * square_sum] = 0  # what rounding leaves where all subjects differ by the same amount
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, 0, mean / np.sqrt(variance / n_subjects))


def _cluster_masses(scores, threshold):
    """At each time the sum of the scores of the cluster so far, 0 outside of clusters: (n_flips, n_times)."""
    masses = np.where(scores > threshold, scores, 0)
    for time in range(1, masses.shape[1]):
        masses[:, time] += np.where(masses[:, time] > 0, masses[:, time - 1], 0)
    return masses


def _as_rows(rdms):
    rdms = np.atleast_2d(np.asarray(rdms, dtype=float))
    if rdms.ndim != 2:
        raise InvalidInput(f"a bootstrap expects RDMs of shape (n_rdms, n_pairs), not {rdms.shape}")
    return rdms


def _finite_subjects(values):
    values = np.asarray(values, dtype=float)
    if values.ndim < 1 or len(values) < 2 or not np.isfinite(values).all():
        raise InvalidInput(
            f"a test over subjects expects finite values of two subjects or more; this array {values.shape} is not so"
        )
    return values


def _check_alternative(alternative):
    if alternative not in ALTERNATIVES:
        raise InvalidInput(f"alternative must be one of {', '.join(ALTERNATIVES)}, not {alternative!r}")


def _check_level(level):
    if not 0 < level < 1:
        raise InvalidInput(f"the level of a confidence interval lies between 0 and 1, not at {level}")
