"""The section `test_suites`: groups of simulated test datasets, and labelled micrographs."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from hrtem_ood.base_model import SHA256_PATTERN, Model, NameOrNames, Names, grid_of, names_of

FilePattern = Annotated[str, Field(min_length=1, max_length=4096)]


class Suite(Model):
    """A named group of test datasets: the unit of one evaluation job."""

    structure_set: NameOrNames = Field(
        description="A name under `structure_sets`, or a list of them; never one that is used for training."
    )
    conditions: Names = Field(description="Names under `conditions`.")

    @property
    def structure_sets(self) -> tuple[str, ...]:
        """Names of the structure sets."""
        return names_of(self.structure_set)


class LabelledFile(Model):
    """A file of micrographs and the file of their labels."""

    micrographs: FilePattern = Field(description="Path of the file of micrographs.")
    labels: FilePattern = Field(description="Path of the file of their labels.")
    micrographs_sha256: str = Field(description="Digest of the file of micrographs.", pattern=SHA256_PATTERN)
    labels_sha256: str = Field(description="Digest of the file of labels.", pattern=SHA256_PATTERN)

    @property
    def digests(self) -> tuple[str, str]:
        """What the identity depends on: contents, not names."""
        return self.micrographs_sha256, self.labels_sha256


class MicrographSuite(Model):
    """Labelled micrographs that networks are tested on beside simulated conditions."""

    micrographs: grid_of(FilePattern) = Field(  # type: ignore[valid-type]  # a type built at import
        description="Paths of micrographs, or patterns as `folder/*.tif`, relative to the working directory; `**` stands "
        "for folders in folders. Identities depend on the contents of the files, not on their names."
    )
    labels: grid_of(FilePattern) = Field(  # type: ignore[valid-type]  # a type built at import
        description="Paths or patterns of the labels: masks, or numbered particles. A label has the name of its micrograph, "
        "whatever its suffix, or that with `_label` or `_mask`."
    )
    pixel_size_A: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="Pixel of all micrographs [Å]. Default: what their files say."
    )
    repair: bool = Field(
        True, description="Whether defects of the micrographs are removed, as `hrtem-ood predict` and `score` do."
    )
    files: tuple[LabelledFile, ...] = Field(
        (),
        max_length=10_000,
        description="Filled in when the files are looked for: pairs of them with their digests. Where it is given, no others "
        "are looked for.",
    )


def _kind_of_suite(value: Any) -> str:
    is_measured = isinstance(value, MicrographSuite) or (
        isinstance(value, dict) and bool({"micrographs", "labels"} & set(value))
    )
    return "labelled files" if is_measured else "a simulation"


AnySuite = Annotated[
    Annotated[Suite, Tag("a simulation")] | Annotated[MicrographSuite, Tag("labelled files")],
    Discriminator(_kind_of_suite),
]
