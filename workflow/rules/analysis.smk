# These outputs keep their names when the campaign changes; the tracked parameter `id` tells Snakemake that they are stale.
from hrtem_ood.analysis.outputs import FIGURES, TABLES

HERE = f"{RESULTS}/{campaign.name}"


rule metrics:
    input:
        paths("evaluations", campaign.evaluations),
        paths("packs", campaign.packs),
        paths("transfer", [campaign.transfer.id]),
    output:
        f"{HERE}/metrics.zarr.zip",
    log:
        f"{LOGS}/{campaign.name}/metrics.log",
    benchmark:
        f"{BENCHMARKS}/{campaign.name}/metrics.tsv"
    params:
        id=campaign.metrics_id,
        config=lambda wildcards, input: campaign.config_json,
    message:
        "Gathering scores of campaign {campaign.name}"
    shell:
        "{CLI} analyze metrics {params.config:q} --results {RESULTS} --output {output} > {log} 2>&1"


rule report:
    input:
        # Not ancient(): Snakemake looks at the parameters of no job behind one that will run, so only its input tells it.
        f"{HERE}/metrics.zarr.zip",
        paths("transfer", [campaign.transfer.id]),
        paths(
            "datasets",
            dict.fromkeys(id for suite in campaign.suites.values() for id in suite.datasets),
        ),
    output:
        f"{HERE}/report.html",
        [f"{HERE}/{name}" for name in (*FIGURES, *TABLES)],
    log:
        f"{LOGS}/{campaign.name}/report.log",
    benchmark:
        f"{BENCHMARKS}/{campaign.name}/report.tsv"
    params:
        id=campaign.report_id,
        config=lambda wildcards, input: campaign.config_json,
    message:
        "Drawing figures and writing the report of campaign {campaign.name}"
    shell:
        "{CLI} analyze report {params.config:q} --results {RESULTS} --folder {HERE} > {log} 2>&1"


rule index:
    output:
        f"{HERE}/index.csv",
    log:
        f"{LOGS}/{campaign.name}/index.log",
    benchmark:
        f"{BENCHMARKS}/{campaign.name}/index.tsv"
    params:
        id=campaign.index_id,
        config=lambda wildcards, output: campaign.config_json,
    message:
        "Listing every artefact of campaign {campaign.name}"
    shell:
        "{CLI} analyze index {params.config:q} --output {output} > {log} 2>&1"
