#!/usr/bin/env bash
# A codec on speechocean762: English by 200 Mandarin speakers, half of them children. Give its folder with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import speechocean762)
sample_rate=16000 # that of the recordings
kbps=1.5,3,6

. ../../../recipes/codec.sh
