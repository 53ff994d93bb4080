rule image:
    input:
        lambda wildcards: paths("exit_waves", [shard.id for shard in wanted(campaign.exit_waves_of, wildcards.id)]),
    output:
        pattern("datasets"),
    log:
        f"{LOGS}/datasets/{{id}}.log",
    benchmark:
        f"{BENCHMARKS}/datasets/{{id}}.tsv"
    params:
        spec=lambda wildcards: campaign.datasets[wildcards.id].json_text,
    message:
        "Imaging: {wildcards.id}"
    shell:
        "{CLI} image {params.spec:q} {input} --output {output} --device {DEVICE} > {log} 2>&1"


rule datasets:
    input:
        paths("datasets", campaign.datasets),
