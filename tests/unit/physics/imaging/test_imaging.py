"""Images: lens, dose, shards and mistakes."""

import json

import numpy as np
import pytest
import scipy.fft

from hrtem_ood.array_module import ArrayModule, array_module
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.imaging.detector import DetectorResponse, smallest_unsigned
from hrtem_ood.physics.imaging.intensity import image_intensity
from hrtem_ood.physics.imaging.lens import Lens, transfer_numpy
from hrtem_ood.physics.imaging.microscope import sample_condition
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import contrast_transfer
from hrtem_ood.physics.optics.fourier import crop_spectrum, polar_frequencies
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.stages.image import image
from hrtem_ood.stages.simulate import empty_dataset

CPU = array_module("cpu")
SIMULATION = Simulation(sampling_A=0.2, n_frozen_phonons=2)  # of a 12.8 Å cell: 64 points, of which 44 are stored
CELL_A = 12.8
CONDITION = Condition(defocus_A=80, defocus_sd_A=10, dose_e_per_A2=300, focal_spread_A=30)


def shard(folder, start, stop, series="scenes"):
    """Exit waves that are random phase objects."""
    spec = ExitWaveShardSpec(structure_series=series, simulation=SIMULATION, start=start, stop=stop)
    waves = empty_dataset(spec, CELL_A).copy(deep=True)
    q, _ = polar_frequencies((44, 44), CELL_A / 44)
    for place, structure in enumerate(range(start, stop)):
        noise = np.random.default_rng(structure).normal(size=(2, 44, 44))
        phase = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-4 * q**2)).real
        waves.exit_wave[place] = np.exp(1j * phase)
        waves.particle_phase[place] = phase.mean(axis=0)
        waves.zero_defocus_A[place] = 40 * structure
    path = folder / f"{spec.id}.zarr.zip"
    store.write_zarr(path, waves, {"id": spec.id})
    return path


def dataset_spec(**changes):
    series = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=0).series
    fields = {
        "exit_wave_series": series,
        "n_structures": 3,
        "condition": CONDITION,
        "imaging": Imaging(pixel_size_A=0.4),
        "labels": Labels(phase_threshold_rad=0.05, blur_A=0.5, mask_threshold=0.5),
    }
    return DatasetSpec(**fields | changes)


def imaged(folder, spec, shards):
    output = folder / f"{spec.id}.zarr.zip"
    image(spec, shards, output, device="cpu")
    return store.read_zarr(output)


@pytest.mark.parametrize(
    "lens",
    [
        {},
        {"C30": 1e5, "C12": 40, "phi12": 0.5, "C21": 300, "aperture_mrad": 20, "focal_spread_A": 30},
        {"C30": 1e5, "C12": 40, "phi12": 0.5, "C21": 300, "angular_spread_mrad": 0.5},
    ],
)
def test_lens_is_the_contrast_transfer(lens):
    condition = Condition(defocus_A=0, dose_e_per_A2=1, **lens)
    wavelength_A = electron_wavelength_A(200e3)
    q, azimuth = polar_frequencies((32, 32), 0.4)
    prepared = Lens.of(condition, size=32, pixel_size_A=0.4, wavelength_A=wavelength_A, am=CPU)
    for defocus_A in (-300.0, 0.0, 123.4):
        expected = contrast_transfer(condition, q, azimuth, wavelength_A=wavelength_A, defocus_A=defocus_A)
        ours = prepared.transfer(defocus_A)
        assert ours.dtype == np.complex64
        np.testing.assert_allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize("size", [32, 33])
def test_compiled_lens_is_the_plain_one(size):
    condition = Condition(defocus_A=0, dose_e_per_A2=1, C30=1e7, C12=50, phi12=0.3, C50=1e8, focal_spread_A=20)
    lens = Lens.of(condition, size=size, pixel_size_A=0.2, wavelength_A=electron_wavelength_A(300e3), am=CPU)
    np.testing.assert_allclose(
        lens.transfer(0.0), transfer_numpy(lens.polynomial, lens.alpha, lens.damping, CPU), rtol=0, atol=3e-7
    )


@pytest.mark.parametrize("size", [40, 45])
def test_intensity_on_a_cpu_is_the_plain_one(size):
    """The order of the arithmetic that suits a cache, and the form for any array module."""
    rng = np.random.default_rng(0)
    waves = (rng.normal(size=(3, size, size)) + 1j * rng.normal(size=(3, size, size))).astype(np.complex64)
    transfer = np.exp(1j * rng.normal(size=(size, size))).astype(np.complex64)
    spectra = np.fft.fft2(waves)
    np.testing.assert_allclose(
        image_intensity(spectra, transfer, CPU), image_intensity(spectra[None], transfer[None], CPU)[0], rtol=2e-5
    )


def test_intensity_is_the_mean_over_phonons():
    rng = np.random.default_rng(0)
    waves = (rng.normal(size=(5, 3, 8, 8)) + 1j * rng.normal(size=(5, 3, 8, 8))).astype(np.complex64)
    intensity = image_intensity(np.fft.fft2(waves), np.ones((5, 8, 8), np.complex64), CPU)
    np.testing.assert_allclose(intensity, (np.abs(waves) ** 2).mean(axis=1), rtol=1e-5)


def test_counts_are_poisson():
    intensity = np.linspace(0.5, 1.5, 4)[:, None] * np.ones((4, 200_000), np.float32)
    perfect = DetectorResponse.of(None, size=4, pixel_size_A=0.4, am=CPU)
    rng = np.random.default_rng(0)
    counts = perfect.detect(intensity, dose_e_per_A2=50, pixel_size_A=0.4, rng=rng).astype(float)
    mean = 50 * 0.16 * intensity[:, 0]
    np.testing.assert_allclose(counts.mean(axis=1), mean, rtol=0.01)
    np.testing.assert_allclose(counts.var(axis=1), mean, rtol=0.02)


@pytest.mark.parametrize(
    ("most", "dtype"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16), (65536, np.uint32), (0, np.uint8)]
)
def test_counts_take_the_smallest_type(most, dtype):
    counts = smallest_unsigned(np.array([0, most]))
    assert counts.dtype == dtype
    assert counts.max() == most


def test_shards_do_not_matter(tmp_path):
    spec = dataset_spec()
    whole = imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
    parts = imaged(tmp_path / "parts", spec, [shard(tmp_path, 0, 1), shard(tmp_path, 1, 5)])
    for name in ("counts", "label", "defocus_A"):
        np.testing.assert_array_equal(whole[name].values, parts[name].values)
    assert not np.array_equal(whole.counts[0], whole.counts[1])


def test_every_image_has_noise_of_its_own(tmp_path):
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=3)
    waves = empty_dataset(spec, CELL_A).copy(deep=True)
    waves.exit_wave[:] = 1
    path = tmp_path / f"{spec.id}.zarr.zip"
    store.write_zarr(path, waves, {"id": spec.id})
    counts = imaged(tmp_path, dataset_spec(), [path]).counts.values
    other = imaged(tmp_path, dataset_spec(condition=CONDITION.model_copy(update={"C12": 1.0})), [path]).counts.values
    noise = np.concatenate([counts, other]).reshape(6, -1)
    np.testing.assert_allclose(np.corrcoef(noise), np.eye(6), atol=0.15)  # 5 standard deviations at 1024 pixels


def test_fewer_structures_are_the_first_of_more(tmp_path):
    shards = [shard(tmp_path, 0, 3)]
    two, three = (imaged(tmp_path, dataset_spec(n_structures=number), shards) for number in (2, 3))
    np.testing.assert_array_equal(two.counts, three.counts[:2])


def test_artifact_layout(tmp_path):
    data = imaged(tmp_path, dataset_spec(), [shard(tmp_path, 0, 3)])
    assert data.counts.dims == data.label.dims == ("image", "y", "x")
    assert data.counts.shape == data.label.shape == (3, 32, 32)
    assert data.counts.dtype == data.label.dtype == np.uint8
    assert data.counts.encoding["chunks"] == (1, 32, 32)
    assert set(np.unique(data.label)) == {0, 1}
    assert data.defocus_A.dtype == np.float32
    assert data.x.values[1] == 0.4
    assert data.attrs["pixel_size_A"] == 0.4
    assert data.attrs["energy_eV"] == SIMULATION.energy_eV
    assert data.attrs["sha256_of_images"] == store.arrays_sha256(data.counts.values, data.label.values)
    assert Condition(**json.loads(data.attrs["condition"])) == CONDITION


def test_a_phase_object_conserves_the_dose(tmp_path):
    data = imaged(tmp_path, dataset_spec(condition=Condition(defocus_A=0, dose_e_per_A2=1e4)), [shard(tmp_path, 0, 3)])
    assert data.counts.dtype == np.uint16
    np.testing.assert_allclose(data.counts.mean(("y", "x")), 1e4 * 0.16, rtol=0.01)


def test_defocus_counts_from_zero_defocus_and_jitters(tmp_path):
    spec = dataset_spec()
    data = imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
    defoci = [sample_condition(CONDITION, spec.series, structure).defocus_A for structure in range(400)]
    np.testing.assert_allclose(data.defocus_A, defoci[:3] + 40.0 * np.arange(3), rtol=1e-6)
    jitter = np.array(defoci) - 80
    assert jitter.mean() == pytest.approx(0, abs=2)
    assert jitter.std() == pytest.approx(10, rel=0.1)
    steady = CONDITION.model_copy(update={"defocus_sd_A": 0.0})
    assert sample_condition(steady, spec.series, 7) is steady


def test_labels_do_not_change_counts(tmp_path):
    shards = [shard(tmp_path, 0, 3)]
    one = imaged(tmp_path, dataset_spec(), shards)
    other = imaged(tmp_path, dataset_spec(labels=Labels(phase_threshold_rad=1.0)), shards)
    np.testing.assert_array_equal(one.counts, other.counts)
    assert one.label.values.sum() > other.label.values.sum()


def test_expected_counts_are_what_counts_are_drawn_from(tmp_path):
    spec = dataset_spec(
        imaging=Imaging(pixel_size_A=0.4, store_noise_free=True),
        condition=Condition(defocus_A=100, dose_e_per_A2=300, C30=1e5),
    )
    data = imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
    expected = data.expected_counts
    assert expected.dims == ("image", "y", "x")
    assert expected.dtype == np.float32
    assert expected.attrs["units"] == "e/px"
    assert expected.encoding["chunks"] == (1, 32, 32)
    # contrast well above what rounding hides, so that the agreement below means something
    assert expected.values.std() > 0.05 * expected.values.mean()
    # Σ (n − m)² / m of Poisson counts n of mean m: a mean of 1 per pixel, and a variance of 2 + 1/m
    pixels, mean = expected.size, expected.values.astype(float)
    chi_square = ((data.counts.values - mean) ** 2 / mean).mean()
    spread = np.sqrt((2 + 1 / mean.mean()) / pixels)
    assert chi_square == pytest.approx(1, abs=5 * spread)
    # of wrong means the same test fails: of the neighbour's, and of a constant
    for wrong in (np.roll(mean, 1, axis=0), np.full_like(mean, mean.mean())):
        assert ((data.counts.values - wrong) ** 2 / wrong).mean() > 1 + 10 * spread


def test_expected_counts_change_no_image(tmp_path):
    shards = [shard(tmp_path, 0, 3)]
    plain = dataset_spec()
    more = dataset_spec(imaging=Imaging(pixel_size_A=0.4, store_noise_free=True))
    assert plain.series == more.series
    assert plain.id != more.id
    without, with_them = (imaged(tmp_path, spec, shards) for spec in (plain, more))
    for name in ("counts", "label", "defocus_A"):
        np.testing.assert_array_equal(without[name].values, with_them[name].values)
    assert without.attrs["sha256_of_images"] == with_them.attrs["sha256_of_images"]
    assert "expected_counts" not in without
    # and images of another pixel have another series, hence other noise
    assert dataset_spec(imaging=Imaging(pixel_size_A=0.8)).series != plain.series


def test_expected_counts_do_not_depend_on_shards(tmp_path):
    spec = dataset_spec(imaging=Imaging(pixel_size_A=0.4, store_noise_free=True))
    whole = imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
    parts = imaged(tmp_path / "parts", spec, [shard(tmp_path, 0, 1), shard(tmp_path, 1, 5)])
    np.testing.assert_array_equal(whole.expected_counts.values, parts.expected_counts.values)


def test_missing_structures_are_told(tmp_path):
    with pytest.raises(ArtifactError, match=r"needs 4 structures, but .* hold 3"):
        imaged(tmp_path, dataset_spec(n_structures=4), [shard(tmp_path, 0, 3)])


def test_shards_out_of_order_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="holds structures 1 to 2, but structure 0 comes next"):
        imaged(tmp_path, dataset_spec(), [shard(tmp_path, 1, 3), shard(tmp_path, 0, 1)])


def test_other_exit_waves_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="another series"):
        imaged(tmp_path, dataset_spec(), [shard(tmp_path, 0, 3, series="others")])


def test_pixels_must_divide_the_cell_and_be_simulated(tmp_path):
    shards = [shard(tmp_path, 0, 3)]
    with pytest.raises(ConfigError, match=r"pixel_size_A: 0.45 Å does not divide the cell of 12.8 Å; 0.457143 Å would"):
        imaged(tmp_path, dataset_spec(imaging=Imaging(pixel_size_A=0.45)), shards)
    with pytest.raises(ConfigError, match=r"pixel_size_A: 0.2 Å is finer than the exit waves"):
        imaged(tmp_path, dataset_spec(imaging=Imaging(pixel_size_A=0.2)), shards)


def test_images_are_formed_at_the_stored_defocus(tmp_path):
    """Counts at a dose without noise to speak of, against the lens of the stored defocus and energy."""
    simulation = SIMULATION.model_copy(update={"energy_eV": 80e3})
    waves_spec = ExitWaveShardSpec(structure_series="scenes", simulation=simulation, start=0, stop=3)
    waves = store.read_zarr(shard(tmp_path, 0, 3), expect_id=None)
    waves = waves.assign_attrs(energy_eV=80e3, series=waves_spec.series)
    path = tmp_path / f"{waves_spec.id}.zarr.zip"
    store.write_zarr(path, waves, {"id": waves_spec.id})
    condition = CONDITION.model_copy(update={"dose_e_per_A2": 1e6})
    data = imaged(tmp_path, dataset_spec(exit_wave_series=waves_spec.series, condition=condition), [path])
    assert data.attrs["energy_eV"] == 80e3
    shift = data.defocus_A.values - waves.zero_defocus_A.values - condition.defocus_A
    assert 0 < np.abs(shift).max() < 5 * condition.defocus_sd_A
    q, azimuth = polar_frequencies((32, 32), 0.4)
    for number, structure in enumerate(waves.structure.values):
        spectra = crop_spectrum(np.fft.fft2(waves.exit_wave.values[number]), (32, 32))

        def seen(defocus_A, energy_eV=80e3, spectra=spectra):
            wavelength_A = electron_wavelength_A(energy_eV)
            lens = contrast_transfer(condition, q, azimuth, wavelength_A=wavelength_A, defocus_A=defocus_A)
            return (np.abs(np.fft.ifft2(spectra * lens)) ** 2).mean(axis=0)

        found = data.counts.values[number] / (1e6 * 0.4**2)
        defocus_A = float(data.defocus_A[number])
        noise = 6 / np.sqrt(1e6 * 0.4**2)
        assert np.abs(found - seen(defocus_A)).max() < noise * 2, structure
        without_zero = seen(defocus_A - float(waves.zero_defocus_A[number])) if structure else 0
        for wrong in (seen(-defocus_A), without_zero, seen(defocus_A, 300e3)):
            assert np.abs(found - wrong).max() > noise * 2


def test_images_vary_in_whatever_jitters(tmp_path):
    condition = Condition(defocus_A=50, dose_e_per_A2=900, dose_sd_e_per_A2=250, C12_sd=40, phi12_sd=1, C30=1e5)
    spec = dataset_spec(condition=condition)
    data = imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
    assert {"dose_e_per_A2", "C12", "phi12", "defocus_A"} <= set(data.data_vars)
    assert data.dose_e_per_A2.attrs["units"] == "e/Å²"
    for image_, dose in zip(data.counts.values, data.dose_e_per_A2.values, strict=True):
        assert image_.mean() == pytest.approx(dose * 0.16, rel=0.02)
    assert len(set(data.C12.values.tolist())) == 3
    # the images are those of their own parameters
    for place in range(3):
        own = condition.model_copy(
            update={
                "dose_e_per_A2": float(data.dose_e_per_A2[place]),
                "C12": float(data.C12[place]),
                "phi12": float(data.phi12[place]),
            }
        )
        waves = store.read_zarr(shard(tmp_path, 0, 3), expect_id=None)
        spectra = crop_spectrum(np.fft.fft2(waves.exit_wave.values[place]), (32, 32))
        q, azimuth = polar_frequencies((32, 32), 0.4)
        lens = contrast_transfer(
            own, q, azimuth, wavelength_A=electron_wavelength_A(300e3), defocus_A=float(data.defocus_A[place])
        )
        mean = (np.abs(np.fft.ifft2(spectra * lens)) ** 2).mean(axis=0) * own.dose_e_per_A2 * 0.16
        chi_square = ((data.counts.values[place] - mean) ** 2 / mean).mean()
        assert chi_square == pytest.approx(1, abs=5 * np.sqrt(2 / 1024))


def test_jitter_has_the_means_and_deviations_asked_for():
    condition = Condition(defocus_A=0, dose_e_per_A2=90, dose_sd_e_per_A2=30, C21=100, C21_sd=7, focal_spread_A=30)
    drawn = [sample_condition(condition, "series", structure) for structure in range(2000)]
    for name, mean, deviation in (("dose_e_per_A2", 90, 30), ("C21", 100, 7)):
        values = np.array([getattr(each, name) for each in drawn])
        assert values.mean() == pytest.approx(mean, abs=5 * deviation / np.sqrt(2000))
        assert values.std() == pytest.approx(deviation, rel=0.1)
    assert min(each.dose_e_per_A2 for each in drawn) == pytest.approx(90 - 2.9 * 30)
    assert {each.focal_spread_A for each in drawn} == {30}


@pytest.mark.parametrize("dose", [3, 40, 600])
def test_counts_take_little_more_than_their_entropy(tmp_path, dose):
    data = imaged(tmp_path, dataset_spec(condition=CONDITION.model_copy(update={"dose_e_per_A2": dose})),
                  [shard(tmp_path, 0, 3)])  # fmt: skip
    (codec,) = data.counts.encoding["compressors"]
    assert codec.cname.value == "zstd"
    counts = np.tile(data.counts.values[0], (20, 20))
    rng = np.random.default_rng(0)
    counts = rng.permuted(counts.ravel()).reshape(counts.shape).astype(data.counts.dtype)
    share = np.bincount(counts.ravel()) / counts.size
    entropy = -(share[share > 0] * np.log2(share[share > 0])).sum() / 8
    assert len(codec._blosc_codec.encode(counts)) / counts.size < 1.15 * entropy


@pytest.mark.parametrize("size", [44, 64, 75, 96])
def test_the_form_for_a_cpu_equals_the_plain_one(size):
    """Whatever was formed before in the same buffers."""
    rng = np.random.default_rng(size)
    plain = ArrayModule("gpu", np, scipy.fft)  # takes a GPU's path, with NumPy's arrays
    for phonons in (3, 1):
        parts = rng.standard_normal((2, phonons, size, size)).astype(np.float32)
        spectra = parts[0] + np.complex64(1j) * parts[1]
        transfer = np.exp(1j * rng.uniform(0, 6, (size, size))).astype(np.complex64)
        found = image_intensity(spectra, transfer, array_module("cpu"))
        expected = image_intensity(spectra, transfer, plain)
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.mean())
        np.testing.assert_allclose(
            expected, (np.abs(np.fft.ifft2(spectra * transfer)) ** 2).mean(axis=0), rtol=1e-4, atol=1e-6
        )


def test_oversampled_images_are_fine_images_brought_to_larger_pixels(tmp_path):
    steady = Condition(defocus_A=80, dose_e_per_A2=300)

    def expected(**imaging):
        spec = dataset_spec(condition=steady, imaging=Imaging(store_noise_free=True, **imaging))
        return imaged(tmp_path, spec, [shard(tmp_path, 0, 3)]).expected_counts.values

    fine, oversampled, plain = (
        expected(pixel_size_A=0.4),
        expected(pixel_size_A=0.8, oversampling=2),
        expected(pixel_size_A=0.8),
    )
    size = oversampled.shape[-1]
    brought = np.fft.ifft2(crop_spectrum(np.fft.fft2(fine.astype(float)), (size, size))).real * 4
    np.testing.assert_allclose(oversampled, brought, rtol=0, atol=1e-4 * brought.mean())
    # a phase object: nothing is cut off on the finer pixels but what it scatters beyond 1.25 per Å
    assert oversampled.mean() > plain.mean()


def test_oversampling_is_of_what_was_simulated(tmp_path):
    spec = dataset_spec(imaging=Imaging(pixel_size_A=0.8, oversampling=4))
    with pytest.raises(ConfigError, match=r"0\.8 Å / 4 \(oversampling\) is finer"):
        imaged(tmp_path, spec, [shard(tmp_path, 0, 3)])
