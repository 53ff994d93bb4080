"""Checks across the keys of a configuration: names that must exist, sizes that must fit, sets that must not overlap."""

from collections.abc import Iterable, Iterator
from itertools import chain

from hrtem_ood.campaign.analysis_checks import apart_errors, draw_errors
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.count_checks import count_errors
from hrtem_ood.campaign.size_checks import size_errors
from hrtem_ood.campaign.stage_table import FILE_STAGES
from hrtem_ood.campaign.subsets import most_mixtures
from hrtem_ood.campaign.user_files import user_file_errors
from hrtem_ood.config.analysis import FORECAST
from hrtem_ood.config.structures import StructureSet
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.quoting import quoted
from hrtem_ood.suggestions import valid_names
from hrtem_ood.transfer.predictors.registry import PREDICTORS

COLOUR_MAPS = ("crest", "flare", "mako", "rocket", "viridis", "cividis")
"""Examples of seaborn's colour maps."""


def config_errors(campaign: Campaign) -> list[str]:
    """Return the errors of a configuration whose keys are valid one by one.

    A group of checks runs only if all groups before it pass, so that one mistake gives one message.
    """
    groups = (
        (_name, _simulated_suites, _references, _predictors, _palette),
        (user_file_errors, size_errors),
        (_cells, _shares, _drawn, _compared, apart_errors, draw_errors),
        (
            _particles,
            _sampling,
            _training_sizes,
            _strides,
            _fresh_noise,
            _detector,
            _same_structures,
            _overlaps,
            _band,
            count_errors,
        ),
        (_cycles,),
    )
    for group in groups:
        errors = list(chain.from_iterable(check(campaign) for check in group))
        if errors:
            return errors
    return []


def _name(campaign: Campaign) -> Iterator[str]:
    if campaign.name in (*FILE_STAGES, "logs", "benchmarks", "jobs", "forecasters"):
        yield f"campaign: `{campaign.name}` is a folder of the results; use another name."


def _simulated_suites(campaign: Campaign) -> Iterator[str]:
    if not campaign.config.simulated_suites:
        yield (
            "test_suites: all are of micrographs; add one with a structure_set and conditions, which the scores on "
            "micrographs are compared with."
        )


def _unknown(key: str, names: Iterable[str], defined: Iterable[str], where: str) -> Iterator[str]:
    valid = list(defined)
    for name in names:
        if name not in valid:
            yield f"{key}: there is no `{name}` under `{where}`; {valid_names(name, valid, title='Defined')}"


def _references(campaign: Campaign) -> Iterator[str]:
    config = campaign.config
    for name, chosen in config.structure_sets.items():
        if isinstance(chosen, StructureSet):
            yield from _unknown(f"structure_sets.{name}.material", [chosen.material], config.materials, "materials")
    for kind, users in (("training_sets", config.training_sets), ("test_suites", config.simulated_suites)):
        for name, user in users.items():
            key = f"{kind}.{name}"
            yield from _unknown(f"{key}.structure_set", user.structure_sets, config.structure_sets, "structure_sets")
            yield from _unknown(f"{key}.conditions", user.conditions, config.conditions, "conditions")
    for name, grid in config.networks.items():
        yield from _unknown(f"networks.{name}.training_sets", grid.training_sets, config.training_sets, "training_sets")
    yield from _unknown(
        "analysis.compare_training_sets",
        config.analysis.compare_training_sets or (),
        config.training_sets,
        "training_sets",
    )
    for name, grids in config.analysis.apart.items():
        yield from _unknown(f"analysis.apart.{name}", grids, config.conditions, "conditions")
    trained = {each: None for grid in config.networks.values() for each in grid.training_sets}
    for number, draw in enumerate(config.analysis.design_draws, 1):
        key = f"analysis.design_draws, entry {number}"
        yield from _unknown(f"{key}, use", draw.use, config.conditions, "conditions")
        yield from _unknown(key, draw.training_sets, trained, "networks.*.training_sets")


def _compared(campaign: Campaign) -> Iterator[str]:
    """Check training sets to compare: they need networks, and structures of the same recipe as the first."""
    config, names = campaign.config, campaign.config.analysis.compare_training_sets or ()
    key = "analysis.compare_training_sets"
    used = {name for grid in config.networks.values() for name in grid.training_sets}
    if len(names) == 1:
        yield f"{key}: a comparison needs two training sets or more, not only `{names[0]}`; add one, or leave the key out."
        return
    for name in names:
        if name not in used:
            yield f"{key}: no network trains on `{name}`; training sets with networks: {', '.join(sorted(used))}."
    recipes = {name: {campaign.recipe_id(each) for each in config.training_sets[name].structure_sets} for name in names}
    for name in names[1:]:
        if recipes[name] != recipes[names[0]]:
            yield f"{key}: `{name}` has other structures than `{names[0]}`; compare training sets of one recipe."
    tested = {campaign.recipe_id(each) for suite in config.simulated_suites.values() for each in suite.structure_sets}
    if names and not recipes[names[0]] & tested:
        yield f"{key}: no test suite has structures like those of `{names[0]}`; add one, or leave the key out."


def _predictors(campaign: Campaign) -> Iterator[str]:
    users, analysis = campaign.config.predictors, campaign.config.analysis
    for name in users:
        if name in (*PREDICTORS, FORECAST):
            yield f"predictors.{name}: a built-in predictor has this name; use another one."
    excluded = analysis.exclude_predictors or ()
    names_by_key = {
        "baseline_predictor": (analysis.baseline_predictor,),
        "forecast_predictor": (analysis.forecast_predictor,),
        "exclude_predictors": excluded,
    }
    names_by_key |= {f"claims.{claim.outcome}": (claim.predictor, *claim.better_than) for claim in analysis.claims}
    for key, names in names_by_key.items():
        valid = [*PREDICTORS, *users, *((FORECAST,) if key.startswith("claims") else ())]
        yield from _unknown(f"analysis.{key}", names, valid, "predictors")
    for key in ("baseline_predictor", "forecast_predictor"):
        if names_by_key[key][0] in excluded:
            yield f"analysis.exclude_predictors: `{names_by_key[key][0]}` is the {key}, which cannot be excluded."


def _divides(length: float, step: float) -> bool:
    return abs(length / step - round(length / step)) < 1e-6


def _cells(campaign: Campaign) -> Iterator[str]:
    config = campaign.config
    steps = {"simulation.sampling_A": config.simulation.sampling_A, "imaging.pixel_size_A": config.imaging.pixel_size_A}
    for cell, where in _sets_by_cell(campaign).items():
        for key, step in steps.items():
            if not _divides(cell, step):
                near = cell / round(cell / step)
                yield f"{key}: {step:g} Å does not divide cell_A = {cell:g} Å of {where}; {near:.6g} Å would."
            elif round(cell / step) % 2:
                yield f"{key}: {step:g} Å divides cell_A = {cell:g} Å of {where} into an odd number of pixels; it must be even."


def _sets_by_cell(campaign: Campaign) -> dict[float, str]:
    """Return the cells in use, each with the structure sets that have it."""
    cells: dict[float, list[str]] = {}
    for name in campaign.used_structure_sets:
        cells.setdefault(campaign.config.structure_sets[name].cell_A, []).append(f"structure_sets.{name}")
    return {cell: ", ".join(names) for cell, names in cells.items()}


def _particles(campaign: Campaign) -> Iterator[str]:
    for name in campaign.used_structure_sets:
        chosen = campaign.config.structure_sets[name]
        if not isinstance(chosen, StructureSet):
            continue
        particles, cell = chosen.particles, chosen.cell_A
        key = f"structure_sets.{name}.particles"
        # a particle keeps its distance from its own periodic images, too
        space_A = 2 * particles.radius_A[1] + particles.separation_A
        if space_A > cell:
            yield (
                f"{key}.radius_A: a particle of radius {particles.radius_A[1]:g} Å and its separation of "
                f"{particles.separation_A:g} Å need {space_A:g} Å, more than cell_A = {cell:g} Å; "
                f"radii up to {(cell - particles.separation_A) / 2:g} Å fit."
            )
        elif particles.count[1] * space_A**2 > cell**2:
            yield (
                f"{key}.count: {particles.count[1]} particles of radius {particles.radius_A[1]:g} Å do not fit side by side "
                f"into a cell of {cell:g} Å with separation_A = {particles.separation_A:g}; "
                f"up to {int(cell**2 // space_A**2)} do."
            )
        material = campaign.config.materials[chosen.material]
        has_fault = material.fault_vector is not None or material.structure in ("wurtzite", "fcc")
        if particles.stacking_faults[1] and not has_fault:
            yield (
                f"{key}.stacking_faults: no stacking fault is defined for materials.{chosen.material}; "
                "give its fault_normal and fault_vector, or stacking_faults: 0."
            )


def _sampling(campaign: Campaign) -> Iterator[str]:
    simulation, imaging = campaign.config.simulation, campaign.config.imaging
    # abTEM limits the bandwidth of the multislice to 2/3 of the Nyquist frequency against aliasing
    band = 1 / (3 * simulation.sampling_A)
    wave_pixel_A = imaging.pixel_size_A / imaging.oversampling
    nyquist = 1 / (2 * wave_pixel_A)
    if nyquist > band * (1 + 1e-9):
        by = f", with imaging.oversampling = {imaging.oversampling}," if imaging.oversampling > 1 else ""
        yield (
            f"imaging.pixel_size_A: images of {imaging.pixel_size_A:g} Å{by} carry frequencies up to {nyquist:.4g} 1/Å, but "
            f"simulation.sampling_A = {simulation.sampling_A:g} Å simulates them up to {band:.4g} 1/Å only; "
            f"use pixel_size_A ≥ {1.5 * simulation.sampling_A * imaging.oversampling:g} or sampling_A ≤ {wave_pixel_A / 1.5:.4g}."
        )
        return
    for name, conditions in campaign.conditions.items():
        # include four standard deviations of jitter
        apertures = [each.aperture_mrad + 4 * each.aperture_sd_mrad for each in conditions if each.aperture_mrad]
        if not apertures:
            continue
        wavelength = electron_wavelength_A(simulation.energy_eV)
        reach = max(apertures) * 1e-3 / wavelength
        if reach > nyquist:
            yield (
                f"conditions.{name}.aperture_mrad: an aperture of {max(apertures):g} mrad passes frequencies up to "
                f"{reach:.4g} 1/Å, but imaging.pixel_size_A = {imaging.pixel_size_A:g} Å carries them up to {nyquist:.4g} 1/Å "
                f"only; use pixel_size_A ≤ {imaging.oversampling / (2 * reach):.4g} or an aperture up to "
                f"{nyquist * wavelength * 1e3:.4g} mrad."
            )


def _band(campaign: Campaign) -> Iterator[str]:
    """Check that the band of frequencies is not empty."""
    transfer, pixel_size_A = campaign.config.transfer, campaign.config.imaging.pixel_size_A
    lower, upper = transfer.q_min_per_A, transfer.q_max_per_A
    if upper is not None and upper <= lower:
        yield f"transfer.q_max_per_A: must be above q_min_per_A = {lower:g}, not {upper:g}."
    elif upper is None and lower >= 1 / (2 * pixel_size_A):
        yield (
            f"transfer.q_min_per_A: must be below the Nyquist frequency of imaging.pixel_size_A = {pixel_size_A:g} Å, "
            f"{1 / (2 * pixel_size_A):.4g} 1/Å, not {lower:g}."
        )


def _palette(campaign: Campaign) -> Iterator[str]:
    name = campaign.config.report.palette
    if name not in COLOUR_MAPS:  # for others, matplotlib and seaborn are imported, which takes a second
        from hrtem_ood.plotting import colour_map

        if colour_map(name) is None:
            yield f"report.palette: seaborn has no colour map {quoted(name)}; try {', '.join(COLOUR_MAPS)}."


def _training_sizes(campaign: Campaign) -> Iterator[str]:
    for name, grid in campaign.config.training_sets.items():
        key = f"training_sets.{name}"
        numbers = {campaign.config.structure_sets[each].n_structures for each in grid.structure_sets}
        if len(numbers) > 1:
            yield (
                f"{key}.structure_set: the structure sets of a mixture need the same n_structures, not "
                f"{', '.join(map(str, sorted(numbers)))}."
            )
            continue
        available = numbers.pop()
        left = available - grid.n_validation_structures
        if left < 1:
            yield (
                f"{key}.n_validation_structures: {grid.n_validation_structures} of the {available} structures of "
                f"`{grid.structure_sets[0]}` leave none to train on; use at most {available - 1}."
            )
            continue
        for training_set in campaign.training_sets[name]:
            total, conditions = sum(training_set.n_images), len(training_set.datasets)
            if min(training_set.n_images) < 1:
                yield (
                    f"{key}.n_images: {total} images cannot cover {conditions} conditions; "
                    "use at least one image per condition."
                )
                break
            if max(training_set.n_images) > left:
                most = (
                    f"at most {left * conditions}"
                    if isinstance(grid.n_images, int)
                    else "fewer where they are too many"
                )
                yield (
                    f"{key}.n_images: {max(training_set.n_images)} images are needed under one condition, {total} in all, "
                    f"but {left} structures under {conditions} condition(s) give {left} each; use {most}."
                )
                break


def _drawn(campaign: Campaign) -> Iterator[str]:
    """Check that enough different mixtures exist to draw from."""
    for name, grid in campaign.config.training_sets.items():
        conditions = len({each for grid_ in grid.conditions for each in campaign.conditions[grid_]})
        for size in () if grid.drawn is None else grid.drawn.n_conditions:
            most = most_mixtures(conditions, size)
            if grid.drawn is not None and grid.drawn.number > most:
                yield (
                    f"training_sets.{name}.drawn.number: {grid.drawn.number} different mixtures of {size} are too many to draw "
                    f"from {conditions} conditions; draw at most {most:,}."
                )


def _shares(campaign: Campaign) -> Iterator[str]:
    """Check numbers of images by condition against the conditions."""
    for name, grid in campaign.config.training_sets.items():
        if isinstance(grid.n_images, int):
            continue
        key = f"training_sets.{name}.n_images"
        if not grid.mixture:
            yield f"{key}: numbers by condition need `mixture: true`; give one number for training sets of one condition."
        elif set(grid.n_images) != set(grid.conditions):
            yield (
                f"{key}: must have the names under `conditions` ({', '.join(grid.conditions)}), each with its number of images, "
                f"not {', '.join(grid.n_images) or 'nothing'}."
            )
        else:
            for conditions, images in grid.n_images.items():
                number = len(set(campaign.conditions[conditions]))
                if images < number:
                    yield (
                        f"{key}.{conditions}: {images} images cannot cover {number} conditions; "
                        "use at least one image per condition."
                    )


def _fresh_noise(campaign: Campaign) -> Iterator[str]:
    for name, grid in campaign.config.networks.items():
        if True in grid.resample_noise and not campaign.config.imaging.store_noise_free:
            yield f"networks.{name}.resample_noise: `true` needs noise-free images; set imaging.store_noise_free to true."


def _detector(campaign: Campaign) -> Iterator[str]:
    imaging = campaign.config.imaging
    if imaging.store_noise_free and imaging.detector is not None and not imaging.detector.counts_electrons:
        yield (
            "imaging.store_noise_free: noise is Poisson noise of the expected counts only without a dqe and a gain; leave "
            "these out of imaging.detector, or set store_noise_free to false."
        )


def _cycles(campaign: Campaign) -> Iterator[str]:
    """Check one-cycle schedules: with a single step, PyTorch's learning rate would be almost zero."""
    for name, grid in campaign.config.networks.items():
        if "one_cycle" not in grid.lr_schedule:
            continue
        images = [sum(each.n_images) for sets in grid.training_sets for each in campaign.training_sets[sets]]
        per_epoch = -(-min(images) // max(grid.batch_size))
        steps = min(grid.steps) if grid.steps != (None,) else min(grid.epochs) * per_epoch
        if steps < 2:
            yield (
                f"networks.{name}.lr_schedule: one_cycle needs two steps or more, but {min(images)} images in batches of "
                f"{max(grid.batch_size)} give one; use more epochs or steps, smaller batches, or `lr_schedule: exponential`."
            )


def _strides(campaign: Campaign) -> Iterator[str]:
    config = campaign.config
    for cell, where in _sets_by_cell(campaign).items():
        side = round(cell / config.imaging.pixel_size_A)
        for name, grid in config.networks.items():
            for architecture in grid.architecture:
                stride = architecture.stride or 1
                # on the lowest level, batch norm needs more than one pixel
                if side % stride or side < 2 * stride:
                    yield (
                        f"networks.{name}.architecture: images of {where} are {side} px wide, which depth = "
                        f"{architecture.depth} cannot halve {architecture.depth} times; choose cell_A, pixel_size_A or depth "
                        f"so that the width is a multiple, twice or more, of {stride}."
                    )


def _same_structures(campaign: Campaign) -> Iterator[str]:
    """Check that no user of structure sets takes the same structures twice: its images would be counted as others."""
    for kind, users in (
        ("training_sets", campaign.config.training_sets),
        ("test_suites", campaign.config.simulated_suites),
    ):
        for name, user in users.items():
            found: dict[str, str] = {}
            for chosen in user.structure_sets:
                first = found.setdefault(campaign.recipe(chosen).series, chosen)
                if first != chosen:
                    yield (
                        f"{kind}.{name}.structure_set: `{first}` and `{chosen}` have the same recipe and seed, so their "
                        "structures are the same; name one of them, or give one another seed."
                    )


def _overlaps(campaign: Campaign) -> Iterator[str]:
    """Check that no structures both train and test: sets of one recipe and seed have the same structures."""
    training = {name for user in campaign.config.training_sets.values() for name in user.structure_sets}
    suites = campaign.config.simulated_suites.items()
    for name, tested in ((name, tested) for name, suite in suites for tested in suite.structure_sets):
        series = campaign.recipe(tested).series
        same = sorted(other for other in training if campaign.recipe(other).series == series)
        if same:
            which = "trains" if tested in same else f"has the same recipe and seed as `{same[0]}`, which trains"
            yield (
                f"test_suites.{name}.structure_set: `{tested}` {which}, so the same structures would train and test "
                "(they overlap); test on a structure set with another seed."
            )
