# The files of micrographs and labels are no inputs: their digests are in the id, and the job compares them.
rule labelled_set:
    input:
        inputs_of("labelled_sets"),
    output:
        output_of("labelled_sets"),
    log:
        log_of("labelled_sets"),
    benchmark:
        benchmark_of("labelled_sets")
    message:
        "Reading labelled micrographs: {wildcards.id}"
    shell:
        f"{CLI} labelled_set {WHERE}"
