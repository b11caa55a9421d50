#!/usr/bin/env bash
# Clips of digits that move, made from MNIST. Give the folder that holds mnist.npz with --corpus.
cd "$(dirname "$0")" || exit

prepare=(speechgen video prepare moving-mnist)
licence=CC-BY-SA-3.0

. ../../../recipes/video.sh
