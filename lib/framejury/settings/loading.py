"""Settings from defaults, presets, files and the command line, checked on the driver.

`framejury.settings` declares them; `conf/default.yaml` is printed from there
(`python -m framejury.settings.loading`, checked by a test) for people to read and change.
Order of precedence, last wins: the declarations, `conf/default.yaml`, `--preset`,
`--config`, `--set`. A preset or file may hold a section `when_judging` with sections of its own:
where verbs that judge videos differ from those that learn from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from framejury.errors import ConfigError
from framejury.settings import Section, Settings

WHEN_JUDGING = "when_judging"


def load_settings(
    preset: str | None = None,
    config_file: str | None = None,
    overrides: Iterable[str] = (),
    conf_dir: Path | None = None,
    verb_defaults: Iterable[str] = (),
    *,
    judging: bool = False,
) -> Settings:
    """Settings from defaults, preset, file and `key=value` overrides, last wins.

    Args:
        preset: name of a file in `conf/presets`, without `.yaml`.
        config_file: path of a YAML file with some of the settings.
        overrides: texts such as `sampling.frames=32`; the value is read as YAML.
        conf_dir: folder that holds `default.yaml` and `presets/`; beside the package when None.
        verb_defaults: as `overrides`, laid over `default.yaml` only: where one verb differs.
        judging: whether `when_judging` of preset and file counts; it is laid over the rest of them.

    Raises:
        ConfigError: unknown preset, key or value; the message lists what is allowed.
    """
    conf_dir = conf_dir or find_conf_dir()
    merged = _read_yaml(conf_dir / "default.yaml")
    for default in verb_defaults:
        _merge(merged, _parse_override(default))
    if preset is not None:
        _merge(merged, _read_layers(_preset_path(preset, conf_dir), judging))
    if config_file is not None:
        _merge(merged, _read_layers(Path(config_file), judging))
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


def preset_names(conf_dir: Path | None = None) -> list[str]:
    """Names of the files in `conf/presets`, sorted.

    Raises:
        ConfigError: there is no such folder.
    """
    return sorted(_presets(conf_dir or find_conf_dir()))


def find_conf_dir() -> Path:
    """The `conf` folder: inside an installed package, else beside `lib` in a checkout.

    Raises:
        ConfigError: neither is there.
    """
    here = Path(__file__).resolve().parents[1]
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
        "# Every setting of framejury with its default, as declared in lib/framejury/settings/",
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
    presets = _presets(conf_dir)
    if name not in presets:
        raise ConfigError(f"unknown preset {name!r}; there are: {', '.join(presets) or 'none'}")
    return presets[name]


def _presets(conf_dir: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((conf_dir / "presets").glob("*.yaml"))}


def _read_layers(path: Path, judging: bool) -> dict[str, Any]:
    """The settings of a file, `when_judging` laid over them or left out."""
    values = _read_yaml(path)
    when_judging = values.pop(WHEN_JUDGING, None)
    if when_judging is not None and not isinstance(when_judging, dict):
        raise ConfigError(f"{path}: {WHEN_JUDGING} must hold sections of settings")
    if when_judging is not None:
        # Checked whoever asks, or a mistake in it would wait for the first night.
        settings_from(when_judging)
        if judging:
            _merge(values, when_judging)
    return values


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
