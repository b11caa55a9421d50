#!/usr/bin/env bash
# A WaveNet vocoder for one voice: mel spectrogram to speech. Give the folder of kathleen with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import kathleen)
demo=(--from data/test --resample)
licence=CC0-1.0
name=kathleen-wavenet # as the package ships it

. ../../../recipes/wavenet.sh
