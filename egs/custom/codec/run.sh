#!/usr/bin/env bash
# The shipped codec, fine-tuned on recordings of your own. Give their folder with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import recordings)
check=true
sample_rate=16000 # that of speech-16k
baselines=speechgen:speech-16k,opus,codec2 # what it was before, and what everyone has
entropy_steps=1000

. ../../../recipes/codec.sh
