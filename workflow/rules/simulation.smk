rule simulate:
    input:
        lambda wildcards: paths("structures", [wanted(campaign.structures_of, wildcards.id).id]),
    output:
        pattern("exit_waves"),
    log:
        f"{LOGS}/exit_waves/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/exit_waves/{{id}}.tsv"
    params:
        spec=lambda wildcards, output: campaign.exit_waves[wildcards.id].json_text,
    message:
        "Simulating exit waves: {wildcards.id}"
    shell:
        "{CLI} simulate {params.spec:q} --structures {input} --output {output} --device {DEVICE} > {log} 2>&1"
