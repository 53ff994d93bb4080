rule train:
    input:
        inputs_of("packs"),
    output:
        output_of("packs"),
    log:
        log_of("packs"),
    benchmark:
        benchmark_of("packs")
    message:
        "Training: {wildcards.id}"
    shell:
        f"{CLI} train {WHERE}"


rule networks:
    input:
        all_of("packs"),
