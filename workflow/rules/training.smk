def train_options(execution):
    """How networks are trained, which changes none of them."""
    return f"--save-every {execution.save_every_s:g}" + (" --compile" if execution.compile else "")


rule train:
    input:
        lambda wildcards: paths("datasets", wanted(campaign.packs, wildcards.id).training_set.datasets),
    output:
        pattern("packs"),
    log:
        f"{LOGS}/packs/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/packs/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.packs[wildcards.id].json_text,
        how=lambda wildcards, output: train_options(campaign.config.execution),
    message:
        "Training: {wildcards.id}"
    shell:
        "{CLI} train {params.spec:q} {input} --networks {RESULTS}/networks --output {output}"
        " --device {DEVICE} {params.how} > {log} 2>&1"


rule networks:
    input:
        paths("packs", campaign.packs),
