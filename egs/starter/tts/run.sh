#!/usr/bin/env bash
# The voice of the starter set: speechocean762, kathleen and kerstin. Give the folder that holds all three with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import starter)
sample_rate=16000 # that of the codec
codec=speech-16k  # trained by ../codec; after a new run: ../codec/exp/codec/packed
listener=listener-16k
name=starter-tts # as the package ships it

. ../../../recipes/tts.sh
