"""The app's Play tab: choose a system and what it shall make, and watch its units appear."""

from collections.abc import Callable

import gradio as gr

from speechgen.models.draw import Drawing
from speechgen.serving.play import Controls, Watcher

OWN = "its own"  # the solver that a head takes unless told otherwise


def play_tab(watcher: Watcher, told: Callable) -> None:
    """Build the tab. ``told`` shows a user's mistake in its one line."""
    names = list(watcher.models)
    gr.Markdown("A system makes its units in an order. The colours tell when each appeared: dark first, bright last.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            name = gr.Dropdown(names, value=names[0], label="System", elem_id="play-system")
            first = fitting(watcher.controls(names[0]))
            label = gr.Dropdown(label="What to make", elem_id="play-label", **first["label"])
            with gr.Row():
                guidance = gr.Slider(
                    1, 4, step=0.1, label="Guidance", info="More: closer to the label", elem_id="play-guidance",
                    **first["guidance"],
                )  # fmt: skip
                heat = gr.Slider(0, 1.5, 1.0, step=0.05, label="Temperature", info="More: livelier")
            with gr.Row():
                steps = gr.Slider(
                    0, 100, step=1, label="Steps", info="0: its own number",
                    elem_id="play-step-count", **first["steps"],
                )  # fmt: skip
                solver = gr.Dropdown(label="Solver", info="How a step is taken", elem_id="play-solver",
                                     **first["solver"])  # fmt: skip
            with gr.Row():
                order_steps = gr.Slider(
                    0, 64, step=1, label="Order steps", info="0: its own number",
                    elem_id="play-order-steps", **first["order_steps"],
                )  # fmt: skip
                seed = gr.Number(1, label="Seed", info="The same again, or another", precision=0, minimum=0)
            button = gr.Button("Watch", variant="primary", elem_id="play-watch")
            report = gr.Markdown(elem_id="play-report")
        with gr.Column(scale=6):  # headings of their own: a picture's label would cover its first units
            gr.Markdown("**So far**")
            canvas = gr.Image(show_label=False, interactive=False, buttons=[], elem_id="play-canvas")
            gr.Markdown("**When each unit appeared**")
            order = gr.Image(show_label=False, interactive=False, buttons=[], elem_id="play-order")
    sound = gr.Audio(label="The sound", type="filepath", interactive=False, visible=False, buttons=["download"],
                     elem_id="play-sound")  # fmt: skip
    moving = gr.Image(label="The clip", interactive=False, visible=False, buttons=[], elem_id="play-clip")
    gallery = gr.Gallery(show_label=False, columns=6, interactive=False, visible=False, buttons=[],
                         elem_id="play-steps")  # fmt: skip

    def show_controls(name):
        return [gr.update(**values) for values in fitting(watcher.controls(name)).values()]

    def watch_units(name, label, guidance, heat, steps, solver, order_steps, seed):
        chosen = None if solver == OWN else solver
        drawing = Drawing(float(guidance), float(heat), int(steps) or None, chosen, int(order_steps) or None)
        for seen in watcher.watch(name, label, drawing, int(seed or 0)):
            yield (
                str(seen.canvas), str(seen.order), seen.report,
                gr.update(value=str(seen.sound) if seen.sound else None, visible=bool(seen.sound)),
                gr.update(value=str(seen.moving) if seen.moving else None, visible=bool(seen.moving)),
                gr.update(value=[(str(path), said) for path, said in seen.steps], visible=bool(seen.steps)),
            )  # fmt: skip

    fitted = [label, guidance, steps, solver, order_steps]
    name.change(told(show_controls), name, fitted, show_progress="hidden", api_visibility="private")
    button.click(
        told(watch_units), [name, label, guidance, heat, steps, solver, order_steps, seed],
        [canvas, order, report, sound, moving, gallery],
        concurrency_limit=1, show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def fitting(controls: Controls) -> dict[str, dict]:
    """What each component is to be of a model: those that it has no use for are hidden, at what changes nothing."""
    info = "A word of its captions; type for several" if controls.captions else "One of its labels"
    labels = {"choices": controls.labels, "value": controls.labels[0], "allow_custom_value": controls.captions}
    return {
        "label": {**labels, "info": info},
        "guidance": {"value": 1, "visible": controls.guidance},
        "steps": {"value": 0, "visible": controls.steps},
        "solver": {"choices": [OWN, *controls.solvers], "value": OWN, "visible": bool(controls.solvers)},
        "order_steps": {"value": 0, "visible": controls.order_steps},
    }
