"""Where the packages lie: `lib/` is the source root; `jobs/`, `conf/` and `models/` ride along.

Everything else about the distribution stands in pyproject.toml.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages("lib"), "framejury.jobs", "framejury.conf", "framejury.models"],
    package_dir={
        "": "lib",
        "framejury.jobs": "jobs",
        "framejury.conf": "conf",
        "framejury.models": "models",
    },
    package_data={
        "framejury": [
            "py.typed",
            "faces/weights/*",
            "pages/templates/*",
        ],
        "framejury.models": ["*/*"],
        "framejury.conf": [
            "default.yaml",
            "presets/*.yaml",
            "spark/*",
            "schedule/*",
            "prometheus/*",
            "training/*.csv",
        ],
    },
)
