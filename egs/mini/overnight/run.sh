#!/usr/bin/env bash
# The overnight chain in small, on the generated mini corpus: nothing to download, and nothing but a toy comes of it.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng
hours=0.1
limit=6
kbps=1,2 # of a codec this small

. ../../../recipes/overnight.sh
