"""What other harmonizers' authors report: figures to read beside ours, not measured here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Averages over iHarmony4's whole test split, all pictures resized to 256x256; None where none are given."""

    name: str
    paper: str
    psnr: float | None  # dB; some authors take the picture's own maximum instead of 255
    mse: float | None
    fmse: float | None


# As collected, from the papers and from one another's tables, in this project's reference (reference/metrics.md).
PUBLISHED = (
    Published("composite", "as it came", 31.63, 172.47, 1387),
    Published("DIH", "Tsai et al., CVPR 2017", 33.41, 76.77, 773),
    Published("DoveNet", "Cong et al., CVPR 2020", 34.75, 52.36, 550),
    Published("RainNet", "Ling et al., CVPR 2021", 35.87, 44.50, 470),
    Published("BargainNet", "Cong et al., ICME 2021", 35.88, 37.82, 405),
    Published("S2CRNet-CS (SqueezeNet)", "Liang et al., ECCV 2022", 36.45, 43.20, 337),
    Published("S2CRNet (VGG16)", "Liang et al., ECCV 2022", 37.18, 35.58, 275),
    Published("Harmonizer", "Ke et al., ECCV 2022", None, 24.26, None),
    Published("iSSAM", "Sofiiuk et al., WACV 2021", 38.19, 24.44, 265),
    Published("CDTNet", "Cong et al., CVPR 2022", 38.23, 23.75, 252),
    Published("DucoNet", "Tan et al., ACM MM 2023", 39.17, 18.47, 213),
    Published("PCT-Net ViT", "Guerreiro et al., CVPR 2023", 39.85, None, None),
    Published("HDNet", "Chen et al., ACM MM 2023", 40.46, 16.55, None),
    Published("R2R (diffusion)", "Zhang et al., arXiv 2508.09746", 41.94, 12.51, 144),
)
