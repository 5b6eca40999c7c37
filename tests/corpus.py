"""Picture files of many kinds, made without Pillow, and their pixels as other decoders than Pillow read them.

A case is a file's name, its bytes, and the samples that an independent decoder finds in it, brought to 8 bits over white as `data.load`
promises. None stands for what has no such reading: `data.load` has to skip it.
"""

import io
import itertools
import struct
import warnings
import zlib

import imagecodecs
import numpy as np
import png
import tifffile

HEIGHT, WIDTH = 9, 11
RNG = np.random.default_rng(15)


def samples(*channels, bits=8):
    """Random samples, with black and white among them; `channels` may be empty."""
    values = RNG.integers(0, 2**bits, (HEIGHT, WIDTH, *channels))
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def to_8_bits(values, bits):
    """Grey of more than 8 bits is scaled; of colours the upper 8 bits are kept."""
    values = values.astype(np.int64)
    if bits > 8 and values.ndim == 3 and values.shape[-1] in (2, 3, 4):
        return values >> (bits - 8)
    return np.rint(values * 255 / (2**bits - 1)).astype(np.int64)


def over_white(values, alpha):
    """Lay 8-bit values over white; alpha is an array of 0 to 255."""
    share = alpha / 255
    share = share[..., None] if values.ndim == 3 else share
    return np.rint(values * share + 255 * (1 - share)).astype(np.int64)


def flattened(values, bits):
    """Samples with perhaps an alpha channel, to 8 bits over white."""
    values = to_8_bits(values, bits)
    if values.ndim == 3 and values.shape[-1] in (2, 4):
        return over_white(np.squeeze(values[..., :-1], -1) if values.shape[-1] == 2 else values[..., :-1], values[..., -1])
    return values


# PNG, written and read by pypng.


def write_png(values, *, bits=8, interlace=False, **options):
    channels = values.shape[2] if values.ndim == 3 else 1
    file = io.BytesIO()
    options = {"greyscale": channels < 3, "alpha": channels in (2, 4)} | options
    if "palette" in options:
        del options["greyscale"], options["alpha"]
    writer = png.Writer(WIDTH, HEIGHT, bitdepth=bits, interlace=interlace, **options)
    writer.write_array(file, values.ravel().tolist()) if interlace else writer.write(file, values.reshape(HEIGHT, -1).tolist())
    return file.getvalue()


def read_png(content):
    """The pixels as pypng reads them, over white; what tRNS names is transparent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a checksum that is to be wrong
        width, height, rows, info = png.Reader(bytes=content).read(lenient=True)
    values = np.array([list(row) for row in rows]).reshape(height, width, -1)
    bits = info["bitdepth"]
    if "palette" in info:
        colours = np.array([colour if len(colour) == 4 else (*colour, 255) for colour in info["palette"]])[values[..., 0]]
        return over_white(colours[..., :3], colours[..., 3])
    seen = flattened(values if values.shape[-1] > 1 else values[..., 0], bits)
    if "transparent" in info:
        clear = (values == np.array(info["transparent"])).all(axis=-1)
        seen[clear] = 255
    return seen


def chunk(kind, content, *, right=True):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ (not right))


def after_header(content, *chunks):
    """Put chunks between a PNG's header and the rest."""
    return content[:33] + b"".join(chunks) + content[33:]


def pngs():
    for bits, interlace in itertools.product((1, 2, 4, 8, 16), (False, True)):
        values = samples(bits=bits)
        how = f"{bits} bits{', interlaced' * interlace}"
        yield f"grey of {how}.png", write_png(values, bits=bits, interlace=interlace)
        for clear in {1 % 2**bits, 2**bits - 2 if bits > 1 else 0, int(values[4, 4])}:
            yield f"grey of {how}, clear {clear}.png", write_png(values, bits=bits, interlace=interlace, transparent=clear)
    for channels, bits, interlace in itertools.product((2, 3, 4), (8, 16), (False, True)):
        values = samples(channels, bits=bits)
        how = f"{channels} channels of {bits} bits{', interlaced' * interlace}"
        yield f"{how}.png", write_png(values, bits=bits, interlace=interlace)
        if channels == 3:
            clear = tuple(int(value) for value in values[4, 4])
            yield f"{how}, one clear.png", write_png(values, bits=bits, interlace=interlace, transparent=clear)
    for bits, interlace, alpha in itertools.product((1, 2, 4, 8), (False, True), (False, True)):
        palette = [tuple(int(v) for v in RNG.integers(0, 256, 3 + alpha)) for _ in range(2**bits)]
        how = f"palette of {bits} bits{', interlaced' * interlace}{', alpha' * alpha}"
        yield f"{how}.png", write_png(samples(bits=bits), bits=bits, interlace=interlace, palette=palette)
    grey = write_png(samples())
    text = b"Comment\0" + bytes(RNG.integers(32, 127, 2_000_000, dtype="uint8"))
    yield "long text.png", after_header(grey, chunk(b"tEXt", text))
    yield "long packed text.png", after_header(grey, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000))))
    yield "long profile.png", after_header(grey, chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(20_000_000))))
    yield "wrong text checksum.png", after_header(grey, chunk(b"tEXt", b"Comment\0a", right=False))
    yield "wrong profile.png", after_header(grey, chunk(b"iCCP", b"profile\0\0not zlib"))
    yield "significant bits.png", after_header(grey, chunk(b"sBIT", b"\x04"))
    yield "gamma.png", after_header(grey, chunk(b"gAMA", struct.pack(">I", 45455)))
    yield "background.png", after_header(write_png(samples(2)), chunk(b"bKGD", b"\0\0"))
    yield "bytes behind.png", grey + b"bytes behind the end"


# TIFF, written and read by tifffile.


def write_tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **({"photometric": "minisblack", "metadata": None} | options))
    return file.getvalue()


def read_tiff(content):
    """The first page as tifffile reads it, over white."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        values = page.asarray()
        bits, kind = page.bitspersample, page.photometric.name
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        if kind == "PALETTE":
            return to_8_bits(page.colormap.T[values], 16) if bits <= 8 else None
        colours = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3, "SEPARATED": 4}[kind]
        known = page.samplesperpixel == colours + len(page.extrasamples) and page.sampleformat in (1, None)
        if not known or bits > 16:
            return None
        values = values.reshape(HEIGHT, WIDTH, -1)
        eight = to_8_bits(values[..., 0] if colours == 1 and not page.extrasamples else values, bits)
        if values.shape[-1] > 1 and bits > 8:
            eight = values.astype(np.int64) >> (bits - 8)
        if kind == "MINISWHITE":
            eight = 255 - eight
        if kind == "SEPARATED":
            inks, black = 255 - eight[..., :3], 255 - eight[..., 3:4]
            return np.rint(inks * black / 255)
        seen = eight if eight.ndim == 2 else np.squeeze(eight[..., :colours], -1) if colours == 1 else eight[..., :3]
        if page.extrasamples and page.extrasamples[0] == 2:
            return over_white(seen, eight[..., colours])
        if page.extrasamples and page.extrasamples[0] == 1:  # the colours are multiplied by alpha already
            alpha = eight[..., colours]
            return np.clip(seen + (255 - (alpha[..., None] if seen.ndim == 3 else alpha)), 0, 255)
        return seen


def premultiplied(values, bits):
    alpha = values[..., -1:].astype(np.int64)
    colours = values[..., :-1].astype(np.int64) * alpha // (2**bits - 1)
    return np.concatenate([colours, alpha], axis=-1).astype(values.dtype)


def tiffs():
    packings = {"plain": {}, "deflate": {"compression": "zlib"}, "lzw": {"compression": "lzw"}, "packbits": {"compression": "packbits"}}
    for bits, order, packing, kind in itertools.product((8, 16), "<>", packings, ("minisblack", "miniswhite")):
        yield (
            f"{bits} bits, {order}, {packing}, {kind}.tif",
            write_tiff(samples(bits=bits), byteorder=order, photometric=kind, **packings[packing]),
        )
    for bits, order, packing, planar in itertools.product((8, 16), "<>", packings, ("contig", "separate")):
        values = samples(3, bits=bits)
        values = values if planar == "contig" else np.moveaxis(values, -1, 0)
        yield (
            f"colour of {bits} bits, {order}, {packing}, {planar}.tif",
            write_tiff(values, byteorder=order, photometric="rgb", planarconfig=planar, **packings[packing]),
        )
    for order, kind in itertools.product("<>", ("minisblack", "miniswhite")):
        yield f"1 bit, {order}, {kind}.tif", write_tiff(samples(bits=1).astype(bool), byteorder=order, photometric=kind)
    for bits, order, extra, colours in itertools.product((8, 16), "<>", ("unspecified", "assocalpha", "unassalpha"), (1, 3)):
        values = samples(colours + 1, bits=bits)
        values = premultiplied(values, bits) if extra == "assocalpha" else values
        yield (
            f"{colours} and {extra} of {bits} bits, {order}.tif",
            write_tiff(
                values, byteorder=order, photometric="rgb" if colours == 3 else "minisblack", planarconfig="contig", extrasamples=[extra]
            ),
        )
        yield (
            f"{colours} and {extra} of {bits} bits, {order}, in planes.tif",
            write_tiff(
                np.ascontiguousarray(np.moveaxis(values, -1, 0)),
                byteorder=order,
                photometric="rgb" if colours == 3 else "minisblack",
                planarconfig="separate",
                extrasamples=[extra],
            ),
        )
    for dtype, order in itertools.product(("i1", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8"), "<>"):
        yield f"{dtype}, {order}.tif", write_tiff(samples(bits=7).astype(dtype), byteorder=order)
    for bands in (4, 5, 7):
        yield f"{bands} bands.tif", write_tiff(samples(bands), planarconfig="contig")
    for dtype in ("i1", "i2", "f4"):
        yield f"colour of {dtype}.tif", write_tiff(samples(3, bits=7).astype(dtype), photometric="rgb")
    for bits in (8, 16):
        colour = samples(3, bits=bits)
        yield f"inks of {bits} bits.tif", write_tiff(samples(4, bits=bits), photometric="separated", planarconfig="contig")
        yield f"predictor of {bits} bits.tif", write_tiff(samples(bits=bits), compression="zlib", predictor=True)
        yield (
            f"predictor of {bits} bits, colour.tif",
            write_tiff(colour, compression="lzw", predictor=True, photometric="rgb"),
        )
        yield f"tiles of {bits} bits.tif", write_tiff(samples(bits=bits), tile=(16, 16))
        yield f"tiles of {bits} bits, colour.tif", write_tiff(samples(3, bits=bits), tile=(16, 16), photometric="rgb", compression="zlib")
        yield f"strips of {bits} bits.tif", write_tiff(samples(bits=bits), rowsperstrip=2)
        yield f"large file of {bits} bits.tif", write_tiff(samples(bits=bits), bigtiff=True)
        yield f"two pages of {bits} bits.tif", write_tiff(np.stack([samples(bits=bits), samples(bits=bits)]))
    palette = RNG.integers(0, 256, (3, 256)).astype("uint16") * 257
    yield "palette.tif", write_tiff(samples(), photometric="palette", colormap=palette)
    yield "zstd.tif", write_tiff(samples(), compression="zstd")
    yield "lzma.tif", write_tiff(samples(), compression="lzma")


# BMP, written by hand: there is only one way to read it.


def bmp(bits, rows, *, height=HEIGHT, compression=0, masks=b"", palette=b""):
    offset = 54 + len(masks) + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(rows), 2835, 2835, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + masks + palette + rows


def padded(rows):
    return b"".join(bytes(row) + bytes(-len(row) % 4) for row in rows)


def bmps():
    colour, palette = samples(3), RNG.integers(0, 256, (256, 4)).astype("uint8")
    bottom_up = colour[::-1, :, ::-1]  # rows from the bottom, blue first
    yield "24 bits.bmp", bmp(24, padded(bottom_up.reshape(HEIGHT, -1))), colour
    yield "top down.bmp", bmp(24, padded(colour[..., ::-1].reshape(HEIGHT, -1)), height=-HEIGHT), colour
    for fourth in (0, 77, 255):
        rows = np.concatenate([bottom_up, np.full((HEIGHT, WIDTH, 1), fourth, "uint8")], axis=-1)
        yield f"32 bits, the fourth unused and {fourth}.bmp", bmp(32, padded(rows.reshape(HEIGHT, -1))), colour
    for bits in (1, 4, 8):
        values = samples(bits=bits)
        rows = imagecodecs.packints_encode(values[::-1].copy(), bits, runlen=WIDTH) if bits < 8 else values[::-1].tobytes()
        rows = padded(np.frombuffer(rows, "uint8").reshape(HEIGHT, -1))
        yield f"palette of {bits} bits.bmp", bmp(bits, rows, palette=palette[: 2**bits].tobytes()), palette[values][..., 2::-1]
    for name, shifts, widths in (("555", (10, 5, 0), (5, 5, 5)), ("565", (11, 5, 0), (5, 6, 5))):
        fields = np.stack([RNG.integers(0, 2**width, (HEIGHT, WIDTH)) for width in widths], axis=-1)
        packed = sum(fields[..., i] << shifts[i] for i in range(3)).astype("<u2")[::-1]
        masks = b"" if name == "555" else struct.pack("<III", 0xF800, 0x07E0, 0x001F)
        expected = np.stack([np.floor(fields[..., i] * 255 / (2 ** widths[i] - 1)) for i in range(3)], axis=-1)
        rows = padded(packed.view("uint8").reshape(HEIGHT, -1))
        yield f"16 bits, {name}.bmp", bmp(16, rows, compression=3 if masks else 0, masks=masks), expected


# The others, written and read by imagecodecs.


def others():
    grey, colour, inks = samples(), samples(3), samples(4)
    for name, content in {
        "grey.jpg": imagecodecs.jpeg8_encode(grey, level=95),
        "colour.jpg": imagecodecs.jpeg8_encode(colour, level=95, subsampling="444"),
        "colour, halved.jpg": imagecodecs.jpeg8_encode(colour, level=95, subsampling="420"),
        "colour without YCbCr.jpg": imagecodecs.jpeg8_encode(colour, level=95, colorspace="rgb", outcolorspace="rgb"),
    }.items():
        yield name, content, imagecodecs.jpeg8_decode(content)
    yield "12 bits.jpg", imagecodecs.jpeg8_encode(samples(bits=12), level=95, bitspersample=12), None
    yield "lossless.jpg", imagecodecs.ljpeg_encode(grey), grey
    for name, content in {
        "colour.webp": imagecodecs.webp_encode(colour, lossless=True),
        "alpha.webp": imagecodecs.webp_encode(inks, lossless=True),
        "lossy.webp": imagecodecs.webp_encode(colour, level=80),
    }.items():
        yield name, content, flattened(imagecodecs.webp_decode(content), 8)
    content = imagecodecs.gif_encode(grey)
    yield "grey.gif", content, imagecodecs.gif_decode(content, index=0)


def others_by_name():
    return {name: content for name, content, _ in others()}


def cases():
    """All of them: name, bytes, expected pixels or None."""
    for name, content in pngs():
        yield name, content, read_png(content)
    for name, content in tiffs():
        yield name, content, read_tiff(content)
    yield from bmps()
    yield from others()
