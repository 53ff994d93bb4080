"""What training images tell about test images: closed forms, limits, and experiments with Gaussian textures."""

import numpy as np
import pytest
from scipy.special import ndtr

from hrtem_ood.physics.imaging.parameters import Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer import ctf_overlap, information, texture_detector
from hrtem_ood.transfer.ctf_sampling import transfer_moments, transfer_of
from hrtem_ood.transfer.epsilon_sigma import sigma
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra, mean_inverse_dose, mixture_spectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum, object_spectrum, particle_area_fraction
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.registry import PREDICTORS, SPECTRAL_PREDICTORS

WAVELENGTH = electron_wavelength_A(300e3)
GRID = polar_grid(Transfer(radial_points=256, azimuthal_points=8), pixel_size_A=0.4)
BAND = np.pi * (1.25**2 - 0.05**2)

Q = np.linspace(0, 1.3, 200)
OBJECTS = ObjectSpectrum(Q, 0.03 * np.exp(-4 * Q) * (1.2 + np.cos(20 * Q)), 0.004 * np.exp(-6 * Q**2), covered=0.2)
"""Rings of a lattice on a falling background, and a film."""


def look(condition: Condition, objects: ObjectSpectrum = OBJECTS) -> ImageSpectra:
    return image_spectra(condition, objects, GRID, wavelength_A=WAVELENGTH, pixel_size_A=0.4)


def at(defocus_A: float = 100.0, dose: float = 400.0, **others: float) -> ImageSpectra:
    condition = Condition(defocus_A=defocus_A, dose_e_per_A2=1, focal_spread_A=20, **others)
    return look(condition.model_copy(update={"dose_e_per_A2": dose}))  # also doses that no configuration may have


def flat(signal: float, background: float, transfer: float = 0.5, variance: float = 1.0) -> ImageSpectra:
    """Return spectra without features, for which every integral is a product."""
    ones = np.ones((GRID.q_per_A.size, GRID.azimuth_rad.size))
    particle = np.full((GRID.q_per_A.size, 1), signal / (4 * transfer**2))
    return ImageSpectra(
        transfer * ones, abs(transfer) * ones, particle, signal * ones, background * ones,
        noise=background * ones, variance=variance, weight=GRID.weight, area=GRID.area_per_A2,
        film=0 * particle,
    )  # fmt: skip


CONDITIONS = [at(), at(-100), at(200, 50), at(60, 1600), at(80, C30=1e5, C12=60), at(0.0), at(100, defocus_sd_A=30)]


# --- spectra ---------------------------------------------------------------------------------


def test_area_weights_integrate_over_the_band() -> None:
    assert GRID.area_per_A2.sum() == pytest.approx(BAND, rel=1e-12)
    assert GRID.area_per_A2 @ GRID.q_per_A**2 == pytest.approx(np.pi / 2 * (1.25**4 - 0.05**4), rel=1e-12)
    assert polar_grid(Transfer(weighting="per_q"), pixel_size_A=0.4).area_per_A2.sum() == pytest.approx(BAND, rel=1e-12)


def test_white_phases_have_a_flat_spectrum_and_phases_of_film_and_particles_come_apart() -> None:
    rng = np.random.default_rng(5)
    phase, film = 0.2 * rng.standard_normal((12, 64, 64)), 0.1 * rng.standard_normal((12, 64, 64))
    wave = np.exp(1j * (phase + film))[:, None]
    found = object_spectrum(wave, phase, pixel_size_A=0.3, covered=0.25)
    # per ring some hundred coefficients of 12 fields
    np.testing.assert_allclose(found.particle[4:], 0.2**2 * 0.3**2 / 0.25, rtol=0.35)
    assert found.particle[4:].mean() == pytest.approx(0.2**2 * 0.3**2 / 0.25, rel=0.02)
    assert found.film[4:].mean() == pytest.approx(0.1**2 * 0.3**2, rel=0.02)
    assert found.particle[0] == pytest.approx(0, abs=1e-12)  # the mean phase is no contrast


def test_a_grating_keeps_its_power() -> None:
    size, pixel, amplitude = 64, 0.4, 0.3
    x = np.arange(size) * pixel
    phase = np.broadcast_to(amplitude * np.cos(2 * np.pi * 10 * x / (size * pixel)), (1, size, size))
    found = object_spectrum(np.exp(1j * phase)[:, None], phase, pixel_size_A=pixel, covered=1.0)
    counts = np.bincount(np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 1 / size)] * 2))).astype(int).ravel())
    # Parseval: the power density summed over the coefficients, one per area⁻¹, is the variance
    assert (found.particle * counts[: found.particle.size]).sum() / (size * pixel) ** 2 == pytest.approx(
        amplitude**2 / 2
    )
    assert found.particle.argmax() == 10
    np.testing.assert_allclose(found.film, 0, atol=1e-20)


def test_labelled_share_of_a_disc() -> None:
    y, x = (np.mgrid[:200, :200] - 100) * 0.25
    phase = np.where(np.hypot(x, y) < 12, 0.5, 0.0)[None]
    sharp = Labels(mask_threshold=0.5)  # half of a blurred edge is where the edge was
    assert particle_area_fraction(phase, sharp, pixel_size_A=0.25) == pytest.approx(np.pi * 12**2 / 50**2, rel=0.02)
    assert particle_area_fraction(phase, Labels(), pixel_size_A=0.25) > particle_area_fraction(
        phase, sharp, pixel_size_A=0.25
    )
    assert particle_area_fraction(0 * phase, sharp, pixel_size_A=0.25) == 1 / 200**2


def test_a_spread_of_defocus_by_either_rule() -> None:
    """The Sobol sequence, which anything that varies beside the defocus asks for, against the trapezoidal rule."""
    alone = Condition(defocus_A=100, defocus_sd_A=40, dose_e_per_A2=400)
    both = alone.model_copy(update={"C30": 1.0, "C30_sd": 1e-6})
    for one, two in zip(
        *(transfer_moments(each, GRID, wavelength_A=WAVELENGTH) for each in (alone, both)), strict=True
    ):
        np.testing.assert_allclose(one, two, atol=0.02)


def test_a_spread_dose_adds_noise() -> None:
    doses = 400 + 80 * np.random.default_rng(1).standard_normal(200_000)
    condition = Condition(defocus_A=100, dose_e_per_A2=400, dose_sd_e_per_A2=80)
    assert mean_inverse_dose(condition) == pytest.approx((1 / doses).mean(), rel=0.01)


def test_the_spectrum_of_a_standardised_image_has_unit_variance() -> None:
    for condition in CONDITIONS:
        inside = condition.band_integral((1 - 0.2) * condition.background_spectrum + 0.2 * condition.particle_spectrum)
        beyond = (1 / 0.4**2 - BAND) * condition.noise / condition.variance
        assert inside + beyond == pytest.approx(1, rel=1e-12)


# --- overlaps --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SPECTRAL_PREDICTORS))
def test_every_measure_is_finite_and_best_for_train_on_test_itself(name: str) -> None:
    predictor = PREDICTORS[name]
    # two images of a spread condition are no copies of each other: their contrast correlates less than with others'
    for test in CONDITIONS[:-1] if name == "signed_sigma" else CONDITIONS:
        values = [predictor.measure(train, test) for train in CONDITIONS]
        assert np.isfinite(values).all()
        own = predictor.measure(test, test)
        best = max(values) if predictor.direction == "larger" else min(values)
        # the normal approximation may prefer another detector by a little
        assert own == pytest.approx(best, abs=5e-3 if name == "texture_accuracy" else 1e-9)


def test_overlap_of_spectra_is_sigma() -> None:
    chosen = [Condition(defocus_A=d, dose_e_per_A2=400, focal_spread_A=20) for d in (100, -200)]
    values = [transfer_of(condition, GRID, wavelength_A=WAVELENGTH) for condition in chosen]
    assert ctf_overlap.ctf_overlap(*map(look, chosen)) == pytest.approx(sigma(*values, GRID.weight), rel=1e-12)


def test_signed_overlap_knows_the_sign() -> None:
    assert ctf_overlap.signed_ctf_overlap(at(100), at(100)) == pytest.approx(1)
    assert ctf_overlap.signed_ctf_overlap(at(100), at(-100)) == pytest.approx(-1)
    # of a defocus distribution about zero, the mean contrast vanishes, though every image has some
    assert ctf_overlap.signed_ctf_overlap(at(0, defocus_sd_A=50), at(100)) == pytest.approx(0, abs=1e-9)
    assert ctf_overlap.ctf_overlap(at(0, defocus_sd_A=50), at(100)) > 0.5


def test_coverage_by_hand_and_its_asymmetry() -> None:
    weak, strong = flat(1, 1, transfer=0.2), flat(1, 1, transfer=0.8)
    assert ctf_overlap.coverage(strong, weak) == pytest.approx(1)
    assert ctf_overlap.coverage(weak, strong) == pytest.approx(0.25)
    wide, narrow = at(100), at(100, aperture_mrad=10)
    assert ctf_overlap.coverage(wide, narrow) == pytest.approx(1)
    assert ctf_overlap.coverage(narrow, wide) < 0.5
    assert ctf_overlap.coverage(wide, at(0.0)) == 0


def test_object_weights_count_only_where_there_is_an_object() -> None:
    ring = ObjectSpectrum(Q, np.exp(-(((Q - 0.3) / 0.02) ** 2)), np.zeros_like(Q), 0.2)
    far = ObjectSpectrum(Q, np.exp(-(((Q - 0.7) / 0.02) ** 2)), np.zeros_like(Q), 0.2)
    condition = Condition(defocus_A=100, dose_e_per_A2=400)
    assert ctf_overlap.ctf_overlap_object(look(condition, ring), look(condition, far)) < 1e-6
    assert ctf_overlap.coverage_object(look(condition, ring), look(condition, far)) < 1e-6
    assert ctf_overlap.ctf_overlap(look(condition, ring), look(condition, far)) == pytest.approx(1)


# --- against noise ---------------------------------------------------------------------------


def test_information_of_a_flat_spectrum_and_its_limits() -> None:
    assert information.information(flat(3, 1)) == pytest.approx(BAND / 2 * np.log2(4))
    assert information.information(at(0.0)) == pytest.approx(0, abs=1e-9)
    doses = [information.information(at(dose=dose)) for dose in (1, 10, 100, 1000, 1e4)]
    assert (np.diff(doses) > 0).all()
    # at vanishing dose information is proportional to it
    low = [information.information(at(dose=dose)) for dose in (1e-3, 2e-3)]
    assert low[1] / low[0] == pytest.approx(2, rel=1e-3)
    # a film bounds what any dose can tell
    film = ObjectSpectrum(Q, np.full_like(Q, 0.02), np.full_like(Q, 0.01), 0.2)
    bright = look(Condition(defocus_A=100, dose_e_per_A2=1e7), film)
    assert information.information(bright) == pytest.approx(BAND / 2 * np.log2(3), rel=0.01)


def test_shared_information() -> None:
    low, high = at(dose=50), at(dose=800)
    assert information.information_shared(low, high) == pytest.approx(information.information(low))
    assert information.information_covered(high, low) == pytest.approx(1)
    assert information.information_covered(low, high) < 0.6
    assert information.information_shared(low, high) == information.information_shared(high, low)


def test_log_cnr_is_half_the_logarithm_of_dose() -> None:
    assert information.log_cnr_difference(at(dose=100), at(dose=400)) == pytest.approx(np.log(2))
    assert information.log_cnr_difference(at(100), at(-100)) == pytest.approx(0, abs=1e-12)
    assert 1 < information.log_cnr_difference(at(100), at(0.0)) < 10


def test_theory_of_the_log_spectrum_distance() -> None:
    assert information.log_spectrum_distance(flat(1, 1), flat(1, 1, variance=np.e)) == pytest.approx(1)
    assert information.log_spectrum_distance(at(100), at(-100)) == pytest.approx(0, abs=1e-12)


# --- texture ---------------------------------------------------------------------------------


def test_texture_of_flat_spectra_by_hand() -> None:
    train, test = flat(signal=2, background=1, variance=3), flat(signal=6, background=2, variance=8)
    # ρ = 2, P0 = 1/3; P'0 = 1/4, P'1 = 1
    gain, evidence, root = 3 * 2 / 3, np.log(3), np.sqrt(BAND * texture_detector.LOOK_A2 / 2)
    within, without = (1 * gain - evidence) / (1 * gain) * root, -(gain / 4 - evidence) / (gain / 4) * root
    assert texture_detector.detector_statistics(train, test) == pytest.approx((within, without))
    assert texture_detector.accuracy(train, test) == pytest.approx((ndtr(within) + ndtr(without)) / 2)


@pytest.mark.slow
@pytest.mark.parametrize(("train", "test"), [(400.0, 400.0), (50.0, 400.0), (400.0, 50.0), (100.0, 150.0)])
def test_texture_accuracy_is_that_of_the_detector_on_gaussian_textures(
    train: float, test: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draw coefficients, let the detector that was learnt on the training spectra vote, and count."""
    monkeypatch.setattr(texture_detector, "LOOK_A2", 600.0)
    faint = ObjectSpectrum(Q, OBJECTS.particle / 8, OBJECTS.film, OBJECTS.covered)
    learnt, used = (
        look(Condition(defocus_A=100, focal_spread_A=20, dose_e_per_A2=dose), faint) for dose in (train, test)
    )
    rng = np.random.default_rng(3)
    # rings of independent complex coefficients, half a plane of them
    number = rng.multinomial(round(600 * BAND / 2), GRID.area_per_A2 / BAND)
    ring = np.repeat(np.arange(number.size), number)
    p0, p1 = learnt.background_spectrum[ring, 0], learnt.particle_spectrum[ring, 0]
    right = []
    for spectrum, sign in ((used.particle_spectrum[ring, 0], 1), (used.background_spectrum[ring, 0], -1)):
        power = spectrum * rng.exponential(size=(20_000, ring.size))
        vote = power @ (1 / p0 - 1 / p1) - np.log(p1 / p0).sum()
        right.append((sign * vote > 0).mean())
    assert texture_detector.accuracy(learnt, used) == pytest.approx(np.mean(right), abs=0.03)


def test_texture_is_blind_to_sign_and_to_units() -> None:
    assert texture_detector.accuracy(at(100), at(-100)) == pytest.approx(texture_detector.accuracy(at(100), at(100)))
    weak = ObjectSpectrum(Q, OBJECTS.particle / 7, OBJECTS.film / 7, OBJECTS.covered)
    condition = Condition(defocus_A=100, dose_e_per_A2=400)
    brighter = condition.model_copy(update={"dose_e_per_A2": 2800.0})
    # seven times the dose on a seventh of the power: the same standardised images
    assert texture_detector.accuracy(look(condition), look(brighter, weak)) == pytest.approx(
        texture_detector.accuracy(look(condition), look(condition)), rel=1e-12
    )
    assert texture_detector.divergence(look(condition), look(brighter, weak)) == pytest.approx(0, abs=1e-12)


def test_texture_accuracy_in_domain_grows_with_dose_and_starts_at_chance() -> None:
    own = [texture_detector.accuracy(at(dose=dose), at(dose=dose)) for dose in (1e-4, 1, 10, 100, 1000, 1e4)]
    assert own[0] == pytest.approx(0.5, abs=0.01)
    assert (np.diff(own) > 0).all()
    assert texture_detector.accuracy(at(0.0), at(100)) == 0.5  # what never saw a particle tosses a coin


def test_texture_knows_the_direction_of_a_change_of_dose() -> None:
    """Regret is larger from low to high dose: film shows, once standardised, as particles did."""
    low, high = at(dose=30), at(dose=3000)
    up = texture_detector.accuracy(high, high) - texture_detector.accuracy(low, high)
    down = texture_detector.accuracy(low, low) - texture_detector.accuracy(high, low)
    assert up > 2 * down > 0


def test_divergence_is_the_itakura_saito_bound() -> None:
    one, two = flat(1, 1), flat(1, 1, variance=2.0)
    # P'/P = ½ in both classes
    assert texture_detector.divergence(one, two) == pytest.approx(BAND / 2 * (0.5 - 1 + np.log(2)))
    assert texture_detector.divergence(two, one) == pytest.approx(BAND / 2 * (2 - 1 - np.log(2)))
    assert texture_detector.divergence(at(), at()) == pytest.approx(0, abs=1e-12)


def test_divergence_bounds_the_cost_of_the_wrong_posterior() -> None:
    """Measured on drawn textures: cross-entropy of the mistaken detector minus that of the right one, per area."""
    learnt, used, rng = at(dose=100), at(dose=300), np.random.default_rng(4)
    number = rng.multinomial(100, GRID.area_per_A2 / BAND)
    ring = np.repeat(np.arange(number.size), number)
    losses = []
    for known in (learnt, used):
        p0, p1 = known.background_spectrum[ring, 0], known.particle_spectrum[ring, 0]
        loss = []
        for spectrum, sign in ((used.particle_spectrum[ring, 0], 1), (used.background_spectrum[ring, 0], -1)):
            power = spectrum * np.random.default_rng(5).exponential(size=(20_000, ring.size))
            vote = power @ (1 / p0 - 1 / p1) - np.log(p1 / p0).sum()
            loss.append(np.logaddexp(0, -sign * vote).mean())
        losses.append(np.mean(loss))
    area = ring.size / (BAND / 2)
    assert 0 < losses[0] - losses[1] < texture_detector.divergence(learnt, used) * area


def test_wiener_excess_is_the_excess_error_of_the_mistaken_filter() -> None:
    learnt, used = at(100, 100), at(180, 500)

    def filter_of(what: ImageSpectra) -> np.ndarray:
        a = 2 * what.mean_transfer / np.sqrt(what.variance)
        return a * what.particle / (a**2 * what.particle + what.background_spectrum)

    def error(h: np.ndarray) -> float:
        a = 2 * used.mean_transfer / np.sqrt(used.variance)
        return used.band_integral(used.particle * (1 - h * a) ** 2 + h**2 * used.background_spectrum)

    expected = (error(filter_of(learnt)) - error(filter_of(used))) / used.band_integral(
        used.particle + 0 * used.transfer
    )
    assert texture_detector.wiener_excess(learnt, used) == pytest.approx(expected, rel=1e-9)
    assert expected > 0
    assert texture_detector.wiener_excess(at(-100), at(100)) > texture_detector.wiener_excess(at(60), at(100))


# --- mixtures --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, row in PREDICTORS.items() if row.arguments == "mixture"])
def test_a_union_of_equals_is_what_each_is(name: str) -> None:
    predictor = PREDICTORS[name]
    same = mixture_spectra([at(), at()], [3, 1])
    assert predictor.measure(same, at(60)) == pytest.approx(predictor.measure(at(), at(60)), rel=1e-9)


def test_a_union_lies_between_its_parts_and_counts_by_shares() -> None:
    one, two, test = at(60), at(300, 100), at(150)
    parts = [information.information_covered(each, test) for each in (one, two)]
    mixed = [
        information.information_covered(mixture_spectra([one, two], [1 - share, share]), test) for share in (0.01, 0.99)
    ]
    np.testing.assert_allclose(mixed, parts, atol=0.02)
