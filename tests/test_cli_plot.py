"""`stork-codec plot`: what is in the picture, and what becomes of bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import CONTROL, Terminal
from hypothesis import given
from hypothesis import strategies as st
from pictured import BEGIN_NS, MS, ONE, TAXONOMY, line, segments, ticks

import codec
from codec.cli import main
from codec.summary import Curve, Curves, Part, Silence, Summary

pytest.importorskip("matplotlib")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from codec.cli.figure import Drawn, draw, styled
from codec.cli.figure_curves import price_line, rate_steps
from codec.cli.figure_scales import TimeScale

Capture = pytest.CaptureFixture[str]
SECOND = 1000 * MS


def summed(text: bytes, n_bins: int = 4096) -> Summary[Curves]:
    summary = Summary(Curves(n_bins))
    summary.add(Part.of_batch(codec.decode_lines(text)))
    return summary


def drawn(summary: Summary[Curves]) -> list[Drawn]:
    result = []
    for asset in sorted(summary.assets):
        place = summary.place(asset)
        assert place is not None
        curve = summary.bins.curve(place)
        result.append(Drawn(f"asset {asset[1]}", summary.extent(asset), curve))
    return result


def figure_of(text: bytes, *, is_percent: bool = False) -> Figure:
    summary = summed(text)
    with styled():
        figure = draw(summary, drawn(summary), is_percent=is_percent)
        figure.draw_without_rendering()
    return figure


def titles(axes: Axes) -> str:
    return " ".join(axes.get_title(loc) for loc in ("left", "center", "right"))


def ticklabels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels() if label.get_text()]


def plot(capsys: Capture, *argv: object) -> tuple[int, str]:
    status = main(["plot", *map(str, argv)])
    out, err = capsys.readouterr()
    assert out == ""
    return status, err


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "lines.ndjson"
    path.write_bytes(ticks(200))
    return path


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    path = tmp_path / "taxonomy.json"
    path.write_text(TAXONOMY)
    return str(path)


def test_each_asset_has_an_axis_of_its_own() -> None:
    figure = figure_of(ticks(200))
    *strips, rate, times = figure.axes
    assert len(strips) == 4
    for i, axes in enumerate(strips, 1):
        assert axes.get_title("left") == f"asset {i}"
        ys = np.asarray(axes.lines[0].get_ydata())
        last = i + 0.199 * (-1000 if i == 4 else 1)
        assert (ys[0], ys[-1]) == pytest.approx((i, last))
        low, high = axes.get_ylim()
        assert low < min(i, last) and max(i, last) < high
        assert axes.get_shared_x_axes().joined(axes, rate)
    assert strips[3].lines[0].get_color() != strips[0].lines[0].get_color()
    assert "4 to -195 (-4,975 %)" in titles(strips[3])
    bands = [band.get_paths()[0].get_extents() for band in rate.collections]
    assert [band.y1 for band in bands] == pytest.approx([10, 20, 30, 40])
    assert rate.get_ylabel() == "updates/s" and "means of" in titles(rate)
    assert "by receive times" in titles(times) and "p50 100 ms" in titles(times)
    assert times.get_xscale() == "log"
    lines = figure.get_suptitle().splitlines()
    assert lines[0] == "asset 1, asset 2, asset 3, asset 4"
    assert lines[1] == "2025-12-01 17:04:58 to 17:05:18 UTC (19.90 s), 800 updates"


def test_one_asset_alone() -> None:
    figure = figure_of(ticks(100, assets=(1,), late_ns=None))
    price, _, times = figure.axes
    assert price.get_ylabel() == "price" and price.get_title("left") == ""
    assert "1 to 1.099 (+9.9 %)" in titles(price)
    assert "by timestamps, all messages" in titles(times)
    (patch,) = times.patches
    assert sum(patch.get_data().values) == 99


def test_in_percent_there_is_one_axis_and_a_legend() -> None:
    price, *_ = figure_of(ticks(100), is_percent=True).axes
    legend = price.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["asset 1", "asset 2", "asset 3", "asset 4"]
    ends = [np.asarray(one.get_ydata())[-1] for one in price.lines[:4]]
    assert ends == pytest.approx([9.9, 4.95, 3.3, -100 * 99 / 4])
    assert "%" in price.get_ylabel()
    zero = line(BEGIN_NS, {1: 0}) + line(BEGIN_NS + SECOND, {1: -5 * ONE})
    price, *_ = figure_of(zero, is_percent=True).axes
    assert np.asarray(price.lines[0].get_ydata())[-1] == -100
    figure_of(line(BEGIN_NS, {1: 0}) + line(BEGIN_NS + 9, {1: 0}), is_percent=True)


def test_no_spike_is_lost_among_millions() -> None:
    n = 1_000_000
    values = np.full(n, 100.0)
    values[123_456], values[876_543] = 250.0, -50.0
    summary = Summary(Curves(4096))
    times = np.uint64(BEGIN_NS) + np.arange(n, dtype=np.uint64) * np.uint64(MS)
    for at in range(0, n, 100_000):
        part = times[at : at + 100_000]
        summary.bins.fit(part, 1)
        rows = values[at : at + 100_000]
        summary.bins.add(np.zeros(len(part), np.intp), part, rows)
    curve = summary.bins.curve(0)
    assert 2048 <= len(curve.n) <= 4096
    line_times, prices = price_line(curve, [], int(times[-1]))
    assert len(prices) <= 4 * 4096 + 1
    width = summary.bins.width_ns
    for i, value in ((123_456, 250.0), (876_543, -50.0)):
        (at,) = np.flatnonzero(prices == value)
        assert abs(int(line_times[at]) - int(times[i])) <= width
    assert np.all(line_times[1:] >= line_times[:-1])


def test_a_spike_is_seen_in_the_pixels(capsys: Capture, tmp_path: Path) -> None:
    rows = [line(BEGIN_NS + i * MS, {1: 10 * ONE}) for i in range(5000)]
    rows[2500] = line(BEGIN_NS + 2500 * MS, {1: 99 * ONE})
    path = tmp_path / "x.ndjson"
    path.write_bytes(b"".join(rows))
    out = tmp_path / "x.png"
    assert plot(capsys, path, "-o", out) == (0, "")
    pixels = imread(out)[..., :3]
    assert pixels.shape[1] == 1650
    blue = np.abs(pixels - np.array([0, 0x72, 0xB2]) / 255).max(axis=2) < 0.08
    price = blue[: pixels.shape[0] * 45 // 100]
    column = price.sum(axis=0).argmax()
    assert price[:, column].sum() > 200  # it reaches over most of the panel
    assert abs(column / 1650 - 0.53) < 0.05
    assert (price.sum(axis=0) > 100).sum() <= 4  # and is a pixel or two wide


def test_a_pause_is_shaded_and_not_crossed() -> None:
    text = ticks(400, assets=(1, 2), missing=range(100, 250))
    text = text + line(BEGIN_NS + 5 * SECOND, {3: ONE}) + line(BEGIN_NS + 1, {3: ONE})
    figure = figure_of(text)
    price, _, sparse, rate, _ = figure.axes
    xs, ys = price.lines[0].get_data()
    assert np.isnan(ys).sum() == 1
    (span,) = price.patches
    left, right = span.get_x(), span.get_x() + span.get_width()
    gap = np.asarray(xs)[np.flatnonzero(np.isnan(ys))[0]]
    assert gap == pytest.approx(left)
    assert not (
        (np.asarray(xs)[~np.isnan(ys)] > left + 1e-9)
        & (np.asarray(xs)[~np.isnan(ys)] < right - 1e-9)
    ).any()
    assert "no messages" in rate.texts[0].get_text()
    # What did not change held until the pause began, and no dot lies in it.
    assert np.isnan(sparse.lines[0].get_ydata()).sum() == 1
    bands = rate.collections[0].get_paths()[0].vertices
    inside = (bands[:, 0] > left + 2e-6) & (bands[:, 0] < right - 2e-6)
    assert bands[inside, 1].max(initial=0) == 0


CASES = {
    "a single update": line(BEGIN_NS, {1: 42 * ONE}),
    "one time": line(BEGIN_NS, {1: ONE}) * 5,
    "constant": b"".join(line(BEGIN_NS + i * SECOND, {1: ONE}) for i in range(9)),
    "zero": b"".join(line(BEGIN_NS + i * SECOND, {1: 0}) for i in range(9)),
    "negative": b"".join(line(BEGIN_NS + i * SECOND, {1: -i * ONE}) for i in range(9)),
    "huge": b"".join(
        line(BEGIN_NS + i, {1: (-1) ** i * (2**127 - 1)}) for i in range(9)
    ),
    "tiny": b"".join(line(BEGIN_NS + i * SECOND, {1: 1 + i % 2}) for i in range(9)),
    "nanoseconds": b"".join(line(BEGIN_NS + i, {1: i * ONE}) for i in range(9)),
    "two, a year apart": line(BEGIN_NS, {1: 1}) + line(BEGIN_NS + 3 * 10**16, {1: 9}),
    "the ends of time": line(0, {1: ONE}) + line(2**64 - 1, {1: 2 * ONE}),
    "backwards": b"".join(line(BEGIN_NS - i * SECOND, {1: i}) for i in range(9)),
    "seven": b"".join(
        line(BEGIN_NS + i * SECOND, {a: a * ONE + i for a in range(7)})
        for i in range(9)
    ),
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("is_percent", [False, True])
def test_whatever_the_prices_are(text: bytes, is_percent: bool) -> None:
    figure = figure_of(text, is_percent=is_percent)
    for axes in figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
    for one in figure.axes[0].lines:
        assert np.isfinite(np.asarray(one.get_xdata())).all()


def test_labels_tell_the_ticks_apart() -> None:
    for step in (10**15, 25 * 10**13, 10**6, 10**20):
        rows = (line(BEGIN_NS + i * SECOND, {1: 7 * ONE + i * step}) for i in range(9))
        labels = ticklabels(figure_of(b"".join(rows)).axes[0])
        assert len(set(labels)) == len(labels) >= 3
        assert all("−" not in label and "e+" not in label for label in labels)


def test_the_times_axis() -> None:
    for span, words in (
        (0, None),
        (900, "ns after 2025-12-01 17:04:58.685038908 UTC"),
        (5 * MS, "ms after 2025-12-01"),
        (SECOND, "ms after 2025-12-01"),
        (3600 * SECOND, "UTC"),
    ):
        axes = Figure().subplots()
        TimeScale(BEGIN_NS, BEGIN_NS + span).dress(axes)
        label = axes.get_xlabel()
        assert words is None or words in label
    scale = TimeScale(BEGIN_NS, BEGIN_NS + 10**18)
    days = scale.places([BEGIN_NS])[0]
    assert days * 86400 == pytest.approx(BEGIN_NS / 1e9, abs=1e-5)


UPDATES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 300).map(lambda i: BEGIN_NS + i * SECOND // 7),
        st.integers(-(10**6), 10**6).map(float),
    ),
    min_size=1,
    max_size=60,
)


@given(UPDATES, st.integers(2, 64))
def test_lines_and_rates_lose_nothing(
    updates: list[tuple[int, int, float]], n_bins: int
) -> None:
    updates = sorted(updates)
    bins = Curves(n_bins)
    places, times, values = (np.array(column) for column in zip(*updates, strict=True))
    bins.fit(times.astype(np.uint64), 3)
    bins.add(places.astype(np.intp), times.astype(np.uint64), values)
    end = int(times.max())
    curves: list[Curve] = []
    for place in sorted(set(places.tolist())):
        mine = values[places == place]
        curve = bins.curve(place)
        curves.append(curve)
        xs, ys = price_line(curve, [], end)
        assert (ys.min(), ys.max()) == (mine.min(), mine.max())
        assert (ys[0], ys[-1]) == (mine[0], mine[-1])
        assert (xs[0], xs[-1]) == (times[places == place].min(), end)
        assert np.all(xs[1:] >= xs[:-1])
    middle = (int(times.min()) + end) // 2
    before, after = times[times <= middle], times[times > middle]
    holes = []
    if len(before) and len(after) and after.min() - before.max() > 2 * bins.width_ns:
        holes = [Silence(int(before.max()), int(after.min()))]
    steps = rate_steps(curves, bins.width_ns, holes)
    if times.min() == end:
        assert steps is None
        return
    assert steps is not None
    seconds = np.diff(steps.edges_ns) / 1e9
    assert (seconds > 0).all() and steps.edges_ns[0] == times.min()
    totals = (steps.rates * seconds).sum(axis=1)
    assert totals == pytest.approx([int(curve.n.sum()) for curve in curves])


def test_regular_updates_have_one_rate() -> None:
    summary = summed(ticks(4000, assets=(1,), missing=range(1000, 2000)))
    curves = [one.curve for one in drawn(summary)]
    holes = summary.flow.pauses()
    assert [hole.length_ns for hole in holes] == [1001 * 100 * MS]
    steps = rate_steps(curves, summary.bins.width_ns, holes)
    assert steps is not None
    rates = steps.rates[0]
    assert np.unique(rates.round(6)).tolist() == [0.0, 10.0]


def test_png_svg_and_pdf(
    capsys: Capture, tmp_path: Path, plain: Path, taxonomy: str
) -> None:
    for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")):
        out = tmp_path / f"x.{suffix}"
        asked = ("--taxonomy", taxonomy, "--symbol", "ETHUSD,$SOL$", "-o", out)
        assert plot(capsys, plain, *asked) == (0, "")
        data = out.read_bytes()
        assert data.startswith(start)
        if suffix != "png":  # nothing in it says when it was made
            assert plot(capsys, plain, *asked) == (0, "")
            assert out.read_bytes() == data
    texts = [e.text for e in ElementTree.parse(tmp_path / "x.svg").iter() if e.text]
    assert "ETHUSD" in texts and "$SOL$" in texts and "BTCUSD" not in texts
    assert any("messages with these assets" in text for text in texts)
    assert not list(tmp_path.glob(".*"))


def names_in(path: Path) -> list[str]:
    texts = [e.text or "" for e in ElementTree.parse(path).iter()]
    return [text for text in texts if text.startswith("asset ") and "," not in text]


def test_which_assets_are_drawn(capsys: Capture, tmp_path: Path) -> None:
    path, out = tmp_path / "x.ndjson", tmp_path / "x.svg"
    many = list(range(1, 21))
    path.write_bytes(ticks(5, assets=many) + ticks(3, assets=(18, 7)))
    assert plot(capsys, path, "-o", out) == (0, "")
    assert names_in(out) == [f"asset {i}" for i in (7, 18, 1, 2, 3)]
    assert plot(capsys, path, "-o", out, "--top", "1") == (0, "")
    assert "asset 7" in out.read_text() and "asset 18" not in out.read_text()
    status, err = plot(capsys, path, "-o", out, "--asset", "1-20", "--percent")
    assert status == 0 and "drawing the 16 most active of 20 assets" in err
    assert len(names_in(out)) == 16
    status, err = plot(capsys, path, "-o", out, "--asset", "3,99,98")
    assert status == 1 and "no update of asset 98, asset 99" in err
    assert out.read_text().count("asset 3") == 1


def test_among_more_assets_than_are_followed(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codec.cli.plot._N_BINNED", 3)
    path, out = tmp_path / "x.ndjson", tmp_path / "x.svg"
    path.write_bytes(ticks(5, assets=(1, 2, 3, 4)) + ticks(3, assets=(4,)))
    status, err = plot(capsys, path, "-o", out)
    assert status == 0 and "of 4 assets the first 3 are followed" in err
    assert names_in(out) == ["asset 1", "asset 2", "asset 3"]
    assert plot(capsys, path, "-o", out, "--asset", "4", "--top", "1") == (0, "")


def test_several_taxonomies_and_tables(capsys: Capture, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    text = line(BEGIN_NS, {1: 1}) + line(BEGIN_NS + SECOND, {1: 2}, taxonomy_id=9)
    pq.write_table(codec.decode_lines(text).to_arrow(), tmp_path / "x.parquet")
    out = tmp_path / "x.svg"
    assert plot(capsys, tmp_path / "x.parquet", "-o", out, "--asset", "1") == (0, "")
    assert names_in(out) == ["asset 1 of taxonomy 1", "asset 1 of taxonomy 9"]


def test_a_part_of_the_time(capsys: Capture, tmp_path: Path, plain: Path) -> None:
    start, end = BEGIN_NS + 10 * SECOND, BEGIN_NS + 12 * SECOND
    out = tmp_path / "x.svg"
    assert plot(capsys, plain, "-o", out, "--from", start, "--to", end) == (0, "")
    assert "17:05:08 to 17:05:10 UTC (1.900 s), 80 updates" in out.read_text()
    status, err = plot(capsys, plain, "-o", out, "--from", "2030-01-01")
    assert (status, err) == (1, f"stork-codec: {plain}: no update of any asset\n")


def test_damage_is_said_and_the_rest_drawn(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    paths = segments(tmp_path / "rec", ticks(40), 4)
    data = bytearray(paths[1].read_bytes())
    data[-1] ^= 1
    paths[1].write_bytes(data)
    out = tmp_path / "x.svg"
    status, err = plot(capsys, tmp_path / "rec", "-o", out)
    assert status == 1 and str(paths[1]) in err
    assert "120 updates" in out.read_text()


def test_bad_input_and_bad_options(
    capsys: Capture, tmp_path: Path, plain: Path, taxonomy: str
) -> None:
    empty = tmp_path / "empty.ndjson"
    empty.write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    known = ("--taxonomy", taxonomy, "--symbol", "BTCUSD")
    other = tmp_path / "other.ndjson"
    other.write_bytes(ticks(3, assets=(77,)))
    for argv, expected, text in (
        ([empty, "-o", "x.png"], 1, "no update of any asset"),
        ([tmp_path / "none.ndjson", "-o", "x.png"], 1, "No such file or directory"),
        ([other, *known, "-o", "x.svg"], 1, f"{other}: no update of BTCUSD"),
        ([plain, *known[2:], "-o", "x.png"], 2, "--taxonomy"),
        ([plain, *known[:3], "NONE", "-o", "x.png"], 2, "NONE"),
        ([plain, "-o", "x.jpg"], 2, "-o x.jpg: the picture is one of .png, .svg, .pdf"),
        ([plain, "-o", "x"], 2, "the picture is one of"),
        ([plain, "-o", "no/x.png"], 2, "there is no folder no"),
        ([plain, "-o", tmp_path / "folder.png"], 2, "this is a folder"),
        ([plain], 2, "-o"),
        ([plain, "-o", "x.png", "--top", "17"], 2, "from 1 to 16"),
    ):
        status, err = plot(capsys, *argv)
        assert status == expected and text in err, (argv, err)
        assert "Traceback" not in err
    assert not Path("x.png").exists() and not Path("x.svg").exists()


def test_what_fails_leaves_the_old_picture(
    capsys: Capture, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.png"
    out.write_bytes(b"the old one")

    def full(self: Figure, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    status, err = plot(capsys, plain, "-o", out)
    assert status == 1 and "No space left on device" in err
    assert out.read_bytes() == b"the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.ndjson", "x.png"]


def test_interrupted_there_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    out = tmp_path / "x.png"
    process = subprocess.Popen(
        [sys.executable, "-m", "codec", "plot", str(tmp_path / "pipe"), "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )
    with open(tmp_path / "pipe", "wb", buffering=0) as pipe:
        pipe.write(ticks(20))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_without_matplotlib(plain: Path, tmp_path: Path) -> None:
    code = (
        "import sys; import codec.cli.extras as extras; found = extras.find_spec\n"
        "extras.find_spec = lambda n: None if n == 'matplotlib' else found(n)\n"
        "from codec.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plot", str(plain), "-o", str(tmp_path / "x.png")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "this needs the package matplotlib" in done.stderr
    assert "stork-codec[plot]" in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_the_users_own_style_changes_nothing(tmp_path: Path, plain: Path) -> None:
    pictures = []
    for i, rc in enumerate(("", "font.size: 20\nlines.linewidth: 9\nbackend: TkAgg\n")):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / "matplotlibrc").write_text(rc)
        asked = ["plot", plain, "--asset", "1", "-o", folder / "x.png"]
        subprocess.run(
            [sys.executable, "-m", "codec", *asked],
            env={**os.environ, "MATPLOTLIBRC": str(folder)},
            check=True,
        )
        pictures.append((folder / "x.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_in_a_terminal_there_is_a_bar(plain: Path, tmp_path: Path) -> None:
    plain.write_bytes(ticks(20) * 300)
    terminal = Terminal("plot", plain, "--asset", 1, "-o", tmp_path / "x.png")
    assert terminal.status() == 0
    assert "MB" in CONTROL.sub("", terminal.text)
    assert (tmp_path / "x.png").exists()
