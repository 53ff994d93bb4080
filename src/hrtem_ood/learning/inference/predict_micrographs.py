"""Verb `predict`: segmentation of many micrographs, with what it writes."""

import csv
import importlib.metadata
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts import store
from hrtem_ood.errors import HrtemOodError, printable
from hrtem_ood.learning.inference.figures import draw_thumbnail
from hrtem_ood.learning.inference.inputs import expand_inputs
from hrtem_ood.learning.inference.micrograph import Micrograph, read_micrographs
from hrtem_ood.learning.inference.outputs import (
    PAGE_FILE,
    RECORD_FILE,
    TABLE_FILE,
    Claims,
    check_nothing_is_there,
    output_paths,
    write_outputs,
)
from hrtem_ood.learning.inference.particle_labels import AS_THEY_ARE, ParticleOptions
from hrtem_ood.learning.inference.run_page import run_page
from hrtem_ood.learning.inference.run_record import NEARLY_ALL, FailedFile, ImageRecord, RunRecord
from hrtem_ood.learning.inference.segment_micrographs import Segmentation, TrainedNetwork, refusal, segment
from hrtem_ood.learning.torch_device import torch_device
from hrtem_ood.progress import track
from hrtem_ood.user_files import content_sha256

MOST_NOTES = 10
"""Of what a file holds besides micrographs; more are counted."""

MOST_THUMBNAILS = 300
"""A page shows so many images; its table has all."""


@dataclass(frozen=True)
class SegmentationResult:
    """A segmented image, with what was written.

    Attributes
    ----------
    micrograph : Micrograph
        As it was read.
    segmentation : Segmentation
    record : ImageRecord
        What is kept of it.
    """

    micrograph: Micrograph
    segmentation: Segmentation
    record: ImageRecord


def prepare(inputs: Sequence[Path], output: Path, *, overwrite: bool, assessed: bool) -> list[Path]:
    """Find the files that are meant, and check that their results take nothing from others.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders and patterns, see :func:`hrtem_ood.learning.inference.inputs.expand_inputs`.
    output : Path
        Folder to write to.
    overwrite : bool
        Whether earlier results may be replaced. Inputs never are.
    assessed : bool
        Whether a condition is stated, whose picture is written, too.

    Returns
    -------
    list of Path
        Files.

    Raises
    ------
    ConfigError
        Where there is no file, or one would be written over.
    """
    images = expand_inputs(inputs)
    Claims(images, output)
    if not overwrite:
        check_nothing_is_there(images, output, assessed=assessed)
    return images


def start_record(network: TrainedNetwork, options: Mapping[str, Any]) -> RunRecord:
    """Begin the record of a run.

    Parameters
    ----------
    network : TrainedNetwork
    options : mapping
        JSON-like.

    Returns
    -------
    RunRecord
    """
    domain = network.training_domain
    about = {
        "id": network.id,
        "pixel_size_A": domain.pixel_size_A,
        "energy_eV": domain.energy_eV,
        "conditions": [condition.label for condition, _ in domain.conditions],
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunRecord(about, options, importlib.metadata.version("hrtem-ood"), now)


def predict(
    network: TrainedNetwork,
    images: Sequence[Path],
    output: Path,
    record: RunRecord,
    *,
    particles: ParticleOptions = AS_THEY_ARE,
    pixel_size_A: float | None = None,
    repair: bool = True,
    device: Device = "auto",
) -> Iterator[SegmentationResult | FailedFile]:
    """Segment micrographs, and write the results of each, and of all of them at the end.

    A file that cannot be read or segmented does not end the run.

    Parameters
    ----------
    network : TrainedNetwork
    images : sequence of Path
        Files, from :func:`prepare`.
    output : Path
        Folder.
    record : RunRecord
        From :func:`start_record`; filled here.
    particles : ParticleOptions
    pixel_size_A : float, optional, [Å]
        Of all images; by default what their files say.
    repair : bool, optional
        See :func:`hrtem_ood.learning.inference.segment_micrographs.segment`.
    device : {"auto", "cpu", "gpu"}

    Yields
    ------
    SegmentationResult or FailedFile
        Results after their files are written.

    Raises
    ------
    DeviceError
        Where there is no such device.
    """
    torch_device(device)  # before anything is read
    claims = Claims(images, output)
    for path in track(images, "micrographs", len(images)) if len(images) > 1 else images:
        digest = ""
        try:
            read = read_micrographs(
                path,
                pixel_size_A=pixel_size_A,
                stem=claims.names[path],
                refusal=lambda shape, pixel: refusal(shape, pixel, network),
            )
            for micrograph in read:
                outputs = output_paths(output, micrograph.name)
                claims.claim(outputs, path)
                segmentation = segment(network, micrograph, repair=repair, device=device, **particles._asdict())
                write_outputs(outputs, segmentation, micrograph.name, network.id)
                digest = digest or content_sha256(path, "micrograph")
                drawn = len(record.images) < MOST_THUMBNAILS
                record.images.append(_keep(micrograph, segmentation, outputs, digest, drawn=drawn))
                yield SegmentationResult(micrograph, segmentation, record.images[-1])
                del segmentation  # two images at once need twice the memory
        except (HrtemOodError, MemoryError) as error:
            record.failed.append(FailedFile(path, str(error) or "out of memory"))
            yield record.failed[-1]
    if record.images:
        write_run(record, output)


def _keep(
    micrograph: Micrograph, segmentation: Segmentation, outputs: Mapping[str, Path], sha256: str, *, drawn: bool
) -> ImageRecord:
    particles = segmentation.particles
    return ImageRecord(
        name=micrograph.name,
        path=micrograph.path,
        sha256=sha256,
        shape=(micrograph.image.shape[0], micrograph.image.shape[1]),
        network_shape=segmentation.network_shape,
        pixel_size_A=segmentation.pixel_size_A,
        network_pixel_size_A=segmentation.network_pixel_size_A,
        covered=segmentation.measurements.covered,
        confidence=float(particles.confidence.mean()),
        entropy=segmentation.measurements.entropy,
        diameters_A=particles.diameter_A.to_numpy(np.float32),
        at_edge=particles.at_edge.to_numpy(bool),
        notes=tuple(segmentation_notes(micrograph, segmentation)),
        outputs=outputs,
        thumbnail=draw_thumbnail(segmentation.image, segmentation.labels) if drawn else b"",
    )


def segmentation_notes(micrograph: Micrograph, segmentation: Segmentation) -> Iterator[str]:
    """Yield reasons to check a result, from the image and the masks alone.

    Parameters
    ----------
    micrograph : Micrograph
    segmentation : Segmentation
    """
    yield from micrograph.notes
    for each in micrograph.left_out[:MOST_NOTES]:
        yield f"not segmented: {each}"
    if len(micrograph.left_out) > MOST_NOTES:
        yield f"not segmented: {len(micrograph.left_out) - MOST_NOTES} more of this file"
    covered = segmentation.measurements.covered
    if covered == 0:
        yield "No particle found. Empty masks are typical of out-of-domain images."
    elif covered >= NEARLY_ALL:
        yield f"Particles cover {covered:.1%} of the image. Full masks are typical of out-of-domain images."
    if micrograph.pixel_size_A > segmentation.network_pixel_size_A:
        yield (
            f"the image has frequencies up to {0.5 / micrograph.pixel_size_A:.2f} 1/Å, training images up to "
            f"{0.5 / segmentation.network_pixel_size_A:.2f} 1/Å: the network was not trained on such smooth noise."
        )
    if segmentation.tiles is not None and not segmentation.tiles.exact:
        yield (
            "an output pixel of this network depends on the whole image, hence the result on the tiles, which are as "
            "large as the training images."
        )


def write_run(record: RunRecord, output: Path) -> None:
    """Write the particles of all images, the record and the page of a run.

    Parameters
    ----------
    record : RunRecord
        With one image or more.
    output : Path
        Folder.
    """
    with store.atomic_replace(output / TABLE_FILE) as temporary, temporary.open("w", encoding="utf-8") as file:
        for number, image in enumerate(record.images):
            with image.outputs["particles"].open(encoding="utf-8") as rows:
                head = next(rows)
                if number == 0:
                    file.write(f"image,{head}")
                name = _csv_field(image.name)
                file.writelines(f"{name},{row}" for row in rows)
    store.write_text(output / RECORD_FILE, json.dumps(record.as_json(), indent=1) + "\n")
    store.write_text(output / PAGE_FILE, run_page(record))


def _csv_field(text: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([printable(text)])
    return line.getvalue()
