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

BATCH_BYTES = 192 * 2**20
"""Memory for the phases of a batch of slices; the transforms need as much again for their own work."""

BYTES_PER_POINT = 28
"""What a point of a plane needs: fixed and floating point, half a complex spectrum of its own and of its slice, the phase."""

MOST_PLANES = 64
"""Planes of a batch: more save no time, as their kernels fill a GPU."""

SPACES = 4
"""Propagators that are kept: of the usual distance, of the one to the top of the cell, and of two gaps."""


FILM = 256
"""Added to the atomic number of atoms that are no part of a particle, where both are told apart."""


class Planes:
    """The atoms of a scene on the device, by plane: those of one species in one slice.

    Parameters
    ----------
    slices : sequence of Slice
        None without atoms; kinds are atomic numbers, plus :data:`FILM` for atoms of the film.
    am : ArrayModule

    Attributes
    ----------
    numbers : tuple of int
        Atomic numbers of the scene's species, ascending.
    begins : int array, (slice + 1,)
        First plane of each slice, on the host.
    row_begins : int array, (slice + 1,)
        First row of each slice, on the host: one that holds all its planes, and where some but not all are of particles,
        another one of these.
    of_particles : list of int or None, (slice,)
        Row of the particles' planes, counted from the slice's first; None without particles.
    atoms : int array, (plane + 1,)
        First atom of each plane, on the host.
    pixels : float64 array, (atom, 2), [px]
    planes, species, rows : int32 arrays, (atom,), (plane,) and (row, 2)
        Plane of each atom, place of each plane's species in ``numbers``, and first and last + 1 plane of each row; on the
        device.
    """

    def __init__(self, slices: Sequence[Slice], am: ArrayModule) -> None:
        xp, parts = am.xp, [part for each in slices for part in each.species]
        of_planes = np.array([kind % FILM for kind, _ in parts])
        self.numbers = tuple(np.unique(of_planes).tolist())
        counts = [len(pixels) for _, pixels in parts]
        self.atoms = np.concatenate([[0], np.cumsum(counts)])
        self.begins = np.concatenate([[0], np.cumsum([len(each.species) for each in slices])])
        rows: list[tuple[int, int]] = []
        row_begins, self.of_particles = [0], list[int | None]()
        for each, begin in zip(slices, self.begins[:-1].tolist(), strict=True):
            whole, inner = len(each.species), sum(kind < FILM for kind, _ in each.species)
            rows.append((begin, begin + whole))
            if 0 < inner < whole:
                rows.append((begin, begin + inner))
            self.of_particles.append(None if not inner else int(inner < whole))
            row_begins.append(len(rows))
        self.row_begins = np.array(row_begins)
        self.pixels = xp.asarray(np.ascontiguousarray(np.concatenate([pixels for _, pixels in parts])))
        self.planes = xp.asarray(np.repeat(np.arange(len(parts), dtype=np.int32), counts))
        self.species = xp.asarray(np.searchsorted(self.numbers, of_planes).astype(np.int32))
        self.rows = xp.asarray(np.array(rows, np.int32))


def to_next(slices: Sequence[Slice], of_particles: Sequence[int | None]) -> list[float]:
    """Return the distance of each slice from the next one with particles, or from the top of the cell [Å]."""
    distances_A, behind_A = list[float](), 0.0
    for each, row in zip(reversed(slices), reversed(of_particles), strict=True):
        behind_A += each.distance_A
        distances_A.append(behind_A)
        if row is not None:
            behind_A = 0.0
    return distances_A[::-1]


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
        self.batch = int(min(max(BATCH_BYTES // (BYTES_PER_POINT * size**2), 1), MOST_PLANES))
        self.spread, self.from_fixed_point, self.sum_species, self.transmit = map(
            am.kernel, (SPREAD, FROM_FIXED_POINT, SUM_SPECIES, TRANSMIT)
        )
        self.beams = [am.xp.empty((size, size), dtype=np.complex64) for _ in range(2)]
        self.plan = am.fft.get_fft_plan(self.beams[0], axes=(0, 1))
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
        return self._run(slices, particles=False)[0]

    def with_particles(self, slices: Sequence[Slice]) -> tuple[Array, Array]:
        """Send a plane wave through slices, and another one through their particles alone.

        Atoms are spread, and phases made, once for both.

        Parameters
        ----------
        slices : sequence of Slice
            With :data:`FILM` added to the kinds of atoms of the film.

        Returns
        -------
        whole, particles : complex64 arrays, (qy, qx), [1]
            Spectra of the exit waves, as :meth:`__call__` returns them.
        """
        whole, particles = self._run(slices, particles=True)
        return whole, particles

    def _run(self, slices: Sequence[Slice], *, particles: bool) -> list[Array]:
        beams = self.beams if particles else self.beams[:1]
        for wave in beams:
            wave.fill(1)
        started = [False for _ in beams]
        if slices:
            planes = Planes(slices, self.am)
            distances_A = [[each.distance_A for each in slices], to_next(slices, planes.of_particles)]
        place = 0
        while place < len(slices):
            end = self._batch_end(planes.begins, place)
            phases = self._phases(planes, place, end)
            for each in range(place, end):
                for beam, wave in enumerate(beams):
                    row = planes.of_particles[each] if beam else 0
                    if row is None:
                        continue
                    if started[beam]:
                        self.plan.fft(wave, wave, BACKWARD)
                    started[beam] = True
                    phase = phases[int(planes.row_begins[each] - planes.row_begins[place]) + row]
                    self.transmit(wave, phase, wave)
                    self.plan.fft(wave, wave, FORWARD)
                    wave *= self._space(distances_A[beam][each])
            place = end
        return [self._spectrum(wave, passed) for wave, passed in zip(beams, started, strict=True)]

    def _spectrum(self, wave: Array, passed: bool) -> Array:
        """Return a beam's spectrum, in an array of its own."""
        if passed:
            return wave * np.float32(self.size**2)  # the last propagator's normalisation has no transform to go with
        self.plan.fft(wave, wave, FORWARD)
        return wave.copy()

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
        """Return the phases of slices ``place`` to ``end``, by row, float32 (row, y, x) [rad]; more rows fill the array."""
        xp, size, first, last = self.am.xp, self.size, int(planes.begins[place]), int(planes.begins[end])
        fixed = xp.zeros((self._rounded(last - first), size, size), dtype=np.uint64)
        atoms = slice(int(planes.atoms[first]), int(planes.atoms[last]))
        number = atoms.stop - atoms.start
        self.spread(planes.pixels[atoms], planes.planes[atoms], first, size, fixed, size=number * POINTS_PER_ATOM)
        spread = self.from_fixed_point(fixed)
        spectra = xp.empty((len(spread), size, self.half), dtype=np.complex64)
        self._plan("R2C", spread).fft(spread, spectra, FORWARD)
        rows = planes.rows[int(planes.row_begins[place]) : int(planes.row_begins[end])]
        total = xp.empty((self._rounded(len(rows)), size, self.half), dtype=np.complex64)
        factors = self._factors(planes.numbers)
        self.sum_species(spectra, factors, rows, planes.species, size * self.half, len(rows), first, total)
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
