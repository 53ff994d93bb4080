from snakemake.utils import min_version

import snakemake_logger_plugin_hrtem_ood  # configurations are data; Snakemake's command line has imported it before

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


rule all:
    input:
        lambda wildcards: paths(dag.default_targets(campaign), whole=True),


include: "workflow/rules/build.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/image.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/suite.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/predictors.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/index.smk"
