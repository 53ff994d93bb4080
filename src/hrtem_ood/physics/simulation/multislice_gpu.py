"""The multislice on a GPU: the arithmetic of `potential` and `multislice` in few kernels, without leaving the device.

Atoms go to the device once per wave. The phases of a batch of slices are made together, as many as a share of memory holds:
one kernel spreads the atoms, one transform serves all planes, one kernel adds up species. Then each slice costs the wave two
transforms in place, one multiplication by exp(i phase) and one by the propagator, which holds the transforms' normalisation.
Propagators, form factors and plans of transforms stay on the device from one wave to the next.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.gpu_kernels import FROM_FIXED_POINT, POINTS_PER_ATOM, SPREAD, SUM_SPECIES, TRANSMIT
from hrtem_ood.physics.simulation.multislice import antialias_aperture
from hrtem_ood.physics.simulation.potential import Slice, form_factors

FORWARD, BACKWARD = -1, 1
"""Directions of plans, as cuFFT counts them."""

BATCH_BYTES = 160 * 2**20
"""Memory for the phases of a batch of slices; the transforms need as much again for their own work."""

BYTES_PER_POINT = 28
"""What a point of a plane needs: fixed and floating point, half a complex spectrum of its own and of its slice, the phase."""

MOST_PLANES = 64
"""Planes of a batch: more save no time, as their kernels fill a GPU."""

SPACES = 4
"""Propagators that are kept: of the usual distance, of the one to the top of the cell, and of two gaps."""


class Planes:
    """The atoms of a scene on the device, by plane: those of one species in one slice.

    Parameters
    ----------
    slices : sequence of Slice
        None without atoms.
    am : ArrayModule

    Attributes
    ----------
    numbers : tuple of int
        Atomic numbers of the scene's species, ascending.
    begins : int array, (slice + 1,)
        First plane of each slice, on the host.
    atoms : int array, (plane + 1,)
        First atom of each plane, on the host.
    pixels : float64 array, (atom, 2), [px]
    planes, species, begins_there : int32 arrays, (atom,), (plane,) and (slice + 1,)
        Plane of each atom, place of each plane's species in ``numbers``, and ``begins``, on the device.
    """

    def __init__(self, slices: Sequence[Slice], am: ArrayModule) -> None:
        xp, parts = am.xp, [part for each in slices for part in each.species]
        of_planes = np.array([number for number, _ in parts])
        self.numbers = tuple(np.unique(of_planes).tolist())
        counts = [len(pixels) for _, pixels in parts]
        self.atoms = np.concatenate([[0], np.cumsum(counts)])
        self.begins = np.concatenate([[0], np.cumsum([len(each.species) for each in slices])])
        self.pixels = xp.asarray(np.ascontiguousarray(np.concatenate([pixels for _, pixels in parts])))
        self.planes = xp.asarray(np.repeat(np.arange(len(parts), dtype=np.int32), counts))
        self.species = xp.asarray(np.searchsorted(self.numbers, of_planes).astype(np.int32))
        self.begins_there = xp.asarray(self.begins.astype(np.int32))


class GpuMultislice:
    """Buffers and plans for waves of one size; see :func:`~hrtem_ood.physics.simulation.multislice.multislice`.

    Parameters
    ----------
    size : int
        Grid points along x and y.
    side_A : float, [Å]
    energy_eV : float, [eV]
    parametrization : str
        One of abTEM's.
    am : ArrayModule
        One that compiles kernels.
    """

    def __init__(self, size: int, side_A: float, energy_eV: float, parametrization: str, am: ArrayModule) -> None:
        self.size, self.side_A, self.energy_eV, self.parametrization, self.am = (
            size,
            side_A,
            energy_eV,
            parametrization,
            am,
        )
        self.half, self.wavelength_A = size // 2 + 1, electron_wavelength_A(energy_eV)
        self.batch = int(min(max(BATCH_BYTES // (BYTES_PER_POINT * size**2), 4), MOST_PLANES))
        self.spread, self.from_fixed_point, self.sum_species, self.transmit = map(
            am.kernel, (SPREAD, FROM_FIXED_POINT, SUM_SPECIES, TRANSMIT)
        )
        self.wave = am.xp.empty((size, size), dtype=np.complex64)
        self.plan = am.fft.get_fft_plan(self.wave, axes=(0, 1))
        self.plans: dict[tuple[str, int], Any] = {}
        self.aperture = am.xp.asarray(antialias_aperture(size))
        self.spaces: dict[float, Array] = {}
        self.factors: dict[tuple[int, ...], Array] = {}

    def __call__(self, slices: Sequence[Slice]) -> Array:
        """Send a plane wave through slices.

        Parameters
        ----------
        slices : sequence of Slice

        Returns
        -------
        complex64 array, (qy, qx), [1]
            Spectrum of the exit wave, not shifted, not normalised.
        """
        self.wave.fill(1)
        if not slices:
            self.plan.fft(self.wave, self.wave, FORWARD)
            return self.wave.copy()
        planes, place = Planes(slices, self.am), 0
        while place < len(slices):
            end = self._batch_end(planes.begins, place)
            phases = self._phases(planes, place, end)
            for row, each in enumerate(slices[place:end]):
                if place + row:
                    self.plan.fft(self.wave, self.wave, BACKWARD)
                self.transmit(self.wave, phases[row], self.wave)
                self.plan.fft(self.wave, self.wave, FORWARD)
                self.wave *= self._space(each.distance_A)
            place = end
        return self.wave * np.float32(self.size**2)  # the last propagator's normalisation has no transform to go with

    def _batch_end(self, begins: NDArray[np.int64], place: int) -> int:
        """Return the slice behind the last one whose planes fit into a batch, at least one."""
        return max(place + 1, int(np.searchsorted(begins, begins[place] + self.batch, side="right")) - 1)

    def _rounded(self, number: int) -> int:
        """Round a number of planes up, so that a few plans serve all batches."""
        size = self.batch
        while size % 2 == 0 and size // 2 >= number:
            size //= 2
        return max(size, number)

    def _phases(self, planes: Planes, place: int, end: int) -> Array:
        """Return the phases of slices ``place`` to ``end``, float32 (slice, y, x) [rad]; more slices fill the array."""
        xp, size, first, last = self.am.xp, self.size, int(planes.begins[place]), int(planes.begins[end])
        fixed = xp.zeros((self._rounded(last - first), size, size), dtype=np.uint64)
        atoms = slice(int(planes.atoms[first]), int(planes.atoms[last]))
        number = atoms.stop - atoms.start
        self.spread(planes.pixels[atoms], planes.planes[atoms], first, size, fixed, size=number * POINTS_PER_ATOM)
        spread = self.from_fixed_point(fixed)
        spectra = xp.empty((len(spread), size, self.half), dtype=np.complex64)
        self._plan("R2C", spread).fft(spread, spectra, FORWARD)
        total = xp.empty((self._rounded(end - place), size, self.half), dtype=np.complex64)
        begins = planes.begins_there[place : end + 1]
        factors = self._factors(planes.numbers)
        self.sum_species(spectra, factors, begins, planes.species, size * self.half, end - place, first, total)
        phases = xp.empty((len(total), size, size), dtype=np.float32)
        self._plan("C2R", total).fft(total, phases, BACKWARD)
        return phases

    def _plan(self, kind: str, array: Array) -> Any:
        """Return the plan of transforms between an array's planes and their half spectra."""
        key = kind, len(array)
        if key not in self.plans:
            shape = (self.size, self.size)
            self.plans[key] = self.am.fft.get_fft_plan(array, shape=shape, axes=(1, 2), value_type=kind)
        return self.plans[key]

    def _space(self, distance_A: float) -> Array:
        """Propagator, complex64 (qy, qx), over the transforms' normalisation; the latest are kept."""
        space = self.spaces.pop(distance_A, None)
        if space is None:
            if len(self.spaces) >= SPACES:
                del self.spaces[next(iter(self.spaces))]
            index = np.fft.fftfreq(self.size, 1 / self.size)
            line = np.exp(-1j * np.pi * self.wavelength_A * distance_A * (index / self.side_A) ** 2)
            free = self.am.xp.asarray(line / self.size)
            space = (self.aperture * (free[:, None] * free)).astype(np.complex64)
        self.spaces[distance_A] = space
        return space

    def _factors(self, numbers: tuple[int, ...]) -> Array:
        """Form factors of species, float32 (species, ky, kx) [rad]; those of the latest scenes are kept."""
        if numbers not in self.factors:
            self.factors = dict(list(self.factors.items())[-1:])
            stack = [
                form_factors(number, self.size, self.side_A, self.energy_eV, self.parametrization) for number in numbers
            ]
            self.factors[numbers] = self.am.xp.asarray(np.stack(stack))
        return self.factors[numbers]
