"""The app's Codec tab: a recording, what a codec makes of it, and how they differ."""

from collections.abc import Callable

import gradio as gr

from speechgen.serving.comparison import Comparer


def codec_tab(comparer: Comparer, told: Callable, files_only: Callable) -> None:
    """Build the tab. ``told`` shows a user's mistake in its one line; ``files_only`` refuses addresses as uploads."""
    bitrates = comparer.bitrates()
    lowest, highest = bitrates[0], bitrates[-1]
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            recording = files_only(
                gr.Audio(sources=["upload", "microphone"], type="filepath", label="Speech, music or any sound",
                         buttons=[], elem_id="recording")
            )  # fmt: skip
        with gr.Column(scale=6):
            kbps = gr.Slider(
                lowest, highest, bitrates[len(bitrates) // 2], step=lowest, label="Bitrate (kbit/s)", elem_id="kbps",
                info="A telephone takes 64, a good music file 128 and more",
            )  # fmt: skip
            button = gr.Button("Compare", variant="primary", elem_id="compare")
    report = gr.Markdown(elem_id="codec-report")
    with gr.Row():
        original = gr.Audio(label="A: original", type="filepath", interactive=False, buttons=[], elem_id="original")
        decoded = gr.Audio(label="B: coded and decoded", type="filepath", interactive=False, buttons=["download"],
                           elem_id="decoded")  # fmt: skip
    with gr.Row(equal_height=False):
        picture = gr.Image(
            label="B, and how B differs from A", interactive=False, buttons=[], elem_id="difference", scale=3
        )
        table = gr.Dataframe(headers=["Metric", "Value", "Better"], label="How alike they are", interactive=False,
                             elem_id="metrics", scale=2)  # fmt: skip
    codes = gr.DownloadButton("Save the codes (.sgc)", visible=False, size="sm", elem_id="save-codes")

    def compare(recording, kbps):
        made = comparer.compare(recording, float(kbps) + 1e-6)
        rows = [list(row) for row in made.rows]
        saved = gr.update(value=str(made.codes), visible=True)
        return made.report, str(made.original), str(made.decoded), str(made.picture), rows, saved

    shown = [report, original, decoded, picture, table, codes]
    button.click(told(compare), [recording, kbps], shown, concurrency_limit=1, api_visibility="private")
