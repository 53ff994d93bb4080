"""Train a pack on the GPU in a process of its own: its JSON, the results folder, that of the datasets, an epoch.

After that epoch was saved, the process kills itself; 0 lets it end.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import PackSpec
from hrtem_ood.stages.train import train

DEVICE: Any = "gpu"
write = store.write_checkpoint


def main() -> None:
    text, results, data, epoch = sys.argv[1:]
    pack, folder = PackSpec.model_validate_json(text), Path(results)

    def write_and_die(path: Path, content: dict[str, Any]) -> None:
        write(path, content)
        if int(epoch) and content.get("epoch") == int(epoch):
            os.kill(os.getpid(), signal.SIGKILL)

    store.write_checkpoint = write_and_die
    train(
        pack,
        [Path(data) / "datasets" / f"{name}.zarr.zip" for name in pack.training_set.datasets],
        folder / "networks",
        folder / "packs" / f"{pack.id}.json",
        device=DEVICE,
        checkpoint_interval_s=0.0 if int(epoch) else 60.0,
    )


if __name__ == "__main__":
    main()
