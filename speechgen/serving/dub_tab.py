"""The app's Dub tab: a clip and new words."""

from collections.abc import Callable

import gradio as gr

from speechgen.models.lines import Drawing
from speechgen.serving.dub import Dub, Dubber


def dub_tab(dubber: Dubber, names: dict[str, str], told: Callable, files_only: Callable) -> None:
    """Build the tab. ``names``: of languages; ``told`` shows a user's mistake in its one line; ``files_only`` refuses
    addresses as uploads."""
    spoken, limits = dubber.synthesiser.languages, dubber.limits
    languages = [(names.get(code, code), code) for code in spoken]
    first = "en" if "en" in spoken else spoken[0]
    gr.Markdown("Other words in the voice of a clip, in the time that the clip takes.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            clip = files_only(
                gr.Audio(sources=["upload", "microphone"], type="filepath", label="Clip: 3 s or more of clear speech",
                         buttons=[], elem_id="dub-clip")
            )  # fmt: skip
            transcript = gr.Textbox(
                label="What the clip says (optional)", lines=2, max_lines=4, max_length=1000, elem_id="dub-transcript"
            )
            adapt = gr.Checkbox(
                False, label="Adapt", info="Learns the voice first, some 15 seconds: much closer. Needs the words.",
                elem_id="dub-adapt",
            )  # fmt: skip
            clip_language = gr.Radio(languages, value=first, label="Language of the clip", elem_id="dub-clip-language")
        with gr.Column(scale=6):
            text = gr.Textbox(
                label="Words to say instead", lines=4, max_lines=10, max_length=limits.text_characters,
                elem_id="dub-text",
            )  # fmt: skip
            language = gr.Radio(languages, value=first, label="Language of the words", elem_id="dub-language")
            seed = gr.Number(0, label="Seed", info="The same again, or another", precision=0, minimum=0)
            button = gr.Button("Dub", variant="primary", elem_id="dub")
    report = gr.Markdown(elem_id="dub-report")
    player = gr.Audio(label="Dubbed", type="filepath", interactive=False, buttons=["download"], elem_id="dubbed")

    def dub(clip, transcript, clip_language, adapt, text, language, seed):
        asked = Dub(clip, text or "", language, transcript or "", clip_language, Drawing(), int(seed or 0), bool(adapt))
        made = dubber.dub(asked)
        return made.report, str(made.wave)

    asked = [clip, transcript, clip_language, adapt, text, language, seed]
    button.click(told(dub), asked, [report, player], concurrency_limit=1, api_visibility="private")
