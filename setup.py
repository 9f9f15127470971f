"""Where the packages lie: `lib/` is the source root; `jobs/` and `conf/` ride along.

Everything else about the distribution stands in pyproject.toml.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages("lib"), "framejury.jobs", "framejury.conf"],
    package_dir={"": "lib", "framejury.jobs": "jobs", "framejury.conf": "conf"},
    package_data={
        "framejury": ["py.typed", "faces/weights/*", "evaluation/templates/*"],
        "framejury.conf": ["default.yaml", "presets/*.yaml", "spark/*", "schedule/*"],
    },
)
