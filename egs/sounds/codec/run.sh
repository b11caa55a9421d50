#!/usr/bin/env bash
# A codec for sounds of all kinds: the shipped one goes on with speech, environmental sounds and notes of a double bass.
# Give the folder that holds speechocean762, kathleen, kerstin, esc10 and meatbass with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import sounds)
sample_rate=16000
kbps=1.5,3,6
name=sound-16k

. ../../../recipes/codec.sh
