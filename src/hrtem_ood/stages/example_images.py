"""Example images for previews of conditions, from artifacts where they exist."""

from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec, StructureShardSpec
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.progress import log
from hrtem_ood.report.previews.conditions import ExampleImage
from hrtem_ood.stages.build import build
from hrtem_ood.stages.image import image
from hrtem_ood.stages.simulate import simulate


class ExampleImages:
    """Images of one structure under any condition: from existing datasets, else from existing exit waves, else simulated.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    scratch : Path
        An empty folder, for one structure, simulated with one frozen phonon where nothing exists.
    device : str
        Where to compute.
    """

    def __init__(self, campaign: Campaign, results: Path, scratch: Path, device: str) -> None:
        self.campaign, self.results, self.scratch, self.device = campaign, results, scratch, device
        self.datasets = {spec.condition: id_ for id_, spec in reversed(campaign.datasets.items())}
        self._waves: tuple[ExitWaveShardSpec, Path, str] | None = None

    def of(self, condition: Condition) -> ExampleImage:
        """Return the image under a condition."""
        id_ = self.datasets.get(condition)
        path = Results(self.results).path("datasets", id_) if id_ else None
        if path is not None and path.exists():
            with store.open_zarr(path) as dataset:
                return ExampleImage(dataset.counts[0].values, "dataset")
        spec, shard, source = self._exit_waves()
        config = self.campaign.config
        dataset_spec = DatasetSpec(
            exit_wave_series=spec.series,
            n_structures=1,
            condition=condition,
            imaging=config.imaging,
            labels=config.labels,
        )
        output = Results(self.scratch).path("datasets", dataset_spec.id)
        image(dataset_spec, [shard], output, device=self.device)  # type: ignore[arg-type]  # one of the three words
        return ExampleImage(store.read_zarr(output).counts[0].values, source)

    def _exit_waves(self) -> tuple[ExitWaveShardSpec, Path, str]:
        if self._waves is None:
            self._waves = self._find_stored() or self._simulate()
        return self._waves

    def _find_stored(self) -> tuple[ExitWaveShardSpec, Path, str] | None:
        for name in self.campaign.used_structure_sets:
            _, spec = self.campaign.shards(name)[0]
            path = Results(self.results).path("exit_waves", spec.id)
            if path.exists():
                return spec, path, f"first of {name}"
        return None

    def _simulate(self) -> tuple[ExitWaveShardSpec, Path, str]:
        name = self.campaign.used_structure_sets[0]
        recipe = self.campaign.recipe(name)
        log(f"no exit waves yet: simulating the first structure of {name} with one frozen phonon")
        scene = StructureShardSpec(recipe=recipe, start=0, stop=1)
        simulation = self.campaign.config.simulation.model_copy(update={"n_frozen_phonons": 1})
        spec = ExitWaveShardSpec(structure_series=recipe.series, simulation=simulation, start=0, stop=1)
        structure, wave = (
            Results(self.scratch).path(stage, each.id) for stage, each in (("structures", scene), ("exit_waves", spec))
        )
        build(scene, structure)
        simulate(spec, structure, wave, device=self.device)  # type: ignore[arg-type]  # one of the three words
        return spec, wave, f"first of {name}, one phonon"
