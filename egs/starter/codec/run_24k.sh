#!/usr/bin/env bash
# The starter codec at 24 kHz, speech-24k. Takes what run.sh takes, and shares data/ with it.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
config=conf/codec_24k.yaml
refine=conf/longer_24k.yaml
sample_rate=24000
dump=dump_24k
kbps=1.5,3,6
results=RESULTS_24k.md
name=speech-24k

. ../../../recipes/codec.sh
