#!/usr/bin/env bash
# Environmental sounds: label to sound. Give the folder of ESC-10 with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import esc10)
seconds=5
each=20
licence=CC-BY-3.0

. ../../../recipes/sound.sh
