"""Reading and writing model bundles, without TensorFlow and without unpickling.

A bundle is a directory: `model.onnx`, `model.keras`, `MODEL_CARD.md`, `seen.parquet`, `curves.csv`,
and `bundle.json`, which lists the digest of each. An ensemble holds whole bundles in `members/` in
place of the network. An incomplete or altered bundle is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from framejury.errors import BundleError, ConfigError
from framejury.model.bundle_folder import digests_of, move_into_place, sha256_of
from framejury.model.card import model_card
from framejury.model.curves import curves_csv, read_curves
from framejury.model.manifest import (
    CARD_NAME,
    CURVES_NAME,
    FORMAT,
    FORMAT_VERSION,
    KERAS_NAME,
    MANIFEST_NAME,
    MEMBERS_NAME,
    ONNX_NAME,
    READABLE_VERSIONS,
    REQUIRED_FILES,
    SEEN_NAME,
    Bundle,
    FileDigest,
    Manifest,
    Measurement,
)
from framejury.model.member_folders import check_member_folders, check_parts, copy_members
from framejury.model.model_id import digest_of, model_id_of
from framejury.model.schedule import EpochRecord
from framejury.model.seen import SeenVideos
from framejury.settings.loading import settings_from
from framejury.verdict.rule import NOT_CALIBRATED, Rule, RuleFit

_HEADER = ("format", "format_version", "manifest_sha256")
_MANIFEST_BYTES = 16 * 2**20

ABOUT_FIT = "Its rule was fitted on "
"""Begins a note about the data of the rule; gone once another rule is fitted."""
_ABOUT_RULE = (NOT_CALIBRATED, ABOUT_FIT)


def load_bundle(directory: str | Path) -> Bundle:
    """Read a bundle and check every byte of it against its manifest.

    Files whose name begins with a dot are ignored (checksums of Hadoop, files of a desktop). Any
    other file or folder that the manifest does not list is refused.

    Args:
        directory: the bundle.

    Raises:
        BundleError: the directory is not a bundle, has another format, or a file is missing,
            altered or not listed. The message names the file and the remedy.
    """
    directory = Path(directory)
    raw = _read_manifest(directory)
    if (version := raw.get("format_version")) not in READABLE_VERSIONS:
        raise BundleError(
            f"{directory / MANIFEST_NAME} has format version {version!r}; this framejury reads "
            f"versions {READABLE_VERSIONS[0]} to {READABLE_VERSIONS[-1]}. Install the version of "
            "framejury that wrote it, or train a new bundle"
        )
    if raw.get("manifest_sha256") != _manifest_digest(raw):
        raise BundleError(
            f"{directory / MANIFEST_NAME} was altered after it was written. Copy the bundle again, "
            "or train a new one; --set verdict.threshold=... changes the threshold"
        )
    body = {key: value for key, value in raw.items() if key not in _HEADER}
    try:
        found = {**body, "directory": directory, "parts": ()}
        bundle = TypeAdapter(Bundle).validate_python(found)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise BundleError(f"{directory / MANIFEST_NAME} has invalid fields: {where}") from None
    _check_files(bundle)
    _check_judging(bundle)
    if bundle.members:
        check_member_folders(bundle)
        places = (directory / MEMBERS_NAME / one.name for one in bundle.members)
        bundle = replace(bundle, parts=tuple(load_bundle(place) for place in places))
        check_parts(bundle)
    expected = model_id_of(bundle, _onnx_sha256(bundle.files))
    if bundle.model_id != expected:
        raise BundleError(
            f"{directory / MANIFEST_NAME} gives model_id {bundle.model_id!r}, but its content has "
            f"{expected!r}. Copy the bundle again"
        )
    return bundle


def write_bundle(
    directory: str | Path,
    manifest: Manifest,
    onnx_file: Path | None,
    keras_file: Path | None = None,
    seen: SeenVideos | None = None,
    *,
    curves: Sequence[EpochRecord] = (),
    parts: Sequence[Bundle] = (),
) -> Bundle:
    """Write a bundle beside its final place and rename it.

    An existing bundle is replaced by two renames: readers see the old bundle, for an instant no
    bundle, or the new one, but never a partial one.

    Args:
        directory: the bundle; its parents are created.
        manifest: the content of `bundle.json`.
        onnx_file: copied to `model.onnx`; None for an ensemble.
        keras_file: copied to `model.keras`; None leaves it out.
        seen: the videos it has learned from; None: they are not recorded.
        curves: the epochs of its training; empty: they are not recorded.
        parts: of an ensemble, the bundles that are copied as its members.

    Returns:
        The bundle as `load_bundle` reads it back.

    Raises:
        BundleError: `directory` exists and is neither a bundle nor an empty folder.
    """
    directory = Path(directory)
    check_may_replace(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        if onnx_file is not None:
            shutil.copyfile(onnx_file, fresh / ONNX_NAME)
        copy_members(manifest.members, parts, fresh)
        _write_files(fresh, manifest, keras_file, seen, curves=curves)
        load_bundle(fresh)
        move_into_place(fresh, directory, aside=scratch / "old")
    finally:
        shutil.rmtree(scratch)
    return load_bundle(directory)


def with_metrics(
    draft: Bundle,
    directory: str | Path,
    metrics: Mapping[str, Mapping[str, Measurement]],
    notes: tuple[str, ...] = (),
) -> Bundle:
    """Write a bundle like `draft`, with figures that were measured on it.

    Args:
        draft: a checked bundle.
        directory: the new bundle; as in `write_bundle`.
        metrics: split -> name -> measurement.
        notes: further sentences for the model card.
    """
    return _rewritten(
        draft, directory, read_seen(draft), metrics=metrics, notes=(*draft.notes, *notes)
    )


def with_rule(
    draft: Bundle,
    directory: str | Path,
    rule: Rule,
    fit: RuleFit,
    metrics: Mapping[str, Mapping[str, Measurement]],
    *,
    fitted_on: SeenVideos | None = None,
    notes: tuple[str, ...] = (),
    sampling: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle like `draft` with another rule, and therefore a new `model_id`.

    Args:
        draft: a checked bundle; its notes stay, except those about its own rule.
        directory: the new bundle; as in `write_bundle`.
        rule: aggregation, calibration and threshold.
        fit: data and target of the rule.
        metrics: split -> name -> measurement with this rule; those of `draft` used its own rule.
        fitted_on: the videos of the fit, added to the record; None: `draft` has recorded them.
        notes: further sentences for the model card.
        sampling: how frames are chosen when it judges; None: as by `draft`.
    """
    return _rewritten(
        draft,
        directory,
        _seen_with(draft, fitted_on),
        reducer=rule.reducer,
        calibration=rule.calibration,
        threshold=rule.threshold,
        rule_fit=fit,
        metrics=metrics,
        notes=(*(note for note in draft.notes if not note.startswith(_ABOUT_RULE)), *notes),
        judging=draft.judging if sampling is None else {**draft.judging, "sampling": sampling},
    )


def _seen_with(draft: Bundle, fitted_on: SeenVideos | None) -> SeenVideos | None:
    seen = read_seen(draft)
    if fitted_on is None or (seen is None and draft.adopted is None):
        return seen
    # Of a network trained elsewhere, a part is better than nothing.
    return replace(fitted_on, is_complete=False) if seen is None else seen.joined(fitted_on)


def read_seen(bundle: Bundle) -> SeenVideos | None:
    """Return the record of the videos that a bundle has seen; None in older bundles."""
    path = bundle.seen_path
    return None if path is None else SeenVideos.of_bytes(path.read_bytes(), str(path))


def _rewritten(
    draft: Bundle, directory: str | Path, seen: SeenVideos | None, **changes: Any
) -> Bundle:
    body = {part.name: getattr(draft, part.name) for part in fields(Manifest)}
    manifest = Manifest(**{**body, **changes})
    onnx_file = None if draft.members else draft.onnx_path
    return write_bundle(
        *(directory, manifest, onnx_file, draft.keras_path, seen),
        curves=read_curves(draft),
        parts=draft.parts,
    )


def _onnx_sha256(files: Mapping[str, FileDigest]) -> str | None:
    return files[ONNX_NAME].sha256 if ONNX_NAME in files else None


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST_NAME
    if not directory.is_dir():
        raise BundleError(f"there is no model bundle at {directory}: no such directory")
    if not path.is_file():
        raise BundleError(
            f"{directory} is not a model bundle: it has no {MANIFEST_NAME}. Give a directory that "
            "`framejury train` wrote"
        )
    if path.stat().st_size > _MANIFEST_BYTES:
        raise BundleError(f"{path} is larger than {_MANIFEST_BYTES:,} bytes; copy the bundle again")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"cannot read {path}: {error}. Copy the bundle again") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BundleError(f"{path} is not the manifest of a framejury bundle")
    return raw


def _manifest_digest(raw: Mapping[str, Any]) -> str:
    return digest_of({key: value for key, value in raw.items() if key != "manifest_sha256"})


def _check_files(bundle: Bundle) -> None:
    """Check names first, so that no path outside the directory is opened."""
    for name in bundle.files:
        if Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
            raise BundleError(
                f"{bundle.directory / MANIFEST_NAME} lists {name!r}, but bundles list plain file "
                "names only. Do not use this bundle"
            )
    for name in REQUIRED_FILES:
        if name not in bundle.files and not (bundle.members and name == ONNX_NAME):
            raise BundleError(f"{bundle.directory / MANIFEST_NAME} lists no {name}; train again")
    for name, digest in bundle.files.items():
        path = bundle.directory / name
        if not path.is_file():
            raise BundleError(f"{path} is missing; copy the bundle again")
        if path.stat().st_size != digest.bytes or sha256_of(path) != digest.sha256:
            raise BundleError(
                f"{path} was altered: its digest is not the one in {MANIFEST_NAME}. Copy the "
                "bundle again"
            )
    for path in sorted(bundle.directory.iterdir()):
        known = path.name in bundle.files or path.name == MANIFEST_NAME
        known |= bool(bundle.members) and path.name == MEMBERS_NAME
        if not known and not path.name.startswith("."):
            raise BundleError(f"{path} is not listed in {MANIFEST_NAME}; move it out of the bundle")


def _check_judging(bundle: Bundle) -> None:
    try:
        settings_from(bundle.judging)
    except ConfigError as error:
        raise BundleError(
            f"{bundle.directory / MANIFEST_NAME} carries settings that cannot be used: {error}. "
            "Install the version of framejury that wrote it, or train a new bundle"
        ) from None


def check_may_replace(directory: Path) -> None:
    """Check that a directory is free, empty or a bundle.

    Raises:
        BundleError: it holds something else.
    """
    if not directory.exists():
        return
    if directory.is_dir() and not any(directory.iterdir()):
        return
    try:
        _read_manifest(directory)
    except BundleError:
        raise BundleError(
            f"{directory} exists and is not a model bundle, so it is not overwritten. Give another "
            "directory"
        ) from None


def _write_files(
    directory: Path,
    manifest: Manifest,
    keras_file: Path | None,
    seen: SeenVideos | None,
    *,
    curves: Sequence[EpochRecord],
) -> None:
    if seen is not None:
        (directory / SEEN_NAME).write_bytes(seen.to_bytes())
    if curves:
        (directory / CURVES_NAME).write_text(curves_csv(curves), encoding="utf-8")
    if keras_file is not None:
        shutil.copyfile(keras_file, directory / KERAS_NAME)
    files = digests_of(directory)
    model_id = model_id_of(manifest, _onnx_sha256(files))
    (directory / CARD_NAME).write_text(model_card(manifest, model_id, curves), encoding="utf-8")
    body = {part.name: getattr(manifest, part.name) for part in fields(Manifest)}
    raw: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model_id": model_id,
        **TypeAdapter(dict[str, Any]).dump_python(body, mode="json"),
        "files": {name: asdict(digest) for name, digest in digests_of(directory).items()},
    }
    raw["manifest_sha256"] = _manifest_digest(raw)
    text = json.dumps(raw, indent=2, allow_nan=False) + "\n"
    (directory / MANIFEST_NAME).write_text(text, encoding="utf-8")
