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
    message:
        "Evaluating: {wildcards.id}"
    shell:
        "{CLI} evaluate {params.spec:q} --pack {input.pack} --suite {input.suite} --results {RESULTS} --output {output}"
        " --device {DEVICE} > {log} 2>&1"


rule evaluations:
    input:
        paths("evaluations", campaign.evaluations),
