"""Drawings of ideas, as SVG: what a figure cannot show because nothing was computed. Each is one call, and says in words what is seen.

They bring a ground of their own, so that they can be read on a light page and on a dark one, and change their colours where the reader's
system asks for dark. Size and text scale with the page.
"""

from html import escape

from vaelib.outside.console import in_notebook, say

# boxes, what is learned, what the gradient does: Okabe & Ito's blue, orange and vermilion, as in plots
_STYLE = """
.ground{fill:#fff}.box{fill:#eef3f8;stroke:#0072B2;stroke-width:1.5}.word{stroke:#444;stroke-width:.7}
.flow{stroke:#222;stroke-width:2;fill:none;marker-end:url(#flow)}.flowhead{fill:#222}
.back{stroke:#D55E00;stroke-width:2.2;fill:none;stroke-dasharray:7 4;marker-end:url(#back)}.backhead{fill:#D55E00}
.blank{fill:none;stroke:#888;stroke-dasharray:3 2}text{font:15px system-ui,sans-serif;fill:#111;text-anchor:middle}.small{font-size:13px}
.digit{font-size:34px;font-weight:600}.road{fill:#A84300}
@media (prefers-color-scheme:dark){.ground{fill:#1b1f24}.box{fill:#22303d;stroke:#56B4E9}.word{stroke:#ccc}.blank{stroke:#999}
.flow{stroke:#ddd}.flowhead{fill:#ddd}
.back{stroke:#F0874A}.backhead{fill:#F0874A}text{fill:#eee}.road{fill:#F5A27A}}
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


def _show(svg: str, said: str) -> str:
    if in_notebook():
        from IPython.display import display

        display({"image/svg+xml": svg, "text/plain": f"Drawing: {said}"}, raw=True)
    else:
        say(f"Drawing: {said}")
    return svg


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, words: str) -> str:
    label = _text(x + width / 2, y + height / 2 + 5, words)
    return f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{label}'


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
        f'<rect class="box" x="16" y="{row}" width="72" height="72" rx="3"/>',
        _text(52, middle + 9, "7", "digit"),
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
        f'<rect class="box" x="744" y="{row}" width="72" height="72" rx="3"/>',
        _text(780, middle + 9, "7", "digit"),
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
    return _show(_svg(832, 284, said, "".join(body)), said)


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
        f'<rect class="box" x="24" y="{first - 36}" width="72" height="72" rx="3"/>',
        _text(60, first + 11, "7", "digit"),
        _arrow("flow", f"M100 {first}H150"),
        _box(154, first - 28, 104, 56, "encoder"),
        _arrow("flow", f"M262 {first}H316"),
        _text(356, 22, "its page"),
        _page(320, first - 36, words),
        _arrow("flow", f"M396 {first}H476"),
        _box(480, first - 28, 104, 56, "decoder"),
        _arrow("flow", f"M588 {first}H640"),
        f'<rect class="box" x="644" y="{first - 36}" width="72" height="72" rx="3"/>',
        _text(680, first + 11, "7", "digit"),
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
    return _show(_svg(740, 286, said, "".join(body)), said)
