# A codec: from a corpus to a packed model with its scores. run.sh says how the corpus is prepared, and what is special.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/codec.yaml "experiment to train" path
option refine "" "a second experiment, which goes on from the weights of the first" path
option set "" "config keys to override, e.g. 'training.steps=100 task.batch=8'"
option sample_rate 16000 "rate of the dump, in Hz" number
option dump dump "folder of the dump, as the experiment names it" path
option max_bad "" "share of recordings that may be bad and are left out (0.05)"
option kbps 1.5,3,6 "bitrates to score at, in kbit/s"
option baselines opus,codec2 "codecs to score beside it"
option name "" "what the packed model is called (else: as its experiment)"
option entropy_steps 2000 "steps to fit the model with that entropy-codes .sgc files; 0: none" number
option results RESULTS.md "the table of scores" path
option licence "" "licence of the packed weights, which the recordings allow"
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"
bad=(${max_bad:+--max_bad "$max_bad"})

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data
if [[ ${check:-false} == true ]]; then # run.sh asks for it where nobody knows the recordings yet
  for split in train dev test; do also -- speechgen data check "data/$split" "${bad[@]}" --nj "$nj"; done
fi

step 2 dump "data/ -> $dump/: audio at one rate, in shards" from data to "$dump/train" "$dump/dev" -- \
  speechgen dump audio data/train "$dump/train" --sample_rate "$sample_rate" "${bad[@]}" --nj "$nj"
also -- speechgen dump audio data/dev "$dump/dev" --sample_rate "$sample_rate" "${bad[@]}" --nj "$nj"

step 3 train "$dump/ -> $exp/: checkpoints, tensorboard" \
  from "$config" ${refine:+"$refine"} "$dump" to "$exp/checkpoints" "$exp/config.yaml" -- \
  "${launch[@]}" speechgen train "$config" --exp "$exp${refine:+/first}" "${overrides[@]/#/--set=}"
[[ -z $refine ]] ||
  also -- "${launch[@]}" speechgen train "$refine" --exp "$exp" --set="initial=$exp/first" "${overrides[@]/#/--set=}"
[[ $entropy_steps == 0 ]] || also -- speechgen codec fit-entropy "$exp" "$dump/train" --steps "$entropy_steps"

step 4 generate "data/test -> $exp/generate/: coded by this codec and the baselines" \
  from "$exp/checkpoints" data/test to "$exp/generate" -- \
  speechgen codec generate "$exp" data/test --kbps "$kbps" --baselines "$baselines" --out "$exp/generate"

step 5 score "$exp/generate/ -> $results" \
  from "$exp/checkpoints" "$exp/generate/generate.json" to "$exp/generate/report.json" "$results" -- \
  speechgen codec score "$exp/generate" --results "$results" --nj "$nj"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "a few recordings -> $exp/demo/report.html" from "$exp/packed" data/test to "$exp/demo" -- \
  speechgen codec eval data/test --model "$exp/packed" --kbps "$kbps" --limit 5 --out "$exp/demo"

run_steps "$exp"
