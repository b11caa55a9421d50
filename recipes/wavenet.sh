# A WaveNet: from a corpus to a packed model with its scores. run.sh says how the corpus is prepared, and what is special.

. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

option corpus "" "folder of the recordings" path
option config conf/wavenet.yaml "experiment to train" path
option set "" "config keys to override, e.g. 'training.steps=100 task.batch=1'"
option sample_rate 16000 "rate of the model, in Hz" number
option codec speech-16k "codec to score beside a vocoder: the name or folder of a model"
option kbps 3,6 "its bitrates, in kbit/s"
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

step 3 train "dump/ -> $exp/: checkpoints, tensorboard; and a baseline of one layer" \
  from "$config" dump to "$exp/checkpoints" "$exp/config.yaml" "$exp/one-layer/checkpoints" -- \
  "${launch[@]}" speechgen train "$config" --exp "$exp" "${overrides[@]/#/--set=}"
also -- "${launch[@]}" speechgen train "$config" --exp "$exp/one-layer" "${overrides[@]/#/--set=}" \
  --set=model.layers=1 --set=task.shown_seconds=0

step 4 generate "data/test -> $exp/generate/: made anew from labels or spectrograms" \
  from "$exp/checkpoints" "$exp/one-layer/checkpoints" data/test to "$exp/generate" -- \
  speechgen wavenet generate-set "$exp" data/test --baseline "$exp/one-layer" --train dump/train \
  --codec "$codec" --kbps "$kbps" --out "$exp/generate"

step 5 score "$exp/generate/ -> RESULTS.md" \
  from "$exp/checkpoints" "$exp/generate/generate.json" to "$exp/generate/report.json" RESULTS.md -- \
  speechgen wavenet score "$exp/generate" --results RESULTS.md --nj "$nj"

step 6 pack "$exp/ -> $exp/packed/: config, weights, card" \
  from "$exp/checkpoints" "$exp/generate/report.json" to "$exp/packed" -- \
  speechgen pack "$exp" --out "$exp/packed" --name "${name:-$(basename "$exp")}" --licence "$licence"

step 7 demo "one sound -> $exp/demo.wav" from "$exp/packed" to "$exp/demo.wav" -- \
  speechgen wavenet generate "$exp/packed" "${demo[@]}" -o "$exp/demo.wav"

run_steps "$exp"
