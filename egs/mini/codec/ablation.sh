#!/usr/bin/env bash
# What each loss and each bottleneck brings to the toy codec: shows the chain, in a few minutes on two cores.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng
kbps=1,2

. ../../../recipes/ablation.sh
