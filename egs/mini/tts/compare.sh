#!/usr/bin/env bash
# Units, orders and heads of the toy voice: shows the chain, in some minutes on two cores.
cd "$(dirname "$0")" || exit

prepare=(speechgen data mini --speakers 6 --sentences 40) # English and German by espeak-ng

. ../../../recipes/compare.sh
