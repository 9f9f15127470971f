"""Settings: declared once, checked on the driver, last one wins."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from framejury.errors import ConfigError
from framejury.settings import Settings
from framejury.settings.loading import (
    default_yaml,
    find_conf_dir,
    load_settings,
    setting_fields,
    settings_from,
)

CONF = Path(__file__).resolve().parents[3] / "conf"


@pytest.fixture
def conf_dir(tmp_path: Path) -> Path:
    """A conf folder with the real defaults and two presets."""
    (tmp_path / "default.yaml").write_text(default_yaml(), encoding="utf-8")
    presets = tmp_path / "presets"
    presets.mkdir()
    (presets / "few.yaml").write_text("sampling: {frames: 5, mode: random}\n", encoding="utf-8")
    (presets / "old.yaml").write_text("sampling: {frmaes: 5}\n", encoding="utf-8")
    return tmp_path


def test_default_yaml_is_up_to_date() -> None:
    assert (CONF / "default.yaml").read_text(encoding="utf-8") == default_yaml(), "run: make docs"


def test_default_yaml_holds_every_setting_and_its_default() -> None:
    assert settings_from(yaml.safe_load(default_yaml())) == Settings()
    assert load_settings() == Settings()


def test_every_setting_has_a_sentence_and_a_range() -> None:
    fields = setting_fields()
    assert len(fields) > 40
    for key, field in fields.items():
        assert field["description"].endswith("."), key
        assert field["values"], key


@pytest.mark.parametrize("preset", sorted(path.stem for path in (CONF / "presets").glob("*.yaml")))
def test_shipped_presets_are_valid(preset: str) -> None:
    assert load_settings(preset) != Settings()


def test_last_one_wins(conf_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sampling: {frames: 7}\nsplit: {seed: 3}\n", encoding="utf-8")

    def frames_of(settings: Settings) -> tuple[int, str, int]:
        return settings.sampling.counts[0], settings.sampling.mode, settings.split.seed

    assert frames_of(load_settings(conf_dir=conf_dir)) == (11, "uniform", 0)
    assert frames_of(load_settings("few", conf_dir=conf_dir)) == (5, "random", 0)
    assert frames_of(load_settings("few", str(file), conf_dir=conf_dir)) == (7, "random", 3)
    overrides = ["sampling.frames=9", "split.seed=4", "sampling.frames=10"]
    assert frames_of(load_settings("few", str(file), overrides, conf_dir)) == (10, "random", 4)


def test_override_is_read_as_yaml(conf_dir: Path) -> None:
    overrides = [
        "verdict.threshold=0.4",
        "training.augment=false",
        "training.head_units=[8, 4]",
        "index.extensions=[mp4]",
    ]
    settings = load_settings(overrides=overrides, conf_dir=conf_dir)
    assert settings.verdict.threshold == 0.4
    assert settings.training.augment == "none"
    assert settings.training.head_units == (8, 4)
    assert settings.index.extensions == ("mp4",)
    assert load_settings(overrides=["verdict.threshold=null"], conf_dir=conf_dir) == Settings()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "sampling.frmaes=5",
            r"'sampling.frmaes'; did you mean frames\? section 'sampling' has: clip_frames, ",
        ),
        (
            "smapling.frames=5",
            r"unknown setting 'smapling'; did you mean sampling\? the settings has: ",
        ),
        ("sampling.frames=0", r"sampling.frames cannot be 0; allowed: integer >= 1, <= 10,000"),
        ("sampling.rounds=[11, 11]", r"sampling.rounds is \[11, 11\]; each round must have more "),
        ("sampling.rounds=[32, 11]", r"sampling.rounds is \[32, 11\]; .* such as \[11, 32, 96\]"),
        ("sampling.rounds=[0, 11]", r"sampling.rounds cannot be 0; allowed: list"),
        ("sampling.rounds=11", r"sampling.rounds cannot be 11; allowed: list"),
        ("sampling.frames=many", r"sampling.frames cannot be 'many'; allowed: integer"),
        (
            "sampling.mode=best",
            r"sampling.mode cannot be 'best'; allowed: uniform \| random \| all",
        ),
        ("crops.jpeg_quality=80", r"crops.jpeg_quality cannot be 80; allowed: integer >= 95"),
        ("verdict.threshold=1.5", r"verdict.threshold cannot be 1.5; allowed: number >= 0, <= 1"),
        ("split.train=0.5", r"split.train \+ split.val \+ split.test is 0.7; it must be 1"),
        ("publish.delta=s3://AKIA:Secret1@b/t", r"publish.delta s3://\*\*\*@b/t holds a secret"),
        ("publish.database=postgresql://joe:Secret1@db/v", r"sets password, .* into PGPASSWORD"),
        ("publish.database=postgresql://db/v?password=Secret1", r"sets password, "),
        ("publish.database='host=db password = Secret1'", r"sets password, "),
        ("publish.database=\"host=db sslpassword='a b'\"", r"sets sslpassword, "),
        ("publish.database=mysql://joe:Secret1@db/v", r"\(the value is not shown here\)"),
        ("publish.database='host=db Secret1'", r"\(the value is not shown here\)"),
        ("publish.database_schema=a;drop", r"publish.database_schema cannot be 'a;drop'"),
        ("frames=5", r"--set takes section.name=value, not 'frames=5'"),
        ("sampling.frames", r"--set takes section.name=value"),
        ("sampling.frames=[1", r"the value is not YAML"),
    ],
)
def test_bad_override_is_refused_with_what_is_allowed(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(overrides=[override])
    assert "Secret1" not in str(caught.value)


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://joe@db:5432/media?sslmode=require",
        "postgres:///media?host=/run/postgresql",
        "service=media",
        "host=db dbname='my media' user=joe",
    ],
)
def test_a_database_without_a_password_is_taken(place: str) -> None:
    assert settings_from({"publish": {"database": place}}).publish.database == place


def test_when_judging_counts_for_verbs_that_judge(conf_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "sampling: {frames: 7, seed: 3}\nwhen_judging: {sampling: {frames: 30}}\n", "utf-8"
    )

    def frames_and_seed(*overrides: str, judging: bool) -> tuple[int, int]:
        settings = load_settings("few", str(file), overrides, conf_dir, judging=judging).sampling
        return settings.frames, settings.seed

    assert frames_and_seed(judging=False) == (7, 3)
    assert frames_and_seed(judging=True) == (30, 3)
    assert frames_and_seed("sampling.frames=9", judging=True) == (9, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when_judging: {sampling: {frmaes: 1}}", "sampling.frmaes"),
        ("when_judging: {sampling: {frames: 0}}", "sampling.frames cannot be 0"),
        ("when_judging: 3", "when_judging must hold sections"),
    ],
)
def test_a_wrong_when_judging_is_refused_by_every_verb(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        load_settings(config_file=str(file))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.signal=marked", "detection.detector=haar"], "set detection.detector=mtcnn"),
        (["training.signal=delta"], "training.self_blend_ratio=0"),
        (["training.backbone=resnet18", "training.weights=noisy-student"], "imagenet, none or a"),
        (["split.order=name"], "split.unit=video, not group"),
        (["sampling.first_frame=9", "sampling.last_frame=8"], "must be at least"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(overrides=overrides)


def test_training_without_epochs_is_refused() -> None:
    with pytest.raises(ConfigError, match="both 0"):
        settings_from({"training": {"head_epochs": 0, "finetune_epochs": 0}})


def test_unknown_preset_lists_the_known(conf_dir: Path) -> None:
    with pytest.raises(ConfigError, match="unknown preset 'fast'; presets: few, old"):
        load_settings("fast", conf_dir=conf_dir)
    with pytest.raises(ConfigError, match="frmaes"):
        load_settings("old", conf_dir=conf_dir)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must hold sections of settings, not a list"),
        ("a: [", "cannot read settings"),
    ],
)
def test_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_settings(config_file=str(file))
    with pytest.raises(ConfigError, match="cannot read settings"):
        load_settings(config_file=str(tmp_path / "absent.yaml"))


def test_empty_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# nothing yet\n", encoding="utf-8")
    assert load_settings(config_file=str(file)) == Settings()


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.sampling.frames = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.sampling = settings.sampling  # type: ignore[misc]


def test_digest_follows_the_named_sections() -> None:
    default, other = Settings(), load_settings(overrides=["sampling.frames=12"])
    assert default.digest("sampling") != other.digest("sampling")
    assert default.digest("crops") == other.digest("crops")
    assert default.digest() != other.digest()
    assert default.digest() == Settings().digest()
    assert len(default.digest()) == 12


def test_conf_dir_of_a_checkout() -> None:
    assert find_conf_dir() == CONF


@pytest.mark.parametrize(
    ("overrides", "counts"),
    [
        (["sampling.rounds=[5, 9]"], (5, 9)),
        (["sampling.rounds=[]"], (11,)),
        (["sampling.frames=7"], (7,)),  # exactly so many, whatever the rounds are
        (["sampling.frames=7", "sampling.frames=null", "sampling.rounds=[2, 3]"], (2, 3)),
        (["sampling.rounds=[5, 9]", "sampling.mode=random"], (5,)),
        (["sampling.rounds=[5, 9]", "sampling.pairs=true"], (5, 9)),
    ],
)
def test_frames_and_rounds(overrides: list[str], counts: tuple[int, ...]) -> None:
    sampling = load_settings(overrides=overrides).sampling
    assert sampling.counts == counts
    assert sampling.in_one_round().counts == counts[:1]
    assert sampling.in_one_round(40).counts == (40,)


def test_rounds_that_do_not_apply_change_no_id() -> None:
    def digest(*overrides: str) -> str:
        return load_settings(overrides=overrides).digest("sampling")

    exact = digest("sampling.frames=11")
    assert digest("sampling.frames=11", "sampling.rounds=[3, 4]") == exact
    assert digest("sampling.rounds=[]") == digest("sampling.rounds=[11]") == exact
    for mode in ("all", "every_s", "random"):
        assert digest(f"sampling.mode={mode}") == digest(
            f"sampling.mode={mode}", "sampling.frames=11"
        )
    every = digest("sampling.mode=every_s")
    assert digest("sampling.mode=every_s", "sampling.rounds=[5, 9]") == every
    # As written before there were rounds, when every number of frames was part of an id.
    assert every == "ad060f7b38fe"
    assert digest("sampling.mode=all", "sampling.frames=5") == "109c45a3949c"
    assert digest("sampling.rounds=[3, 4]") != digest("sampling.rounds=[3, 5]")
    assert digest() != exact
