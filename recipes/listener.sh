# A listener (recogniser and speaker model): from a corpus to a packed model with its scores.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/listener.yaml "experiment to train" path
option set "" "config keys to override, e.g. 'training.steps=100 task.batch_seconds=40'"
option sample_rate 16000 "rate of the dump, in Hz" number
option name "" "what the packed model is called (else: as its experiment)"
option licence "" "licence of the packed weights, which the recordings allow"
parse_options "$@"

exp=$expdir/$(basename "$config" .yaml)${tag:+_$tag}
read -ra overrides <<< "$set"

step 1 prepare "corpus -> data/train, dev and test" ${corpus:+from "$corpus"} to data -- \
  "${prepare[@]}" ${corpus:+--corpus "$corpus"} --out data

step 2 dump "data/ -> dump/: audio at one rate, in shards" from data to dump/train dump/dev -- \
  speechgen dump audio data/train dump/train --sample_rate "$sample_rate" --nj "$nj"
also -- speechgen dump audio data/dev dump/dev --sample_rate "$sample_rate" --nj "$nj"

step 3 train "dump/ -> $exp/: checkpoints, tensorboard" from "$config" dump to "$exp/checkpoints" "$exp/config.yaml" -- \
  "${launch[@]}" speechgen train "$config" --exp "$exp" "${overrides[@]/#/--set=}"

step 4 generate "data/test -> $exp/generate/: what it hears" from "$exp/checkpoints" data/test to "$exp/generate" -- \
  speechgen listener generate "$exp" data/test --out "$exp/generate"

step 5 score "$exp/generate/ -> RESULTS.md" \
  from "$exp/checkpoints" "$exp/generate/generate.json" to "$exp/generate/report.json" RESULTS.md -- \
  speechgen listener score "$exp/generate" --results RESULTS.md

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "data/test -> $exp/demo/: phonemes in time" from "$exp/packed" data/test to "$exp/demo" -- \
  speechgen listener align "$exp/packed" data/test --out "$exp/demo"

run_steps "$exp"
