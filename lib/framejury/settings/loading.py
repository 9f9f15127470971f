"""Settings from defaults, presets, files and the command line, checked on the driver.

`framejury.settings` declares them; `conf/default.yaml` is printed from there
(`python -m framejury.settings.loading`, checked by a test) for people to read and change.
Order of precedence, last wins: the declarations, `conf/default.yaml`, for commands that judge what
the bundle carries, `--preset`, `--config`, `--set`. The section `when_judging` of a preset or file
holds sections that apply only to commands that judge videos, not to those that train on them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from framejury.errors import ConfigError, did_you_mean
from framejury.settings import Section, Settings

WHEN_JUDGING = "when_judging"


def load_settings(
    preset: str | None = None,
    config_file: str | None = None,
    overrides: Iterable[str] = (),
    conf_dir: Path | None = None,
    command_defaults: Iterable[str] = (),
    *,
    judging: bool = False,
    of_bundle: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge defaults, bundle, preset, file and `key=value` overrides; the last wins.

    Args:
        preset: name of a file in `conf/presets`, without `.yaml`.
        config_file: path of a YAML file with some of the settings.
        overrides: texts such as `sampling.frames=32`; the value is read as YAML.
        conf_dir: folder that holds `default.yaml` and `presets/`; beside the package when None.
        command_defaults: as `overrides`, for one command: they win over the bundle, while preset,
            file and overrides win over them.
        judging: whether the sections `when_judging` of preset and file apply.
        of_bundle: sections that a bundle carries (`Manifest.judging`); None: no bundle judges.

    Raises:
        ConfigError: unknown preset, key or value; the message lists what is allowed.
    """
    conf_dir = conf_dir or find_conf_dir()
    merged = _read_yaml(conf_dir / "default.yaml")
    _merge(merged, of_bundle or {})
    for default in command_defaults:
        _merge(merged, _parse_override(default))
    if preset is not None:
        _merge(merged, _read_layers(_preset_path(preset, conf_dir), judging))
    if config_file is not None:
        _merge(merged, _read_layers(Path(config_file), judging))
    for override in overrides:
        _merge(merged, _parse_override(override))
    return settings_from(merged)


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Check nested plain values and return them as settings.

    Raises:
        ConfigError: an unknown key or a value out of range.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def preset_names(conf_dir: Path | None = None) -> list[str]:
    """Return the names of the files in `conf/presets`, sorted.

    Raises:
        ConfigError: there is no such folder.
    """
    return sorted(_presets(conf_dir or find_conf_dir()))


def find_conf_dir() -> Path:
    """Find the `conf` folder: inside an installed package, else beside `lib` in a checkout.

    Raises:
        ConfigError: neither is there.
    """
    here = Path(__file__).resolve().parents[1]
    for candidate in (here / "conf", here.parents[1] / "conf"):
        if (candidate / "presets").is_dir():
            return candidate
    raise ConfigError(f"no conf/presets folder beside {here}; reinstall framejury")


def setting_fields() -> dict[str, dict[str, Any]]:
    """Return `default`, `description` and allowed `values` of every setting by dotted key."""
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
    """Return the text of `conf/default.yaml`: every setting, described, with its range."""
    lines = [
        "# Every setting of framejury with its default, printed by `make docs` from",
        "# lib/framejury/settings/. Overridden, in this order, by the bundle that judges, by",
        "# --preset NAME (conf/presets), --config FILE and --set section.name=value.",
    ]
    section_before = None
    for key, field in setting_fields().items():
        section, name = key.split(".")
        if section != section_before:
            doc = (Settings.model_fields[section].annotation.__doc__ or "").strip()
            lines += ["", f"# {doc}", f"{section}:"]
            section_before = section
        lines += described(field, "  # ")
        value = yaml.safe_dump(field["default"], default_flow_style=True, width=80)
        value = value.removesuffix("...\n").strip()
        lines += textwrap.indent(f"{name}: {value}", "  ").splitlines()
    return "\n".join(lines) + "\n"


def described(field: Mapping[str, Any], indent: str, width: int = 98) -> list[str]:
    """Return a setting's description and range as lines of at most `width` characters."""
    # The range is one word here, so it is not torn.
    values = f"[{field['values']}]".replace(" ", "\0")
    if len(values) > width - 38:
        values = values.replace("\0", " ")
    text = f"{field['description']} {values}"
    lines = textwrap.wrap(text, width - len(indent), break_long_words=False, break_on_hyphens=False)
    return [f"{indent}{line}".replace("\0", " ") for line in lines]


def _allowed(schema: Mapping[str, Any]) -> str:
    """Describe the values a setting takes, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    names = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    kinds = {"array": "list", "string": "text", "boolean": "true | false", "object": "name: odds"}
    kind = kinds.get(schema.get("type", ""), schema.get("type", ""))
    bounds = [f"{sign} {schema[key]:,}" for key, sign in names.items() if key in schema]
    return " ".join([kind, ", ".join(bounds)]).strip()


def _explain(item: ErrorDetails) -> str:
    """Turn one pydantic error into a sentence that lists what is allowed."""
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        section = key.rsplit(".", 1)[0] if "." in key else ""
        known = sorted(
            name if not section else name.split(".", 1)[1]
            for name in (setting_fields() if section else Settings.model_fields)
            if name.startswith(section)
        )
        place = f"section {section!r}" if section else "the settings"
        hint = did_you_mean(key.rpartition(".")[2], known)
        return f"unknown setting {key!r}{hint or ';'} {place} has: {', '.join(known)}"
    if item["type"] == "value_error":
        return str(item["msg"]).removeprefix("Value error, ")
    dotted = ".".join(key.split(".")[:2])
    allowed = setting_fields().get(dotted, {}).get("values", "a section of settings")
    return f"setting {dotted} cannot be {item['input']!r}; allowed: {allowed}"


def _preset_path(name: str, conf_dir: Path) -> Path:
    presets = _presets(conf_dir)
    if name not in presets:
        hint = did_you_mean(name, presets)
        raise ConfigError(
            f"unknown preset {name!r}{hint or ';'} presets: {', '.join(presets) or 'none'}"
        )
    return presets[name]


def _presets(conf_dir: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((conf_dir / "presets").glob("*.yaml"))}


def _read_layers(path: Path, judging: bool) -> dict[str, Any]:
    """Read the settings of a file, and apply or drop its `when_judging`."""
    values = _read_yaml(path)
    when_judging = values.pop(WHEN_JUDGING, None)
    if when_judging is not None and not isinstance(when_judging, dict):
        raise ConfigError(f"{path}: {WHEN_JUDGING} must hold sections of settings")
    if when_judging is not None:
        # Checked for every command, so that a mistake is not first found by a nightly run.
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
        raise ConfigError(f"{path} must hold sections of settings, not a {type(loaded).__name__}")
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
    """Override `into` by `values`, section by section."""
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


if __name__ == "__main__":
    print(default_yaml(), end="")
