#!/usr/bin/env bash
# The starter codec with under two million parameters, tiny-16k. Takes what run.sh takes, and shares data/ and dump/.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
config=conf/codec_tiny.yaml
refine=conf/longer_tiny.yaml
sample_rate=16000
kbps=1.5,3,6
results=RESULTS_tiny.md
name=tiny-16k

. ../../../recipes/codec.sh
