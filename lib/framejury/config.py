"""Every setting: its type, range, default and sentence, checked on the driver.

The classes below declare the settings; `conf/default.yaml` is printed from them
(`python -m framejury.config`, checked by a test) for people to read and change.
Order of precedence, last wins: the classes, `conf/default.yaml`, `--preset`,
`--config`, `--set`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from framejury.errors import ConfigError

VIDEO_EXTENSIONS = (
    *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4"),
    *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "vob", "webm", "wmv"),
)


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IndexSettings(Section):
    """What counts as a video, and how names are read."""

    layout: Literal["auto", "dfdc", "ffpp", "celebdf", "labels_csv", "plain"] = Field(
        "auto",
        description="How labels and sources are read from names and side files; "
        "auto decides for each folder.",
    )
    extensions: tuple[str, ...] = Field(
        VIDEO_EXTENSIONS,
        min_length=1,
        description="File name endings that count as videos, without the dot, any case.",
    )


class SamplingSettings(Section):
    """Which frames of a video are looked at."""

    mode: Literal["uniform", "random", "all"] = Field(
        "uniform",
        description="uniform: spread evenly over the presentation time; random: drawn under "
        "`sampling.seed`; all: every frame.",
    )
    frames: int = Field(
        11, ge=1, le=10_000, description="Frames a video, count; ignored by mode all."
    )
    seed: int = Field(0, ge=0, description="Seed of mode random; each video draws its own.")


class DetectionSettings(Section):
    """How faces are found."""

    detector: Literal["mtcnn", "haar"] = Field(
        "mtcnn", description="mtcnn finds faces with landmarks; haar is OpenCV's cascade."
    )
    threshold: float = Field(
        0.95, ge=0.0, le=1.0, description="Least confidence of a face, 0 to 1; mtcnn only."
    )
    min_face_px: int = Field(
        48,
        ge=20,
        le=4096,
        description="Smallest face kept, longer side of the box in pixels of the full frame.",
    )
    frame_side_px: int = Field(
        360,
        ge=64,
        le=4320,
        description="Frames are reduced for detection until a face of min_face_px is 20 pixels, "
        "but the shorter side not below this, pixels.",
    )
    keep: Literal["all", "largest", "first", "last"] = Field(
        "all", description="Which faces of a frame are kept; first and last as detected."
    )
    max_faces: int = Field(
        32, ge=1, le=1000, description="Most faces kept in one frame, count; the largest stay."
    )
    haar_cascade: Literal["haarcascade_frontalface_default", "haarcascade_frontalface_alt2"] = (
        Field("haarcascade_frontalface_default", description="Cascade file that OpenCV ships.")
    )
    haar_scale_factor: float = Field(
        1.2, gt=1.0, le=2.0, description="Step of Haar's image pyramid, ratio."
    )
    haar_min_neighbors: int = Field(
        3, ge=0, le=100, description="Neighbouring hits Haar asks for, count."
    )


class CropSettings(Section):
    """What is cut out around a face and how it is stored."""

    margin_ratio: float = Field(
        0.3, ge=0.0, le=3.0, description="Margin on each side, as a share of the box."
    )
    shape: Literal["square", "box"] = Field(
        "square",
        description="square: the box is first made square around its centre; box: as detected.",
    )
    format: Literal["jpeg", "png"] = Field(
        "jpeg", description="How crops are stored; jpeg is always 4:4:4."
    )
    jpeg_quality: int = Field(
        98, ge=95, le=100, description="JPEG quality; below 95 recompression erases evidence."
    )
    max_side_px: int = Field(
        512, ge=32, le=8192, description="Larger crops are reduced to this longer side, pixels."
    )


class LimitSettings(Section):
    """What one video may cost before it gets a status instead of a verdict."""

    timeout_s: float = Field(
        300.0, gt=0, le=86_400, description="Wall-clock seconds for one video; then `timeout`."
    )
    bytes: int = Field(
        64 * 2**30, ge=1, description="Largest file opened, bytes; beyond: `too_large`."
    )
    frame_px: int = Field(
        8192 * 4320, ge=1, description="Largest frame, width times height in pixels."
    )
    duration_s: float = Field(
        6 * 3600.0, gt=0, description="Longest video, seconds; beyond: `too_large`."
    )
    tries: int = Field(
        3,
        ge=1,
        le=100,
        description="Nightly runs that try a video which timed out, crashed, could not be read "
        "or was missing, count.",
    )
    memory_bytes: int = Field(
        4 * 2**30,
        ge=2**28,
        description="Address space the decoding process may add, bytes; beyond: `crashed`.",
    )


class SplitSettings(Section):
    """How labelled videos are divided for training."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of videos to train on, 0 to 1.")
    val: float = Field(0.1, gt=0, lt=1, description="Share of videos to choose by, 0 to 1.")
    test: float = Field(0.1, ge=0, lt=1, description="Share of videos held out, 0 to 1.")
    seed: int = Field(0, ge=0, description="Seed that orders the groups.")
    balance: Literal["runs", "random", "none"] = Field(
        "runs",
        description="How fakes are down-sampled to the number of reals on each side, whole "
        "videos at a time: runs drops consecutive videos in name order, random any, none keeps "
        "all.",
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitSettings:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"split.train + split.val + split.test is {total:g}, must be 1")
        return self


class TrainingSettings(Section):
    """The network and how it learns."""

    backbone: Literal["efficientnet_b0"] = Field(
        "efficientnet_b0", description="The network under the head."
    )
    weights: str = Field(
        "noisy-student",
        min_length=1,
        description="Where the backbone starts: noisy-student or imagenet (downloaded once by "
        "the efficientnet package), none (random), or the path of a weights file.",
    )
    input_px: int = Field(224, ge=32, le=1024, description="Side of the network's input, pixels.")
    head_units: tuple[int, ...] = Field(
        (256, 64), min_length=1, description="Units of the dense layers before the sigmoid, count."
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout before each dense layer, share.")
    batch_size: int = Field(32, ge=1, le=8192, description="Faces a step on each device, count.")
    head_epochs: int = Field(
        3, ge=0, le=1000, description="Epochs of the head on the frozen network, count."
    )
    head_learning_rate: float = Field(
        1e-3, gt=0, le=1, description="Adam's learning rate for the head."
    )
    finetune_epochs: int = Field(
        12, ge=0, le=1000, description="Epochs of the whole network after that, count."
    )
    finetune_learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Adam's learning rate for the whole network."
    )
    patience: int = Field(
        4, ge=1, le=1000, description="Epochs without a better validation loss before stopping."
    )
    balance: Literal["class_weight", "sampling", "none"] = Field(
        "class_weight", description="How unequal classes are evened out while learning."
    )
    augment: bool = Field(
        True, description="Flip, shift, colour and JPEG changes of the training faces."
    )
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="float16 arithmetic; auto: on a GPU."
    )
    xla: Literal["auto", "on", "off"] = Field(
        "auto", description="Compile the training step; auto: on a GPU."
    )
    seed: int = Field(0, ge=0, description="Seed of order, augmentation and initial weights.")

    @model_validator(mode="after")
    def _trains_at_all(self) -> TrainingSettings:
        if self.head_epochs + self.finetune_epochs == 0:
            raise ValueError("training.head_epochs and training.finetune_epochs are both 0")
        return self


class ScoringSettings(Section):
    """How faces are scored."""

    batch_size: int = Field(32, ge=1, le=4096, description="Faces a call of the network, count.")
    threads: int = Field(
        1, ge=1, le=256, description="Threads of the network and decoder in one task, count."
    )


class VerdictSettings(Section):
    """How the faces of a video become one verdict."""

    reducer: Literal["mean", "median", "trimmed_mean", "top_share", "worst_person"] = Field(
        "mean",
        description="mean of all faces; median; mean without both tails; mean of the highest "
        "share; mean of the person with the highest mean.",
    )
    trim_ratio: float = Field(
        0.1, ge=0, lt=0.5, description="Share cut from each tail by trimmed_mean, 0 to 0.5."
    )
    top_ratio: float = Field(
        0.25, gt=0, le=1, description="Share of highest scores that top_share averages, 0 to 1."
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="p_fake from here on means fake, 0 to 1; null takes the bundle's.",
    )
    min_faces: int = Field(
        3, ge=1, le=10_000, description="Fewer faces than this are inconclusive, count."
    )
    confidence_level: float | None = Field(
        0.95,
        gt=0,
        lt=1,
        description="Level of the interval around p_fake; a verdict whose interval crosses the "
        "threshold is inconclusive. null: no interval, every score decides.",
    )


class SparkSettings(Section):
    """How Spark divides the work; everything else belongs in `conf/spark/*.conf`."""

    videos_per_task: int = Field(
        4, ge=1, le=10_000, description="Videos one task works through, count."
    )
    max_tasks: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Most tasks of one stage, count; larger archives get more videos a task.",
    )
    row_group_bytes: int = Field(
        16 * 2**20, ge=2**20, description="Size aimed at for a Parquet row group, bytes."
    )


class Settings(Section):
    """All settings of one run."""

    index: IndexSettings = Field(default_factory=IndexSettings)
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    detection: DetectionSettings = Field(default_factory=DetectionSettings)
    crops: CropSettings = Field(default_factory=CropSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    verdict: VerdictSettings = Field(default_factory=VerdictSettings)
    spark: SparkSettings = Field(default_factory=SparkSettings)

    def digest(self, *sections: str) -> str:
        """Short stable id of the named sections (all when none is named), 12 hex digits."""
        chosen = self.model_dump(mode="json", include=set(sections) or None)
        text = json.dumps(chosen, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_settings(
    preset: str | None = None,
    config_file: str | None = None,
    overrides: Iterable[str] = (),
    conf_dir: Path | None = None,
) -> Settings:
    """Settings from defaults, preset, file and `key=value` overrides, last wins.

    Args:
        preset: name of a file in `conf/presets`, without `.yaml`.
        config_file: path of a YAML file with some of the settings.
        overrides: texts such as `sampling.frames=32`; the value is read as YAML.
        conf_dir: folder that holds `default.yaml` and `presets/`; beside the package when None.

    Raises:
        ConfigError: unknown preset, key or value; the message lists what is allowed.
    """
    conf_dir = conf_dir or find_conf_dir()
    merged = _read_yaml(conf_dir / "default.yaml")
    if preset is not None:
        _merge(merged, _read_yaml(_preset_path(preset, conf_dir)))
    if config_file is not None:
        _merge(merged, _read_yaml(Path(config_file)))
    for override in overrides:
        _merge(merged, _parse_override(override))
    return settings_from(merged)


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Checked settings from nested plain values.

    Raises:
        ConfigError: an unknown key or a value out of range.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def find_conf_dir() -> Path:
    """The `conf` folder: inside an installed package, else beside `lib` in a checkout.

    Raises:
        ConfigError: neither is there.
    """
    here = Path(__file__).resolve().parent
    for candidate in (here / "conf", here.parents[1] / "conf"):
        if (candidate / "presets").is_dir():
            return candidate
    raise ConfigError(f"no conf/presets folder beside {here}; reinstall framejury")


def setting_fields() -> dict[str, dict[str, Any]]:
    """Every setting by dotted key: its `default`, `description` and allowed `values`."""
    fields: dict[str, dict[str, Any]] = {}
    for section, info in Settings.model_fields.items():
        section_type = info.annotation
        assert isinstance(section_type, type) and issubclass(section_type, Section)
        schema = section_type.model_json_schema()["properties"]
        defaults = section_type().model_dump(mode="json")
        for name, field in section_type.model_fields.items():
            fields[f"{section}.{name}"] = {
                "default": defaults[name],
                "description": field.description,
                "values": _allowed(schema[name]),
            }
    return fields


def default_yaml() -> str:
    """The text of `conf/default.yaml`: every setting, its sentence and its range."""
    lines = [
        "# Every setting of framejury with its default, as declared in lib/framejury/config.py",
        "# (`make docs` prints this file). Laid over it, last wins: --preset NAME (conf/presets),",
        "# --config FILE, --set section.name=value.",
    ]
    section_before = None
    for key, field in setting_fields().items():
        section, name = key.split(".")
        if section != section_before:
            doc = (Settings.model_fields[section].annotation.__doc__ or "").strip()
            lines += ["", f"# {doc}", f"{section}:"]
            section_before = section
        lines.append(f"  # {field['description']}  [{field['values']}]")
        value = yaml.safe_dump(field["default"], default_flow_style=True, width=10_000)
        lines.append(f"  {name}: {value.removesuffix('...' + chr(10)).strip()}")
    return "\n".join(lines) + "\n"


def _allowed(schema: Mapping[str, Any]) -> str:
    """What a setting takes, in words, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    names = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    kinds = {"array": "list", "string": "text", "boolean": "true | false"}
    kind = kinds.get(schema.get("type", ""), schema.get("type", ""))
    bounds = [f"{sign} {schema[key]:,}" for key, sign in names.items() if key in schema]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _explain(item: ErrorDetails) -> str:
    """One pydantic complaint as a sentence that lists what is allowed."""
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        section = key.rsplit(".", 1)[0] if "." in key else ""
        known = sorted(
            name if not section else name.split(".", 1)[1]
            for name in (setting_fields() if section else Settings.model_fields)
            if name.startswith(section)
        )
        place = f"section {section!r}" if section else "the settings"
        return f"unknown setting {key!r}; {place} has: {', '.join(known)}"
    if item["type"] == "value_error":
        return str(item["msg"]).removeprefix("Value error, ")
    dotted = ".".join(key.split(".")[:2])
    allowed = setting_fields().get(dotted, {}).get("values", "a section of settings")
    return f"setting {dotted} cannot be {item['input']!r}; allowed: {allowed}"


def _preset_path(name: str, conf_dir: Path) -> Path:
    presets = {path.stem: path for path in sorted((conf_dir / "presets").glob("*.yaml"))}
    if name not in presets:
        raise ConfigError(f"unknown preset {name!r}; there are: {', '.join(presets) or 'none'}")
    return presets[name]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read settings from {path}: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} must hold sections of settings, not {type(loaded).__name__}")
    return loaded


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    section, dot, name = key.strip().partition(".")
    if not equals or not dot or not name:
        raise ConfigError(f"--set takes section.name=value, not {text!r}")
    try:
        return {section: {name: yaml.safe_load(value)}}
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text!r}: the value is not YAML: {error}") from error


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Lay `values` over `into`, section by section."""
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


if __name__ == "__main__":
    print(default_yaml(), end="")
