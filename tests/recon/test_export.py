"""ONNX against eager torch, in another runtime."""

import pytest
import torch

from kolumn.errors import ArgumentError, MissingExtraError, OutputError
from kolumn.nn import UNet, Unrolled
from kolumn.recon.export import export_onnx

MADE = {
    "denoiser": lambda: Unrolled(n_cascades=1, channels=4, levels=2).denoisers[0],
    "group": lambda: UNet(channels=4, levels=2, norm="group").body,
    "instance": lambda: UNet(channels=4, levels=2, norm="instance").body,
}


@pytest.mark.parametrize("name", MADE)
def test_another_runtime_computes_the_same(name, tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    network, generator = MADE[name](), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(0, 0.3, generator=generator)
    path = tmp_path / "network.onnx"
    export_onnx(network, path, multiple=4)
    session = runtime.InferenceSession(path.read_bytes())
    for shape in ((1, 3, 40, 36), (3, 3, 8, 12)):
        x = torch.randn(shape, generator=generator)
        with torch.no_grad():
            want = network(x)
        (found,) = session.run(None, {"channels": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), want, rtol=1e-4, atol=1e-5 * float(want.abs().max()))


def test_what_cannot_be_exported(tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match=r"Linear has no convolution; give network\.body or a denoiser"):
        export_onnx(torch.nn.Linear(2, 2), tmp_path / "a.onnx")
    there = tmp_path / "b.onnx"
    there.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        export_onnx(MADE["denoiser"](), there)
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kolumn\[onnx\]"'):
        export_onnx(MADE["denoiser"](), tmp_path / "c.onnx")
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]
