rule transfer:
    output:
        path("transfer", campaign.transfer.id),
    log:
        f"{LOGS}/transfer/{campaign.transfer.id}.log",
    benchmark:
        f"{BENCHMARKS}/transfer/{campaign.transfer.id}.tsv"
    params:
        spec=lambda wildcards, output: campaign.transfer.json_text,
    message:
        "Computing information transfer"
    shell:
        "{CLI} transfer {params.spec:q} --output {output} > {log} 2>&1"
