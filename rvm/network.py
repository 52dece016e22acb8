"""The matting network: low-resolution pass, guided-filter refiner, foreground and alpha."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from rvm.decoder import Features, FoldedOutputBlock, OutputBlock, RecurrentDecoder, States
from rvm.encoder import LRASPP, ContextBlock, MobileNetV3Encoder, ResNet50Encoder, SqueezeNetEncoder
from rvm.refiner import DeepGuidedFilter, FastGuidedFilter, GuidedFilter


@dataclass(frozen=True)
class Variant:
    """A size of the network: which encoder, and how many channels where."""

    encoder: Callable[[], nn.Module]
    features: tuple[int, int, int, int]  # the encoder's f1..f4
    context: int  # f4 after LR-ASPP
    decoder: tuple[int, int, int, int]  # out of decode3..decode0
    output: Callable[[int, int], nn.Module] = OutputBlock
    context_blocks: int = 0  # behind LR-ASPP; the published networks have none


VARIANTS = {
    "mobilenetv3": Variant(MobileNetV3Encoder, (16, 24, 40, 960), 128, (80, 40, 32, 16)),
    "resnet50": Variant(ResNet50Encoder, (64, 256, 512, 2048), 256, (128, 64, 32, 16)),
    "squeezenet": Variant(SqueezeNetEncoder, (8, 16, 32, 512), 96, (48, 32, 16, 4), FoldedOutputBlock, 4),
}

REFINERS: dict[str, Callable[[int], GuidedFilter]] = {
    "deep_guided_filter": DeepGuidedFilter,
    "fast_guided_filter": lambda hidden_channels: FastGuidedFilter(),
}


class MattingNetwork(nn.Module):
    """Published checkpoints load strictly. Fresh weights are random: nothing is ever downloaded.

    `forward` is the whole network. Its parts can be called, and converted, on their own:
    `encode`, which needs no earlier frame, `decode`, then `refiner.coefficients` (all of them small), then
    `rvm.refiner.apply_coefficients` and `foreground_and_alpha` (the only work at full resolution).
    """

    def __init__(self, variant: str = "mobilenetv3", refiner: str = "deep_guided_filter") -> None:
        super().__init__()
        _check_choice("variant", variant, VARIANTS)
        _check_choice("refiner", refiner, REFINERS)
        self.variant = variant
        table = VARIANTS[variant]
        f1, f2, f3, f4 = table.features
        hidden = table.decoder[-1]
        self.backbone = table.encoder()
        self.aspp = LRASPP(f4, table.context)
        self.context = nn.Sequential(*(ContextBlock(table.context) for _ in range(table.context_blocks)))
        self.decoder = RecurrentDecoder((f1, f2, f3), table.context, table.decoder, table.output)
        self.project_mat = Projection(hidden, 4)
        self.project_seg = Projection(hidden, 1)
        self.refiner = REFINERS[refiner](hidden)

    def forward(
        self,
        src: Tensor,
        r1: Tensor | None = None,
        r2: Tensor | None = None,
        r3: Tensor | None = None,
        r4: Tensor | None = None,
        downsample_ratio: float = 1.0,
        segmentation_pass: bool = False,
    ) -> tuple[Tensor, ...]:
        """Matte one frame or one clip, starting from the states that the call before returned.

        Args:
            src: RGB in 0..1, (B, 3, H, W), or a clip (B, T, 3, H, W); H and W may be anything.
            r1..r4: recurrent states for this low-resolution size; None at the start of a video.
            downsample_ratio: over 0, up to 1. The network itself works on floor(H * ratio) x floor(W * ratio)
                pixels, the refiner brings its result to H x W; at 1 there is nothing to refine. A longest
                low-res side near 512 suits most pictures.
            segmentation_pass: return logits of a person mask at low resolution instead of a matte.

        Returns:
            fgr (..., 3, H, W) without the old background's spill, pha (..., 1, H, W), both in 0..1, r1..r4;
            or seg (..., 1, h, w), r1..r4.

        Raises:
            ValueError: for a source, a state or a ratio that doesn't fit; says got and wanted.
        """
        _check_source(src)
        clip_length = src.shape[1] if src.ndim == 5 else 1
        fine = src.flatten(0, -4)  # (B*T, 3, H, W)
        base = downsample(fine, downsample_ratio)
        states = self._states_or_zeros((r1, r2, r3, r4), base, clip_length)

        residual_alpha, hidden, states = self.decode(base, self.encode(base), states, clip_length)
        if segmentation_pass:
            return self.project_seg(hidden).unflatten(0, src.shape[:-3]), *states

        if downsample_ratio != 1:
            residual_alpha = self.refiner(fine, base, residual_alpha, hidden)
        fgr, pha = foreground_and_alpha(fine, residual_alpha)
        return fgr.unflatten(0, src.shape[:-3]), pha.unflatten(0, src.shape[:-3]), *states

    def encode(self, base: Tensor) -> Features:
        """Low-res source (B*T, 3, h, w) -> f1..f3 and f4 after LR-ASPP and context, at 1/2, 1/4, 1/8 and 1/16."""
        f1, f2, f3, f4 = self.backbone(base)
        return f1, f2, f3, self.context(self.aspp(f4))

    def decode(
        self, base: Tensor, features: Features, states: States, clip_length: int = 1
    ) -> tuple[Tensor, Tensor, States]:
        """Low-res source and its features -> residual and alpha (B*T, 4, h, w), hidden (B*T, C, h, w), states."""
        hidden, states = self.decoder(base, features, states, clip_length)
        return self.project_mat(hidden), hidden, states

    def initial_states(self, batch: int, height: int, width: int) -> States:
        """Zeros for r1..r4 before the first frame of a low-res size; weights' dtype and device."""
        like = next(self.parameters())
        zeros = []
        for channels in self.decoder.state_channels:
            height, width = (height + 1) // 2, (width + 1) // 2
            zeros.append(like.new_zeros(batch, channels, height, width))
        return tuple(zeros)

    def _states_or_zeros(self, given: tuple[Tensor | None, ...], base: Tensor, clip_length: int) -> States:
        count, _, height, width = base.shape
        states = []
        initial = self.initial_states(count // clip_length, height, width)
        for number, (state, zeros) in enumerate(zip(given, initial, strict=True), start=1):
            if state is not None and state.shape != zeros.shape:
                raise ValueError(
                    f"r{number}: got shape {tuple(state.shape)}, wanted {tuple(zeros.shape)}; "
                    "give None where the size of the frame or the ratio changes"
                )
            states.append(zeros if state is None else state)
        return tuple(states)


class Projection(nn.Module):
    """A 1x1 convolution from the decoder's hidden channels to the output's."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def downsample(source: Tensor, ratio: float) -> Tensor:
    """(N, 3, H, W) -> (N, 3, floor(H * ratio), floor(W * ratio)), bilinear; the same tensor at ratio 1."""
    if not 0 < ratio <= 1:
        raise ValueError(f"downsample_ratio: got {ratio}, wanted a number over 0 and up to 1")
    if ratio == 1:
        return source
    height, width = source.shape[2:]
    if int(height * ratio) < 1 or int(width * ratio) < 1:
        raise ValueError(f"downsample_ratio: got {ratio}, wanted one that leaves a pixel of {height}x{width}")
    return F.interpolate(source, scale_factor=ratio, mode="bilinear", align_corners=False, recompute_scale_factor=False)


def foreground_and_alpha(source: Tensor, residual_alpha: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3, H, W) and (N, 4, H, W) -> foreground (N, 3, H, W) and alpha (N, 1, H, W), both in 0..1."""
    residual, alpha = residual_alpha.split([3, 1], dim=1)
    return (source + residual).clamp(0, 1), alpha.clamp(0, 1)


def _check_choice(argument: str, got: str, known: dict) -> None:
    if got not in known:
        raise ValueError(f"{argument}: got {got!r}, wanted one of {', '.join(known)}")


def _check_source(src: Tensor) -> None:
    if src.ndim not in (4, 5) or src.shape[-3] != 3:
        raise ValueError(f"src: got shape {tuple(src.shape)}, wanted (B, 3, H, W) or (B, T, 3, H, W)")
