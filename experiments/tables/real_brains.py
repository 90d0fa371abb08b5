"""Chapter 10b: what the kept experiment with real people found, and how it reads."""

KINDS = ("pretrained", "control", "aligned", "shuffled")


def effects(table, layer="mean", n_train=69, trained_on="people"):
    """Differences of one layer (``mean`` of the stages, or ``best``), a row per loss and brain: DataFrame."""
    rows = table[(table.metric == "difference") & (table.layer == layer)]
    rows = rows[(rows.n_train == n_train) & (rows.trained_on == trained_on)]
    text = rows.value.map("{:+.3f}".format) + rows.lower.map(" ({:+.3f}".format) + rows.upper.map(" to {:+.3f})".format)
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
        yes = [
            f"{r.roi} ({r.value:+.3f}, {r.lower:+.3f} to {r.upper:+.3f})" for r in found[found.lower > 0].itertuples()
        ]
        no = found[found.lower <= 0].roi.tolist()
        more = (
            f"more similar than with shuffled images to {'; '.join(yes)}" if yes else "not clearly more similar to any"
        )
        sentences.append(f"{loss} loss: {more}{'; not clearly to ' + ', '.join(no) if yes and no else ''}.")
    return "\n".join(sentences)
