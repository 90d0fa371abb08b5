"""The table of published files: where each one is, under which licence, and where it belongs here."""

from dataclasses import dataclass
from pathlib import PurePosixPath

_FIGSHARE = "https://ndownloader.figshare.com/files/"
_SHEN_PAGE = "https://figshare.com/articles/dataset/Deep_Image_Reconstruction/7033577"
_GOD_PAGE = "https://figshare.com/articles/dataset/Generic_Object_Decoding/7387130"
_SHEN_LICENCE = "as on figshare 7033577 (raw data: CC0)"


@dataclass(frozen=True)
class PublishedFile:
    """One file (or one folder of images that has to be asked for).

    `place`: path below the folder of raw data; its first part is the dataset. `address`: where it is downloaded; empty
    where only `listing` knows it (`figshare:<article>` or `osf:<node>`, asked for address, size and hash) and where
    people have to go to `page` themselves. `hash`: `md5:...` or `sha256:...`; its beginning may be all that is known.
    `access`: `public`, `on request` or `by hand`. `group`: a name for several files of a dataset. `default`: fetched
    when nothing is named. `unpacks`: for an archive, the end of the path of a file that is there once it is unpacked.
    `n_files`: how many a folder holds.
    """

    place: str
    licence: str
    page: str
    address: str = ""
    listing: str = ""
    size: int | None = None
    hash: str | None = None
    access: str = "public"
    group: str = ""
    default: bool = True
    unpacks: str = ""
    n_files: int = 1

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePosixPath(self.place).name

    @property
    def dataset(self) -> str:
        """The dataset that it belongs to."""
        return PurePosixPath(self.place).parts[0]


def _shen(
    name: str, number: int | None = None, md5: str | None = None, group: str = "A", **more: object
) -> PublishedFile:
    return PublishedFile(
        place=f"shen2019/{more.pop('folder', 'fmri')}/{name}",
        licence=_SHEN_LICENCE,
        page=_SHEN_PAGE,
        address=f"{_FIGSHARE}{number}" if number else "",
        listing="figshare:7033577",
        hash=f"md5:{md5}" if md5 else None,
        group=f"shen2019-{group}",
        **({"default": group in ("A", "stimuli")} | more),
    )


# Session -> figshare numbers of sub-01, sub-02, sub-03 (None: only the listing knows it).
_GENERATION_A = {
    "NaturalImageTraining": (14830643, 14830712, 14830862),
    "NaturalImageTest": (14830631, 14830697, 14830856),
    "ArtificialImage": (None, None, None),
    "LetterImage": (None, None, None),
}
_GENERATION_B = {
    "NaturalImageTraining": (24153026, 24153080, 24153098),
    "NaturalImageTest": (24153020, 24153077, 24153095),
}
# Generation C, with the md5 that the lab's own repositories state.
_GENERATION_C = (
    ("sub-01_ImageNetTraining", 37838826, "f0aba2065e03a518681ceec65674026b"),
    ("sub-01_ImageNetTest", 37838595, "7ab3fd8900a766a79e3f266ff223302a"),
    ("sub-01_ArtificialShapes", 37838487, "2899d192ffd55973d08d420d20a6c401"),
    ("sub-02_ImageNetTraining", 37848333, "8a66fcc107cbef220eb7f94b0737e0cb"),
    ("sub-02_ImageNetTest", 37848300, "3524e5cae596160115b48ce0b9c25be7"),
    ("sub-02_ArtificialShapes", None, None),
    ("sub-03_ImageNetTraining", 37850397, "889a3afe44c33182d1ec02d0debe2371"),
    ("sub-03_ImageNetTest", 37849986, "b7ee993435fc9b27ca507d988bdc98e9"),
    ("sub-03_ArtificialShapes", None, None),
)
_GENERATION_C_VC = (
    ("sub-01_ImageNetTraining", 48191404, "bfa4ed031357f21972740086c1d1e273"),
    ("sub-01_ImageNetTest", 48191395, "5741b96ab17023ac399d49addff51089"),
    ("sub-02_ImageNetTraining", 48191413, "1460f4983addab5aff6f26d8978b8098"),
    ("sub-02_ImageNetTest", 48191410, "feaf2797f1189840326a1273c605ef1e"),
    ("sub-03_ImageNetTraining", 48191422, "ba36afadb2a7ea7273852600f4b98d57"),
    ("sub-03_ImageNetTest", 48191419, "581ee52493fa26ba9798f2b04a600203"),
)
_IMAGES = {"group": "stimuli", "folder": "images"}

_SHEN = (
    *(
        _shen(f"sub-{i:02d}_perception{session}_{ending}.h5", number, group=group)
        for group, ending, table in (("A", "original_VC", _GENERATION_A), ("B", "VC_v2", _GENERATION_B))
        for session, numbers in table.items()
        for i, number in enumerate(numbers, start=1)
    ),
    *(_shen(f"{name}_fmriprep_volume_native.h5", n, md5, "C") for name, n, md5 in _GENERATION_C),
    *(_shen(f"{name}_fmriprep_volume_native_vc.h5", n, md5, "C-vc") for name, n, md5 in _GENERATION_C_VC),
    _shen("stimulus_NaturalImageTraining.tsv", 14876741, **_IMAGES),
    _shen("stimulus_NaturalImageTest.tsv", 14876738, **_IMAGES),
    _shen("stimulus_LetterImage.tsv", 14876732, **_IMAGES),
    _shen("stimulus_ArtificialImage.tsv", 14876798, **_IMAGES),
    _shen("shapes.zip", 14876801, **_IMAGES, unpacks="colorExpStim01_red_square.tiff"),
    _shen("letters.zip", 14876735, **_IMAGES, unpacks="letter_black_img011_A.tif"),
    PublishedFile(
        "shen2019/images/natural",
        "ImageNet terms (research only, no redistribution)",
        "https://forms.gle/ujvA34948Xg49jdn9",
        access="on request",
        group="shen2019-natural-images",
        n_files=1250,
    ),
)

_HORIKAWA = tuple(
    PublishedFile(
        f"horikawa2017/Subject{i}.h5",
        "as on figshare 7387130 (raw data: CC0)",
        _GOD_PAGE,
        f"{_FIGSHARE}{number}",
        "figshare:7387130",
    )
    for i, number in enumerate((24080120, 24080123, 24080126, 24080129, 24080132), start=1)
)

_EEG2 = (
    PublishedFile(
        "things_eeg2/image_metadata.npy",
        "CC-BY-4.0",
        "https://osf.io/y63gw/files/qkgtf",
        "https://osf.io/download/qkgtf/",
        size=656579,
        hash="sha256:681a75633c59a356a66ca19a277429c1d48a00a98405ff96e53ee0b9f00b397c",
    ),
    *(
        PublishedFile(
            f"things_eeg2/sub-{i:02d}.zip",
            "CC-BY-4.0",
            "https://osf.io/anp5v/",
            listing="osf:anp5v",
            unpacks=f"sub-{i:02d}/preprocessed_eeg_test.npy",
        )
        for i in range(1, 11)
    ),
    PublishedFile(
        "things_eeg2/test_images.zip",
        "CC-BY-4.0",
        "https://osf.io/y63gw/files/znu7b",
        "https://osf.io/download/znu7b/",
        unpacks="00001_aircraft_carrier/aircraft_carrier_06s.jpg",
    ),
    PublishedFile(
        "things_eeg2/training_images.zip",
        "CC-BY-4.0",
        "https://osf.io/y63gw/files/3v527",
        "https://osf.io/download/3v527/",
        unpacks="00001_aardvark/aardvark_01b.jpg",
        default=False,  # no analysis of the paper uses them
    ),
)

_DIMENSIONS = (
    PublishedFile(
        "things_dimensions/spose_embedding_49d_sorted.txt",
        "CC-BY-4.0",
        "https://osf.io/z2784/",
        "https://osf.io/4pgk8/download",
        size=2273072,
        hash="sha256:b934fac338b803c5f87f60dfe1da90de8d62bacc346e74346a8428aa10cbe175",
    ),
    PublishedFile(
        "things_dimensions/item_names.tsv",
        "CC-BY-4.0",
        "https://osf.io/z2784/",
        "https://osf.io/sz2ux/download",
        size=132481,
        hash="sha256:03dbe77972f9466ff8baa0da604d9f5104f677bf77cc602faebfa03a290fb51c",
    ),
    PublishedFile(
        "things_dimensions/labels_49d.txt",
        "MIT",
        "https://github.com/ViCCo-Group/thingsvision",
        "https://raw.githubusercontent.com/ViCCo-Group/thingsvision/master/data/files/labels_49d.txt",
        size=1269,
        hash="sha256:9b69d558cbe1a207c590dcbcdd510e05f255099195fae30abacb53e9115905aa",
    ),
)

_OBJECTS92 = (
    PublishedFile(
        "objects92/Kriegeskorte_Neuron2008_supplementalData.mat",
        "MIT",
        "https://github.com/rsagroup/rsatoolbox",
        "https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData/"
        "Kriegeskorte_Neuron2008_supplementalData.mat",
        size=3603779,
        hash="sha256:06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504",
    ),
    PublishedFile(
        "objects92/92/target_fmri.mat",
        "none stated",
        "http://algonauts.csail.mit.edu/2019/ (training data, 92 images)",
        size=1876161,
        hash="sha256:57f064c7ebc5e6de1c70898166090f5c7b6ffdcfb5b13cb897c6d81a09207e47",
        access="by hand",
    ),
)

_WEIGHTS = (
    PublishedFile(
        "cornet_s/cornet_s-1d3f7974.pth",
        "GPL-3.0",
        "https://github.com/dicarlolab/CORnet",
        "https://s3.amazonaws.com/cornet-models/cornet_s-1d3f7974.pth",
        hash="sha256:1d3f7974",  # the name states the beginning of the hash
    ),
    *(
        PublishedFile(
            f"realnet_weights/sub-{i:02d}/{name}.pt",
            "GPL-3.0",
            "https://github.com/ZitongLu1996/ReAlnet (Google Drive folder in its README: weights/ReAlnet-fMRI)",
            access="by hand",
        )
        for i in (1, 2, 3)
        for name in ("encoder", "realnet")
    ),
)

FILES: tuple[PublishedFile, ...] = (*_SHEN, *_HORIKAWA, *_EEG2, *_DIMENSIONS, *_OBJECTS92, *_WEIGHTS)
