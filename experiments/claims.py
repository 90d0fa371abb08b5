"""The findings of the demo over several training seeds and with every control (``python -m experiments.claims``).

The demo trains each network once. This run trains the same networks from the same kept pretrained network with further
seeds, and those on responses shuffled within categories; its findings are shown on the landing page.
"""

import time

from tqdm import tqdm

from experiments.simulated_studies import parse_arguments, prepare, simulated_study, train
from experiments.tables.kept import keep, pretrained_digest
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_table
from realnet.analyses.summary import summary_table
from realnet.io import save_table
from realnet.settings import Study


def main():
    """Train what is missing, analyse it as the demo does, and keep the table of the landing page."""
    given = parse_arguments("python -m experiments.claims", __doc__, seeds=(3, "trainings of each network"))
    start = time.monotonic()
    settings = simulated_study(0, seeds=tuple(range(given.seeds))).model_dump()
    settings["training"]["shuffled_within"] = True
    study = Study.model_validate(settings)
    prepare(study)
    networks = study.networks()
    for network in tqdm(networks, desc="networks"):
        train(study, network)
    for name, within in (("fmri_within_subject", True), ("fmri_across_subjects", False)):
        save_table(study, name, fmri_table(study, networks, within=within))
    save_table(study, "eeg", eeg_table(study, networks))
    save_table(study, "object_dimensions", dimension_table(study, networks))
    about = {"study": study.model_dump(mode="json"), "pretrained": pretrained_digest()}
    keep("claims", summary_table(study), about, time.monotonic() - start)


if __name__ == "__main__":
    main()
