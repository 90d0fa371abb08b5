"""Chapter 10b: what the kept experiment with real people found, and how it reads."""

from realnet.analyses.summary import interval

KINDS = ("pretrained", "control", "aligned", "shuffled")


def effects(table, layer="mean", n_train=69, trained_on="people"):
    """Differences of one layer (``mean`` of the stages, or ``best``), a row per loss and brain: DataFrame."""
    rows = table[(table.metric == "difference") & (table.layer == layer)]
    rows = rows[(rows.n_train == n_train) & (rows.trained_on == trained_on)]
    text = [interval(row) for row in rows.itertuples()]
    named = rows.assign(text=text, comparison=rows.model + " - " + rows.reference)
    return named.pivot(index=["loss", "roi"], columns="comparison", values="text")


def agreement(table):
    """Share of held-out images whose class is that of the network before: mean per kind, loss and training images."""
    rows = table[table.metric == "agreement"]
    rows = rows.assign(loss=rows.loss.fillna("").replace("", "-"))  # read from a file, an empty text is missing
    return rows.pivot_table(index=["model", "loss"], columns="n_train", values="value").round(3)


def answers(table):
    """One sentence per loss: is the aligned network more similar than the shuffled one, and to whom?"""
    rows = table[(table.metric == "difference") & (table.layer == "mean") & (table.n_train == 69)]
    rows = rows[(rows.trained_on == "people") & (rows.model == "aligned") & (rows.reference == "shuffled")]
    sentences = []
    for loss, found in rows.groupby("loss", sort=False):
        above = [f"{row.roi} ({interval(row)})" for row in found[found.lower > 0].itertuples()]
        words = f"above zero for {'; '.join(above) or 'no recording'}"
        rest = "; ".join(found.roi[found.lower <= 0])
        words += f". Not above zero for {rest}" if above and rest else ""
        sentences.append(f"{loss} loss: aligned minus shuffled is {words}.")
    return "\n".join(sentences)
