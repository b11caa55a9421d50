#!/usr/bin/env bash
# A codec on the generated mini corpus: a minute or two on two cores, nothing to download.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng
kbps=1,2 # of a codec this small
entropy_steps=100

. ../../../recipes/codec.sh
