#!/usr/bin/env bash
# Images of digits, learned from MNIST.
cd "$(dirname "$0")" || exit

prepare=(speechgen image prepare mnist)
licence=CC-BY-SA-3.0

. ../../../recipes/image.sh
