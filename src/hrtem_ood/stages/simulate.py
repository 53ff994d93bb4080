"""Stage `simulate`: exit waves, phase and zero defocus of the scenes of a shard."""

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr
from ase import Atoms

from hrtem_ood import progress
from hrtem_ood.array_module import ArrayModule, Device, array_module
from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.artifacts.zarr_writer import ZarrWriter
from hrtem_ood.campaign.specs import ExitWaveShardSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.out_of_memory import explain_out_of_memory
from hrtem_ood.physics.optics.fourier import band_limited_size
from hrtem_ood.physics.simulation.exit_wave import grid_size
from hrtem_ood.physics.simulation.input_checks import check_structures
from hrtem_ood.physics.simulation.simulated_structure import SimulatedStructure, displaced, simulate_configurations
from hrtem_ood.physics.transfers import ahead, host_workers

LARGE = ("exit_wave", "particle_phase")
"""Variables that are written structure by structure."""


def phonon_seeds(spec: ExitWaveShardSpec, structure: int) -> list[int]:
    """Seeds of the displacements of a structure's frozen phonons."""
    return [phonon_seed(spec, structure, phonon) for phonon in range(spec.simulation.n_frozen_phonons)]


def phonon_seed(spec: ExitWaveShardSpec, structure: int, phonon: int) -> int:
    """Seed of the displacements: the same for every beam energy and sampling of a structure's simulation."""
    words = seed_sequence(f"phonons of {spec.structure_series}", structure, phonon).generate_state(2, np.uint64)
    return int(words[0]) << 64 | int(words[1])


def simulate(spec: ExitWaveShardSpec, structures: Path, output: Path, *, device: Device) -> None:
    """Simulate the exit waves of a shard of structures.

    Parameters
    ----------
    spec : ExitWaveShardSpec
    structures : Path
        The shard of structures ``start`` to ``stop``.
    output : Path
        The exit waves, ``.zarr.zip``.
    device : {"auto", "cpu", "gpu"}

    Raises
    ------
    ArtifactError, ConfigError
        See :func:`~hrtem_ood.physics.simulation.input_checks.check_structures` and
        :func:`~hrtem_ood.physics.simulation.exit_wave.grid_size`.
    """
    begin, am = time.monotonic(), array_module(device)
    progress.log(f"device: {am.device_name}")
    scenes, indices = store.read_structures(structures), range(spec.start, spec.stop)
    if [scene.info.get("structure") for scene in scenes] != list(indices):
        raise ArtifactError(f"{structures} does not hold structures {spec.start} to {spec.stop - 1}. Delete it.")
    check_structures(scenes, spec.simulation, structures)
    dataset = empty_dataset(spec, cell_A=float(scenes[0].cell.lengths()[0]))

    def displace(numbered: tuple[int, Atoms]) -> list[Atoms]:
        index, scene = numbered
        return displaced(scene, spec.simulation, phonon_seeds(spec, index))

    with store.writing_zarr(output) as writer, host_workers() as workers:
        configurations = ahead(workers, displace, zip(indices, scenes, strict=True))
        tracked = progress.track(configurations, "exit waves", len(scenes))
        simulated = (_simulate_one(of_scene, spec, index, am) for index, of_scene in zip(indices, tracked, strict=True))
        whole = write_waves(writer, dataset, simulated)
        seconds = time.monotonic() - begin
        provenance = store.provenance(spec, seconds=seconds, device=am.device_name, software=am.software)
        writer.finalize(whole, provenance)


def _simulate_one(
    configurations: list[Atoms], spec: ExitWaveShardSpec, index: int, am: ArrayModule
) -> SimulatedStructure:
    advice = "Use a larger simulation.sampling_A, a smaller cell_A or fewer execution.jobs_per_gpu; or more memory."
    with explain_out_of_memory(f"simulating structure {index}", advice):
        return simulate_configurations(configurations, spec.simulation, am)


def write_waves(writer: ZarrWriter, dataset: xr.Dataset, simulated: Iterable[SimulatedStructure]) -> xr.Dataset:
    """Write the large variables structure by structure, so that a shard is never held in memory.

    Parameters
    ----------
    writer : ZarrWriter
    dataset : xarray.Dataset
        From :func:`empty_dataset`.
    simulated : iterable of SimulatedStructure
        Of every structure, in order.

    Returns
    -------
    xarray.Dataset
        The variables that are still to be written.
    """
    for name in LARGE:
        array = dataset[name]
        encoding = {**array.encoding, "attributes": array.attrs, "fill_value": 0}
        writer.add_array(name, tuple(map(str, array.dims)), array.shape, array.dtype.name, encoding)
    zero_defocus_A = []
    for index, structure in enumerate(simulated):
        for name in LARGE:
            writer.write(name, index, getattr(structure, name)[np.newaxis])
        zero_defocus_A.append(structure.zero_defocus_A)
    rest = dataset.drop_vars(LARGE)
    rest["zero_defocus_A"] = dataset.zero_defocus_A.copy(data=np.array(zero_defocus_A, np.float32))
    return rest


def empty_dataset(spec: ExitWaveShardSpec, cell_A: float) -> xr.Dataset:
    """Return a dataset of zeros in the layout of a shard's exit waves; the zeros take no memory."""
    number, phonons = spec.stop - spec.start, spec.simulation.n_frozen_phonons
    size = band_limited_size(grid_size(cell_A, spec.simulation.sampling_A))
    pixel_size_A = cell_A / size
    position = np.arange(size) * pixel_size_A
    dataset = xr.Dataset(
        {
            "exit_wave": (
                ("structure", "phonon", "y", "x"),
                np.broadcast_to(np.complex64(0), (number, phonons, size, size)),
                {"long_name": "exit wave, incident wave 1", "units": "1"},
            ),
            "particle_phase": (
                ("structure", "y", "x"),
                np.broadcast_to(np.float32(0), (number, size, size)),
                {"long_name": "phase of the mean exit wave of the particles alone in vacuum", "units": "rad"},
            ),
            "zero_defocus_A": (
                "structure",
                np.zeros(number, np.float32),
                {"long_name": "defocus of minimum contrast of the particles in vacuum", "units": "Å"},
            ),
        },
        coords={
            "structure": np.arange(spec.start, spec.stop),
            "phonon": np.arange(phonons),
            "y": ("y", position, {"units": "Å"}),
            "x": ("x", position, {"units": "Å"}),
        },
        attrs={"series": spec.series, "energy_eV": spec.simulation.energy_eV, "sampling_A": pixel_size_A},
    )
    # not compressed: waves hardly shrink, and both are read without a copy, once per condition
    for name in LARGE:
        dataset[name].encoding = {"chunks": (1, *dataset[name].shape[1:]), "compressors": []}
    return dataset
