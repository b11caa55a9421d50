#!/usr/bin/env bash
# A WaveNet on the generated mini corpus: a few minutes on two cores, nothing to download.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng
demo=(--speaker mini01 --seconds 1)

. ../../../recipes/wavenet.sh
