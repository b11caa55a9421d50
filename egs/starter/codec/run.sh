#!/usr/bin/env bash
# The codec of the starter set: speechocean762, kathleen and kerstin. Give the folder that holds all three with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000 # that of speechocean762; the others have 24000
kbps=1.5,3,6
name=speech-16k # as the package ships it

. ../../../recipes/codec.sh
