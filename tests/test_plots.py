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
    "loss_curves": lambda: plots.loss_curves({"one": ([1e3, 1e4], [0.3, 0.2])}, ends={"one": 0.19}, levels={"mean image": 0.2}),
    "road": lambda: plots.road(3),
    "heat_map": lambda: plots.heat_map(SEEDS - 4, label="gain (dB)"),
    "histograms": lambda: plots.histograms({"one": [0, 1, 1], "two": [0.5, 2.0]}, xlabel="value"),
    "classes": lambda: plots.classes(RNG.normal(size=(6, 2)), [0, 0, 1, 1, 2, 2], xlabel="a", ylabel="b"),
    "word_grids": lambda: plots.word_grids({"one": [["a", ""], ["b", "a"]], "two": [["b"]]}),
    "tiles": lambda: plots.tiles(DIM[..., 0].reshape(1, 3, 10, 12), xlabel="a", ylabel="b", extent=(0, 1, 0, 1)),
    "insets": lambda: plots.insets({"one": DIM[0, ..., 0], "two": DIM[1, ..., 0]}, box=(2, 3, 5)),
    "spectra": lambda: plots.spectra({"one": DIM[0], "two": DIM[1]}),
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


def legend(owner):
    """What the legend of a figure or of axes says, from top to bottom."""
    found = owner.get_legend() if isinstance(owner, plt.Axes) else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]]
    return [text for text in found if text]


def test_every_public_function_is_drawn_here():
    assert set(plots.__all__) - {"Frames"} == set(FIGURES)


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


def test_a_picture_is_drawn_as_it_is_with_its_values_on_a_scale_unless_it_has_colours():
    figure = plots.image(DIM[0])
    (drawn,) = figure.axes[0].images
    np.testing.assert_array_equal(drawn.get_array(), DIM[0, :, :, 0])
    assert texts(figure) == ["column", "row", "pixel value"]
    assert figure.axes[1].get_ylim() == (0, 1)
    colours = RNG.uniform(size=(8, 9, 3))
    (axes,) = plots.image(colours).axes
    np.testing.assert_array_equal(axes.images[0].get_array(), colours)


def test_every_row_shows_its_own_pictures_in_their_order():
    figure = plots.image_rows({"digits": DIM, "negative": 1 - DIM})
    expected = [*DIM[..., 0], *(1 - DIM)[..., 0]]
    for drawn, image in zip(pictures(figure), expected, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), image)
    assert [axes.get_ylabel() for axes in figure.axes] == ["digits", "", "", "negative", "", ""]


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


def test_a_curve_without_a_point_is_left_out_with_its_end():
    figure = plots.loss_curves({"this run": ([100, 1000], [0.3, 0.2]), "the reference": ([], [])}, ends={"the reference": 0.1})
    assert legend(figure.axes[0]) == ["this run, training"]


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


def test_number_grids_stand_under_their_titles_and_share_a_scale_of_all_numbers_or_the_given_one():
    grids = {"left": [[1.0, 2.0], [3.0, 4.0]], "right": [[-5.0, 0.0, 9.0]]}
    for limits, expected in ((None, (-5, 9)), ((0, 1), (0, 1))):
        figure = plots.number_grids(grids, cmap="cividis", limits=limits)
        for axes, (title, grid) in zip(figure.axes, grids.items(), strict=True):
            (drawn,) = axes.images
            np.testing.assert_array_equal(drawn.get_array(), grid)
            assert (axes.get_title(), drawn.get_clim(), drawn.get_cmap().name) == (title, expected, "cividis")


def test_numbers_are_white_on_dark_cells_and_black_on_bright_ones():
    (axes,) = plots.number_grids({"grid": [[0, 1, 2], [9, 10, 8]]}).axes
    assert [text.get_color() for text in axes.texts] == ["white"] * 3 + ["black"] * 3
    assert [text.get_position() for text in axes.texts] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]


def test_the_maps_of_a_code_stand_beside_their_image_on_one_scale_from_zero_to_the_largest_value():
    code = np.arange(2 * 4 * 5 * 3, dtype=float).reshape(2, 4, 5, 3)  # each map has a largest value of its own
    figure = plots.code_maps(DIM[:2], code)
    rows = np.array(figure.axes[:8]).reshape(2, 4)
    for row, image, values in zip(rows, DIM, code, strict=False):
        (shown,) = row[0].images
        np.testing.assert_array_equal(shown.get_array(), image[..., 0])
        assert shown.get_clim() == (0, 1)
        for i, axes in enumerate(row[1:]):
            (drawn,) = axes.images
            np.testing.assert_array_equal(drawn.get_array(), values[..., i])
            assert drawn.get_clim() == (0, 119)
    assert [axes.get_title() for axes in rows.flat] == ["", "map 1", "map 2", "map 3", "", "", "", ""]
    scale = figure.axes[8]
    assert (scale.get_ylim(), scale.get_ylabel()) == ((0, 119), "value in the code")


def test_a_code_of_zeros_has_a_scale_too():
    assert {drawn.get_clim() for drawn in pictures(plots.code_maps(DIM[:1], np.zeros((1, 2, 2, 2))))} == {(0, 1)}


def test_bars_stand_in_the_order_of_their_heights_side_by_side_from_zero():
    (axes,) = plots.bars([1, 10, 0, 5], xlabel="value", ylabel="count").axes
    assert [bar.get_height() for bar in axes.patches] == [1, 10, 0, 5]
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == [0, 1, 2, 3]
    assert {(bar.get_y(), bar.get_width()) for bar in axes.patches} == {(0, 1)}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("value", "count", "linear")


def test_heights_are_on_a_logarithmic_scale_where_it_is_asked_for_with_plain_numbers_on_it():
    (axes,) = FIGURES["bars"]().axes
    assert axes.get_yscale() == "log"
    assert axes.yaxis.get_major_formatter()(0.1) == "0.1"


def test_lines_go_through_their_points_and_marks_are_dots_and_a_legend_names_both():
    curves = {"falling": ([0, 1, 2], [9, 3, 1]), "rising": ([0, 2], [1, 2])}
    figure = plots.lines(curves, xlabel="level", ylabel="PSNR (dB)", marks={"here": ([1], [3]), "there": ([0, 2], [1, 2])})
    (axes,) = figure.axes
    drawn = {line.get_label(): line for line in axes.lines}
    assert {label: line.get_xydata().tolist() for label, line in drawn.items()} == {
        "falling": [[0, 9], [1, 3], [2, 1]],
        "rising": [[0, 1], [2, 2]],
        "here": [[1, 3]],
        "there": [[0, 1], [2, 2]],
    }
    assert [(line.get_linestyle(), line.get_marker()) for line in drawn.values()] == [
        ("-", "None"),
        ("--", "None"),
        ("None", "o"),
        ("None", "o"),
    ]
    assert legend(figure) == ["falling", "rising", "here", "there"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("level", "PSNR (dB)")


def test_a_table_is_a_panel_of_bars_for_each_column_its_first_row_on_top_and_values_beside_them():
    table = pd.DataFrame({"weights": [40, 0, 1234], "multiply-adds": [5, 6, 7]}, index=["conv1", "pool1", "up1"])
    figure = plots.bar_columns(table)
    for axes, (name, values) in zip(figure.axes, table.items(), strict=True):
        assert axes.get_xlabel() == name
        assert [bar.get_width() for bar in axes.patches] == values.tolist()
        assert [bar.get_y() + bar.get_height() / 2 for bar in axes.patches] == pytest.approx([0, 1, 2])
        assert axes.yaxis_inverted()
    assert [text.get_text() for text in figure.axes[0].texts] == ["40", "0", "1,234"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["conv1", "pool1", "up1"]


def test_loss_curves_are_drawn_over_the_images_seen_on_logarithmic_axes_and_name_their_levels_and_ends():
    curves = {"one": ([100, 1000, 10_000], [0.3, 0.2, 0.1]), "two": ([500, 5000], [0.4, 0.2])}
    (axes,) = plots.loss_curves(curves, ends={"two": 0.21, "one": 0.11}, levels={"mean image": 0.25}).axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    lines = {line.get_label(): line for line in axes.lines}
    for label, (seen, excess) in curves.items():
        np.testing.assert_array_equal(lines[f"{label}, training"].get_xydata().T, [seen, excess])
        (end,) = lines[f"{label}, test digits"].get_xydata()
        assert end.tolist() == [seen[-1], {"one": 0.11, "two": 0.21}[label]]
        assert lines[f"{label}, test digits"].get_color() == lines[f"{label}, training"].get_color()
    assert lines["one, training"].get_color() != lines["two, training"].get_color()
    assert lines["one, training"].get_linestyle() != lines["two, training"].get_linestyle()
    assert [text.get_text() for text in axes.texts] == ["mean image"]
    assert 0.25 in [line.get_ydata()[0] for line in axes.lines]


def test_the_network_names_each_layer_with_its_shape():
    table = models.layer_table(models.build_autoencoder((4, 2), image_shape=(12, 20, 3)))
    shown = texts(plots.network(table))
    assert {f"{name}\n{h}×{w}\n×{c}" for name, (h, w, c) in table["output"].items()} < set(shown)
    assert f"{3 * 5 * 2}\nnumbers" in shown


def test_a_block_is_as_high_as_its_maps_and_as_thick_as_there_are_many():
    table = models.layer_table(models.build_autoencoder((4, 2), image_shape=(12, 20, 3)))
    (axes,) = plots.network(table).axes
    shapes = np.array([(12, 20, 3), *table["output"]])
    fronts = [patch.get_xy() for patch in axes.patches[: 3 * len(shapes) : 3]]  # then the top and the side
    heights = np.array([np.ptp(front[:, 1]) for front in fronts])
    thicknesses = np.array([np.ptp(front[:, 0]) for front in fronts])
    np.testing.assert_allclose(heights, shapes[:, 0] / 20)  # the largest side is 1
    np.testing.assert_allclose(thicknesses / thicknesses[0], shapes[:, 2] / 3)
    lefts = [front[:, 0].min() for front in fronts]
    assert lefts == sorted(lefts)


def test_blocks_are_coloured_by_what_their_layers_do_and_grouped_into_encoder_code_and_decoder():
    (axes,) = FIGURES["network"]().axes
    names = {patch.get_facecolor()[:3]: patch.get_label() for patch in axes.patches[-3:]}
    kinds = [names.get(patch.get_facecolor()[:3], "images") for patch in axes.patches[:-3:3]]
    encoder = ["convolution", "max-pooling"] * 3
    assert kinds == ["images", *encoder, "upsampling", "upsampling", "upsampling", "convolution"]
    assert legend(axes) == ["convolution", "max-pooling", "upsampling"]
    places = {text.get_text(): text.get_position()[0] for text in axes.texts}
    encoder, code, decoder = (line.get_xdata() for line in axes.lines)
    for (first, last), name in ((encoder, "encoder"), (code, "code"), (decoder, "decoder")):
        assert places[name] == pytest.approx((first + last) / 2)
    assert encoder[0] < places["conv1\n28×28\n×16"] < encoder[1] < code[0] < places["pool3\n4×4\n×8"] < code[1] < decoder[0]
    assert decoder[0] < places["up1\n7×7\n×8"] < places["logits\n28×28\n×1"] < decoder[1]


def test_a_convolution_reads_the_patches_that_a_transposed_convolution_paints():
    figure = plots.reading_and_painting(kernel_size=3, stride=2, units=4)
    assert [axes.get_title() for axes in figure.axes] == ["convolution", "transposed convolution"]
    for axes, reads in zip(figure.axes, (True, False), strict=True):
        squares, marked = axes.patches[:-4], axes.patches[-4:]
        pixels, units = squares[:81], squares[81:]  # (4 - 1) * 2 + 3 = 9 pixels a side
        assert {square.get_xy() for square in pixels} == {(x, y) for x in range(9) for y in range(9)}
        assert len({square.get_xy() for square in units}) == 16
        first, second = units[:2]  # from left to right
        assert [(mark.get_xy(), mark.get_width(), mark.get_height()) for mark in marked] == [
            ((0, 0), 3, 3),
            (first.get_xy(), 1, 1),
            ((2, 0), 3, 3),
            (second.get_xy(), 1, 1),
        ]
        for arrow, patch, unit in zip(axes.texts, marked[::2], marked[1::2], strict=True):
            ends = (patch.get_x() + 3, 1.5), (unit.get_x(), unit.get_y() + 0.5)
            assert (arrow.xyann, arrow.xy) == (ends if reads else ends[::-1]), "an arrow goes from what is read to what is written"


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


def test_magnified_rows_have_their_labels_and_each_picture_its_note():
    figure = FIGURES["magnified"]()
    for drawn, image in zip(pictures(figure), [*DIM, *DIM[:, :5]], strict=True):
        np.testing.assert_array_equal(drawn.get_array(), image[..., 0])
    assert [axes.get_title() for axes in figure.axes] == ["a", "b\nc", "d", "", "", ""]
    assert [text.get_text() for text in figure.texts] == ["one", "two"]
    for text, axes in zip(figure.texts, figure.axes[::3], strict=True):
        box = axes.get_position()
        assert box.y0 < text.get_position()[1] < box.y1
        assert text.get_position()[0] < box.x0


def test_each_patch_of_the_strip_is_as_long_as_the_kernel_and_a_stride_further_and_a_line_lower():
    strip = plots.overlap(kernel_size=3, stride=2, length=3).axes[0]
    pixels = [(bar.get_x() + 0.5, bar.get_x() + bar.get_width() - 0.5) for bar in strip.patches]
    assert pixels == [(0, 2), (2, 4), (4, 6)]
    assert [int(bar.get_y()) for bar in strip.patches] == [0, 1, 2]
    assert [text.get_position()[0] for text in strip.texts] == list(range(7))
    assert [text.get_text() for text in strip.texts if text.get_fontweight() == "bold"] == ["2", "2"]


def test_dots_stand_on_the_line_of_what_they_were_measured_on_and_the_bar_at_the_median():
    (axes,) = plots.seed_dots({"loss": SEEDS}).axes
    dots, bars = axes.lines[::2], axes.lines[1::2]
    assert [line.get_xdata().tolist() for line in dots] == SEEDS.T.to_numpy().tolist()
    assert [set(line.get_xdata()) for line in bars] == [{2.0}, {4.0}]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_a_decoder_keeps_its_colour_among_others():
    few = pd.DataFrame({"subpixel": [1.0, 2.0], "nearest": [3.0, 4.0]})
    (all_six,) = plots.seed_dots({"loss": pd.DataFrame({name: [1.0, 2.0] for name in models.DECODERS})}).axes
    colours = dict(zip(models.DECODERS, (line.get_color() for line in all_six.lines[::2]), strict=True))
    assert len(set(colours.values())) == 6
    (axes,) = plots.seed_dots({"loss": few}).axes
    assert [line.get_color() for line in axes.lines[::2]] == [colours["subpixel"], colours["nearest"]]


def test_a_panel_has_its_mark_and_its_logarithmic_scale():
    loss, index = FIGURES["seed_dots"]().axes
    assert [axes.get_xlabel() for axes in (loss, index)] == ["loss", "index"]
    assert [axes.get_xscale() for axes in (loss, index)] == ["linear", "log"]
    assert [line.get_xdata() for line in loss.lines[4:]] == [[0.5, 0.5]]
    assert len(index.lines) == 4
    assert loss.yaxis_inverted()
    assert [set(line.get_ydata()) for line in index.lines[::2]] == [{0}, {1}]


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
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epochs", "loss")
    assert legend(axes.figure) == list(lines)


def test_a_sweep_over_what_is_no_number_writes_its_values_out():
    (axes,) = plots.sweep(SWEPT, x="filters", y="loss", xlabel="feature maps", ylabel="loss").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["(4, 2)", "(16, 8)"]
    with pytest.raises(ValueError, match="table must have the columns that are drawn, got 'los'"):
        plots.sweep(SWEPT, x="epochs", y="los", xlabel="epochs", ylabel="loss")


def test_a_heat_map_writes_every_number_and_frames_the_largest_of_a_row_if_it_is_above_zero():
    names = pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("c", 3)])
    table = pd.DataFrame({"one": [1.04, -2.0, -0.04], "two": [0.5, -1.0, 0.0]}, index=names)
    axes, _ = plots.heat_map(table, label="gain (dB)", limit=1.5).axes
    assert [text.get_text() for text in axes.texts] == ["+1.0", "+0.5", "-2.0", "-1.0", "+0.0", "+0.0"]
    (drawn,) = axes.images
    assert drawn.get_clim() == (-1.5, 1.5)
    (frame,) = axes.patches
    assert (round(frame.get_x()), round(frame.get_y())) == (0, 0)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a 1", "b 2", "c 3"]


def test_histograms_share_a_range_and_sum_to_all_and_name_their_means():
    one, two = plots.histograms({"one": [0.0, 1.0, 1.0, 2.0], "two": [4.0, 4.0]}, xlabel="value", bins=4).axes
    assert one.get_xlim() == two.get_xlim()
    assert [patch.get_height() for patch in one.patches] == [25, 50, 25, 0]
    assert [patch.get_height() for patch in two.patches] == [0, 0, 0, 100]
    assert legend(one) == ["mean 1.000"]


def test_each_class_has_a_colour_of_its_own_and_its_name_at_its_median():
    points = np.array([[0.0, 0], [1, 1], [5, 5], [9, 0], [9, 2], [9, 9]])
    (axes,) = plots.classes(points, ["a", "a", "a", "b", "b", "b"], xlabel="x", ylabel="y").axes
    assert {text.get_text(): text.get_position() for text in axes.texts} == {"a": (1, 1), "b": (9, 2)}
    assert len({line.get_color() for line in axes.lines}) == 2
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), points[3:])


def test_equal_words_have_equal_colours_in_all_grids_and_an_empty_cell_is_white():
    one, two = plots.word_grids({"one": [["a", ""], ["b", "a"]], "two": [["b", "c"]]}).axes
    faces = {}
    for axes in (one, two):
        for patch, text in zip(axes.patches, axes.texts, strict=True):
            faces.setdefault(text.get_text(), set()).add(patch.get_facecolor())
    assert [len(found) for found in faces.values()] == [1] * 4
    assert len(set.union(*faces.values())) == 4
    assert faces[""] == {(1, 1, 1, 1)}


def test_tiles_lie_side_by_side_with_the_first_row_at_the_bottom():
    images = RNG.uniform(size=(2, 3, 4, 5))
    (axes,) = plots.tiles(images, xlabel="a", ylabel="b", extent=(-1, 1, -2, 2)).axes
    (drawn,) = axes.images
    assert drawn.get_array().shape == (8, 15)
    np.testing.assert_array_equal(drawn.get_array()[4:, 5:10], images[0, 1])
    np.testing.assert_array_equal(drawn.get_array()[:4, :5], images[1, 0])
    assert drawn.get_extent() == [-1, 1, -2, 2]


def test_insets_are_the_same_piece_of_every_picture_and_their_pixels_whole_screen_pixels():
    pictures = {name: RNG.uniform(size=(30, 40)) for name in ("original", "one", "two", "three")}
    figure = plots.insets(pictures, box=(4, 6, 10), times=4)
    whole, *pieces = figure.axes
    np.testing.assert_array_equal(whole.images[0].get_array(), pictures["original"])
    (box,) = whole.patches
    assert (box.get_x(), box.get_y(), box.get_width()) == (5.5, 3.5, 10)
    for axes, (name, picture) in zip(pieces, pictures.items(), strict=True):
        assert axes.get_title() == name
        np.testing.assert_array_equal(axes.images[0].get_array(), picture[4:14, 6:16])
        extent = axes.get_position().transformed(figure.transFigure)
        assert (round(extent.width, 6), round(extent.height, 6)) == (40, 40)


def test_a_planted_checkerboard_is_the_corner_of_its_spectrum():
    board = (-1.0) ** np.indices((16, 16)).sum(axis=0)[..., None]
    figure = plots.spectra({"flat": 0.5 + 0 * board, "board": 0.5 + 0.1 * board})
    spectrum = [axes for axes in figure.axes if axes.images][-2:]
    of_flat, of_board = (axes.images[0].get_array() for axes in (spectrum[-2], spectrum[-1]))
    assert np.unravel_index(of_board.argmax(), of_board.shape) == (0, 0)
    assert of_board.max() == 0
    assert of_flat.max() == -60
    rings = spectrum[-1].lines[0].get_xydata()
    assert [-0.5, -0.5] in rings.tolist()


@pytest.mark.parametrize("station", [1, 6])
def test_one_station_of_the_road_is_lit(station):
    (axes,) = plots.road(station).axes
    lit = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o" and line.get_color() != "white"]
    assert lit == [station]


def test_lines_may_mark_their_points_and_double_along_x():
    (axes,) = plots.lines({"a": ([16, 32, 64], [1, 2, 3])}, xlabel="x", ylabel="y", points=True, log2=True).axes
    assert axes.get_xscale() == "log"
    assert axes.xaxis.get_transform().base == 2
    assert axes.lines[0].get_marker() == "o"


def test_magnified_numbers_have_symmetric_colours_and_a_bar_with_their_unit():
    figure = plots.magnified({"logits": 4 * DIM}, times=4, signed={"logits": 8.0}, unit="logits")
    *pieces, bar = figure.axes
    for axes, picture in zip(pieces, DIM, strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), picture[..., 0] / 2, rtol=1e-6)
        assert axes.images[0].get_clim() == (-1, 1)
    assert [text.get_text() for text in bar.get_yticklabels()] == ["-8", "0", "8"]
    assert bar.get_ylabel() == "logits"


def test_cells_of_a_grid_are_framed_where_asked():
    one, two = plots.number_grids({"one": np.ones((4, 4)), "two": np.ones((2, 2))}, frames={"one": [(0, 2, 2, 2), (3, 0, 1, 4)]}).axes
    frames = [(patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()) for patch in one.patches]
    np.testing.assert_allclose(frames, [(1.56, -0.44, 1.88, 1.88), (-0.44, 2.56, 3.88, 0.88)])
    assert not two.patches


def test_numbers_under_pictures_have_their_unit():
    figure = plots.image_rows({"dim": DIM}, notes={"dim": [20.345, "text", 3]}, unit="dB")
    assert [axes.get_xlabel() for axes in figure.axes] == ["20.3 dB", "text", "3 dB"]
