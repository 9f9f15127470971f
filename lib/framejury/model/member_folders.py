"""The member bundles inside an ensemble's folder: copied when it is written, checked when read."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from framejury.errors import BundleError
from framejury.model.bundle_folder import sha256_of
from framejury.model.manifest import MANIFEST_NAME, MEMBERS_NAME, Bundle, Member


def copy_members(members: Sequence[Member], parts: Sequence[Bundle], directory: Path) -> None:
    """Copy whole bundles below an ensemble's folder, without files that they do not list.

    Args:
        members: of the ensemble.
        parts: the bundle of each.
        directory: folder of the ensemble.
    """
    for member, part in zip(members, parts, strict=True):
        folder = directory / MEMBERS_NAME / member.name
        folder.mkdir(parents=True)
        for name in (MANIFEST_NAME, *part.files):
            shutil.copyfile(part.directory / name, folder / name)


def check_member_folders(bundle: Bundle) -> None:
    """Check that an ensemble holds the folders of its members, as they were, and no other.

    Raises:
        BundleError: a member is missing or altered, or there is something else.
    """
    place = bundle.directory / MEMBERS_NAME
    for member in bundle.members:
        folder = place / member.name
        if not (folder / MANIFEST_NAME).is_file():
            raise BundleError(f"{folder} is missing; copy the ensemble again")
        if sha256_of(folder / MANIFEST_NAME) != member.manifest_sha256:
            raise BundleError(
                f"{folder / MANIFEST_NAME} is not the one that the ensemble was made with. Copy it "
                "again, or make a new one: framejury ensemble"
            )
    names = {member.name for member in bundle.members}
    for path in sorted(place.iterdir()):
        if path.name not in names and not path.name.startswith("."):
            raise BundleError(f"{path} is not a member; move it out of the ensemble")


def check_parts(bundle: Bundle) -> None:
    """Check that an ensemble's members are single detectors, and its weights sum to 1.

    Raises:
        BundleError: they do not.
    """
    for member, part in zip(bundle.members, bundle.parts, strict=True):
        if part.members or part.model_id != member.model_id:
            raise BundleError(
                f"{part.directory} holds {part.model_id}, not the single detector "
                f"{member.model_id}; copy the ensemble again"
            )
    total = sum(member.weight for member in bundle.members)
    if len(bundle.members) < 2 or not math.isclose(total, 1.0, abs_tol=1e-6):
        raise BundleError(
            f"{bundle.directory / MANIFEST_NAME} lists {len(bundle.members)} members whose weights "
            f"sum to {total:g}; an ensemble has two or more, and their weights sum to 1"
        )
