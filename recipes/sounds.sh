# What recipes on sounds of labels share: the options of their dumps, and the stage that makes these. For after steps.sh.

option tokenizer speech-16k "codec whose units are generated: a shipped name, a model folder or a run"
option seconds 1 "length that all sounds are brought to"
option label text "what a sound is called: its text, or a label such as speaker"
option sample_rate 16000 "rate of the codec, in Hz" number

# After parse_options: sets the arrays heard, for the training of the classifier, and units, for that of a generator.
dump_sounds() {
  local codec=dump/$(basename "$tokenizer") split
  heard=(--set="model.seconds=$seconds" --set="task.label=$label")
  units=(--set="tokenizer=$tokenizer" --set="data.train=$codec/train" --set="data.dev=$codec/dev")

  step 2 dump "data/ -> dump/: recordings at one rate, and the codec's latents of them" \
    from data to dump/train dump/dev dump/test "$codec" -- \
    speechgen dump audio data/train dump/train --sample_rate "$sample_rate" --nj "$nj"
  for split in dev test; do
    also -- speechgen dump audio "data/$split" "dump/$split" --sample_rate "$sample_rate" --nj "$nj"
  done
  for split in train dev; do
    also -- speechgen dump sounds "dump/$split" "$codec/$split" \
      --codec "$tokenizer" --seconds "$seconds" --label "$label"
  done
}
