#!/usr/bin/env bash
# What the unit, the order and the head bring to the starter voice, at equal budget. Give the corpora with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000

. ../../../recipes/compare.sh
