"""Power spectra of the structure sets of a campaign, from the exit waves in its results."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum, object_spectrum, particle_area_fraction


def object_spectra(
    campaign: Campaign, results: Path, names: Iterable[str] | None = None
) -> Mapping[str, ObjectSpectrum]:
    """Estimate the power spectra of structure sets in use, all or some, each from the first structures of its recipe.

    Raises
    ------
    ArtifactError
        Where exit waves are missing or damaged.
    """
    spectra: dict[str, ObjectSpectrum] = {}
    wanted = campaign.used_structure_sets if names is None else tuple(names)
    for name in wanted:
        recipe = campaign.recipe_id(name)
        if recipe not in spectra:
            shards, number = campaign.exit_waves_for_recipe[recipe]
            waves, phases, pixel_size_A = [], [], 0.0
            for shard in shards:
                with Results(results).open("exit_waves", shard.id) as dataset:
                    part = dataset.isel(structure=slice(0, number - shard.start))
                    # one structure at a time: only the mean over phonons is kept
                    waves += [part.exit_wave[i].values.mean(axis=0) for i in range(part.sizes["structure"])]
                    phases.append(part.particle_phase.values)
                    pixel_size_A = float(dataset.attrs["sampling_A"])
            if len(waves) != number:
                raise ArtifactError(f"exit waves of {name}: {number} structures are needed, not {len(waves)}.")
            phase = np.concatenate(phases)
            covered = particle_area_fraction(phase, campaign.config.labels, pixel_size_A=pixel_size_A)
            spectra[recipe] = object_spectrum(
                np.stack(waves)[:, None], phase, pixel_size_A=pixel_size_A, covered=covered
            )
    return {name: spectra[campaign.recipe_id(name)] for name in wanted}
