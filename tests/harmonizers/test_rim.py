"""Profiles across the matte's rim: the right pixels, spread over the whole rim, and none where there is none."""

import pytest
import torch
import torch.nn.functional as F

from video_harmonizer.harmonizers.rim import BINS, PAIRS, PROFILES, RUN, WIDTH, Look, Rim
from video_harmonizer.thumbnails import CLOSE, SIZE

FULL = SIZE


def square(first: int = 80, last: int = 176, side: int = FULL) -> torch.Tensor:
    """(1, 1, side, side), 1 in the rows and columns from first to last."""
    mask = torch.zeros(1, 1, side, side)
    mask[..., first:last, first:last] = 1
    return mask


def look(picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What the rim tells of a picture (B, 3, S, S) and its mask."""
    crop = torch.cat([picture, mask], 1)
    return Rim()(crop, F.avg_pool2d(crop, 2))


def histograms(found: torch.Tensor) -> torch.Tensor:
    """(B, pairs, 3, inside, outside)."""
    return of_pairs(found)[..., : 3 * BINS * BINS].unflatten(2, (3, BINS, BINS))


def curves(found: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Change at each level and how much was seen of it, (B, pairs, 3, levels) each."""
    shift, known = of_pairs(found)[..., 3 * BINS * BINS : -3].unflatten(2, (2, 3, BINS)).unbind(2)
    return shift / 4, known


def of_pairs(found: torch.Tensor) -> torch.Tensor:
    return found[:, WIDTH + 2 :].unflatten(1, (len(PAIRS), -1))


def test_a_profile_begins_inside_and_ends_outside():
    mask = square()
    profiles, there = Look(FULL, 300)(mask.expand(-1, 4, -1, -1))
    assert profiles.shape == (1, 4, 300, RUN)
    taken = profiles[0, 3, there[0] > 0]
    assert len(taken) > 150
    inside, outside = taken[:, 1], taken[:, 4]
    assert (inside > 0.5).all()
    assert (outside < 0.5).all()


def test_joint_histograms_hold_what_becomes_of_a_level_across_the_rim():
    mask = square()
    levels = torch.tensor([3.0, 7.0, 12.0]).view(1, 3, 1, 1) / (BINS - 1)  # inside, by channel
    picture = levels * mask + (levels + 2 / (BINS - 1)) * (1 - mask)
    with torch.no_grad():
        joint = histograms(look(picture, mask))[0, 0]
    for channel, level in enumerate((3, 7, 12)):
        assert joint[channel, level, level + 2] > 0.95 * BINS
        assert joint[channel].sum() == pytest.approx(BINS, rel=0.01)


def test_the_curve_is_the_mean_change_at_each_level_and_that_of_all_levels_elsewhere():
    mask = square()
    inside = torch.where(torch.arange(FULL) < 128, 4.0, 10.0).expand(1, 3, FULL, FULL) / (BINS - 1)
    change = torch.where(torch.arange(FULL) < 128, 0.2, -0.1)
    with torch.no_grad():
        shift, known = curves(look(inside + change * (1 - mask), mask))
    for level, wanted in ((4, 0.2), (10, -0.1)):
        assert shift[0, 0, :, level].sub(wanted).abs().max() < 0.02
        assert known[0, 0, :, level].min() > 0.9
    assert known[0, 0, :, 15].max() < 0.01
    assert shift[0, 0, :, 15].sub(0.05).abs().max() < 0.03


def test_the_whole_rim_is_looked_at_where_it_is_longer_than_what_is_taken():
    mask = square(8, 248)
    place = torch.linspace(0, 1, FULL).expand(1, 1, FULL, FULL)
    picture = torch.cat([place, place.transpose(2, 3), place], 1)
    profiles, there = Look(FULL, PROFILES[0])(torch.cat([picture, mask], 1))
    assert there.all()
    for channel in (0, 1):  # from left to right and from top to bottom
        places = profiles[0, channel, :, 2]
        counts = torch.histc(places, bins=4, min=0, max=1)
        assert counts.min() > PROFILES[0] / 12


@pytest.mark.parametrize("side", [SIZE, CLOSE])
@pytest.mark.parametrize("strip", [0, 1])
def test_a_strip_of_one_pixel_shows_at_full_size(strip: int, side: int):
    """At half size it would be mixed with its neighbour."""
    # a strip of the foreground kept its own colour outside
    mask, kept = square(80, 176, side), square(80 - strip, 176 + strip, side)
    foreign, own, scene = 3 / (BINS - 1), 9 / (BINS - 1), 1.0
    picture = foreign * mask + own * (kept - mask) + scene * (1 - kept)
    with torch.no_grad():
        joint = histograms(look(picture.expand(-1, 3, -1, -1), mask))[0, 1, 0]  # of a run's two pixels in the middle
    assert (joint[3, 9] > BINS / 6) == (strip == 1)  # a third of the runs have the rim in their middle


def test_a_closer_look_sees_the_same_at_twice_the_size():
    """As many runs, spread over as much of the rim, as long in pixels."""
    colors = torch.tensor([0.2, 0.9, 0.4]).view(1, 3, 1, 1)
    small = torch.cat([colors * square() + (1 - colors) * (1 - square()), square()], 1)
    large = F.interpolate(small, (CLOSE, CLOSE))
    rim = Rim()
    with torch.no_grad():
        found, near = rim(small, F.avg_pool2d(small, 2)), rim(large, F.avg_pool2d(large, 2))
    assert near.sub(found).abs().max() < 0.02 * found.abs().max()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_without_a_rim_there_is_nothing_to_tell(level: float):
    with torch.no_grad():
        found = look(torch.rand(2, 3, FULL, FULL), torch.full((2, 1, FULL, FULL), level))
    assert found.abs().max() < 1e-5


def test_every_part_learns():
    rim = Rim()
    crop = torch.cat([torch.rand(2, 3, FULL, FULL), square().expand(2, -1, -1, -1)], 1)
    rim(crop, F.avg_pool2d(crop, 2)).square().sum().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in rim.parameters())
    assert not [name for name in rim.state_dict() if name not in dict(rim.named_parameters())]
