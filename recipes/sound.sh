# Sounds of labels: from a corpus to a packed generator with its scores. run.sh says how the corpus is prepared.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/sound.yaml "experiment to train" path
option set "" "config keys to override, e.g. 'training.steps=100 model.layers=2'"
. "$(dirname "${BASH_SOURCE[0]}")/sounds.sh"
option each 30 "sounds of each label to generate and score" number
option guidance 1.5 "how strongly to keep to the label"
results_option
option name "" "what the packed model is called (else: as its experiment)"
option licence "" "licence of the packed weights, which the recordings allow"
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
place_results sound

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

dump_sounds

step 3 train "dump/ -> $exp/: checkpoints, tensorboard; and what judges it" \
  from "$config" conf/scorer dump to "$exp/checkpoints" "$exp/config.yaml" "$expdir/classifier/checkpoints" -- \
  "${launch[@]}" speechgen train conf/scorer/classifier.yaml --exp "$expdir/classifier" \
  "${heard[@]}"
also -- "${launch[@]}" speechgen train "$config" --exp "$exp" "${units[@]}" "${overrides[@]/#/--set=}"

step 4 generate "$exp/ -> $exp/generate/: sounds of every label" from "$exp/checkpoints" to "$exp/generate" -- \
  speechgen sound generate-set "$exp" --each "$each" --guidance "$guidance" --out "$exp/generate"

step 5 score "$exp/generate/ -> $results" \
  from "$exp/generate/generate.json" "$expdir/classifier/checkpoints" dump/test to "$exp/generate/report.json" "$results" -- \
  speechgen sound score "$exp/generate" --test dump/test --train dump/train --label "$label" \
  --classifier "$expdir/classifier" --model "$exp" --results "$results"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "a sound of every label -> $exp/demo.wav" from "$exp/packed" to "$exp/demo.wav" -- \
  speechgen sound generate "$exp/packed" --guidance "$guidance" -o "$exp/demo.wav"

run_steps "$exp"
