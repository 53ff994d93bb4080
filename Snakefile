from snakemake.utils import min_version

import snakemake_logger_plugin_hrtem_ood  # lets Snakemake read configurations as data only

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


rule all:
    input:
        lambda wildcards: paths(dag.default_targets(campaign), whole=True),


for stage in JOB_STAGES.values():

    include: f"workflow/rules/{stage.rule}.smk"
