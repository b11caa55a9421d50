"""Text to symbols: normalisation, phonemes or characters, sentence chunks."""
