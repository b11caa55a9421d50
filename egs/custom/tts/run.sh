#!/usr/bin/env bash
# The shipped voice model, taught a voice of your own. Give the folder of the recordings with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import folder)
check=true
before=starter-tts # what conf/*.yaml goes on from
results=RESULTS.md # of whichever config
sample_rate=16000  # that of its codec

. ../../../recipes/tts.sh
