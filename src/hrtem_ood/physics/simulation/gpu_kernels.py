"""Compiled inner loops of the multislice on a GPU. Their plain forms are in `potential` and `multislice`.

None adds floating-point numbers in an order that is left to chance: atoms are added up as whole numbers, so that a wave is the
same, bit for bit, whenever the same GPU computes it.
"""

from hrtem_ood.array_module import KernelSource
from hrtem_ood.physics.simulation.potential import BETA, WIDTH

FIXED_POINT = 2.0**32
"""Steps of a whole number per unit of the spreading kernel: finer than single precision, and 2³¹ atoms fit on one point."""

POINTS_PER_ATOM = WIDTH**2

SPREAD = KernelSource(
    "hrtem_ood_spread",
    "raw float64 pixels, raw int32 planes, int32 first, int32 side",
    "raw uint64 grid",
    f"""
    const ptrdiff_t atom = i / {POINTS_PER_ATOM};
    const int point = (int)(i - atom * {POINTS_PER_ATOM});
    const double x = pixels[2 * atom], y = pixels[2 * atom + 1];
    const int column = (int)ceil(x - {WIDTH / 2}) + point % {WIDTH};
    const int row = (int)ceil(y - {WIDTH / 2}) + point / {WIDTH};
    const double u = (column - x) * {2 / WIDTH!r}, v = (row - y) * {2 / WIDTH!r};
    const double along_x = exp({BETA!r} * (sqrt(fmax(0.0, 1 - u * u)) - 1));
    const double along_y = exp({BETA!r} * (sqrt(fmax(0.0, 1 - v * v)) - 1));
    const ptrdiff_t line = (ptrdiff_t)(planes[atom] - first) * side + (row + 2 * side) % side;
    const ptrdiff_t place = line * side + (column + 2 * side) % side;
    atomicAdd(&grid[place], (unsigned long long)(along_x * along_y * {FIXED_POINT!r} + 0.5));
    """,
)
"""Add the kernel of every atom to its plane: ``i`` counts points of atoms, ``planes`` gives an atom's plane."""

FROM_FIXED_POINT = KernelSource(
    "hrtem_ood_from_fixed_point", "uint64 fixed", "float32 value", f"value = (float)(fixed * {1 / FIXED_POINT!r})"
)

SUM_SPECIES = KernelSource(
    "hrtem_ood_sum_species",
    "raw complex64 planes, raw float32 factors, raw int32 rows, raw int32 species, int32 points, int32 number, int32 first",
    "complex64 total",
    """
    const int row = (int)(i / points);
    const ptrdiff_t place = i - (ptrdiff_t)row * points;
    complex<float> sum(0.0f, 0.0f);
    if (row < number) {
        for (int plane = rows[2 * row]; plane < rows[2 * row + 1]; ++plane) {
            sum += planes[(ptrdiff_t)(plane - first) * points + place] * factors[(ptrdiff_t)species[plane] * points + place];
        }
    }
    total = sum;
    """,
)
"""Add up the planes of each row, times their species' form factors; rows beyond ``number`` only fill the array."""

TRANSMIT = KernelSource(
    "hrtem_ood_transmit",
    "complex64 wave, float32 phase",
    "complex64 behind",
    """
    float sine, cosine;
    sincosf(phase, &sine, &cosine);
    behind = wave * complex<float>(cosine, sine);
    """,
)
"""Multiply a wave by exp(i phase)."""
