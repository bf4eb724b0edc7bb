"""Files that make their reader read others, or take what the machine has.

The attacks: a text that begins as GeoJSON and goes on as a virtual format (GDAL asks every driver
whether it knows a file) names a file of the server (``CSV:`` + path), an address (``/vsicurl/``)
or an archive (``/vsizip/``); an archive holds a symbolic link; a small picture, workbook or
GeoPackage takes minutes or gigabytes to read.
"""

import http.server
import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely
from PIL import Image

from data.conversions import nothing
from data.errors import SourceError
from data.gdal import _ALL, only
from data.pictures import STAFF_PIXELS, redrawn
from data.readers import read_table, read_vector
from data.sandbox import TABLE, ConversionError, Limits, convert, protection
from tests.conftest import ROOT
from tests.hostile import (
    gpkg_with_recursive_view,
    jpeg_with_scans,
    png_that_unpacks,
    vrt,
    workbook_that_unpacks,
    zip_with_link,
)

SECRET = "lon,lat\n118.5,32.5\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = folder / "secret.csv"
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp", ".vrt", ".csv"])
@pytest.mark.parametrize("source", ["CSV:{}", "{}", "/vsizip/{}", "/vsicurl/http://127.0.0.1:9/"])
def test_a_virtual_format_leads_nowhere(
    tmp_path: Path, secret: Path, suffix: str, source: str
) -> None:
    path = tmp_path / f"layer{suffix}"
    for text, limits in (
        (vrt(source.format(secret)), TABLE),
        (vrt(source.format(secret))[1:], None),
    ):
        path.write_text(text)
        with pytest.raises(SourceError) as refused:
            read_vector(path, limits=limits)
        assert "118.5" not in str(refused.value)


def test_what_a_library_says_of_a_file_is_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It quotes the file: a name, a telephone and an address stood in the server's log."""
    packed = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["lon", "lat"])
    book.active.append([1, 2])
    book.save(packed)
    quoted, path = "王秀英 13912345678\n2026 WARNING", tmp_path / "in.xlsx"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            part = old.read(name).decode()
            if name.endswith("sheet1.xml"):
                part = part.replace("<v>1</v>", f"<v>{quoted}</v>")
                assert quoted in part
            new.writestr(name, part)
    with pytest.raises(ConversionError, match="damaged"):
        list(read_table(path, limits=TABLE).rows)
    assert caplog.records[-1].reason.startswith("ValueError at")
    assert "1391" not in caplog.text
    assert "WARNING  " not in caplog.messages[-1]


def test_a_shapefile_whose_letters_are_unknown_says_so(tmp_path: Path) -> None:
    for field, cell in (("名称", "a"), ("name", "路灯不亮")):
        pyogrio.raw.write(
            tmp_path / "in.shp",
            shapely.to_wkb(np.array([shapely.Point(1, 2)])),
            [np.array([cell], dtype=object)],
            [field],
            geometry_type="Point",
            crs="EPSG:4326",
            encoding="GBK",
        )
        (tmp_path / "in.cpg").unlink(missing_ok=True)
        table = bytearray((tmp_path / "in.dbf").read_bytes())
        table[29] = 0
        (tmp_path / "in.dbf").write_bytes(table)
        with pytest.raises(SourceError, match=r"\.cpg"):
            read_vector(tmp_path / "in.shp", limits=TABLE)


def test_no_address_is_asked(tmp_path: Path) -> None:
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

        do_HEAD = do_GET  # noqa: N815 - the base class's name

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    path = tmp_path / "layer.geojson"
    for text in (
        vrt(f"/vsicurl/{address}/x.csv"),
        (
            f'{{"type": "FeatureCollection", "crs": {{"type": "link", "properties": '
            f'{{"href": "{address}/crs"}}}}, "features": []}}'
        ),
        f'{{"type": "GDALG", "command_line": "gdal vector pipeline ! read {address}/x.json"}}',
    ):
        path.write_text(text)
        try:
            read_vector(path, limits=TABLE)
        except SourceError:
            continue
    server.shutdown()
    server.server_close()
    assert asked == []


def test_links_and_several_layers_in_archives_are_refused(tmp_path: Path, secret: Path) -> None:
    with pytest.raises(SourceError, match="symbolic link"):
        read_vector(zip_with_link(tmp_path / "link.zip", str(secret)), limits=TABLE)


def test_every_driver_of_this_gdal_is_known() -> None:
    """A driver that a newer GDAL brings is left out, or named, before it is shipped."""
    code = "import pyogrio; print(*pyogrio.list_drivers(), sep='\\n')"
    names = {}
    for skipped in ("", only(frozenset({"GPKG"}))):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            env=os.environ | {"GDAL_SKIP": skipped},
        )
        names[skipped] = set(done.stdout.split("\n")) - {""}
    assert names[""] <= set(_ALL)
    assert names[only(frozenset({"GPKG"}))] == {"GPKG"}


def test_the_program_itself_keeps_only_what_it_writes() -> None:
    code = "import maps.plan_files, data.bulk, pyogrio; print(*pyogrio.list_drivers(), sep='|')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(done.stdout.strip().split("|")) == {"GPKG", "GeoJSON", "ESRI Shapefile", "LIBKML"}


def test_a_converter_has_given_up_its_rights() -> None:
    said = protection()
    assert said.calls
    assert said.files
    assert said.user == (os.geteuid() == 0)


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', 22), timeout=1)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "open('/etc/passwd').read()",
        "open('/var/tmp/written-by-a-converter', 'w')",
        "import os; os.listdir('/root')",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.kill(os.getppid(), 9)",
        "import os; os.setuid(0); assert os.getuid() == 0 and open('/etc/shadow').read()",
        "import ctypes; ctypes.CDLL(None).unshare(0x10000000) and 1/0",
        "import os; os.fork()",
        "import os; os.truncate(os.environ['HOME'] + '/../x', 0)",
        "import os; os.utime('.', (1, 1))",
        "import os; os.memfd_create('x')",
        "import os; os.sched_setaffinity(os.getppid(), {0})",
        "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)",
        "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9))",
        "import fcntl; fcntl.fcntl(0, fcntl.F_SETOWN, 1)",
        "import ctypes; ctypes.CDLL(None).shmget(1, 4096, 0o1600) < 0 and 1/0",
        "import ctypes; ctypes.CDLL(None).syscall(435, 0, 0) < 0 and 1/0",
        "open('large', 'wb').write(b'x' * 2_000_000)",
        "[open('/dev/null') for _ in range(1000)]",
    ],
)
def test_code_that_runs_inside_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, attempt: str
) -> None:
    """As if a decoder had been taken over: the task itself tries."""
    source = Path(nothing.__file__).read_text()
    evil = source.replace("    target.write", "    exec(options_of())\n    target.write")
    floor = tmp_path / "floor"
    for name in ("data", "gis"):
        shutil.copytree(ROOT / name, floor / name, ignore=shutil.ignore_patterns("*.crfsuite"))
    monkeypatch.setattr("data.sandbox.process._ROOT", str(floor))
    limits = Limits(wall_s=20, cpu_s=5, memory_bytes=300_000_000, output_bytes=1000)
    task = floor / "data" / "conversions" / "nothing.py"
    task.write_text(evil.replace("options_of()", repr("pass")))
    assert convert("nothing", b"", limits=limits).startswith(b"{")
    task.write_text(evil.replace("options_of()", repr(attempt)))
    with pytest.raises(ConversionError):
        convert("nothing", b"", limits=limits)
    assert not Path("/var/tmp/written-by-a-converter").exists()  # noqa: S108 - what was tried


def test_photos_of_many_scans_and_many_pixels_are_refused() -> None:
    with pytest.raises(SourceError, match="scans"):
        redrawn(jpeg_with_scans(300))
    with pytest.raises(SourceError, match="pixels"):
        redrawn(png_that_unpacks(5100, 4000))
    # Of 16 bits a channel: as many pixels as a stranger may send.
    assert len(redrawn(png_that_unpacks(5000, 3990))) < 100_000


@pytest.mark.parametrize(("kind", "mode"), [("WEBP", "RGB"), ("WEBP", "RGBA"), ("PNG", "RGBA")])
def test_a_photo_within_the_limits_is_drawn(kind: str, mode: str) -> None:
    """The attack, by itself: a WebP of 20 million pixels was refused for its memory."""
    noise = np.random.default_rng(1).integers(0, 255, (447, 447, len(mode)), dtype=np.uint8)
    picture = io.BytesIO()
    large = Image.fromarray(noise).resize((4472, 4472), Image.Resampling.NEAREST)
    large.save(picture, kind, **({"method": 0} if kind == "WEBP" else {"compress_level": 1}))
    assert redrawn(picture.getvalue()).startswith(b"\xff\xd8")


def test_a_webp_has_a_limit_of_its_own() -> None:
    picture = io.BytesIO()
    Image.new("RGB", (5001, 4000)).save(picture, "WEBP", method=0)
    with pytest.raises(SourceError, match="WEBP has at most 20,000,000 pixels"):
        redrawn(picture.getvalue(), most_pixels=STAFF_PIXELS)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(workbook_that_unpacks(400))
    limits = Limits(wall_s=60, cpu_s=60, memory_bytes=150_000_000, output_bytes=10**6)
    with pytest.raises(ConversionError, match=r"memory|time"):
        _read_within(path, limits)


def _read_within(path: Path, limits: Limits) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data.readers.table.OWN_TABLE", limits)
        read_table(path)


def test_a_view_that_never_ends_is_never_begun(tmp_path: Path) -> None:
    """A planner's view held the one turn for plans for a minute, whatever others sent."""
    limits = Limits(wall_s=30, cpu_s=30, memory_bytes=700_000_000, output_bytes=10**9)
    path = gpkg_with_recursive_view(tmp_path / "endless.gpkg")
    with pytest.raises(SourceError, match="holds a view, 'endless': export the layer as a table"):
        read_vector(path, limits=limits)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SourceError):
        redrawn(b"no photo")
    path = tmp_path / "layer.gpkg"
    path.write_bytes(b"no layer")
    with pytest.raises(SourceError):
        read_vector(path, limits=TABLE)
    assert [one.name for one in tmp_path.iterdir()] == ["layer.gpkg"]
