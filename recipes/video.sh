# Clips of labels: from a corpus to a packed generator with its scores. run.sh says how the corpus is prepared.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the pictures that clips are made from" path
option config conf/video.yaml "experiment to train" path
option tokenizer vae "what makes the units: conf/tokenizer/NAME.yaml, or none for pixels"
option set "" "config keys to override, e.g. 'training.steps=100 model.layers=2'"
option side 32 "pixels of each side of a frame" number
option each 20 "clips of each label to generate and score" number
option guidance 1.5 "how strongly to keep to the label"
results_option
option name "" "what the packed model is called (else: as its experiment)"
option licence "" "licence of the packed weights, which the pictures allow"
parse_options "$@"
one_of tokenizer conf/tokenizer none

dump=dump/$side
exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
judge=$expdir/classifier/$side
read -ra overrides <<< "$set"
place_results video
units=()
[[ $tokenizer == none ]] || units=(--set="tokenizer=$expdir/tokenizer/$tokenizer")
at=(--set="data.train=$dump/train" --set="data.dev=$dump/dev") # clips of this size

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

step 2 dump "data/ -> $dump/: clips at one size" from data to "$dump/train" "$dump/dev" "$dump/test" -- \
  speechgen dump clips data/train "$dump/train" --side "$side"
also -- speechgen dump clips data/dev "$dump/dev" --side "$side"
also -- speechgen dump clips data/test "$dump/test" --side "$side"

step 3 train "$dump/ -> $exp/: checkpoints, tensorboard; and what judges it, and its tokenizer" \
  from "$config" conf/scorer conf/tokenizer "$dump" to "$exp/checkpoints" "$exp/config.yaml" "$judge/checkpoints" -- \
  "${launch[@]}" speechgen train conf/scorer/classifier.yaml --exp "$judge" --set="model.side=$side" "${at[@]}"
[[ $tokenizer == none ]] ||
  also -- "${launch[@]}" speechgen train "conf/tokenizer/$tokenizer.yaml" --exp "$expdir/tokenizer/$tokenizer" "${at[@]}"
also -- "${launch[@]}" speechgen train "$config" --exp "$exp" "${units[@]}" "${at[@]}" "${overrides[@]/#/--set=}"

step 4 generate "$exp/ -> $exp/generate/: clips of every label" from "$exp/checkpoints" to "$exp/generate" -- \
  speechgen video generate-set "$exp" --each "$each" --guidance "$guidance" --out "$exp/generate"

step 5 score "$exp/generate/ -> $results" \
  from "$exp/generate/generate.json" "$judge/checkpoints" "$dump/test" to "$exp/generate/report.json" "$results" -- \
  speechgen video score "$exp/generate" --test "$dump/test" --train "$dump/train" --classifier "$judge" \
  --model "$exp" --results "$results"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "clips of every label -> $exp/demo.gif" from "$exp/packed" to "$exp/demo.gif" -- \
  speechgen video generate "$exp/packed" --count 4 --guidance "$guidance" -o "$exp/demo.gif"

run_steps "$exp"
