"""Use of a trained network: on micrographs, at stated conditions, and in other programs.

Not a stage of a campaign: nothing here makes an artefact that another stage reads.
"""
