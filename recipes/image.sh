# Images of labels: from a corpus to a packed generator with its scores. run.sh says how the corpus is prepared.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the images" path
option config conf/image.yaml "experiment to train" path
option tokenizer vae "what makes the units: conf/tokenizer/NAME.yaml, or none for pixels"
option set "" "config keys to override, e.g. 'training.steps=100 model.layers=2'"
option small "" "config of the model of small pictures that the other enlarges" path
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
option channels 1 "1: grey, 3: colours" number
option judge classifier "what judges the images: conf/scorer/NAME.yaml"
option each 100 "images of each label to generate and score" number
option guidance 1.5 "how strongly to keep to the label"
results_option
option name "" "what the packed model is called (else: as its experiment)"
option licence "" "licence of the packed weights, which the images allow"
parse_options "$@"
one_of tokenizer conf/tokenizer none
one_of judge conf/scorer

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
place_results image
units=()
[[ $tokenizer == none ]] || units=(--set="tokenizer=$expdir/tokenizer/$tokenizer")
looks=() # what looks at a tokenizer's images, where something does
[[ $tokenizer == none ]] || ! grep -q "kind: classifier" "conf/tokenizer/$tokenizer.yaml" ||
  looks=(--set="task.perceptual.model=$expdir/$judge")
enlarged=() # what makes the small pictures
[[ -z $small ]] || enlarged=(--small "$expdir/small/$(basename "$small" .yaml)")
captions=()
[[ $judge == classifier ]] || captions=(--captions dump/test)
[[ -n ${asked+set} ]] || asked=() # captions of the demo

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

dump_images --channels "$channels"
for part in train dev; do # half as large
  also -- speechgen dump images "data/$part" "dump/small/$part" --side $((side / 2)) --channels "$channels"
done

step 3 train "dump/ -> $exp/: checkpoints, tensorboard; and what judges it, and its tokenizer" \
  from "$config" conf/scorer conf/tokenizer dump to "$exp/checkpoints" "$exp/config.yaml" "$expdir/$judge/checkpoints" -- \
  "${launch[@]}" speechgen train "conf/scorer/$judge.yaml" --exp "$expdir/$judge"
[[ $tokenizer == none ]] ||
  also -- "${launch[@]}" speechgen train "conf/tokenizer/$tokenizer.yaml" --exp "$expdir/tokenizer/$tokenizer" "${looks[@]}"
[[ -z $small ]] || also -- "${launch[@]}" speechgen train "$small" --exp "${enlarged[1]}" "${overrides[@]/#/--set=}"
also -- "${launch[@]}" speechgen train "$config" --exp "$exp" "${units[@]}" "${overrides[@]/#/--set=}"

step 4 generate "$exp/ -> $exp/generate/: images of every label" from "$exp/checkpoints" to "$exp/generate" -- \
  speechgen image generate-set "$exp" "${enlarged[@]}" --each "$each" --guidance "$guidance" --out "$exp/generate" \
  "${captions[@]}"

step 5 score "$exp/generate/ -> $results" \
  from "$exp/generate/generate.json" "$expdir/$judge/checkpoints" dump/test to "$exp/generate/report.json" "$results" -- \
  speechgen image score "$exp/generate" --test dump/test --classifier "$expdir/$judge" --model "$exp" \
  --results "$results"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "images of every label -> $exp/demo.png" from "$exp/packed" to "$exp/demo.png" -- \
  speechgen image generate "$exp/packed" "${enlarged[@]}" "${asked[@]}" --count 8 --guidance "$guidance" -o "$exp/demo.png"

run_steps "$exp"
