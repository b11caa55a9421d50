"""Where examples come from: Kaldi directories, Lhotse manifests, checks, corpora, shards."""
