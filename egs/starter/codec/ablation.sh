#!/usr/bin/env bash
# What each loss and each bottleneck brings to the starter codec, at equal budget. Give the corpora with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000

. ../../../recipes/ablation.sh
