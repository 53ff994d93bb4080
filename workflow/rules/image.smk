rule image:
    input:
        inputs_of("datasets"),
    output:
        output_of("datasets"),
    log:
        log_of("datasets"),
    benchmark:
        benchmark_of("datasets")
    resources:
        gpu=gpu_of("image"),
    message:
        "Forming images: {wildcards.id}"
    shell:
        f"{CLI} image {WHERE}"


rule datasets:
    input:
        all_of("datasets"),
