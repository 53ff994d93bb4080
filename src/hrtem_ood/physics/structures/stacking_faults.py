"""Stacking faults: on which planes of a crystal they lie, and how the crystal beyond is displaced.

A fault displaces the half crystal beyond a plane by a vector R. Across the right plane, and with the right sign, R keeps
the crystal's nearest-neighbour bonds; elsewhere the same R breaks bonds or makes atoms collide. So planes and sign are
chosen by counting bonds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import atoms_in_sphere, neighbour_pairs
from hrtem_ood.physics.structures.parameters import Material

Vector = NDArray[np.float64]

FAULTS: dict[str, tuple[tuple[int, int, int], tuple[float, float, float]]] = {
    # I1, R = 1/6 [0 2 -2 3] = 1/3 [0 1 -1 0] + c/2: Hirth & Lothe, Theory of Dislocations (1982), ch. 10 and 11.
    "wurtzite": ((0, 0, 1), (1 / 3, 2 / 3, 1 / 2)),
    # intrinsic, R = a/6 [1 1 -2] on (1 1 1), written in ASE's primitive cell: ibid., ch. 10.
    "fcc": ((1, 1, 1), (-1 / 3, -1 / 3, 2 / 3)),
}
"""Normal (Miller indices) and vector (fractional coordinates) of faults of structures that ``ase.build.bulk`` makes."""

BOND = 1.1
"""Pairs up to this multiple of the nearest-neighbour distance are bonds."""

COLLISION = 0.9
"""Pairs nearer than this multiple of the nearest-neighbour distance are collisions."""

SAME_LAYER_A = 0.1
"""Atoms whose heights differ by less belong to one layer [Å]."""


@dataclass(frozen=True)
class FaultPlane:
    """A plane of the unit cell on which a fault may lie.

    Attributes
    ----------
    height_A : float, [Å]
        Along the normal, from the crystal's origin.
    displacement_A : float array, (3,), [Å]
        Of the half crystal towards which the normal points.
    """

    height_A: float
    displacement_A: Vector


@dataclass(frozen=True)
class StackingFault:
    """The stacking fault of a crystal.

    Attributes
    ----------
    normal : float array, (3,), [1]
        Unit vector.
    period_A : float, [Å]
        Along the normal, the planes repeat after this distance (d_hkl).
    planes : tuple of FaultPlane
        One period's planes.
    """

    normal: Vector
    period_A: float
    planes: tuple[FaultPlane, ...]

    @property
    def spacing_A(self) -> float:  # a unit
        """Largest distance between consecutive planes [Å]."""
        heights = sorted(plane.height_A % self.period_A for plane in self.planes)
        return float(np.diff([*heights, heights[0] + self.period_A]).max())

    def most(self, radius_A: float) -> int:
        """Return the number of faults that any sphere of that radius [Å] can hold, independent of its centre."""
        return max(0, math.floor(2 * radius_A / self.spacing_A - 1 + 1e-9))

    def draw(
        self, centre_A: Vector, radius_A: float, number: int, rng: np.random.Generator
    ) -> list[tuple[float, Vector]]:
        """Draw different fault planes through a sphere, and displace the lattice further at each.

        Planes leave at least half a plane spacing of the sphere's diameter on either side.

        Parameters
        ----------
        centre_A : float array, (3,), [Å]
        radius_A : float, [Å]
        number : int
            At most :meth:`most`.
        rng : numpy.random.Generator

        Returns
        -------
        list of (height, displacement), [Å]
            In ascending order of height along the normal; the displacement of the lattice beyond that plane is
            relative to the lattice before the first one.
        """
        middle, reach = float(centre_A @ self.normal), radius_A - self.spacing_A / 2
        heights = np.sort(np.concatenate([self._repeats(plane, middle, reach + 1e-6) for plane in self.planes]))
        drawn: list[float] = np.sort(rng.choice(heights, number, replace=False)).tolist()
        steps: list[tuple[float, Vector]] = []
        displacement, shift, last = np.zeros(3), 0.0, middle - 2 * radius_A
        for target in drawn:
            # The lattice below the next plane is displaced, and its planes with it.
            height, plane = self._nearest(target - shift, last - shift)
            last = height + shift
            displacement = displacement + plane.displacement_A
            shift = float(displacement @ self.normal)
            steps.append((last, displacement))
        return steps

    def _repeats(self, plane: FaultPlane, middle: float, reach: float) -> Vector:
        """Return all heights, within reach of the middle, at which a plane of the unit cell repeats."""
        first = math.ceil((middle - reach - plane.height_A) / self.period_A)
        last = math.floor((middle + reach - plane.height_A) / self.period_A)
        return plane.height_A + np.arange(first, last + 1, dtype=np.float64) * self.period_A

    def _nearest(self, target: float, above: float) -> tuple[float, FaultPlane]:
        """Find the plane of the undisplaced lattice that is nearest to a height, and higher than another one."""
        candidates = []
        for plane in self.planes:
            nearest, lowest = (target - plane.height_A) / self.period_A, (above - plane.height_A) / self.period_A
            repeat = max(round(nearest), math.floor(lowest + SAME_LAYER_A / self.period_A) + 1)
            candidates.append((plane.height_A + repeat * self.period_A, plane))
        return min(candidates, key=lambda candidate: abs(candidate[0] - target))


def stacking_fault(crystal: Atoms, material: Material) -> StackingFault:
    """Find the stacking fault of a material.

    Of all gaps between the crystal's layers along the fault normal, and of both signs of the fault vector, those are
    taken that keep most nearest-neighbour bonds across the plane without collisions, and among equals the widest gaps.
    For wurtzite these are the wide gaps between double layers, with R and −R in turn; for fcc all gaps.

    Parameters
    ----------
    crystal : ase.Atoms
        From :func:`hrtem_ood.physics.structures.crystal.unit_cell`.
    material : Material
        Its ``fault_normal`` and ``fault_vector`` take precedence over :data:`FAULTS`.

    Raises
    ------
    ConfigError
        If no fault is defined, or the given one is invalid.
    """
    miller, vector = _chosen(material)
    divisor = math.gcd(*miller)
    if divisor == 0:
        raise ConfigError("material.fault_normal: (0, 0, 0) is no plane; give Miller indices, e.g. [1, 1, 1].")
    indices = np.array(miller) // divisor
    if np.allclose(vector, np.round(vector), atol=1e-3):
        raise ConfigError(
            f"material.fault_vector: {list(vector)} is a lattice vector, which leaves the crystal unchanged; "
            "give a fraction of one, in fractional coordinates."
        )
    direction = np.linalg.solve(crystal.cell.array, indices)
    period = 1 / float(np.linalg.norm(direction))
    normal, displacement = direction * period, np.array(vector) @ crystal.cell.array
    step = np.array(_lattice_step(*(int(index) for index in indices))) @ crystal.cell.array
    across = _Across(crystal, normal, period, step, *_bonds(crystal))

    candidates: list[tuple[float, float, FaultPlane]] = []
    for height, width in _gaps(crystal.positions @ normal % period, period):
        whole, _ = across.bonds(height, np.zeros(3))
        for signed in (displacement, -displacement):
            kept, nearest = across.bonds(height, signed)
            if nearest >= COLLISION:
                candidates.append((kept / whole if whole else 1.0, width, FaultPlane(height, signed)))
    if not candidates:
        raise ConfigError(
            f"material.fault_vector: {list(vector)} pushes atoms into one another on every plane {list(miller)}; give a "
            "displacement, in fractional coordinates of the crystal's cell, that keeps neighbours apart."
        )
    share = max(share for share, _, _ in candidates) - 1e-6
    widest = max(width for kept, width, _ in candidates if kept >= share) - SAME_LAYER_A
    best = {plane.height_A: plane for kept, width, plane in reversed(candidates) if kept >= share and width >= widest}
    return StackingFault(normal, period, tuple(best.values()))


def _chosen(material: Material) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    if material.fault_normal is not None and material.fault_vector is not None:
        return material.fault_normal, material.fault_vector
    if material.file is None and material.structure in FAULTS:
        return FAULTS[material.structure]
    raise ConfigError(
        f"particles.stacking_faults: no stacking fault is known for {material.file or material.structure}; give "
        f"fault_normal and fault_vector of the material, or stacking_faults: 0. Known by formula: {', '.join(FAULTS)}."
    )


def _gaps(heights: Vector, period: float) -> Iterator[tuple[float, float]]:
    """Yield middle and width [Å] of the gaps between layers of one period."""
    ordered = np.sort(heights)
    for low, high in zip(ordered, [*ordered[1:], ordered[0] + period], strict=True):
        if high - low > SAME_LAYER_A:
            yield float(low + high) / 2, float(high - low)


def _lattice_step(h: int, k: int, m: int) -> tuple[int, int, int]:
    """Return a lattice vector u with h u₁ + k u₂ + m u₃ = 1, for coprime indices."""
    first, x, y = _bezout(h, k)
    _, u, v = _bezout(first, m)
    return u * x, u * y, v


def _bezout(a: int, b: int) -> tuple[int, int, int]:
    """Return (g, x, y) with a x + b y = g, the greatest common divisor (extended Euclid)."""
    if b == 0:
        return abs(a), 1 if a >= 0 else -1, 0
    divisor, x, y = _bezout(b, a % b)
    return divisor, y, x - a // b * y


def _bonds(crystal: Atoms) -> tuple[float, frozenset[tuple[int, int]]]:
    """Return the nearest-neighbour distance [Å], and which elements are bonded to which."""
    first, second, distance = neighbour_pairs(crystal)
    nearest = float(distance.min())
    bonded = distance <= BOND * nearest
    pairs = zip(crystal.numbers[first[bonded]].tolist(), crystal.numbers[second[bonded]].tolist(), strict=True)
    return nearest, frozenset(pairs)


@dataclass(frozen=True)
class _Across:
    """Counts bonds across a plane of the infinite crystal, per two-dimensional unit cell of the plane."""

    crystal: Atoms
    normal: Vector
    period_A: float
    step_A: Vector
    neighbour_A: float
    bonded: frozenset[tuple[int, int]]

    def bonds(self, height: float, displacement: Vector) -> tuple[int, float]:
        """Return the number of bonds, and the nearest pair in units of the nearest-neighbour distance.

        Only pairs of elements that are bonded in the perfect crystal count as bonds.
        """
        count, nearest, reach = 0, np.inf, BOND * self.neighbour_A
        numbers = self.crystal.numbers
        for site, position in self._below(height, reach):
            others, places = atoms_in_sphere(self.crystal, position - displacement, reach)
            places = places + displacement
            beyond = places @ self.normal > height
            count += sum((numbers[site], numbers[other]) in self.bonded for other in others[beyond])
            distances = np.linalg.norm(places[beyond] - position, axis=1)
            nearest = min(nearest, float(distances.min(initial=np.inf)) / self.neighbour_A)
        return count, nearest

    def _below(self, height: float, reach: float) -> Iterator[tuple[int, Vector]]:
        """Yield one atom of every lattice row that lies below the plane, within reach of it."""
        for site, position in enumerate(self.crystal.positions):
            depth = (height - position @ self.normal) % self.period_A
            top = round((height - position @ self.normal - depth) / self.period_A)
            while depth < reach:
                yield site, position + top * self.step_A
                depth, top = depth + self.period_A, top - 1
