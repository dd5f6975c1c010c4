"Package metadata: everything is read from settings.ini, so that it is said once."

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(ROOT / "settings.ini", encoding="utf-8")
settings = config["DEFAULT"]


class SourceDistribution(sdist):
    "A source distribution that carries settings.ini, which this file needs."

    def add_defaults(self):
        super().add_defaults()
        self.filelist.append("settings.ini")


def requirements(key: str) -> list[str]:
    "The requirements under `key`, one a line (a requirement may hold commas, so lines are what separates them)."
    return [line.strip() for line in settings[key].splitlines() if line.strip()]


USER_EXTRAS = ["opennsfw", "fast", "vector", "serve", "scale", "track", "lora", "sweep", "similar", "map", "labels", "heif"]
extras = {name: requirements(f"{name}_requirements") for name in USER_EXTRAS}
extras["all"] = sorted({requirement for name in USER_EXTRAS for requirement in extras[name]})
extras["dev"] = extras["all"] + requirements("dev_requirements")

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    author_email=settings["author_email"],
    keywords=settings["keywords"],
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    url=settings["git_url"],
    project_urls={"Documentation": settings["doc_host"] + settings["doc_baseurl"] + "/"},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=find_packages(include=["nsfw_dreambooth", "nsfw_dreambooth.*"]),
    package_data={"nsfw_dreambooth": ["py.typed", "demo/models/**/*", "demo/pictures/**/*"]},
    python_requires=">=3.11,<3.13",  # tested on 3.11
    install_requires=requirements("requirements"),
    extras_require=extras,
    entry_points={
        "console_scripts": requirements("console_scripts"),
        "nbdev": ["nsfw_dreambooth=nsfw_dreambooth._modidx:d"],
    },
    cmdclass={"sdist": SourceDistribution},
    zip_safe=False,
)
