"""Estimates from an image alone, against images whose dose, defocus and lattice the tests choose."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from hrtem_ood.cli import main
from hrtem_ood.cli.render.image_estimates import estimate_lines, format_estimate
from hrtem_ood.errors import ArgumentError
from hrtem_ood.learning.inference.image_estimates.contrast import estimate_log_cnr, find_textures
from hrtem_ood.learning.inference.image_estimates.estimates import (
    ImageEstimates,
    estimate_image,
    find_contradictions,
)
from hrtem_ood.learning.inference.image_estimates.lattice import find_spacings
from hrtem_ood.learning.inference.image_estimates.noise import estimate_noise
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Spacing, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import cut_tiles
from hrtem_ood.learning.inference.image_estimates.thon_rings import estimate_defocus
from hrtem_ood.physics.optics.condition import Condition

PIXEL_A, ENERGY_EV, WAVELENGTH_A = 0.4, 300e3, 0.0196875


def frequencies(shape, pixel_A=PIXEL_A):
    q_y, q_x = np.meshgrid(*(np.fft.fftfreq(side, pixel_A) for side in shape), indexing="ij")
    return np.hypot(q_x, q_y), np.arctan2(q_y, q_x)


def film(defocus_A, C12_A=0.0, phi12_rad=0.0, C30_A=0.0, *, shape=(256, 256), contrast=0.15, seed=1, pixel_A=PIXEL_A):
    """Relative intensity of a white phase object under an analytic lens, with atoms that fall off as a Lorentzian."""
    rng = np.random.default_rng(seed)
    q, azimuth = frequencies(shape, pixel_A)
    along = -defocus_A + C12_A * np.cos(2 * (azimuth - phi12_rad))
    chi = np.pi * WAVELENGTH_A * along * q**2 + np.pi / 2 * C30_A * WAVELENGTH_A**3 * q**4
    spectrum = np.fft.fft2(rng.standard_normal(shape)) * 2 * np.sin(chi) / (1 + (q / 0.5) ** 2)
    field = np.fft.ifft2(spectrum).real
    return 1 + contrast * field / field.std()


def counts(intensity, dose_e_per_A2, seed=2):
    return np.random.default_rng(seed).poisson(np.clip(intensity, 0, None) * dose_e_per_A2 * PIXEL_A**2).astype(float)


def tiles_of(image, pixel_A=PIXEL_A, zero=0.0):
    return cut_tiles(image, np.ones(image.shape, bool), pixel_size_A=pixel_A, zero=zero)


def noise_of(image, zero=0.0):
    return estimate_noise(image, np.ones(image.shape, bool), tiles_of(image, zero=zero), zero)


@pytest.mark.parametrize("dose", [20, 100, 900])
def test_dose_of_counted_electrons_is_mean_over_area(dose):
    seen = noise_of(counts(np.ones((256, 256)), dose))
    assert abs(seen.dose_e_per_A2.value / dose - 1) < 0.01
    assert seen.gain.value == 1


@pytest.mark.parametrize(("gain", "dose", "offset"), [(7.3, 150, 0.0), (0.02, 400, 0.0), (31.5, 60, 200.0)])
def test_gain_follows_from_variance_over_mean(gain, dose, offset):
    image = gain * counts(np.ones((200, 256)), dose) + offset
    seen = noise_of(image, zero=offset)
    assert abs(seen.dose_e_per_A2.value - dose) < 3 * seen.dose_e_per_A2.uncertainty < 0.3 * dose
    assert abs(seen.gain.value / gain - 1) < 0.1


def test_whole_multiples_are_counted_electrons():
    seen = noise_of(3 * counts(film(150.0), 200))
    assert seen.gain.value == 3
    assert abs(seen.dose_e_per_A2.value / 200 - 1) < 0.01


def test_dose_of_a_film_with_an_unknown_gain():
    seen = noise_of(2.7 * counts(film(-200.0, contrast=0.1), 300))
    assert abs(seen.dose_e_per_A2.value / 300 - 1) < 0.2


def test_correlated_noise_tells_no_dose():
    noise = np.fft.fft2(counts(np.ones((256, 256)), 100))
    q = frequencies((256, 256))[0] * 2 * PIXEL_A
    blurred = np.fft.ifft2(noise * np.exp(-(q**2))).real
    seen = noise_of(blurred)
    assert isinstance(seen.dose_e_per_A2, Unknown)
    assert isinstance(seen.level_A2, Unknown)
    coarse = counts(np.ones((128, 128)), 100)
    # bilinear interpolation between pixels of twice the size
    line = np.arange(250) / 2
    low, part = line.astype(int), line % 1
    rows = coarse[low] * (1 - part)[:, None] + coarse[low + 1] * part[:, None]
    resampled = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    assert isinstance(noise_of(resampled).dose_e_per_A2, Unknown)


def test_values_without_a_zero_tell_no_dose_but_noise():
    image = counts(np.ones((256, 256)), 200)
    standardised = (image - image.mean()) / image.std()
    seen = noise_of(standardised)
    assert isinstance(seen.dose_e_per_A2, Unknown)
    assert isinstance(seen.level_A2, Estimate)
    above_least = standardised - standardised.min()
    assert isinstance(noise_of(above_least).dose_e_per_A2, Unknown)


def test_saturated_images_and_large_offsets_tell_no_dose():
    image = counts(np.ones((128, 128)), 1000)
    assert isinstance(noise_of(np.minimum(image, image.mean() + 5)).dose_e_per_A2, Unknown)
    assert isinstance(noise_of(image + 1e6).dose_e_per_A2, Unknown)
    assert isinstance(noise_of(image * 1e30).dose_e_per_A2, Estimate)


@pytest.mark.parametrize(
    ("defocus_A", "C12_A", "phi12_rad"),
    [(150.0, 0.0, 0.0), (-220.0, 60.0, 0.5), (400.0, 100.0, -1.2), (1200.0, 40.0, 0.2)],
)
def test_rings_tell_defocus_and_astigmatism(defocus_A, C12_A, phi12_rad):
    seen = estimate_defocus(tiles_of(counts(film(defocus_A, C12_A, phi12_rad), 400)), ENERGY_EV)
    assert abs(seen.modulus_A.value - abs(defocus_A)) < 10
    assert abs(seen.C12_A.value - C12_A) < 12
    if C12_A:
        expected = phi12_rad + (np.pi / 2 if defocus_A < 0 else 0)
        assert abs(np.sin(seen.phi12_rad.value - expected)) < 0.1  # modulo π
    else:
        assert isinstance(seen.phi12_rad, Unknown)


def test_spherical_aberration_is_taken_into_account():
    image = tiles_of(counts(film(-180.0, C30_A=1.2e6), 600))
    assert abs(estimate_defocus(image, ENERGY_EV, 1.2e6).modulus_A.value - 180) < 10


def test_images_without_rings_tell_no_defocus():
    q, _ = frequencies((256, 256))
    rng = np.random.default_rng(5)
    for weight in (np.zeros_like(q), np.exp(-3 * q), 1 / (0.1 + q) ** 2):
        field = np.fft.ifft2(np.fft.fft2(rng.standard_normal(q.shape)) * weight).real
        intensity = 1 + 0.15 * field / max(field.std(), 1e-9)
        assert isinstance(estimate_defocus(tiles_of(counts(intensity, 300)), ENERGY_EV).modulus_A, Unknown)


def test_halos_of_amorphous_carbon_are_no_rings():
    q, _ = frequencies((256, 256))
    halos = (1 + 0.5 * np.exp(-(((q - 0.48) / 0.11) ** 2)) + 0.3 * np.exp(-(((q - 0.84) / 0.11) ** 2))) / (0.1 + q) ** 2
    field = np.fft.ifft2(np.fft.fft2(np.random.default_rng(3).standard_normal(q.shape)) * halos).real
    seen = estimate_defocus(tiles_of(counts(1 + 0.15 * field / field.std(), 400)), ENERGY_EV)
    assert isinstance(seen.modulus_A, Unknown)


def fringes(spacing_A, azimuth_rad, shape=(256, 240), radius_A=25.0):
    y, x = np.mgrid[: shape[0], : shape[1]] * PIXEL_A
    inside = np.hypot(y - y.max() / 2, x - x.max() / 2) < radius_A
    return inside * np.cos(2 * np.pi / spacing_A * (x * np.cos(azimuth_rad) + y * np.sin(azimuth_rad)))


def test_lattice_fringes_tell_their_spacing_and_direction():
    intensity = film(120.0, shape=(256, 240), contrast=0.05) + 0.2 * fringes(2.35, 0.7) + 0.15 * fringes(3.5, 2.1)
    seen = find_spacings(tiles_of(counts(intensity, 300)))
    assert not isinstance(seen, Unknown)
    for spacing_A, azimuth_rad in ((2.35, 0.7), (3.5, 2.1)):
        [one] = [each for each in seen[:2] if abs(each.spacing_A.value - spacing_A) < 0.3]
        assert abs(one.spacing_A.value - spacing_A) < 3 * one.spacing_A.uncertainty < 0.1 * spacing_A
        assert abs(one.azimuth_rad - azimuth_rad) < 0.05


def test_noise_and_films_have_no_lattice():
    seeds = range(6)
    of_noise = [find_spacings(tiles_of(counts(np.ones((128, 128)), 100, seed))) for seed in seeds]
    of_film = [find_spacings(tiles_of(counts(film(200.0, 80.0, seed=seed, shape=(128, 128)), 400))) for seed in seeds]
    assert sum(isinstance(each, Unknown) for each in of_noise) >= 5
    assert sum(isinstance(each, Unknown) for each in of_film) >= 5


def test_log_cnr_is_that_of_particles_against_noise():
    dose, contrast = 300.0, 0.12
    y, x = np.mgrid[:256, :256] * PIXEL_A
    q, _ = frequencies((256, 256))
    band = (q > 0.1) & (q < 1.0)
    field = np.fft.ifft2(np.fft.fft2(np.random.default_rng(4).standard_normal(q.shape)) * band).real
    inside = np.hypot(y - 50, x - 45) < 22
    intensity = film(150.0, contrast=0.03) + contrast * inside * field / field.std()
    image = tiles_of(counts(intensity, dose))
    noise = Estimate(1 / dose, 0.02 / dose)
    seen = estimate_log_cnr(image, find_textures(image, noise.value), noise)
    expected = np.log(contrast**2 * dose) / 2  # ∫∫ S d²q is the variance, noise is 1/D
    assert abs(seen.value - expected) < 0.1


def test_log_cnr_is_not_told_without_particles():
    for intensity in (np.ones((256, 256)), film(150.0), film(80.0, contrast=0.05), film(-60.0, shape=(768, 768))):
        image = tiles_of(counts(intensity, 200))
        assert isinstance(estimate_log_cnr(image, find_textures(image, 1 / 200), Estimate(1 / 200, 1e-4)), Unknown)


def numbers(seen: ImageEstimates):
    for quantity in (seen.dose_e_per_A2, seen.gain, seen.log_cnr, seen.defocus_A, seen.C12_A, seen.phi12_rad):
        if isinstance(quantity, Estimate):
            yield from (quantity.value, quantity.uncertainty)
    if not isinstance(seen.spacings, Unknown):
        yield from (each.spacing_A.value for each in seen.spacings)


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (131, 400), (64, 1500)])
def test_all_shapes_give_finite_numbers(shape):
    image = counts(film(150.0, shape=shape), 300)
    image[10:14] = 0  # dead rows
    image[40, 40] = 1e6
    seen = estimate_image(image, pixel_size_A=PIXEL_A, energy_eV=ENERGY_EV)
    assert np.isfinite(list(numbers(seen))).all()
    assert isinstance(seen.dose_e_per_A2, Unknown) or 200 < seen.dose_e_per_A2.value < 450


@pytest.mark.parametrize(
    "image",
    [
        np.full((128, 128), 7.0),
        np.pad(np.ones((1, 1)), (0, 127)),
        np.zeros((20, 300)) + np.arange(300),
        np.add.outer(np.arange(128.0), np.arange(128.0)),
        np.where(np.arange(128) < 100, 0.0, np.random.default_rng(0).poisson(9, (128, 128)) * 1.0),
        np.indices((128, 128)).sum(axis=0) % 2 * 1.0,
    ],
    ids=["constant", "one pixel", "thin", "ramp", "mostly dead", "chequered"],
)
def test_images_of_nothing_tell_nothing(image):
    seen = estimate_image(image, pixel_size_A=PIXEL_A, energy_eV=ENERGY_EV)
    for quantity in (seen.dose_e_per_A2, seen.log_cnr, seen.defocus_A, seen.C12_A):
        assert isinstance(quantity, Unknown)


def test_arguments_are_checked():
    image = np.ones((80, 80))
    with pytest.raises(ArgumentError, match="image"):
        estimate_image(np.where(np.arange(80) == 3, np.nan, image), pixel_size_A=0.4, energy_eV=3e5)
    with pytest.raises(ArgumentError, match="pixel_size_A"):
        estimate_image(image, pixel_size_A=0.0, energy_eV=3e5)


@pytest.mark.slow
def test_predict_prints_what_an_image_tells(make_network, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write("sample.mrc", counts(film(150.0, shape=(200, 200)), 250).astype(np.float32), PIXEL_A)
    words = ["predict", str(make_network()), str(source)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "from the image alone" in done.output
    # the estimate, and again where it is compared with the training
    dose, *again = re.findall(r"dose ([\d.]+) ± [\d.]+ e/Å²", done.output)
    assert set(again) <= {dose}
    assert abs(float(dose) / 250 - 1) < 0.02
    [modulus] = re.findall(r"\|Δf\| of the film ([\d.]+) ± ", done.output)
    assert abs(float(modulus) - 150) < 10
    assert "contradicts" not in done.output
    assert "trust in this network on this image" in done.output
    assert "expected F1: unknown, as no campaign in the results folder has tested this network" in done.output
    stated = CliRunner().invoke(main, [*words, "--overwrite", "--condition", "defocus_A=900,dose_e_per_A2=250"])
    assert "the stated |Δf| of 900 Å contradicts the image" in stated.output
    assert "the stated dose" not in stated.output
    assert "standard deviations apart" in stated.output
    assert "trust in this network" not in stated.output


def estimates(**changes):
    why = Unknown("a reason")
    fields = dict.fromkeys(("dose_e_per_A2", "gain", "log_cnr", "defocus_A", "C12_A", "phi12_rad", "spacings"), why)
    return ImageEstimates(**(fields | changes))


def test_contradictions_beyond_three_deviations():
    seen = estimates(dose_e_per_A2=Estimate(400.0, 20.0), defocus_A=Estimate(200.0, 5.0))
    near = Condition(defocus_A=-140, dose_e_per_A2=455)
    assert find_contradictions(seen, near) == ()
    far = Condition(defocus_A=100, dose_e_per_A2=465, C12=900)
    assert [each.parameter for each in find_contradictions(seen, far)] == ["defocus_A", "dose_e_per_A2"]
    varied = Condition(defocus_A=100, defocus_sd_A=40, dose_e_per_A2=465, dose_sd_e_per_A2=20)
    assert find_contradictions(seen, varied) == ()


def test_lines_of_the_terminal():
    seen = estimates(
        dose_e_per_A2=Estimate(398.2, 12.3),
        spacings=(Spacing(Estimate(2.351, 0.011), np.pi / 2, 30.0),),
    )
    text = "\n".join(estimate_lines(seen, Condition(defocus_A=10, dose_e_per_A2=900)))
    assert "dose 398 ± 12 e/Å²" in text
    assert "lattice spacings 2.351 ± 0.011 Å at 90°" in text
    assert "ln CNR, |Δf| of the film, C12: cannot tell: a reason" in text
    assert (
        "the stated dose of 900 e/Å² contradicts the image, which tells 398 ± 12 e/Å²: 41 standard deviations apart."
        in text
    )


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (1234.5, 123.0, "1230 ± 120"),
        (0.01234, 0.00056, "0.01234 ± 0.00056"),
        (5.0, 0.0, "5"),
        (99.96, 9.98, "100.0 ± 10.0"),
    ],
)
def test_estimates_as_text(value, uncertainty, text):
    assert format_estimate(Estimate(value, uncertainty)) == text
