"""Which weights there are: where each comes from, under which licence, and how its file is known again."""

import difflib
from dataclasses import dataclass

from video_harmonizer.errors import InputError

BUNDLED = "bundled"


@dataclass(frozen=True)
class Weights:
    """One file of network weights."""

    name: str  # what a person types
    file: str  # its name in the package or in the cache
    source: str  # the URL it is downloaded from, or BUNDLED
    licence: str  # SPDX identifier
    size: int | None  # bytes, for people to read; None, as the next, of what comes with the package
    sha256: str | None  # as published, or as others found it
    about: str  # one line

    @property
    def bundled(self) -> bool:
        """Whether the file lies in the package and needs no download."""
        return self.source == BUNDLED


_RVM_RELEASE = "https://github.com/PeterL1n/RobustVideoMatting/releases/download/v1.0.0"

# The RVM release page gives no checksums. These are the ones that several unrelated public projects
# pin for the same two URLs.
REGISTRY = {
    weights.name: weights
    for weights in (
        Weights(
            name="rvm_mobilenetv3",
            file="rvm_mobilenetv3.pth",
            source=f"{_RVM_RELEASE}/rvm_mobilenetv3.pth",
            licence="GPL-3.0",
            size=15_217_721,
            sha256="3c7c1d92033f7c38d6577c481d13a195d7d80a159b960f4f3119ac7b534cf4f8",
            about="RobustVideoMatting with MobileNetV3-Large: people in video, fast",
        ),
        Weights(
            name="rvm_resnet50",
            file="rvm_resnet50.pth",
            source=f"{_RVM_RELEASE}/rvm_resnet50.pth",
            licence="GPL-3.0",
            size=107_905_875,
            sha256="c191a807251164c073dce5fa408e7a816070d539b882b2a3150330a9fec112ce",
            about="RobustVideoMatting with ResNet-50: people in video, slower, slightly finer edges",
        ),
        Weights(
            name="bundled",
            file="matting.safetensors",
            source=BUNDLED,
            licence="Apache-2.0",
            size=None,
            sha256=None,
            about="a small network of RobustVideoMatting's shape, trained by this project: people in video, faster",
        ),
        Weights(
            name="s2crnet",
            file="s2crnet.safetensors",
            source=BUNDLED,
            licence="Apache-2.0",
            size=None,
            sha256=None,
            about="S2CRNet, trained by this project: the curves that harmonize a person with a background",
        ),
        Weights(
            name="curvenet",
            file="curvenet.safetensors",
            source=BUNDLED,
            licence="Apache-2.0",
            size=None,
            sha256=None,
            about="CurveNet, this project's own: the same with another look at the matte's rim",
        ),
    )
}


def find(name: str) -> Weights:
    """The entry of that name. Raises InputError, with the nearest name and all known ones."""
    if name in REGISTRY:
        return REGISTRY[name]
    close = difflib.get_close_matches(name, REGISTRY, n=1)
    suggestion = f"did you mean {close[0]}? " if close else ""
    raise InputError(f"{name}: no weights of that name; {suggestion}known: {', '.join(REGISTRY)}")
