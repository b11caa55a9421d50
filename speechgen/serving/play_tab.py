"""The app's Play tab: choose a system and what it shall make, and watch its units appear."""

from collections.abc import Callable

import gradio as gr

from speechgen.models.draw import Drawing
from speechgen.serving.play import Watcher


def play_tab(watcher: Watcher, told: Callable) -> None:
    """Build the tab. ``told`` shows a user's mistake in its one line."""
    names = list(watcher.models)
    gr.Markdown("A system makes its units in an order. The colours tell when each appeared: dark first, bright last.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            name = gr.Dropdown(names, value=names[0], label="System", elem_id="play-system")
            labels = watcher.labels(names[0])
            label = gr.Dropdown(labels, value=labels[0], label="What to make", elem_id="play-label")
            with gr.Row():
                guidance = gr.Slider(1, 4, 1, step=0.1, label="Guidance", info="More: closer to the label")
                heat = gr.Slider(0, 1.5, 1.0, step=0.05, label="Temperature", info="More: livelier")
            with gr.Row():
                steps = gr.Slider(0, 100, 0, step=1, label="Steps", info="Of flow and diffusion; 0: its own number")
                seed = gr.Number(1, label="Seed", info="The same again, or another", precision=0, minimum=0)
            button = gr.Button("Watch", variant="primary", elem_id="play-watch")
        with gr.Column(scale=6):
            canvas = gr.Image(label="So far", interactive=False, buttons=[], elem_id="play-canvas")
            order = gr.Image(label="When each unit appeared", interactive=False, buttons=[], elem_id="play-order")
    report = gr.Markdown(elem_id="play-report")
    sound = gr.Audio(label="The sound", type="filepath", interactive=False, visible=False, buttons=["download"],
                     elem_id="play-sound")  # fmt: skip
    moving = gr.Image(label="The clip", interactive=False, visible=False, buttons=[], elem_id="play-clip")
    gallery = gr.Gallery(label="Step by step", columns=6, interactive=False, visible=False, buttons=[],
                         elem_id="play-steps")  # fmt: skip

    def labels_of(name):
        known = watcher.labels(name)
        return gr.update(choices=known, value=known[0])

    def watch_units(name, label, guidance, heat, steps, seed):
        drawing = Drawing(float(guidance), float(heat), int(steps) or None)
        for seen in watcher.watch(name, label, drawing, int(seed or 0)):
            yield (
                str(seen.canvas), str(seen.order), seen.report,
                gr.update(value=str(seen.sound) if seen.sound else None, visible=bool(seen.sound)),
                gr.update(value=str(seen.moving) if seen.moving else None, visible=bool(seen.moving)),
                gr.update(value=[(str(path), said) for path, said in seen.steps], visible=bool(seen.steps)),
            )  # fmt: skip

    name.change(told(labels_of), name, label, show_progress="hidden", api_visibility="private")
    button.click(
        told(watch_units), [name, label, guidance, heat, steps, seed], [canvas, order, report, sound, moving, gallery],
        concurrency_limit=1, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
