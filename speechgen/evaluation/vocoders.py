"""Systems that make a waveform from a mel spectrogram, to be scored beside codecs. They code nothing: 0 bytes."""

import numpy as np
import torch
import torchaudio
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.evaluation.baselines import fit
from speechgen.models.load import fingerprint
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_generate import generate


class WaveNetVocoder:
    """A mel-conditioned WaveNet told the spectrogram of the recording."""

    def __init__(self, name: str, model: WaveNet, method: str = "fastest", temperature: float = 1.0, seed: int = 0):
        self.name, self.model = name, model
        self.settings = {"method": method, "temperature": temperature, "seed": seed}
        self.facts = {"model": name, "weights": fingerprint(model), **self.settings}

    @torch.inference_mode()
    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        rate = self.model.config.sample_rate
        heard = resample(wave, sample_rate, rate)
        chunks = generate(self.model, len(heard), mel=self.model.mel_of(heard[None]), **self.settings)
        return fit(resample(torch.cat(list(chunks), dim=1)[0], rate, sample_rate), len(wave)), 0


class GriffinLim:
    """Phases guessed by turns between spectrum and waveform (Griffin and Lim 1984; fast version of Perraudin et al.
    2013), from the same mel frames as a WaveNet is told."""

    name = "griffin-lim"

    def __init__(self, model: WaveNet, iterations: int = 60):
        self.model, self.iterations = model, iterations
        config, mel = model.config, model.config.mel
        self.facts = {"iterations": iterations, "sample_rate": config.sample_rate, **mel.model_dump()}
        self.to_magnitude = torchaudio.transforms.InverseMelScale(
            mel.window // 2 + 1, mel.bands, config.sample_rate, norm="slaney", mel_scale="slaney"
        )

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        import librosa

        rate, mel = self.model.config.sample_rate, self.model.config.mel
        heard = resample(wave, sample_rate, rate)
        magnitude = self.to_magnitude(self.model.mel_of(heard[None])[0].exp()).numpy()
        made = librosa.griffinlim(
            magnitude.astype(np.float32), n_iter=self.iterations, hop_length=mel.hop, win_length=mel.window,
            n_fft=mel.window, random_state=0,
        )  # fmt: skip
        return fit(resample(torch.from_numpy(made), rate, sample_rate), len(wave)), 0
