"""`hrtem-ood plan`: what a run would create."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument, results_option
from hrtem_ood.cli.output import print_json


@click.command()
@configs_argument
@results_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every pack to train.")
def plan(configs: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Show which artifacts a run would create, why, and the cost.

    The cost is an estimate, from finished artifacts where there are any.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution.planning.plan import plan as run

    campaign = load_campaign_from_files(configs)
    if campaign.labelled_sets:
        from hrtem_ood.campaign.results import Results
        from hrtem_ood.learning.inference.labelled_sets import check_micrographs

        check_micrographs(campaign, except_for=Results(results).ids("labelled_sets"))
    planned = run(campaign, results)
    if as_json:
        print_json(planned.to_dict())
        return
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.cli.render.plan import plan_table

    print_on_terminal(plan_table(planned))
