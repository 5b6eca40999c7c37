import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from convae_nb import models, plots

RNG = np.random.default_rng(0)
DIM = 0.25 * RNG.uniform(size=(3, 10, 12, 1)).astype("float32")  # never bright: autoscaling would show it as white
SEEDS = pd.DataFrame({"one": [1.0, 2.0, 9.0], "two": [3.0, 4.0, 5.0]})
SWEPT = pd.DataFrame(
    {
        "filters": [(16, 8), (16, 8), (4, 2), (4, 2)],
        "epochs": [1, 2, 1, 2],
        "loss": [0.1, 0.09, 0.2, 0.15],
        "loss_spread": [0.01, 0.0, 0.02, np.nan],
    }
)

FIGURES = {
    "image": lambda: plots.image(DIM[0]),
    "image_rows": lambda: plots.image_rows({"dim": DIM, "error": -DIM}, notes={"dim": [1.234, "two", 3]}, signed=["error"]),
    "number_grids": lambda: plots.number_grids({"a": [[1, 2], [3, 4]], "b": np.zeros((2, 3))}),
    "loss_curves": lambda: plots.loss_curves({"one": [0.3, 0.2], "two": [0.4]}, levels={"floor": 0.1}),
    "code_maps": lambda: plots.code_maps(DIM[:2], RNG.uniform(size=(2, 4, 4, 3))),
    "bars": lambda: plots.bars([1, 10, 0, 5], xlabel="value", ylabel="count", log=True),
    "lines": lambda: plots.lines({"x": ([0, 1], [1, 0])}, xlabel="a", ylabel="b", marks={"here": ([0.5], [0.5])}),
    "network": lambda: plots.network(models.layer_table(models.build_autoencoder())),
    "reading_and_painting": lambda: plots.reading_and_painting(kernel_size=3, stride=2),
    "overlap": lambda: plots.overlap(kernel_size=3, stride=2),
    "magnified": lambda: plots.magnified({"one": DIM, "two": DIM[:, :5]}, times=4, notes={"one": ["a", "b\nc", "d"]}),
    "seed_dots": lambda: plots.seed_dots({"loss": SEEDS, "index": SEEDS}, marks={"loss": 0.5}, log=["index"]),
    "bar_columns": lambda: plots.bar_columns(models.layer_table(models.build_autoencoder())[["weights", "multiply-adds"]]),
    "sweep": lambda: plots.sweep(SWEPT, x="epochs", y="loss", xlabel="epochs", ylabel="loss", by="filters"),
}


def pictures(figure):
    return [image for axes in figure.axes for image in axes.images]


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]]
    return [text for text in found if text]


def test_every_public_function_is_drawn_here():
    assert {name for name in vars(plots) if callable(vars(plots)[name])} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_closed_and_at_most_a_page_wide(name):
    figure = FIGURES[name]()
    assert isinstance(figure, plt.Figure)
    assert plt.get_fignums() == [], "left open, a notebook shows it twice"
    assert figure.get_figwidth() <= 7.5
    figure.canvas.draw()


@pytest.mark.parametrize(
    "figure",
    [plots.image(DIM[0]), plots.image_rows({"dim": DIM}), plots.magnified({"dim": DIM}, times=4)],
    ids=["image", "image_rows", "magnified"],
)
def test_greys_are_fixed_and_pixels_are_not_smoothed(figure):
    for drawn in pictures(figure):
        assert drawn.get_clim() == (0, 1)
        assert drawn.get_cmap().name == "gray"
        assert drawn.get_interpolation() == "nearest"
        assert drawn.to_rgba(drawn.get_array()).max(where=[True, True, True, False], initial=0) < 0.3


def test_differences_have_white_at_zero_and_symmetric_limits():
    (drawn,) = pictures(plots.image_rows({"error": np.zeros((1, 8, 8, 1))}, signed=["error"]))
    assert drawn.get_clim() == (-1, 1)
    np.testing.assert_allclose(drawn.to_rgba(np.array([[0.0]]))[0, 0, :3], 0.967, atol=0.01)


def test_colour_images_keep_their_colours():
    colours = RNG.uniform(size=(2, 8, 8, 3))
    for drawn, expected in zip(pictures(plots.image_rows({"colour": colours})), colours, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), expected)


def test_the_difference_of_a_colour_is_that_of_its_channel_with_the_largest():
    differences = np.array([[[0.4, -0.1, -0.3], [0.1, -0.5, 0.4], [0.0, 0.0, 0.0]]])
    (drawn,) = pictures(plots.image_rows({"error": differences[None]}, signed=["error"]))
    np.testing.assert_array_equal(drawn.get_array(), [[0.4, -0.5, 0.0]])


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 64, 48, 3), (1, 31, 27), (12, 20, 64, 1)])
def test_pictures_of_any_size_are_drawn_with_square_pixels(shape):
    figure = plots.image_rows({"some": np.zeros(shape), "where": np.zeros(shape, bool)})
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(shape[1] / shape[2], rel=0.01)
    assert figure.get_figwidth() <= 7.5


def test_a_row_without_pictures_says_so():
    assert texts(plots.image_rows({"changed": DIM[:0]})) == ["changed: none", "changed"]


def test_a_large_picture_has_no_more_numbers_on_its_axes_than_have_room():
    for side, step in ((28, 4), (32, 4), (64, 8), (512, 64)):
        assert plots.image(np.zeros((side, 9))).axes[0].get_yticks().tolist() == list(range(0, side, step))


def test_a_curve_without_an_epoch_is_left_out():
    figure = plots.loss_curves({"this run": [0.3, 0.2], "the reference": []})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["this run"]


def test_rows_are_labelled_once_and_notes_stand_below_their_pictures():
    figure = plots.image_rows({"digits": DIM, "few": DIM[:1]}, notes={"few": [12.345]})
    assert sorted(texts(figure)) == ["12.3", "digits", "few"]
    assert len(pictures(figure)) == 4


def test_pictures_stand_in_columns_whichever_rows_have_notes():
    squares = np.zeros((9, 8, 8))
    figure = plots.image_rows({"first": squares, "second": squares, "last": squares}, notes={"last": ["two\nlines"] * 9})
    FigureCanvasAgg(figure).draw()
    columns = np.array([axes.get_window_extent().intervalx for axes in figure.axes]).reshape(3, 9, 2)
    np.testing.assert_allclose(columns, columns[[0, 0, 0]], atol=0.5)  # half a pixel


def test_number_grids_write_every_number():
    assert [text for text in texts(plots.number_grids({"grid": [[1, 2.5], [-3, 0]]})) if text != "grid"] == ["1", "2.5", "-3", "0"]


def test_loss_curves_start_at_epoch_one_and_name_their_levels():
    figure = plots.loss_curves({"training": [0.3, 0.2, 0.1]}, levels={"entropy floor": 0.05})
    curve, level = figure.axes[0].lines
    np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3])
    assert list(level.get_ydata()) == [0.05, 0.05]
    assert "entropy floor" in texts(figure)


def test_the_network_names_each_layer_with_its_shape():
    table = models.layer_table(models.build_autoencoder((4, 2), image_shape=(12, 20, 3)))
    shown = texts(plots.network(table))
    assert {f"{name}\n{h}×{w}\n×{c}" for name, (h, w, c) in table["output"].items()} < set(shown)
    assert f"{3 * 5 * 2}\nnumbers" in shown


def test_a_magnified_pixel_is_a_square_of_as_many_screen_pixels_everywhere():
    board = (np.indices((10, 12)).sum(axis=0) % 2).astype("float32")
    figure = plots.magnified({"board": [board, board], "small": [board[:6, :6]] * 2}, times=5)
    for axes in figure.axes:
        axes.spines[:].set_visible(False)
        box = axes.get_window_extent()
        (picture,) = axes.images
        assert (box.height, box.width) == pytest.approx(tuple(5 * np.array(picture.get_array().shape)))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    screen = np.asarray(canvas.buffer_rgba())[..., 0]
    box = figure.axes[0].get_window_extent()
    top, left = screen.shape[0] - round(box.y1), round(box.x0)
    np.testing.assert_array_equal(screen[top : top + 50, left : left + 60], np.kron(255 * board, np.ones((5, 5))))


def test_the_strip_says_how_many_patches_meet_at_each_position():
    strip, plane, _ = plots.overlap(kernel_size=3, stride=2, length=3).axes
    assert [text.get_text() for text in strip.texts] == list("1121211")
    np.testing.assert_array_equal(plane.images[0].get_array()[2:5, 2:5], [[4, 2, 4], [2, 1, 2], [4, 2, 4]])


def test_dots_stand_on_the_line_of_what_they_were_measured_on_and_the_bar_at_the_median():
    (axes,) = plots.seed_dots({"loss": SEEDS}).axes
    dots, bars = axes.lines[::2], axes.lines[1::2]
    assert [line.get_xdata().tolist() for line in dots] == SEEDS.T.to_numpy().tolist()
    assert [set(line.get_xdata()) for line in bars] == [{2.0}, {4.0}]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_panels_have_one_scale_only_where_it_is_asked_for():
    measures = {"small": SEEDS, "large": 10 * SEEDS}
    for one_scale in (True, False):
        small, large = plots.seed_dots(measures, one_scale=one_scale).axes
        assert (small.get_xlim() == large.get_xlim()) == one_scale


@pytest.mark.parametrize("times", [0, 2.5])
def test_pixels_of_no_whole_size_are_refused(times):
    with pytest.raises(ValueError, match=f"times must be a whole number of at least 1, got {times}"):
        plots.magnified({"dim": DIM}, times=times)


def test_a_sweep_is_a_line_for_each_value_with_bars_as_long_as_the_spread():
    (axes,) = FIGURES["sweep"]().axes
    lines = {container.get_label(): container for container in axes.containers}
    assert list(lines) == ["filters (16, 8)", "filters (4, 2)"]
    line, _, (bars,) = lines["filters (16, 8)"]
    np.testing.assert_array_equal(line.get_xydata(), [[1, 0.1], [2, 0.09]])
    np.testing.assert_allclose([segment[:, 1] for segment in bars.get_segments()], [[0.09, 0.11], [0.09, 0.09]])


def test_a_sweep_over_what_is_no_number_writes_its_values_out():
    (axes,) = plots.sweep(SWEPT, x="filters", y="loss", xlabel="feature maps", ylabel="loss").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["(4, 2)", "(16, 8)"]
    with pytest.raises(ValueError, match="table must have the columns that are drawn, got 'los'"):
        plots.sweep(SWEPT, x="epochs", y="los", xlabel="epochs", ylabel="loss")
