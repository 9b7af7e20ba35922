"""Drawings of ideas, as SVG: what a figure cannot show because nothing was computed. Each is one call, and says in words what is seen.

They bring a ground of their own, so that they can be read on a light page and on a dark one, and change their colours where the reader's
system asks for dark. Size and text scale with the page.
"""

from html import escape
from math import exp

from vaelib.outside.console import show

# boxes, what is learned, what the gradient does: Okabe & Ito's blue, orange and vermilion, as in plots
_STYLE = """
.ground{fill:#fff}.box{fill:#eef3f8;stroke:#0072B2;stroke-width:1.5}.word{stroke:#444;stroke-width:.7}
.flow{stroke:#222;stroke-width:2;fill:none;marker-end:url(#flow)}.flowhead{fill:#222}
.back{stroke:#D55E00;stroke-width:2.2;fill:none;stroke-dasharray:7 4;marker-end:url(#back)}.backhead{fill:#D55E00}
.curve{fill:none;stroke:#444;stroke-width:1.6}.dot{fill:#0072B2}
.blank{fill:none;stroke:#888;stroke-dasharray:3 2}text{font:15px system-ui,sans-serif;fill:#111;text-anchor:middle}.small{font-size:13px}
.gap{fill:#fbe9df;stroke:#D55E00;stroke-width:1.5}
.seen{fill:#bcd9ee;stroke:#0072B2;stroke-width:.8}.light{fill:#fff}
.digit{font-size:34px;font-weight:600}.road{fill:#A84300}
@media (prefers-color-scheme:dark){.ground{fill:#1b1f24}.box{fill:#22303d;stroke:#56B4E9}.word{stroke:#ccc}.blank{stroke:#999}
.curve{stroke:#ccc}.dot{fill:#56B4E9}
.flow{stroke:#ddd}.flowhead{fill:#ddd}
.seen{fill:#2c4a61;stroke:#56B4E9}.light{fill:#111}
.gap{fill:#3d2a20;stroke:#F0874A}.back{stroke:#F0874A}.backhead{fill:#F0874A}text{fill:#eee}.road{fill:#F5A27A}}
"""
_ORDER = (0, 0, 1, 1, 0, 2, 2, 1, 3, 2, 2, 4, 3, 3, 5, 4)  # a page of 4 x 4 words
_WORDS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")


def _head(name: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path class="{name}head" d="M0 0L10 5L0 10z"/></marker>'
    )


def _svg(width: int, height: int, said: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(said)}" style="max-width:100%;height:auto"><title>{escape(said)}</title><style>{_STYLE}</style>'
        f'<defs>{_head("flow")}{_head("back")}</defs><rect class="ground" width="{width}" height="{height}" rx="8"/>{body}</svg>'
    )


def _shown(width: int, height: int, said: str, body: list[str]) -> str:
    svg = _svg(width, height, said, "".join(body))
    show(f"Drawing: {said}", svg=svg)
    return svg


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, words: str) -> str:
    label = _text(x + width / 2, y + height / 2 + 5, words)
    return f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{label}'


def _image(x: float, middle: float) -> str:
    """An image of a 7, whose left side lies at x."""
    frame = f'<rect class="box" x="{x}" y="{middle - 36}" width="72" height="72" rx="3"/>'
    return frame + _text(x + 36, middle + 11, "7", "digit")


def _arrow(kind: str, path: str) -> str:
    return f'<path class="{kind}" d="{path}"/>'


def _page(x: float, y: float, colours: list[str], side: int = 4, size: int = 18) -> str:
    """A square of ``side`` x ``side`` places, each with the colour of its word."""
    places = [(k // side, k % side, colour) for k, colour in enumerate(colours)]
    return "".join(
        f'<rect class="word" x="{x + size * j}" y="{y + size * i}" width="{size}" height="{size}" fill="{colour}"/>'
        for i, j, colour in places
    )


def vq_vae() -> str:
    """A VQ-VAE (van den Oord et al. 2017, figure 1): encoder, nearest word, decoder; and the gradient's road around the middle.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "An image goes through the encoder, which makes a page of vectors; each vector is replaced by the nearest of the codebook's words; "
        "the decoder makes an image of the words. The gradient goes back from the decoder straight to the encoder, around the choice of "
        "words, which has none. The codebook learns from a term of its own: its words move towards the vectors that chose them."
    )
    vague = ["#9dbcd6", "#8fb3d1", "#e8c47d", "#ecc98a", "#8ab0cf", "#7cc0a8", "#86c7b0", "#e6c074"]
    vague += ["#dba9c4", "#80c3ac", "#79bda5", "#95cbe9", "#d8a3c0", "#dfb0c9", "#ebe386", "#8ec7e7"]
    row, middle = 96, 132  # the top of the pages, and the line that everything flows along
    body = [
        _text(52, 70, "image x"),
        _image(16, middle),
        _arrow("flow", f"M92 {middle}H122"),
        _box(126, middle - 28, 92, 56, "encoder"),
        _arrow("flow", f"M222 {middle}H250"),
        _text(290, 70, "vectors"),
        _page(254, row, vague),
        _arrow("flow", f"M330 {middle}H356"),
        _box(360, middle - 28, 116, 56, "nearest word"),
        _arrow("flow", f"M480 {middle}H506"),
        _text(546, 70, "words"),
        _page(510, row, [_WORDS[k] for k in _ORDER]),
        _arrow("flow", f"M586 {middle}H612"),
        _box(616, middle - 28, 92, 56, "decoder"),
        _arrow("flow", f"M712 {middle}H740"),
        _text(780, 70, "image x̂"),
        _image(744, middle),
        *(
            f'<rect class="word" x="{373 + 15 * k}" y="214" width="15" height="34" fill="{colour}"/>'
            for k, colour in enumerate(_WORDS)
        ),
        _arrow("flow", "M418 210V166"),
        _text(418, 270, "codebook", "small"),
        _arrow("back", "M640 98C600 16 232 16 180 98"),
        _text(410, 26, "the gradient goes straight through", "small road"),
        _arrow("back", "M290 174C290 226 330 232 366 232"),
        _text(252, 250, "moves the words", "small road"),
    ]
    return _shown(832, 284, said, body)


def two_stages() -> str:
    """Generation in two stages (van den Oord et al. 2017, section 3.3): a VQ-VAE makes pages, a prior learns them and writes new ones.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "Stage one, a VQ-VAE: an image goes through the encoder, which writes a page of words, and the decoder makes an image of the page. "
        "Stage two, a prior: it learns the pages of all training images, and then writes a new page word by word, row by row, each word "
        "seeing those before it. The same decoder makes an image of the new page."
    )
    words = [_WORDS[k] for k in _ORDER]
    first, second = 84, 214  # the lines that the two stages flow along
    body = [
        _text(60, 22, "stage one"),
        _image(24, first),
        _arrow("flow", f"M100 {first}H150"),
        _box(154, first - 28, 104, 56, "encoder"),
        _arrow("flow", f"M262 {first}H316"),
        _text(356, 22, "its page"),
        _page(320, first - 36, words),
        _arrow("flow", f"M396 {first}H476"),
        _box(480, first - 28, 104, 56, "decoder"),
        _arrow("flow", f"M588 {first}H640"),
        _image(644, first),
        _text(60, second - 50, "stage two"),
        _arrow("back", f"M316 {first + 30}C250 150 206 150 206 {second - 32}"),
        _text(168, 150, "learns pages", "small road"),
        _box(154, second - 28, 104, 56, "prior p(k)"),
        _arrow("flow", f"M262 {second}H316"),
        _text(356, second + 56, "a new page, so far", "small"),
        _page(320, second - 36, [_WORDS[k] for k in (3, 3, 1, 1, 3, 2, 2, 1, 0, 2)]),
        *(
            f'<rect class="blank" x="{320 + 18 * (k % 4)}" y="{second - 36 + 18 * (k // 4)}" width="18" height="18"/>'
            for k in range(10, 16)
        ),
        _arrow("flow", f"M396 {second}H450C532 {second} 532 {second} 532 {first + 36}"),
        _text(616, second - 40, "the same decoder", "small"),
    ]
    return _shown(740, 286, said, body)


def rate_and_distortion() -> str:
    """The two terms of the negative ELBO: where in a VAE each is paid, and the curve of the best trades (Alemi et al. 2018, figure 1).

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "Left, a VAE: an image goes through the encoder, which makes a latent z of it, and the decoder makes an image of z. The rate is "
        "what z costs, the distortion what is left to say about the image when z is known. Right, a plane with the rate to the right and "
        "the distortion upwards, and a falling curve of the best trades: at its upper left end z says nothing, at its lower right end z "
        "says all. A straight line of slope minus beta touches the curve in the point that beta asks for."
    )
    middle = 110  # the line that everything flows along
    body = [
        _text(52, 48, "image x"),
        _image(16, middle),
        _arrow("flow", f"M92 {middle}H118"),
        _box(122, middle - 28, 84, 56, "encoder"),
        _arrow("flow", f"M210 {middle}H236"),
        _box(240, middle - 18, 44, 36, "z"),
        _arrow("flow", f"M288 {middle}H314"),
        _box(318, middle - 28, 84, 56, "decoder"),
        _arrow("flow", f"M406 {middle}H432"),
        _image(436, middle),
        _text(472, 48, "p(x|z)"),
        _arrow("back", f"M262 198V{middle + 24}"),
        _text(262, 218, "rate", "road"),
        _text(262, 238, "what z costs", "small"),
        _arrow("back", f"M472 198V{middle + 42}"),
        _text(472, 218, "distortion", "road"),
        _text(472, 238, "what is left to say", "small"),
        _arrow("flow", "M584 230V24"),
        _arrow("flow", "M584 230H826"),
        _text(600, 16, "distortion", "small"),
        _text(796, 248, "rate", "small"),
        '<path class="flow" style="marker-end:none" d="M590 44C612 150 660 196 812 208"/>',
        '<path class="back" style="marker-end:none" d="M596 117L730 222"/>',
        '<circle class="flowhead" cx="652" cy="161" r="5"/>',
        _text(714, 150, "slope −β", "small road"),
        _text(656, 50, "z says nothing", "small"),
        _text(786, 192, "z says all", "small"),
    ]
    return _shown(840, 258, said, body)


def bound_and_gap() -> str:
    """log p(x) = ELBO + KL(q || p(z|x)) for a poor and for a good guesser (Bishop 2006, figure 9.11): one sum, split in two ways.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "Two columns of the same height, which is log p(x). In each the lower part is the ELBO, and the upper part is the gap, the KL "
        "divergence from the guesser q to the posterior p(z|x). Under a poor guesser the gap is tall and the ELBO is low; under a better "
        "one the gap is short and the ELBO is high. The height of the whole column is the same: a better guesser does not move log p(x)."
    )
    top, floor = 48, 244
    body = [
        f'<path class="blank" d="M40 {top}H720"/>',
        _text(640, top - 12, "log p(x)"),
        _text(640, top + 24, "the same for every q", "small"),
    ]
    for x, split, name in ((150, 168, "a poor guesser q"), (420, 80, "a better guesser q")):
        body += [
            f'<rect class="gap" x="{x}" y="{top}" width="96" height="{split - top}"/>',
            _box(x, split, 96, floor - split, "ELBO"),
            _arrow("flow", f"M{x - 16} {floor}V{split + 2}"),
            _arrow("back", f"M{x + 112} {top + 2}V{split}"),
            _text(x + 48, (top + split) / 2 + 5, "gap"),
            _text(x + 48, floor + 26, name),
        ]
    body += [
        _text(318, 108, "KL(q ‖ p(z|x))", "small road"),
        _arrow("flow", "M270 180H378"),
        _text(322, 168, "change q", "small"),
    ]
    return _shown(740, 286, said, body)


def recipes() -> str:
    """Cakes and recipes: an autoencoder's point and a VAE's cloud, and the density from which new recipes can be drawn.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "Above, an autoencoder: the guesser, which is the encoder, writes a recipe of a cake, one point of a plane; the baker, "
        "which is the decoder, bakes the cake again from that point alone. The recipes of all cakes lie about, and no density "
        "says where new ones could be drawn. Below, a VAE: the guesser writes a cloud of recipes, and the baker works from one "
        "draw of it. Training keeps the clouds near a known density, the prior; new recipes are drawn there, and the baker bakes "
        "them as well."
    )
    points = ((12, 62), (20, 20), (27, 68), (36, 12), (40, 48), (56, 70), (78, 22), (92, 14), (98, 58), (104, 66))
    clouds = ((38, 34, 15, 9), (58, 58, 8, 13), (70, 28, 12, 8), (82, 50, 12, 9), (56, 38, 10, 10))
    first, second, plane = 100, 262, 268  # the lines that the two flow along, and the left side of the planes
    body = [
        _text(52, 22, "cake x"),
        _text(plane + 56, 22, "recipe z"),
        _text(612, 22, "cake x̂"),
    ]
    for middle, name, guesser in ((first, "autoencoder", "guesser f"), (second, "VAE", "guesser q(z|x)")):
        body += [
            _text(52, middle - 44, name, "small"),
            _image(16, middle),
            _arrow("flow", f"M92 {middle}H118"),
            _box(122, middle - 28, 114, 56, guesser),
            _arrow("flow", f"M240 {middle}H264"),
            f'<rect class="box" x="{plane}" y="{middle - 40}" width="112" height="80" rx="3"/>',
            _arrow("flow", f"M384 {middle}H436"),
            _box(440, middle - 28, 104, 56, "baker g"),
            _arrow("flow", f"M548 {middle}H572"),
            _image(576, middle),
        ]
    body += [
        *(
            f'<circle class="word" cx="{plane + x}" cy="{first - 40 + y}" r="{6 if x == 40 else 3.5}" fill="{_WORDS[x == 40]}"/>'
            for x, y in points
        ),
        _text(plane + 56, first + 58, "one point for each cake", "small"),
        _text(454, first - 44, "where to draw a new one?", "small road"),
        *(
            f'<ellipse class="word" cx="{plane + x}" cy="{second - 40 + y}" rx="{wide}" ry="{high}" fill="{_WORDS[x == 38]}" '
            'fill-opacity="0.55"/>'
            for x, y, wide, high in clouds
        ),
        f'<circle class="back" cx="{plane + 58}" cy="{second}" r="37"/>',
        _text(plane + 56, second + 58, "a cloud for each cake", "small"),
        _arrow("back", f"M{plane + 80} {second - 30}C{plane + 100} {second - 66} 492 {second - 80} 492 {second - 32}"),
        _text(446, second - 78, "draw new ones from the prior p(z)", "small road"),
    ]
    return _shown(672, 334, said, body)


def two_gradients() -> str:
    """The two ways to differentiate a mean over draws (Mohamed et al. 2020): the weights of the draws move, or the draws do.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "The mean of a distribution moves to the right, in two pictures. On the left, the score function: the drawn points stay where they "
        "are and their weights move; those on the right count for more, those on the left for less. On the right, the pathwise gradient: "
        "every point keeps its weight and moves to the right along the hill f, by the same step."
    )
    spots = (-1.5, -0.75, 0.0, 0.75, 1.5)
    ground, unit = 210, 56  # the line that the points stand on, and the pixels of one standard deviation

    def bell(middle: float, shift: float) -> str:
        steps = [k / 10 for k in range(-28, 29)]
        places = (f"{middle + unit * (t + shift):.1f} {ground - 110 * exp(-t * t / 2):.1f}" for t in steps)
        return "M" + "L".join(places)

    def hill(x: float) -> float:
        """The height of f over a place, in standard deviations from the middle of the right picture."""
        return 176 - 92 * exp(-((x - 1.6) ** 2) / 4)

    left, right = 195, 595
    body = [
        _text(left, 26, "score function: weights move"),
        _text(right, 26, "pathwise: points move"),
        f'<path class="blank" d="{bell(left, 0)}"/><path class="curve" d="{bell(left, 0.45)}"/>',
        *(f'<path class="curve" d="M{middle - 170} {ground}H{middle + 170}"/>' for middle in (left, right)),
    ]
    for t in spots:
        x = left + unit * t
        old, new = (ground - 110 * exp(-((t - shift) ** 2) / 2) for shift in (0, 0.45))
        body += [f'<circle class="dot" cx="{x}" cy="{ground}" r="6"/>', _arrow("back", f"M{x} {old:.1f}V{new:.1f}")]
    steps = [k / 10 for k in range(-28, 29)]
    road = "L".join(f"{right + unit * t:.1f} {hill(t):.1f}" for t in steps)
    body.append(f'<path class="curve" d="M{road}"/>')
    for t in spots:
        x, y = right + unit * t, hill(t)
        to, height = right + unit * (t + 0.45), hill(t + 0.45)
        body += [
            f'<circle class="dot" cx="{x}" cy="{y:.1f}" r="6"/>',
            _arrow("back", f"M{x} {y:.1f}L{to:.1f} {height:.1f}"),
        ]
    body += [
        _text(left, 240, "the points stay, the density q moves over them", "small"),
        _text(right, 240, "each point takes a step, along the slope of f", "small"),
        _text(right + 166, 106, "f", "small"),
        _text(left + 82, 118, "q", "small"),
    ]
    return _shown(790, 258, said, body)


def course_map() -> str:
    """The nine notebooks in their order, and what a digit becomes in each.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "A digit goes from notebook to notebook. In 00 it is a tensor of pixels; 01 makes a point and then a cloud of it, 02 a bound in "
        "nats; 03 is about gradients through a random draw, 04 about scores that can be trusted. From 04 two roads lead on: in 05 the "
        "digit is a page of words, in 06 it is written pixel by pixel. They meet in 07, which writes new pages and so new digits. In 08 "
        "errors hide in the formulas of all of them. Dashed: 04 and 05 need a section of 03."
    )
    middle, wide, step = 150, 104, 126  # the line that most lie on, the width of a box, and from one to the next
    stops = (
        (0, middle, "00 start", "pixels"),
        (1, middle, "01 VAE", "a point, a cloud"),
        (2, middle, "02 ELBO", "a bound"),
        (3, 54, "03 gradient", "through noise"),
        (3, middle, "04 training", "a fair score"),
        (4, 102, "05 VQ-VAE", "a page of words"),
        (4, 204, "06 PixelCNN", "pixel by pixel"),
        (5, middle, "07 priors", "new digits"),
        (5, 256, "08 bugs", "what is wrong?"),
    )
    left = [112 + step * k for k in range(6)]
    right = [x + wide + 2 for x in left]
    body = [_text(52, middle - 46, "a digit"), _image(16, middle), _arrow("flow", f"M92 {middle}H108")]
    for column, y, name, becomes in stops:
        x = left[column]
        body += [_box(x, y - 20, wide, 40, name), _text(x + wide / 2, y + 37, becomes, "small")]
    body += [_arrow("flow", f"M{right[k]} {middle}H{left[k + 1] - 4}") for k in (0, 1, 2)]
    body += [
        _arrow("flow", f"M{left[2] + 52} {middle - 24}C{left[2] + 52} 74 {right[2] - 10} 54 {left[3] - 4} 54"),
        _arrow("flow", f"M{right[3]} {middle - 6}L{left[4] - 4} 112"),
        _arrow("flow", f"M{right[3]} {middle + 6}L{left[4] - 4} 196"),
        _arrow("flow", f"M{right[4]} 112L{left[5] - 4} {middle - 6}"),
        _arrow("flow", f"M{right[4]} 196L{left[5] - 4} {middle + 6}"),
        _arrow("flow", f"M{left[5] + 52} 194V232"),
        _arrow("back", f"M{left[3] + 52} 98V{middle - 24}"),
        _arrow("back", f"M{right[3]} 54L{left[4] - 4} 92"),
        _text(left[4] + 52, 44, "needs a section of it", "small road"),
    ]
    return _shown(864, 306, said, body)


def _grid(x: float, y: float, kinds: list[str], size: int = 22) -> str:
    """Rows of pixels: s one that is seen, t the one at hand, b one in the blind spot, and any other one hidden."""
    classes = {"s": "seen", "t": "dot", "b": "gap"}
    return "".join(
        f'<rect class="{classes.get(kind, "blank")}" x="{x + size * j}" y="{y + size * i}" width="{size}" height="{size}"/>'
        for i, row in enumerate(kinds)
        for j, kind in enumerate(row)
    )


def masks() -> str:
    """An image drawn in reading order, and the two masks of a 3 x 3 kernel (van den Oord et al. 2016a, figures 1 and 2).

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "On the left, an image as it is drawn, row by row from the top left: the pixels before the one at hand are there, and its "
        "distribution is computed of them; those after it do not exist yet. On the right, two masks on a kernel of 3 x 3, of which each "
        "keeps the row above and the pixel to the left. Mask A hides the pixel itself, and is for the first layer; mask B shows it, and is "
        "for all layers after the first. Below and to the right both are 0."
    )
    image = ["sssssss", "sssssss", "sssssss", "ssst...", ".......", ".......", "......."]
    top = 56
    body = [
        _text(121, 30, "an image, half drawn"),
        _grid(44, top, image),
        _arrow("flow", f"M30 {top + 2}V{top + 70}"),
        _text(121, 232, "x₁ … xᵢ₋₁ are known", "small"),
        _text(121, 251, "pixel i is next, the rest is not there", "small"),
        _arrow("flow", "M212 132H288"),
        _text(250, 122, "kernel", "small"),
    ]
    for x, name, centre, words in (
        (310, "mask A", "0", "hides the centre: first layer"),
        (536, "mask B", "1", "shows it: all later layers"),
    ):
        row = "st." if centre == "1" else "s.."
        body += [_text(x + 66, 30, name), _grid(x, top, ["sss", row, "..."], 44)]
        digits = ("1", "1", "1", "1", centre, "0", "0", "0", "0")
        for k, digit in enumerate(digits):
            kind = "light" if k == 4 and digit == "1" else ""
            body.append(_text(x + 22 + 44 * (k % 3), top + 27 + 44 * (k // 3), digit, kind))
        body.append(_text(x + 66, 232, words, "small"))
    return _shown(704, 268, said, body)


def blind_spot() -> str:
    """What stacked masks never see, and the two stacks that see it (van den Oord et al. 2016b, figure 1).

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "Three pictures of an image with a pixel at hand. In the first, what a stack of four masked layers sees: all on "
        "the left, but on the right only what lies within a diagonal, one column further for each row up. The pixels to the right of the "
        "diagonal are the blind spot. In the second, a vertical stack sees all rows above, at full width. In the third, a horizontal stack "
        "sees the row at hand, to the left. The vertical stack hands its features to the horizontal one, and together they see everything "
        "before the pixel."
    )
    plain = ["sssssssss", "ssssssssb", "sssssssbb", "ssssssbbb", "sssst....", "........."]
    upper = ["sssssssss"] * 4 + ["....t....", "........."]
    level = ["........."] * 4 + ["sssst....", "........."]
    top, step = 52, 264
    names = ("masked layers, stacked", "vertical stack", "horizontal stack")
    body = [_text(115 + step * k, 30, words) for k, words in enumerate(names)]
    body += [_grid(16 + step * k, top, kinds) for k, kinds in enumerate((plain, upper, level))]
    body += [
        _text(115, 214, "orange: the blind spot", "small road"),
        _text(115 + step, 214, "the rows above, at full width", "small"),
        _text(115 + 2 * step, 214, "the row at hand, to the left", "small"),
        _arrow("flow", "M484 96H538"),
        _text(511, 84, "hands", "small"),
        _text(511, 116, "over", "small"),
    ]
    return _shown(760, 232, said, body)


def anatomy_of_a_check() -> str:
    """A check: inputs of its own, the code, an independent computation, a bound; and a planted slip, which has to be refused.

    Returns:
        the SVG's text; in a notebook it is shown as well, elsewhere what it shows is said.
    """
    said = (
        "A check has four parts. It chooses inputs for which right and wrong differ. They go through the code under test, of "
        "which values, gradients and modes can be seen, and through a computation that owes nothing to that code: another "
        "formula, a sum over all cases, a case known by heart. The two results are compared within a bound, and the check "
        "passes or raises. And a slip, planted where the code stands, has to be refused: it shows that the check can fail."
    )
    upper, lower, slip = 74, 166, 258  # the middles of the three rows
    body = [
        _text(82, 24, "1  inputs", "small"),
        _text(316, 24, "what is checked", "small"),
        _text(566, 24, "3  within a bound", "small"),
        _box(16, upper - 30, 132, 2 * 30 + lower - upper, ""),
        _text(82, 112, "chosen so that"),
        _text(82, 132, "right and wrong"),
        _text(82, 152, "differ"),
        _arrow("flow", f"M152 {upper}H200"),
        _arrow("flow", f"M152 {lower}H200"),
        _box(204, upper - 30, 224, 60, ""),
        _text(316, upper - 4, "the code"),
        _text(316, upper + 16, "values, gradients, modes", "small"),
        _box(204, lower - 30, 224, 60, ""),
        _text(316, lower - 4, "2  another computation"),
        _text(316, lower + 16, "that owes nothing to the code", "small"),
        _arrow("flow", f"M432 {upper}C470 {upper} 466 108 492 108"),
        _arrow("flow", f"M432 {lower}C470 {lower} 466 132 492 132"),
        _box(496, 90, 140, 60, "apart by ≤ ε ?"),
        _arrow("flow", "M640 120H676"),
        _text(728, 110, "✓ passes"),
        _text(728, 134, "✗ raises"),
        f'<rect class="gap" x="204" y="{slip - 26}" width="224" height="52" rx="6"/>',
        _text(316, slip + 5, "4  a planted slip"),
        _arrow("back", f"M204 {slip}C168 {slip} 168 {upper + 18} 198 {upper + 18}"),
        _arrow("back", f"M432 {slip}H728V146"),
        _text(580, slip - 10, "in the code's place: it must be refused", "small road"),
    ]
    return _shown(792, 300, said, body)
