from hrtem_ood.campaign.specs import EvaluateSpec


# One small file stands for all datasets of a suite, so that an evaluation has two inputs, not hundreds.
rule suite:
    input:
        lambda wildcards: paths("datasets", wanted(campaign.suites, wildcards.id).datasets),
    output:
        pattern("suites"),
    log:
        f"{LOGS}/suites/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/suites/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.suites[wildcards.id].json_text,
    message:
        "Indexing test datasets: {wildcards.id}"
    shell:
        "{CLI} suite {params.spec:q} {input} --output {output} > {log} 2>&1"


def drop_weights_options(job):
    """Options that drop a pack's weights once all its evaluations are there, where the campaign keeps none."""
    if campaign.config.execution.keep_weights:
        return []
    ids = [EvaluateSpec(pack=job.spec.pack, suite=suite).id for suite in campaign.suites]
    return [f"--campaign={campaign.name}", *(f"--drop-weights-after={path('evaluations', id)}" for id in ids)]


rule evaluate:
    input:
        pack=lambda wildcards: paths("packs", [wanted(campaign.evaluations, wildcards.id).pack.id]),
        suite=lambda wildcards: paths("suites", [campaign.evaluations[wildcards.id].suite.id]),
    output:
        pattern("evaluations"),
    log:
        f"{LOGS}/evaluations/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluations/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.evaluations[wildcards.id].spec.json_text,
        drop_weights=lambda wildcards, output: drop_weights_options(campaign.evaluations[wildcards.id]),
    message:
        "Evaluating: {wildcards.id}"
    shell:
        "{CLI} evaluate {params.spec:q} --pack {input.pack} --suite {input.suite} --results {RESULTS} --output {output}"
        " --device {DEVICE} {params.drop_weights:q} > {log} 2>&1"


rule evaluations:
    input:
        paths("evaluations", campaign.evaluations),
