"""What the analyses share: networks and references, noise ceilings, and arrays as tidy tables."""

import numpy as np
import pandas as pd
from scipy import stats

from realnet.similarity import noise_ceiling

REFERENCES = ("cornet", "control")  # networks that ReAlnet is compared with
BEST, CROSSVALIDATED = "best", "cross-validated"  # ``layer``: chosen on the same images, or on other images


def kinds_of(networks):
    """The kinds of networks present, in the order of the figures."""
    return [kind for kind in ("cornet", "control", "realnet", "shuffled") if any(n.model == kind for n in networks)]


def reference_stem(networks, network, reference):
    """The stem of CORnet, or of the Control of the same subject and seed as ``network``."""
    if reference == "cornet":
        return "cornet"
    same = (n for n in networks if n.model == "control" and (n.subject, n.seed) == (network.subject, network.seed))
    return next(same).stem


def tidy(array, networks, **columns):
    """A DataArray with the dimension ``network`` (stems) as a table with the columns that identify each network."""
    table = array.rename("value").to_dataframe()[["value"]].reset_index()
    about = pd.DataFrame([{"network": n.stem, **n.columns} for n in networks])
    return table.merge(about, on="network", validate="many_to_one").drop(columns="network").assign(**columns)


def ceilings_of(rdms, dim):
    """Noise ceilings of RDMs (subject, dim, pair): dict name -> (lower, upper), NaN for a single subject."""
    names = rdms[dim].values.tolist()
    if rdms.sizes["subject"] < 2:
        return dict.fromkeys(names, (np.nan, np.nan))
    return {name: noise_ceiling(rdms.sel({dim: name}).transpose("subject", "pair").values) for name in names}


def add_ceilings(table, column, ceilings):
    """Add ``ceiling_lower`` and ``ceiling_upper`` from a dict value of ``column`` -> (lower, upper)."""
    lower, upper = (table[column].map(lambda key, end=end: ceilings[key][end]) for end in (0, 1))
    return table.assign(ceiling_lower=lower, ceiling_upper=upper)


def t_interval(values, level=0.95):
    """Student's t interval of the mean of ``values`` (n,): (lower, upper); NaN for a single value."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.nan, np.nan
    half_width = stats.t.ppf(0.5 + level / 2, len(values) - 1) * stats.sem(values)
    return values.mean() - half_width, values.mean() + half_width
