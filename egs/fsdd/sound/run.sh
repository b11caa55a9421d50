#!/usr/bin/env bash
# Spoken digits: digit to sound. Give the folder of the Free Spoken Digit Dataset with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen data import fsdd)
licence=CC-BY-SA-4.0

. ../../../recipes/sound.sh
