#!/usr/bin/env bash
# Notes of a double bass: pitch and articulation to sound. Give the folder of Meatbass with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import meatbass)
seconds=3
each=6
licence=CC0-1.0

. ../../../recipes/sound.sh
