rule build:
    output:
        pattern("structures"),
    log:
        f"{LOGS}/structures/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/structures/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: wanted(campaign.structures, wildcards.id).json_text,
    message:
        "Drawing random scenes: {wildcards.id}"
    shell:
        "{CLI} build {params.spec:q} --output {output} > {log} 2>&1"
