"""Where the packages lie: `lib/` is the source root; `jobs/`, `conf/` and `models/` ride along.

Everything else about the distribution stands in pyproject.toml.
"""

from setuptools import find_namespace_packages, setup

BESIDE_LIB = ("jobs", "conf", "models")
"""Folders of the project that are installed as `framejury.FOLDER`."""

setup(
    # Namespace packages too: setuptools takes a folder of data files for a package without Python.
    packages=[
        *find_namespace_packages("lib"),
        *(f"framejury.{folder}" for folder in BESIDE_LIB),
        *(
            f"framejury.{folder}.{inner}"
            for folder in BESIDE_LIB
            for inner in find_namespace_packages(folder)
        ),
    ],
    package_dir={"": "lib", **{f"framejury.{folder}": folder for folder in BESIDE_LIB}},
    package_data={
        "framejury": ["py.typed"],
        "framejury.faces.weights": ["*"],
        "framejury.pages.templates": ["*"],
        "framejury.conf": ["default.yaml", "chatter.txt"],
        "framejury.conf.presets": ["*.yaml"],
        "framejury.conf.spark": ["*"],
        "framejury.conf.schedule": ["*"],
        "framejury.conf.prometheus": ["*"],
        "framejury.conf.grafana": ["*"],
        "framejury.conf.training": ["*.csv"],
        **{f"framejury.models.{inner}": ["*"] for inner in find_namespace_packages("models")},
    },
)
