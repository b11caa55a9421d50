#!/usr/bin/env bash
# Which unit, which order, which head? Digits of MNIST at 16 x 16 pixels, the same budget for every answer.
cd "$(dirname "$0")" || exit

prepare=(speechgen image prepare mnist)
kind=image
side=16

. ../../../recipes/grid.sh
