"""How far images are off by sampling, slice thickness, number of phonons and focal envelopes, with both engines.

Small scenes (a particle on carbon) under four conditions; errors are r.m.s. differences of images in units of their
standard deviation, the largest of all conditions and of all scenes of a kind: three particles turned at random, or one of
gold that the beam goes through along a zone axis, where columns of heavy atoms are the hardest of all. References: 0.05 Å
sampling with potentials from explicit sums in double precision; slices of 0.125 Å; for phonons, the scatter of single
configurations; for envelopes, explicit integration over focus. The campaign warns by the figures in
``hrtem_ood/campaign/simulation_accuracy.py``, which are these.

    python benchmarks/accuracy.py [--quick]

The quick run, against coarse references, shows only that the script works; its figures mean nothing.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from abtem.core.energy import energy2sigma
from abtem.parametrizations import validate_parametrization
from ase import Atoms
from ase.data import chemical_symbols
from report import Budget, report

from hrtem_ood.array_module import array_module
from hrtem_ood.campaign import simulation_accuracy
from hrtem_ood.physics.optics.fourier import crop_spectrum
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.abtem_engine import abtem_spectrum
from hrtem_ood.physics.simulation.exit_wave import displace, fast_spectrum
from hrtem_ood.physics.simulation.multislice import antialias_aperture
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import slice_atoms
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.physics.structures.scene import draw_scene

CPU = array_module("cpu")
SIDE_A, ENERGY_EV = 25.6, 300e3
WAVELENGTH_A = electron_wavelength_A(ENERGY_EV)
CDSE = Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152)
SCENES: dict[simulation_accuracy.Orientation, tuple[tuple[Material, float], ...]] = {
    "random": ((CDSE, 30.0), (Material(formula="Ag", structure="fcc", a_A=4.0782), 30.0), (CDSE, 10.0)),
    "zone axis": ((Material(formula="Au", structure="fcc", a_A=4.0782), 10.0),),
}
"""By kind of orientation: materials, and how thick the carbon is [Å]."""
DEFOCI_A = (-60.0, 40.0, 100.0, 190.0)  # from the exit plane; the second is near minimum contrast
QUICK = "--quick" in sys.argv
REFERENCE_A, THIN_A = (0.2, 1.0) if QUICK else (0.05, 0.125)


def scenes() -> Iterator[tuple[simulation_accuracy.Orientation, Atoms]]:
    """Draw the scenes, not displaced, each with its kind."""
    for kind, of_kind in SCENES.items():
        for index, (material, film_A) in enumerate(of_kind[:1] if QUICK else of_kind):
            axis = (0, 0, 1) if kind == "zone axis" else None
            recipe = StructureRecipe(
                material=material,
                seed=5,
                cell_A=SIDE_A,
                particles=Particles(count=(1, 1), radius_A=(9, 9), separation_A=5, zone_axis=axis),
                substrate=Substrate(thickness_A=film_A),
                vacuum_A=4,
            )
            yield kind, draw_scene(recipe, unit_cell(material), None, index)


def spectrum(atoms: Atoms, engine: str, sampling_A: float, thickness_A: float = 1.0) -> np.ndarray:
    """Spectrum of the exit wave; abTEM's is brought to the plane of ours, half a slice on."""
    simulation = Simulation.model_validate(
        {"engine": engine, "sampling_A": sampling_A, "slice_thickness_A": thickness_A, "n_frozen_phonons": 1}
    )
    size = round(SIDE_A / sampling_A)
    if engine == "builtin":
        return np.asarray(fast_spectrum(atoms, simulation, size, CPU))
    height = atoms.cell[2, 2]
    half_A = height / np.ceil(height / thickness_A) / 2
    index = np.fft.fftfreq(size, 1 / size) / SIDE_A
    back = np.exp(1j * np.pi * WAVELENGTH_A * half_A * (index[:, None] ** 2 + index**2))
    return np.asarray(np.asarray(abtem_spectrum(atoms, simulation, size, CPU)) * back)


def explicit_spectrum(atoms: Atoms, size: int, thickness_A: float) -> np.ndarray:
    """Multislice in double precision with structure factors summed term by term."""
    index = np.fft.fftfreq(size, 1 / size)
    k_squared = (index[:, None] ** 2 + index**2) / SIDE_A**2
    known, wave = validate_parametrization("lobato"), np.ones((size, size), complex)
    factor: Any = known.projected_scattering_factor  # wrongly typed there
    factors = {z: factor(chemical_symbols[z])(k_squared) for z in set(atoms.numbers.tolist())}
    for each in slice_atoms(atoms, thickness_A, size):
        total = np.zeros((size, size), complex)
        for number, pixels in each.species:
            x, y = (np.exp(-2j * np.pi / size * np.outer(index, pixels[:, axis])) for axis in (0, 1))
            total += factors[number] * (y @ x.T)
        phase = energy2sigma(ENERGY_EV) * np.fft.ifft2(total).real * size**2 / SIDE_A**2
        space = antialias_aperture(size) * np.exp(-1j * np.pi * WAVELENGTH_A * each.distance_A * k_squared)
        wave = np.fft.ifft2(space * np.fft.fft2(wave * np.exp(1j * phase)))
    return np.fft.fft2(wave)


def images(of: np.ndarray, spread_A: float = 20, by_A: float = 0) -> np.ndarray:
    """Images of a spectrum under four conditions, on pixels of 0.4 Å, with a focal spread, all defoci changed."""
    cropped = crop_spectrum(of, (64, 64))
    index = np.fft.fftfreq(64, 1 / 64) / SIDE_A
    q_squared = index[:, None] ** 2 + index**2
    spread = np.exp(-((np.pi * WAVELENGTH_A * spread_A * q_squared / 2) ** 2))
    lenses = [np.exp(1j * np.pi * WAVELENGTH_A * (defocus + by_A) * q_squared) * spread for defocus in DEFOCI_A]
    return np.stack([np.abs(np.fft.ifft2(lens * cropped)) ** 2 for lens in lenses])


def errors(of: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Errors of images of a spectrum by condition [%]."""
    return apart(images(of), images(reference))


def apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """R.m.s. differences of images in units of the others' standard deviation [%]."""
    squares = ((ours - theirs) ** 2).mean(axis=(1, 2))
    return np.asarray(100 * np.sqrt(squares) / theirs.std(axis=(1, 2)))


def envelope_error(of: np.ndarray, spread_A: float) -> np.ndarray:
    """Errors by condition [%] of a temporal envelope of that 1/e half-width, against the mean of images over focus."""
    nodes, weights = np.polynomial.hermite.hermgauss(41)
    explicit = [weight * images(of, 0, spread_A * node) for node, weight in zip(nodes, weights, strict=True)]
    return apart(images(of, spread_A), np.sum(explicit, axis=0) / np.sqrt(np.pi))


def phonon_error(scene: Atoms, number: int) -> np.ndarray:
    """Error of the mean of one configuration by condition, from the scatter of several [%], on pixels of 0.4 Å."""
    single = np.stack([images(spectrum(displace(scene, 0.1, seed), "builtin", 0.1)) for seed in range(number)])
    scatter = np.sqrt(single.var(axis=0, ddof=1).mean(axis=(1, 2)))
    return np.asarray(100 * scatter / single.mean(axis=0).std(axis=(1, 2)))


def measure(phonons: int = 16) -> dict[str, float]:
    """Measure the whole table: the largest errors over scenes and conditions [%]."""
    found: dict[str, list[float]] = {}
    for kind, scene in scenes():
        atoms = displace(scene, 0.1, 7)
        reference = explicit_spectrum(atoms, round(SIDE_A / REFERENCE_A), 1.0)
        for engine, table in simulation_accuracy.SAMPLING[kind].items():
            for sampling_A in table:
                off = errors(spectrum(atoms, engine, sampling_A), reference)
                found.setdefault(f"{kind}: {engine}, sampling {sampling_A:g} Å [%]", []).extend(off)
                if sampling_A == 0.1:
                    found.setdefault(f"{kind}: {engine}, sampling 0.1 Å, mean [%]", []).append(float(off.mean()))
        thin = spectrum(atoms, "builtin", 0.1, THIN_A)
        for thickness_A in simulation_accuracy.THICKNESS:
            off = errors(spectrum(atoms, "builtin", 0.1, thickness_A), thin)
            found.setdefault(f"slices of {thickness_A:g} Å [%]", []).extend(off)
        found.setdefault("one phonon [%]", []).extend(phonon_error(scene, phonons))
        for spread_A in simulation_accuracy.ENVELOPE[kind]:
            off = envelope_error(reference, spread_A)
            found.setdefault(f"{kind}: envelope of {spread_A:g} Å [%]", []).extend(off)
    return {name: float(np.mean(values) if "mean" in name else np.max(values)) for name, values in found.items()}


def known() -> dict[str, float]:
    """Return what the campaign warns by, by the names of the figures."""
    figures = {f"slices of {at:g} Å [%]": off for at, off in simulation_accuracy.THICKNESS.items()}
    figures["one phonon [%]"] = simulation_accuracy.ONE_PHONON
    for kind in SCENES:
        for engine, table in simulation_accuracy.SAMPLING[kind].items():
            figures |= {f"{kind}: {engine}, sampling {at:g} Å [%]": off for at, off in table.items()}
        figures |= {f"{kind}: envelope of {at:g} Å [%]": off for at, off in simulation_accuracy.ENVELOPE[kind].items()}
    return figures


def main() -> None:
    """Measure, and compare with what the campaign warns by."""
    figures = measure(phonons=2 if QUICK else 16)
    figures["largest departure from what the campaign knows [%]"] = max(
        100 * abs(figures[name] - value) / value for name, value in known().items()
    )
    report(
        "accuracy",
        figures,
        [
            Budget("random: builtin, sampling 0.1 Å [%]", 1.0, "max"),
            Budget("largest departure from what the campaign knows [%]", 10.0, "max"),
        ],
        [
            "Largest errors of images over four conditions and the scenes of a kind (particles turned at random; gold along",
            "a zone axis), in units of the images' standard deviation;",
            "the mean of n phonons is off by that of one over √n.",
        ],
    )


if __name__ == "__main__":
    main()
