#!/usr/bin/env bash
# A WaveNet that plays the double bass: pitch and articulation to sound. Give the folder of Meatbass with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import meatbass)
demo=(--pitch a2 --articulation pizz --seconds 3 --seed 1)
licence=CC0-1.0
name=bass-wavenet # as the package ships it

. ../../../recipes/wavenet.sh
