"""The download command against a server on the loopback interface, in processes of its own."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import re
import signal
import socket
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
import torch
from fresh import Fresh
from machine import bound_by_modes, posix

from vaelib import data
from vaelib.classroom.checks import check
from vaelib.outside import downloads

DRIVER = """
import torchvision
from vaelib import data
from vaelib.outside import downloads
os.environ["VAELIB_DATA"] = root
for variable in ("http_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY"):
    os.environ.pop(variable, None)
os.environ.update(environment)
if most_bytes:  # a write past that fails, as on a full disk
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
for spec in downloads.REAL.values():
    source = getattr(torchvision.datasets, spec.torchvision_class)
    if issubclass(source, torchvision.datasets.MNIST):  # its files' format, from other addresses
        source.mirrors, source.resources = mirrors, resources
    else:  # a set without a row here must not be fetched from where it really lives
        for attribute, value in cifars[spec.torchvision_class].items():
            setattr(source, attribute, value)
downloads._TIMEOUT_S = timeout
sys.exit(downloads.main(["download", *names]))
"""


def md5(content):
    return hashlib.md5(content).hexdigest()


# sets in CIFAR-10's format: torchvision's class -> the labels in its pickles, and how many of each; those that are read come first
CIFARS = {"CIFAR10": {"labels": 10}}


def cifar(spec):
    """A set in CIFAR-10's format: its archive, and what torchvision's class is to know of it, ``url`` below the server's address.

    Image k is blank but for row 3, column 4, which has (k + 70 c) mod 251 in channel c; its labels are k mod how many there are.
    """
    import torchvision

    source = getattr(torchvision.datasets, spec.torchvision_class)
    packed, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:

        def add(name, held):
            content = pickle.dumps(held)
            sums[name] = md5(content)
            info = tarfile.TarInfo(f"{spec.folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        for train, batches in ((True, source.train_list), (False, source.test_list)):
            for (name, _), of in zip(batches, np.split(np.arange(spec.counts[train]), len(batches)), strict=True):
                pixels = np.zeros((len(of), 3, 32, 32), np.uint8)
                pixels[:, :, 3, 4] = (of[:, None] + 70 * np.arange(3)) % 251
                labels = {key: (of % n).tolist() for key, n in CIFARS[spec.torchvision_class].items()}
                add(name, {"data": pixels.reshape(len(of), 3072), **labels})
        add(source.meta["filename"], {source.meta["key"]: ["a", "b"]})
    return packed.getvalue(), {
        "url": source.filename,
        "tgz_md5": md5(packed.getvalue()),
        "train_list": [[name, sums[name]] for name, _ in source.train_list],
        "test_list": [[name, sums[name]] for name, _ in source.test_list],
        "meta": {**source.meta, "md5": sums[source.meta["filename"]]},
    }


@pytest.fixture(scope="module")
def files():
    """The real sets' files in miniature: right shapes, blank but for a few pixels, so that they pack small."""

    def idx(array):
        header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        return gzip.compress(header + array.tobytes(), 1)

    made = {}
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 3, 4] = np.arange(n) % 251
        made[f"{part}-images-idx3-ubyte.gz"] = idx(images)
        made[f"{part}-labels-idx1-ubyte.gz"] = idx((np.arange(n) % 10).astype(np.uint8))
    cifars = {}
    for spec in downloads.REAL.values():
        if spec.torchvision_class in CIFARS:
            archive, told = cifar(spec)
            made[told["url"]], cifars[spec.torchvision_class] = archive, told
    return made, cifars


class Server(http.server.ThreadingHTTPServer):
    """Serves the files; can cut or damage or stall one of them, and counts requests for bodies."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.fault, self.bodies = content, {}, []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        body = self.server.content.get(name)
        if body is None:
            self.send_error(404)
            return
        self.server.bodies.append(name)
        fault = self.server.fault.get(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            if fault == "stall":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                time.sleep(30)
            elif fault == "cut":
                self.wfile.write(body[: len(body) // 2])
            elif fault == "damage":
                self.wfile.write(body[:100] + bytes([body[100] ^ 1]) + body[101:])
            else:
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(files):
    with Server(files[0]) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def start(files, port, root, *names, timeout=10, most_bytes=None, before=(), environment=()):
    """``before``: ports of mirrors that are tried first."""
    made, cifars = files
    *others, url = [f"http://127.0.0.1:{number}/" for number in (*before, port)]
    return Fresh(
        DRIVER,
        root=str(root),
        names=names,
        mirrors=[*others, url],
        environment=dict(environment),
        resources=[(n, md5(b)) for n, b in made.items() if "ubyte" in n],
        cifars={name: {**told, "url": url + told["url"]} for name, told in cifars.items()},
        timeout=timeout,
        most_bytes=most_bytes,
    )


def sentence(err):
    """What the command said itself, below the progress bars."""
    return [line for line in err.replace("\r", "\n").splitlines() if line and "%|" not in line and "B/s" not in line]


def test_download_load_damage_repair(files, server, tmp_path):
    code, out, err = start(files, server.server_port, tmp_path, *downloads.REAL).finish()
    assert code == 0, err
    for name, spec in downloads.REAL.items():
        assert f"{name}: {spec.counts[True]:,} training and {spec.counts[False]:,} test images, whole" in out
    assert "%|" in err  # a progress bar
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]
    images = data.load("mnist", root=tmp_path)
    assert images.x.shape == (60_000, 1, 28, 28)
    assert images.x[7, 0, 3, 4] == 7

    server.bodies.clear()
    assert start(files, server.server_port, tmp_path, "mnist").finish()[0] == 0
    assert server.bodies == []  # there and whole: nothing is fetched

    target = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    content = target.read_bytes()
    for damaged in (content[:-1], content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]):
        target.write_bytes(damaged)
        with pytest.raises(
            data.DataError, match=r"mnist in .* is damaged .*run `python -m vaelib.data download mnist` to repair it"
        ):
            data.load("mnist", root=tmp_path)
    code, out, err = start(files, server.server_port, tmp_path, "mnist").finish()
    assert code == 0, err
    assert out.count("is damaged") == 1
    assert torch_equal(data.load("mnist", root=tmp_path).x, images.x)


def cifars_come_as_they_were_stored(module, root):
    for train, n in ((False, 10_000), (True, 50_000)):  # the small one first: planted errors show there
        for name in (name for name, spec in downloads.REAL.items() if spec.torchvision_class in CIFARS):
            x, y = module.read(name, train, root)
            k, (labels, *_) = torch.arange(n), CIFARS[downloads.REAL[name].torchvision_class].values()
            check("shape", x.shape == (n, 3, 32, 32) and x.dtype == torch.uint8 and y.dtype == torch.int64)
            check("the labels", y - k % labels, 0)
            check("red, green and blue", x[:, :, 3, 4].long() - (k[:, None] + 70 * torch.arange(3)) % 251, 0)
            check("and nothing else", x.sum() - x[:, :, 3, 4].sum(), 0)


def test_cifars_come_as_they_were_stored(files, tmp_path, monkeypatch, plant, caught):
    import torchvision

    made, cifars = files
    for name, told in cifars.items():
        with tarfile.open(fileobj=io.BytesIO(made[told["url"]])) as tar:
            tar.extractall(tmp_path, filter="data")
        for attribute, value in told.items():
            monkeypatch.setattr(getattr(torchvision.datasets, name), attribute, value)
    cifars_come_as_they_were_stored(downloads, tmp_path)
    for old, new in (
        ("permute(0, 3, 1, 2)", "permute(0, 3, 2, 1)"),
        ("permute(0, 3, 1, 2)", "flip(3).permute(0, 3, 1, 2)"),
        ("torch.as_tensor(dataset.targets)", "torch.as_tensor(dataset.targets) // 2"),
    ):
        mutant = plant("vaelib.outside.downloads", old, new)
        caught(f"{old} -> {new}", lambda mutant=mutant: cifars_come_as_they_were_stored(mutant, tmp_path))


def torch_equal(a, b):
    return a.shape == b.shape and bool((a == b).all())


@pytest.mark.parametrize("fault", ["cut", "damage"])
def test_a_bad_transfer_is_said_and_the_next_run_repairs_it(files, server, tmp_path, fault):
    server.fault["t10k-images-idx3-ubyte.gz"] = fault
    code, _, err = start(files, server.server_port, tmp_path, "mnist").finish()
    assert code == 1
    assert len(sentence(err)) == 1, err
    assert "was not downloaded" in sentence(err)[0]
    assert not (tmp_path / "MNIST").exists()
    with pytest.raises(data.DataError, match="mnist is not in"):
        data.load("mnist", root=tmp_path)
    server.fault.clear()
    server.bodies.clear()
    code, _, err = start(files, server.server_port, tmp_path, "mnist").finish()
    assert code == 0, err
    assert server.bodies.count("train-images-idx3-ubyte.gz") == 0  # what had arrived whole was kept


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_download_is_never_taken_for_whole(files, server, tmp_path, how):
    server.fault["train-labels-idx1-ubyte.gz"] = "stall"
    process = start(files, server.server_port, tmp_path, "mnist", timeout=60)
    for _ in range(3000):
        if "train-labels-idx1-ubyte.gz" in server.bodies:
            break
        time.sleep(0.02)
    time.sleep(0.2)
    process.kill(how)
    code, _, err = process.finish()
    assert code == (130 if how == signal.SIGINT else -9)
    if how == signal.SIGINT:
        assert "stopped; what arrived whole is kept" in err
    assert not (tmp_path / "MNIST").exists()
    # half-unpacked leavings of the killed run must not be trusted either
    raw = tmp_path / "MNIST.partial" / "MNIST" / "raw"
    for name in ("train-images", "t10k-images"):
        (raw / f"{name}-idx3-ubyte").write_bytes(b"half")
    for name in ("train-labels", "t10k-labels"):
        (raw / f"{name}-idx1-ubyte").write_bytes(b"half")
    server.fault.clear()
    code, _, err = start(files, server.server_port, tmp_path, "mnist").finish()
    assert code == 0, err
    assert data.load("mnist", root=tmp_path).x.shape == (60_000, 1, 28, 28)
    assert not (tmp_path / "MNIST.partial").exists()


def test_two_processes_at_once_do_no_harm(files, server, tmp_path):
    both = [start(files, server.server_port, tmp_path, "mnist") for _ in range(2)]
    for process in both:
        code, _, err = process.finish()
        assert code == 0, err
    assert (
        server.bodies.count("train-images-idx3-ubyte.gz") <= 2
    )  # a body, and the look before it at where it redirects
    assert data.load("mnist", root=tmp_path).x.shape == (60_000, 1, 28, 28)


def test_no_network_is_one_sentence_in_seconds(files, tmp_path):
    began = time.perf_counter()
    code, _, err = start(files, 9, tmp_path, "mnist").finish()  # nothing listens on port 9
    assert code == 1
    assert len(sentence(err)) == 1, err
    assert "was not downloaded" in sentence(err)[0]
    assert time.perf_counter() - began < 30
    assert not (tmp_path / "MNIST").exists()


def test_a_silent_server_does_not_hang(files, server, tmp_path):
    server.fault["train-images-idx3-ubyte.gz"] = "stall"
    began = time.perf_counter()
    code, _, err = start(files, server.server_port, tmp_path, "mnist", timeout=1).finish()
    assert code == 1
    assert len(sentence(err)) == 1, err
    assert time.perf_counter() - began < 30


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_that_looks_whole(files, server, tmp_path, name):
    code, _, err = start(files, server.server_port, tmp_path, name, most_bytes=50_000).finish()
    assert code == 1
    assert len(sentence(err)) == 1, err
    assert "could not be fetched or written" in sentence(err)[0]
    assert not (tmp_path / downloads.REAL[name].folder).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no /proc")
def test_a_read_only_folder_is_one_sentence(files, server):
    code, _, err = start(files, server.server_port, "/proc/vaelib", "mnist").finish()
    assert code == 1
    assert len(sentence(err)) == 1, err
    assert "could not be fetched or written to /proc/vaelib" in sentence(err)[0]


def test_a_data_folder_that_is_a_file_is_one_sentence(files, server, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = start(files, server.server_port, tmp_path / "file", "mnist").finish()
    assert code == 1
    assert sentence(err) == [f"VAELIB_DATA is {str(tmp_path / 'file')!r}, a file: give a folder for the image sets."]


ANSWERS = {  # that are not HTTP, or not all of it -> words of the sentence
    "another protocol": (b"SSH-2.0-\x1b[31mx\r\n", "a bad answer: SSH-2.0-?[31mx"),
    "a page of text": (b"Welcome " * 1000 + b"\r\n", "a bad answer: Welcome"),
    "a long line": (b"x" * 70_000 + b"\r\n", "a bad answer: "),
    "a long header": (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n", "a bad answer: got more than"),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "a bad answer: got more than"),
    "no chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nhalf", "a bad answer: IncompleteRead"),
    "chunks of no size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhalf", "a bad answer: "),
    "nothing": (b"", ""),
    "a page": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLogin", "(File not found or corrupted)"),
    "its own words": (b"HTTP/1.1 500 \x1b[31mNo\r\nContent-Length: 0\r\n\r\n", "(HTTP Error 500: ?[31mNo)"),
    "a way to nowhere": (b"HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n", ""),
}


@pytest.fixture
def answering():
    """``answering(reply)``: the port of a server that says this to whoever connects, and hangs up; None: that stays silent."""
    sockets = []

    def begin(reply):
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    sockets.append(connection)
                    if reply is not None:
                        connection.recv(10_000)
                        connection.sendall(reply)
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return listening.getsockname()[1]

    yield begin
    for each in sockets:
        each.close()


def told_once(code, err, words):
    assert code == 1, err
    assert len(sentence(err)) == 1, err
    (line,) = sentence(err)
    assert line.isprintable()
    assert len(line) < 500
    assert re.match("[a-z0-9]+ was not downloaded: it could not be fetched or written to .*. Mend that, then run", line)
    assert words in line


def test_an_answer_that_is_not_http_is_one_sentence(files, answering, tmp_path):
    for kind, (reply, words) in ANSWERS.items():
        code, _, err = start(files, answering(reply), tmp_path / kind, "mnist").finish()
        told_once(code, err, words)
    code, _, err = start(files, answering(ANSWERS["another protocol"][0]), tmp_path, "cifar10").finish()
    told_once(code, err, "SSH-2.0")


def test_a_mirror_that_fails_is_followed_by_the_next(files, server, answering, tmp_path):
    bad = [answering(reply) for reply in (None, *(reply for reply, _ in ANSWERS.values()))]
    code, out, err = start(files, server.server_port, tmp_path, "mnist", before=[9, *bad], timeout=1).finish()
    assert code == 0, err
    assert "mnist: 60,000 training and 10,000 test images, whole" in out
    assert data.load("mnist", root=tmp_path).x[7, 0, 3, 4] == 7


def test_a_mirror_that_has_half_of_it_is_followed_by_the_next(files, tmp_path):
    """The second mirror gives what the first had not; what the first gave stays."""
    first, second = (Server({**files[0]}) for _ in range(2))
    del first.content["t10k-images-idx3-ubyte.gz"]
    with first, second:
        for each in (first, second):
            threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
        code, _, err = start(files, second.server_port, tmp_path, "mnist", before=[first.server_port]).finish()
        assert code == 0, err
        assert set(second.bodies) == {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}
        first.shutdown(), second.shutdown()


PROXIES = {  # as people set them -> words of the sentence
    "127.0.0.1:{port}": "a bad answer: SSH-2.0",
    "127.0.0.1:9": "Connection refused",
    "host:port": "a bad address: nonnumeric port: 'port'",
    "://": "a bad address",
    "http://.a..b:1": "label empty or too long",
}


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_that_is_none_is_one_sentence(files, answering, tmp_path, proxy):
    given = proxy.format(port=answering(ANSWERS["another protocol"][0]))
    code, _, err = start(files, 9, tmp_path, "mnist", environment={"http_proxy": given}).finish()
    told_once(code, err, PROXIES[proxy])


@pytest.fixture
def laid_out(files, shared, monkeypatch):
    """MNIST in a folder of another user's, by hand."""
    import torchvision  # noqa: F401 -- another user may not be able to load it

    raw = shared / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files[0].items():
        if "ubyte" in name:
            (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    monkeypatch.setenv("VAELIB_DATA", str(shared))
    return raw


@posix
def test_who_may_not_write_is_told_that_a_set_is_whole(laid_out, shared, capsys):
    shared.chmod(0o555)
    with bound_by_modes():
        assert downloads.main(["download", "mnist"]) == 0
    assert capsys.readouterr() == (f"mnist: 60,000 training and 10,000 test images, whole, in {shared}\n", "")
    assert [p.name for p in shared.iterdir()] == ["MNIST"]  # no lock

    (laid_out / "train-labels-idx1-ubyte").write_bytes(b"damaged")
    with bound_by_modes():
        assert downloads.main(["download", "mnist"]) == 1
    (line,) = sentence(capsys.readouterr().err)
    assert line == (
        f"mnist was not downloaded: it could not be fetched or written to {shared} (Permission denied). "
        "Mend that, then run it again."
    )


@posix
@pytest.mark.parametrize("closed", ["train-labels-idx1-ubyte", "../../MNIST"])
def test_a_set_that_may_not_be_read_is_left_as_it_is(laid_out, shared, capsys, closed):
    path = (laid_out / closed).resolve()
    path.chmod(0o000)
    try:
        with bound_by_modes():
            for _ in range(2):
                with pytest.raises(
                    data.DataError, match=rf"^mnist: {path}.* may not be read by you: its owner can change that\.$"
                ):
                    data.load("mnist")
                assert downloads.main(["download", "mnist"]) == 1
            assert "may not be read by you" in capsys.readouterr().err
    finally:
        path.chmod(0o755)
    assert [p.name for p in shared.iterdir()] == ["MNIST"]
    assert data.load("mnist").x.shape == (60_000, 1, 28, 28)
