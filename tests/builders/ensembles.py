"""Bundles that judge together: small ones of different crop geometries, and MesoNet's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from framejury.model.bundle import write_bundle
from framejury.model.ensemble import equal_weights, write_ensemble
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import Bundle
from tests.builders.bundles import MANIFEST, brightness_bundle, red_network
from tests.builders.foreign_networks import mesonet_network

WIDE = Framing(margin_ratio=0.6, shape="box")
"""A crop geometry that differs from that of `brightness_bundle`."""


def red_bundle(directory: Path, framing: Framing = WIDE) -> Bundle:
    """A bundle with heat maps whose score is sigmoid(4 * mean of red - 2) of a wider crop."""
    network = red_network(directory.with_name(f"{directory.name}.onnx"))
    manifest = replace(MANIFEST, backbone="red", framing=framing, heat_cells=None)
    return write_bundle(directory, manifest, network)


def small_ensemble(directory: Path, weights: Sequence[float] | None = None) -> Bundle:
    """An ensemble of two small bundles, made beside `directory`."""
    parts = [
        brightness_bundle(directory.with_name(f"{directory.name}-bright")),
        red_bundle(directory.with_name(f"{directory.name}-red")),
    ]
    return write_ensemble(directory, parts, weights or equal_weights(parts))


def mesonet_is_there() -> bool:
    """Whether the published weights lie beside the checkout."""
    return (Path(__file__).resolve().parents[3] / "shared" / "models" / "mesonet").is_dir()


def mesonet_bundle(directory: Path, weights: str) -> Bundle:
    """One of the published MesoNets as a bundle; the test is skipped where they are not."""
    path = mesonet_network(directory.with_name(f"{directory.name}.onnx"), weights)
    model = onnx.load(path)
    graph = model.graph
    for name, value in (("most", 255.0), ("one", 1.0)):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    for node in graph.node:
        node.input[:] = ["shares" if name == "pixels" else name for name in node.input]
    graph.node.insert(0, helper.make_node("Div", ["pixels", "most"], ["shares"]))
    graph.node.append(helper.make_node("Sub", ["one", "real"], ["p_fake"]))
    graph.output[0].name = "p_fake"
    onnx.save(model, path)
    manifest = replace(
        MANIFEST,
        backbone=weights.lower(),
        pixels=PixelContract(input_px=256, resize="stretch"),
        framing=WIDE,
    )
    return write_bundle(directory, manifest, path)
