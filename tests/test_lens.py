"""Depth of field: pinholes over a lens's opening, as many as the blur needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic_head
from test_splat import look

from engine.contract import channels
from engine.contract.errors import MienError
from engine.heads.deform import Deformer
from engine.splat.lens import MOST, Lens


def project(camera, point):
    """A world point [3] → pixels [2]."""
    seen = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
    return (camera.K @ seen)[:2] / seen[2]


def world(camera, x, y, z):
    rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    return rotation.T @ (np.array([x, y, z]) - shift)


def test_what_is_in_focus_stays_where_it_is():
    camera, lens = look(), Lens(0.05, 0.6)
    point = world(camera, 0.02, -0.03, 0.6)
    for pinhole in lens.pinholes(camera, 20):
        np.testing.assert_allclose(project(pinhole, point), project(camera, point), atol=1e-9)


@pytest.mark.parametrize("depth", [0.3, 0.5, 2.0])
def test_a_point_out_of_focus_spreads_to_the_disc_of_a_thin_lens(depth):
    camera, lens = look(), Lens(0.05, 0.6)
    point = world(camera, 0.0, 0.0, depth)
    places = np.array([project(pinhole, point) for pinhole in lens.pinholes(camera, 400)])
    radius = np.linalg.norm(places - project(camera, point), axis=1)
    wanted = 0.5 * lens.aperture * camera.K[0, 0] * abs(1 / lens.focus - 1 / depth)
    assert radius.max() == pytest.approx(wanted, rel=0.01)
    # Evenly over the disc: the mean square of a disc's radius is half its square.
    assert np.mean(radius**2) == pytest.approx(wanted**2 / 2, rel=0.01)
    assert np.linalg.norm(places.mean(0) - project(camera, point)) < 0.02 * wanted


def test_motion_samples_share_the_opening():
    camera, lens = look(), Lens(0.05, 0.6)
    centres = [pinhole.position - camera.position for index in range(16) for pinhole in lens.pinholes(camera, 4, index)]
    radius = np.linalg.norm(centres, axis=1)
    assert len(np.unique(np.round(radius, 6))) > 30 and radius.max() <= 0.5 * lens.aperture + 1e-9
    assert np.mean(radius**2) == pytest.approx((0.5 * lens.aperture) ** 2 / 2, rel=0.1)
    assert np.linalg.norm(np.mean(centres, axis=0)) < 0.1 * lens.aperture


def test_a_pinhole_and_what_is_in_focus_take_one_picture_and_more_blur_takes_more():
    head = Deformer(synthetic_head.make(300, 1, 0))(channels.from_mapping({}), None)
    camera = look()
    assert Lens(0.0, 0.1).disc(camera, [head]) == 0
    assert Lens().pinholes(camera, 1) == [camera]
    discs = [Lens(aperture, 0.6).disc(camera, [head]) for aperture in (0.005, 0.05, 0.5)]
    counts = [Lens().count(disc) for disc in discs]
    assert discs[0] < discs[1] < discs[2] and 1 <= counts[0] < counts[1] < counts[2] == MOST
    assert Lens().count(discs[2], shared=16) == MOST / 16
    assert Lens(0.05, 0.6).disc(replace(camera, near=50.0), [head]) == 0


@pytest.mark.parametrize("aperture, focus", [(-0.1, 1.0), (0.1, 0.0), (float("nan"), 1.0), (0.1, float("inf"))])
def test_a_lens_that_can_not_be_is_refused_in_one_sentence(aperture, focus):
    with pytest.raises(MienError, match="opening of 0 or more"):
        Lens(aperture, focus)
