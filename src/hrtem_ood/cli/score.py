"""`hrtem-ood score`: networks on labelled micrographs."""

from pathlib import Path

import click

from hrtem_ood.cli.options import (
    FILE,
    FOLDER,
    Device,
    architecture_file_option,
    device_option,
    fill_holes_option,
    min_diameter_option,
    pixel_size_option,
    repair_option,
    split_touching_option,
    tell_unrepaired,
)
from hrtem_ood.cli.output import print_text


class _SeveralFiles(click.Command):
    """Takes all words after --micrographs and --labels for their files, as a shell writes them in place of a pattern."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        option, taken = "", 0
        for place, word in enumerate(args):
            if word == "--":
                words += args[place:]
                break
            if word.startswith("-"):
                name, is_stated, _ = word.partition("=")
                option, taken = (name if name in ("--micrographs", "--labels") else ""), int(bool(is_stated))
            elif option and taken and word.endswith(".ckpt"):
                option = ""  # networks may come last
            elif option:
                words += [option] if taken else []
                taken += 1
            words.append(word)
        return super().parse_args(ctx, words)


@click.command(cls=_SeveralFiles)
@click.argument("networks", nargs=-1, type=FILE, metavar="[NETWORK...]")
@click.option(
    "--micrographs", multiple=True, required=True, metavar="FILE...", help="Micrographs, or patterns as 'images/*.tif'."
)
@click.option(
    "--labels",
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Their labels (TIFF, MRC, PNG), of the same names and pixels.",
)
@click.option("--output", type=FOLDER, default=Path("scores"), show_default=True, help="Folder to write to.")
@click.option("--overwrite", is_flag=True, help="Write over the scores that are in the folder.")
@pixel_size_option
@architecture_file_option
@repair_option
@min_diameter_option
@fill_holes_option
@split_touching_option
@device_option
@click.pass_context
def score(
    ctx: click.Context,
    networks: tuple[Path, ...],
    micrographs: tuple[str, ...],
    labels: tuple[str, ...],
    output: Path,
    overwrite: bool,
    pixel_size_A: float | None,
    architecture_file: Path | None,
    repair: bool,
    min_diameter_A: float,
    fill_holes: bool,
    split_touching: bool,
    device: Device,
) -> None:
    """Score trained networks on labelled micrographs.

    Without a NETWORK, the one that comes with the package is scored. Micrographs are read and segmented as by `predict` with
    the same options, and scored on their own pixels. A label is 0 on background, and 1 or 255 on particles, or the number
    of the particle. It has the name of its micrograph, or that with _label or _mask after it. Writes scores.csv,
    networks.csv and scores.png. The exit code is 1 where something could not be scored.
    """
    from hrtem_ood.campaign.label_pairs import expand, pair_files
    from hrtem_ood.cli.render import score as text
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.cli.render.predict import shipped_lines
    from hrtem_ood.learning.inference.particle_labels import ParticleOptions
    from hrtem_ood.learning.inference.score_files import check_outputs, write_scores
    from hrtem_ood.learning.inference.score_micrographs import load_networks, score_micrographs, summarise
    from hrtem_ood.learning.inference.shipped_network import shipped_network

    pairs = pair_files(expand(micrographs, "--micrographs"), expand(labels, "--labels"))
    check_outputs(output, pairs, overwrite=overwrite)
    if not networks:
        networks = (shipped_network(),)
        print_text("\n".join(shipped_lines(networks[0])))
    loaded, problems = load_networks(networks, architecture_file)
    tell_unrepaired((each.trained for each in loaded), repair=repair)
    particles = ParticleOptions(min_diameter_A, fill_holes, split_touching)
    scored = score_micrographs(
        loaded, pairs, pixel_size_A=pixel_size_A, repair=repair, particles=particles, device=device
    )
    problems += scored.problems
    if len(scored.table):
        summary = summarise(scored.table)
        outputs = write_scores(output, scored.table, summary)
        print_on_terminal(*text.score_tables(scored, summary))
        print_text(f"wrote {', '.join(map(str, outputs))}")
    if problems:
        print_text("\n".join(text.problem_lines(problems, len(scored.table))), err=True)
        ctx.exit(1)
