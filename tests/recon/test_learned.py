"""Networks as methods: weights and model cards in files, maps, warnings."""

import json
import warnings
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from kolumn.acquisition import Geometry, acquire
from kolumn.coils import estimate_maps, soft_support
from kolumn.errors import ArgumentError, FormatError, OutputError, OutsideTraining
from kolumn.fourier import fft2
from kolumn.nn import LearnedCS, UNet, Unrolled, VarNet
from kolumn.phantoms import phantom
from kolumn.recon import card as cards
from kolumn.recon.card import ModelCard, measure, read_card
from kolumn.recon.learned_cs import LearnedCompressedSensing
from kolumn.recon.mirror import MIRRORS, mirror, mirrored
from kolumn.recon.unet import LearnedUNet
from kolumn.recon.unrolled import LearnedUnrolled
from kolumn.recon.weights import NETWORKS, card_path, load_network, save_network
from kolumn.train import begin_with

WIDE = {"coils": (1, 16), "acceleration": (1, 10), "calibration": (0.02, 1.0), "noise": (0.0, 1.0)}
METHODS = {"unet": LearnedUNet, "unrolled": LearnedUnrolled, "learned-cs": LearnedCompressedSensing}
SMALL = {
    "unet": lambda: UNet(channels=4, levels=2),
    "unrolled": lambda: Unrolled(n_cascades=2, channels=4, levels=2),
    "learned-cs": lambda: LearnedCS(n_iterations=2, levels=2),
}


def card(name="unrolled", **options):
    about = {"masks": ("random",), "data": ("phantoms",), "licences": ("MIT",), "limits": ("none known",)}
    return ModelCard(name, options.pop("trained", WIDE), **about, scores={"psnr": 30.5}, **options)


def network(name):
    """With weights that half precision holds exactly, and none of them 0."""
    net = SMALL[name]()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 2 or not p.any():
                p.normal_(0, 0.05, generator=generator)
            p.copy_(p.half().float())
    return net


def scan(n_coils=4, n_slices=1, acceleration=3, shape=(40, 46), maps=True, known=True):
    acq, _ = phantom("anatomy", shape, n_coils=n_coils, n_slices=n_slices, snr=20.0)
    mask = torch.arange(shape[1]) % acceleration == 0
    mask[shape[1] // 2 - 5 : shape[1] // 2 + 5] = True
    acq = acquire(acq.kspace, mask, noise=acq.noise if known else None)
    return replace(acq, maps=estimate_maps(acq, "espirit", outside=1.0)) if maps and n_coils > 1 else acq


@pytest.fixture
def saved(tmp_path):
    def save(name, consistency=0, **options):
        path = tmp_path / f"{name}.safetensors"
        net = UNet(channels=4, levels=2, consistency=consistency) if consistency else network(name)
        save_network(path, name, net, card(name, **options), overwrite=True)
        return path

    return save


# From file to image.


@pytest.mark.parametrize("name", METHODS)
def test_what_was_saved_reconstructs(name, saved):
    acq, path = scan(n_slices=2), saved(name)
    image = METHODS[name](weights=str(path))(acq)
    with torch.no_grad():
        want = network(name)(acq)
    assert image.shape == (2, 40, 46)
    assert not image.requires_grad
    torch.testing.assert_close(image, want, rtol=1e-4, atol=1e-5 * float(want.abs().max()))


@pytest.mark.parametrize("name", METHODS)
def test_without_denoising_the_data_have_the_last_word(name, saved, monkeypatch):
    acq, path = scan(), str(saved(name))
    if name == "unet":
        path = str(saved(name, consistency=4))
    net, _ = load_network(name, path)
    with torch.no_grad():
        want = net(acq, denoise=False)
    image = METHODS[name](weights=path, denoise=False)(acq)
    torch.testing.assert_close(image, want, rtol=1e-4, atol=1e-5 * float(want.abs().max()))
    assert not torch.allclose(image, METHODS[name](weights=path)(acq), rtol=1e-3)
    both = METHODS[name](weights=path, denoise=False, mirrored=True)(acq)
    assert not torch.allclose(both, METHODS[name](weights=path, mirrored=True)(acq), rtol=1e-3)


def test_files_from_before_the_options_of_today(tmp_path):
    old = Unrolled(n_cascades=2, channels=4, levels=2, n_steps=5, n_last=5, n_again=0)
    options = {key: value for key, value in old.options.items() if key not in ("n_last", "n_again")}
    path = tmp_path / "old.safetensors"
    state = {key: value.contiguous() for key, value in old.state_dict().items()}
    save_file(state, path, {"network": "unrolled", "options": json.dumps(options)})
    found, _ = load_network("unrolled", path)
    assert found.options == old.options
    assert found.n_steps == [5, 5]


def test_where_there_is_nothing_to_leave_out(saved, monkeypatch):
    with pytest.raises(ArgumentError, match=r"no data consistency \(consistency=0\); leave denoise out, or train"):
        LearnedUNet(weights=str(saved("unet")), denoise=False)(scan())
    foreign = VarNet(n_cascades=1, channels=2, levels=2, sens_channels=2, sens_levels=2)
    monkeypatch.setattr("kolumn.recon.learned._loaded", lambda *_: (foreign, card()))
    with pytest.raises(ArgumentError, match=r"^unrolled with fastMRI's weights gives .*; leave denoise out$"):
        LearnedUnrolled(denoise=False)(scan())


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_estimated_where_none_came(name, saved):
    acq, method = scan(), METHODS[name](weights=str(saved(name)))
    w = soft_support(acq)
    torch.testing.assert_close(method(replace(acq, maps=None)), method(replace(acq, maps=w * acq.maps)))
    walsh = METHODS[name](weights=method.weights, maps="walsh")
    wanted = method(replace(acq, maps=w * estimate_maps(acq, "walsh")))
    torch.testing.assert_close(walsh(replace(acq, maps=None)), wanted, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(walsh(replace(acq, maps=None)), method(replace(acq, maps=w * acq.maps)), rtol=1e-3)


def test_few_calibration_lines_are_enough(saved):
    acq = scan(maps=False)
    mask = torch.arange(46) % 3 == 2  # the centre is 23
    mask[22:25] = True
    few = acquire(acq.kspace, mask, noise=acq.noise)
    method = LearnedUnrolled(weights=str(saved("unrolled")))
    torch.testing.assert_close(method(few), method(replace(few, maps=soft_support(few) * estimate_maps(few, "walsh"))))


def test_the_unit_of_maps_does_not_matter_and_blank_slices_stay_blank(saved):
    acq, method = scan(n_slices=3), LearnedUnrolled(weights=str(saved("unrolled")))
    image = method(acq)
    torch.testing.assert_close(method(replace(acq, maps=300 * acq.maps)), image, rtol=1e-3, atol=1e-5)
    k = acq.kspace.clone()
    k[1] = 0
    images = method(replace(acq, kspace=k))
    assert not images[1].any()
    torch.testing.assert_close(images[2], image[2])
    assert torch.equal(method(replace(acq, kspace=k, maps=None))[1], images[1])


def test_two_batch_axes_keep_their_order(saved):
    acq, method = scan(maps=False, known=False), LearnedUNet(weights=str(saved("unet")))
    factors = torch.tensor([[1.0, 32.0, 0.125], [2.0, 8.0, 0.5]])[..., None, None]
    many = method(acquire(factors[..., None] * acq.kspace, acq.mask))
    wanted = method(acq).expand(2, 3, 40, 46)
    off = torch.linalg.vector_norm(many / factors - wanted, dim=(-2, -1))
    assert (off < 0.01 * torch.linalg.vector_norm(wanted, dim=(-2, -1))).all()  # convolutions may be in bfloat16


def test_one_coil_and_double_precision(saved):
    acq, method = scan(n_coils=1), LearnedUNet(weights=str(saved("unet")))
    double = replace(acq, kspace=acq.kspace.to(torch.complex128), noise=acq.noise.to(torch.complex128))
    assert method(double).dtype == torch.complex128
    torch.testing.assert_close(method(double).to(torch.complex64), method(acq), rtol=1e-3, atol=1e-5)


def test_changed_weights_are_read_again(saved):
    path, acq = saved("unrolled"), scan()
    before = LearnedUnrolled(weights=str(path))(acq)
    other = network("unrolled")
    with torch.no_grad():
        other.denoisers[1].tail.weight.mul_(-1)
    save_network(path, "unrolled", other, card(), overwrite=True)
    assert not torch.allclose(LearnedUnrolled(weights=str(path))(acq), before)


# Files.


def test_the_file_is_half_precision_and_tells_what_it_holds(saved):
    path = saved("unrolled")
    assert {v.dtype for v in load_file(path).values()} == {torch.float16}
    net, about = load_network("unrolled", path)
    assert net.options == network("unrolled").options
    assert not net.training
    for (name, a), b in zip(net.named_parameters(), network("unrolled").parameters(), strict=True):
        assert torch.equal(a, b), name
        assert not a.requires_grad
    assert about == card()
    assert about == read_card(path.with_suffix(".json"))


def test_nothing_is_overwritten_by_itself(saved):
    path = saved("unet")
    with pytest.raises(OutputError, match="exists already"):
        save_network(path, "unet", network("unet"), card("unet"))


def test_weights_that_half_precision_cannot_hold_are_not_saved(tmp_path):
    for value in (float("nan"), 1e6):
        net = network("unet")
        with torch.no_grad():
            net.body.last.bias[0] = value
        with pytest.raises(ArgumentError, match=r"weight body\.last\.bias holds NaN, infinity"):
            save_network(tmp_path / "x.safetensors", "unet", net, card("unet"))
        assert not list(tmp_path.iterdir())


def named(**about):
    """The metadata of a file of weights."""
    return {"network": "unet", "options": json.dumps(network("unet").options), **about}


def tensors(**changed):
    return {key: value.contiguous() for key, value in network("unet").state_dict().items()} | changed


def torch_file(content):
    return lambda path: torch.save(content, path)


FIRST = "body.down.0.0.weight"
SPOIL = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "half a zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(60)),
    "wild header": lambda path: path.write_bytes(b"\xff" * 7 + b"\x0f{" + b"}" * 100),
    "NaN": lambda path: save_file(tensors(**{FIRST: torch.full((4, 3, 3, 3), torch.nan)}), path, named()),
    "no options": lambda path: save_file(tensors(), path, {"network": "unet"}),
    "wrong options": lambda path: save_file(tensors(), path, named(options='{"channels": 8}')),
    "unknown options": lambda path: save_file(tensors(), path, named(options='{"magic": 8}')),
    "unknown network": lambda path: save_file(tensors(), path, named(network="magic")),
    "no network": lambda path: save_file(tensors(), path),
    "weight too many": lambda path: save_file(tensors(more=torch.ones(1)), path, named()),
    "other shape": lambda path: save_file(tensors(**{FIRST: torch.ones(4, 3, 1, 1)}), path, named()),
    "a tensor": torch_file(torch.ones(3)),
    "nested": torch_file({"state_dict": {"a": torch.ones(3)}}),
    "half of fastMRI": torch_file({"down_sample_layers.0.layers.0.weight": torch.ones(4, 1, 3, 3)}),
    "pickle": torch_file({"a": LearnedUNet}),
}
WORDS = {
    "cut off": "is damaged, or no file of safetensors (",
    "noise": "holds no weights; wanted .safetensors of kolumn train, or what torch.save wrote",
    "half a zip": "failed finding central directory); save network.state_dict() alone",
    "nested": "holds no state dict (a dict of tensors); save network.state_dict() alone",
    "pickle": "holds a kolumn.recon.unet.LearnedUNet, and such objects could run code; only tensors",
}


@pytest.mark.parametrize("how", SPOIL)
def test_a_bad_file_is_one_clear_line(how, saved):
    path = saved("unet")
    SPOIL[how](path)
    with pytest.raises(FormatError) as error:
        LearnedUNet(weights=str(path))(scan(maps=False))
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)
    assert path.name in str(error.value) and WORDS.get(how, "") in str(error.value)


def test_no_weights_came_with_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr("kolumn.recon.weights.SHIPPED", tmp_path / "none")
    with pytest.raises(FormatError, match=r"has no weights for 'unet'; give a file of them \(weights=...\)"):
        load_network("unet", None)


def test_another_methods_weights(saved):
    with pytest.raises(ArgumentError, match="holds weights for 'unet'; use that method"):
        LearnedUnrolled(weights=str(saved("unet")))(scan())
    with pytest.raises(ArgumentError, match="maps is 'magic'; wanted espirit or walsh"):
        LearnedUnrolled(maps="magic")


def test_weights_of_another_version(saved):
    """Those of learned-cs had no thresholds of imaginary parts once."""
    path = saved("learned-cs")
    state = load_file(path)
    del state["gamma"]
    options = json.dumps(SMALL["learned-cs"]().options)
    save_file(state, path, {"network": "learned-cs", "options": options})
    with pytest.raises(FormatError, match=r"\(Missing.*gamma.*they are of another version, or damaged; train") as error:
        LearnedCompressedSensing(weights=str(path))(scan())
    assert "\n" not in str(error.value)


def test_every_method_has_a_network_and_the_other_way_round():
    assert set(METHODS) == set(NETWORKS)
    assert all(name == cls.METHOD for name, cls in METHODS.items())


# Model cards.


def test_measures():
    acq = scan(n_slices=2, acceleration=4)
    found = measure(acq)
    acquired = int(acq.mask.sum())
    assert found["coils"] == [4, 4]
    assert found["acceleration"] == pytest.approx([46 / acquired] * 2)
    assert found["calibration"] == pytest.approx([11 / 46] * 2)  # columns 18 to 27, and 28 is one of every fourth
    sigma = float(acq.noise.diagonal().real.mean().sqrt())
    assert 0 < sigma / float(acq.kspace.abs().max()) < min(found["noise"]) <= max(found["noise"]) < 1


def test_measures_of_a_block_apart_of_masks_of_points_and_of_blank_entries():
    acq = scan(maps=False)
    apart = replace(acq, calibration=acq.kspace[..., 15:35, 20:32])
    assert measure(apart)["calibration"] == pytest.approx([12 / 46])
    points = acq.mask.expand(1, 40, 46).clone()
    points[:, ::2] = False
    points[:, 18:23, 20:27] = True
    halved = acquire(acq.kspace, points, noise=acq.noise)
    assert measure(halved)["acceleration"][0] > 1.7 * measure(acq)["acceleration"][0]
    k = acq.kspace.expand(3, 4, 40, 46).clone()
    k[1] = 0
    k[2] *= 1e-3
    low, high = measure(acquire(k, acq.mask))["noise"]  # the blank one has no say
    assert low == pytest.approx(high, rel=1e-3)


BEYOND = {
    "coils": ({"coils": (8, 16)}, r"4 coils \(trained on 8 to 16\)"),
    "acceleration": ({"acceleration": (1, 1.2)}, r"2\.\d+-fold acceleration \(trained on 1 to 1.2\)"),
    "calibration": ({"calibration": (0.5, 1)}, r"calibration lines of 0\.\d+ of the width \(trained on 0.5 to 1\)"),
    "noise": ({"noise": (0.5, 0.6)}, r"noise of 0\.\d+ of the image \(trained on 0.5 to 0.6\)"),
}


@pytest.mark.parametrize("trained", BEYOND.values(), ids=BEYOND)
def test_outside_of_its_training_there_is_a_warning(trained, saved):
    change, text = trained
    method = LearnedUnrolled(weights=str(saved("unrolled", trained={**WIDE, **change})))
    with pytest.warns(OutsideTraining, match=text) as caught:
        method(scan())
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_within_its_training_there_is_none(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LearnedUnrolled(weights=str(saved("unrolled")))(scan())
    found = measure(scan())
    tight = card(trained={name: (v * 1.01, v / 1.01) for name, (v,) in found.items()})
    assert tight.outside(scan()) == []
    assert len(card(trained={name: (v * 1.05, v * 2) for name, (v,) in found.items()}).outside(scan())) == 4
    assert len(card(trained={name: (v / 2, v / 1.05) for name, (v,) in found.items()}).outside(scan())) == 4
    assert card(trained={}).outside(scan()) == []


def test_the_entry_that_is_outside_is_named():
    acq = scan(maps=False)
    masks = torch.stack([acq.mask, torch.ones_like(acq.mask)]).unsqueeze(1)
    both = acquire(acq.kspace.expand(2, 4, 40, 46), masks, noise=acq.noise)
    for trained, text in (((1, 1.5), "2.09-fold"), ((1.5, 10), "1-fold")):
        assert card(trained={"acceleration": trained}).outside(both)[0].startswith(text)
    assert card(trained={"acceleration": (1, 2.1)}).outside(both) == []


def test_every_entry_is_looked_at(saved):
    acq = scan(maps=False)
    masks = torch.stack([acq.mask, torch.ones_like(acq.mask)]).unsqueeze(1)
    both = acquire(acq.kspace.expand(2, 4, 40, 46), masks, noise=acq.noise)
    method = LearnedUNet(weights=str(saved("unet", trained={**WIDE, "acceleration": (1.5, 10)})))
    with pytest.warns(OutsideTraining, match="1-fold acceleration"):
        method(both)


def test_without_a_card_there_is_a_warning(saved):
    path = saved("unrolled")
    card_path(path).unlink()
    with pytest.warns(OutsideTraining, match="no model card beside .*unrolled.safetensors"):
        LearnedUnrolled(weights=str(path))(scan())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"trained": {"coils": 3}}', '{"trained": 3}', "\xff"])
def test_a_bad_card_is_one_clear_line(text, saved):
    path = saved("unrolled")
    card_path(path).write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match="is no model card") as error:
        LearnedUnrolled(weights=str(path))(scan())
    assert "\n" not in str(error.value)


def test_every_measure_has_words():
    assert set(cards.MEASURES) == set(cards.TEXTS) == set(WIDE)


# fastMRI's weights.


def fastmri_state():
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "down_sample_layers.0.layers.0.weight": (4, 1, 3, 3),
        "down_sample_layers.0.layers.4.weight": (4, 4, 3, 3),
        "conv.layers.0.weight": (8, 4, 3, 3),
        "conv.layers.4.weight": (8, 8, 3, 3),
        "up_transpose_conv.0.layers.0.weight": (8, 4, 2, 2),
        "up_conv.0.0.layers.0.weight": (4, 8, 3, 3),
        "up_conv.0.0.layers.4.weight": (4, 4, 3, 3),
        "up_conv.0.1.weight": (1, 4, 1, 1),
        "up_conv.0.1.bias": (1,),
    }
    return {key: 0.1 * torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def test_state_dicts_of_fastmri_through_torch_and_safetensors(tmp_path):
    state = fastmri_state()
    torch.save(state, tmp_path / "unet.pt")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "unet.safetensors")
    acq = acquire(scan(maps=False).kspace[..., ::2], torch.ones(23))  # no calibration is needed, nor maps
    images = []
    for name in ("unet.pt", "old.pt", "unet.safetensors"):
        with pytest.warns(OutsideTraining, match="no model card"):
            images.append(LearnedUNet(weights=str(tmp_path / name))(acq))
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])
    assert not images[0].imag.any()
    with pytest.raises(ArgumentError, match="holds weights for 'unet'"):
        LearnedUnrolled(weights=str(tmp_path / "unet.pt"))(acq)
    with pytest.raises(ArgumentError, match="holds a FastmriUNet, which is used as it is; train 'unet' anew"):
        begin_with("unet", str(tmp_path / "unet.pt"))


def test_a_network_that_crops_with_an_empty_slice_and_mirrored(saved, tmp_path):
    path = tmp_path / "unet.safetensors"
    save_file(fastmri_state(), path)
    card_path(path).write_text(card("unet").text())
    whole = scan(n_slices=3, maps=False)
    k = whole.kspace.clone()
    k[1] = 0
    acq = replace(whole, kspace=k, geometry=Geometry(matrix=(30, 26), fov=(1.0, 1.0, 1.0)))
    method = LearnedUNet(weights=str(path))
    images = method(acq)
    assert images.shape == (3, 30, 26) and not images[1].any()
    torch.testing.assert_close(images[2], method(acq.entry(2)))
    with pytest.raises(ArgumentError, match="unet with these weights crops the image itself; leave mirrored out"):
        LearnedUNet(weights=str(path), mirrored=True)(acq.entry(0))
    k[:] = 0
    assert method(replace(acq, kspace=k)).shape == (3, 40, 46)


# Mirror images.


@pytest.mark.parametrize("shape", [(6, 5), (5, 8)])
@pytest.mark.parametrize("dims", MIRRORS)
def test_the_acquisition_of_a_mirrored_object(shape, dims):
    generator = torch.Generator().manual_seed(3)
    image, maps = (torch.randn(2, *shape, dtype=torch.complex128, generator=generator) for _ in range(2))
    columns, points = torch.arange(shape[1]) % 3 > 0, torch.rand(shape, generator=generator) < 0.6
    axes = [torch.arange(n) for n in shape]
    for dim in dims:
        axes[dim] = (2 * (shape[dim] // 2) - axes[dim]) % shape[dim]
    there = (..., axes[0][:, None], axes[1])
    for mask in (columns, points):
        turned = mirrored(replace(acquire(fft2(image * maps) * mask, mask), maps=maps), dims)
        where = mask.expand(shape)[there]
        assert torch.equal(where, mask.expand(shape)) != (-1 in dims or (mask is points and -2 in dims))
        torch.testing.assert_close(turned.maps, maps[there])
        assert torch.equal(turned.mask.expand(1, *shape)[0], where)
        torch.testing.assert_close(turned.kspace, fft2((image * maps)[there]) * where)
    assert torch.equal(mirror(mirror(image, dims), dims), image)


@pytest.mark.parametrize("name", METHODS)
def test_mirrored_is_the_mean_over_mirror_images(name, saved):
    acq, path = scan(shape=(40, 45)), str(saved(name))
    one, mean = METHODS[name](weights=path), METHODS[name](weights=path, mirrored=True)
    images = [mirror(one(mirrored(acq, dims)), dims) for dims in ((), (-2,), (-1,), (-2, -1))]
    torch.testing.assert_close(mean(acq), sum(images) / 4)
    assert float((mean(acq) - images[0]).norm() / images[0].norm()) > 1e-3
