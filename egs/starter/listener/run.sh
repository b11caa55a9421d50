#!/usr/bin/env bash
# The listener of the starter set: speechocean762, kathleen and kerstin. Give the folder that holds all three with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000 # that of speechocean762; the others have 24000
name=listener-16k # as the package ships it

. ../../../recipes/listener.sh
