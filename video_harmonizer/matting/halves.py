"""A matting network's two halves, made ready for an engine: what is computed how, and its name in the cache."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from video_harmonizer.engine import Array, Engine, NetworkRecipe, ReadyNetwork
from video_harmonizer.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from rvm import MattingNetwork

Size = tuple[int, int]  # height, width
Encode = Callable[[Array], tuple[Array, ...]]  # a picture at low resolution to its features


class Halves:
    """Prepares the halves for pictures of any size.

    Args:
        network: of `rvm.load_rvm`.
        engine: what runs them.
    """

    def __init__(self, network: "Checkpoint[MattingNetwork]", engine: Engine) -> None:
        self._network = network
        self._engine = engine
        self._rounded: dict[bool, Any] = {}  # torch modules in 8 bits, for pictures that are refined or not

    def encoder(self, small: Size) -> Encode:
        """In bfloat16 as far as alpha can bear it: by up to 0.05, the 99.9th percentile of a clip.

        MobileNetV3's layers behind stride 8 move it by up to 0.27, its dilated ones, most of the encoder's work, by up
        to 0.04; all of the bundled encoder does by as much. Nobody measured ResNet-50, nor float16 on a GPU.
        """
        if (variant := self._network.about["variant"]) != "mobilenetv3":
            return self._encoding("all", small, exact=variant != "squeezenet")
        shallow, deep = self._encoding("shallow", small, exact=True), self._encoding("deep", small, exact=False)

        def encode(base: Array) -> tuple[Array, ...]:
            *taps, x = shallow(base)
            return *taps, *deep(x)

        return encode

    def _encoding(self, part: str, small: Size, exact: bool) -> ReadyNetwork:
        """The first half, or a part of it: a key of `matting.network.ENCODING`."""

        def make() -> Any:
            from video_harmonizer.matting.network import ENCODING

            return ENCODING[part](self._network.network(), *small)

        return self._engine.prepare(NetworkRecipe(f"{self._network.key} encode {part} {small}", make, exact))

    def decoder(self, small: Size, refined: bool) -> ReadyNetwork:
        """The second half; ``refined`` where a guided filter follows."""

        def make() -> Any:
            from video_harmonizer.matting.network import decode_step

            return decode_step(self._network.network(), *small, refined)

        def make_int8() -> Any:
            from video_harmonizer.matting.typical import decode_step_in_int8

            if refined not in self._rounded:  # it takes seconds, and live video may ask for several sizes
                self._rounded[refined] = decode_step_in_int8(self._network.network(), refined)
            return self._rounded[refined]

        recipe = NetworkRecipe(f"{self._network.key} decode {small} {refined}", make, make_int8=make_int8)
        return self._engine.prepare(recipe)
