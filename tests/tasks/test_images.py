"""Few-shot images: glyphs of the world's scripts, folders of one's own, and the encoders that read them."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from ctxlearn.configurable import configuration, instantiate
from ctxlearn.learners import CNP, MAML, Conv4, InContextTransformer, MatchNet, ProtoNet, ResNet
from ctxlearn.references import NearestNeighbor
from ctxlearn.tasks import Domain, Glyphs, ImageFolder, Mixture, glyphs, image_folder
from ctxlearn.tasks.image_data import DATA, KINDS, SPLITS, glyph_images, glyph_index
from ctxlearn.training import DomainSource


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def validation():
    return Glyphs("validation")


def write_images(root, domains=2, classes=3, per_class=4):
    numbers = np.random.default_rng(0)
    for d in range(domains):
        for c in range(classes):
            folder = root / f"domain {d}" / f"class {c}"
            folder.mkdir(parents=True)
            for i in range(per_class):
                pixels = np.full((12, 10), 20 * (10 * d + c), np.uint8) + numbers.integers(0, 5, (12, 10))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    return root


def test_the_splits_are_of_disjoint_scripts_and_cover_the_index():
    index = glyph_index()
    codes = {split: {s["code"] for s in index["scripts"] if s["split"] == split} for split in SPLITS}
    assert sum(map(len, codes.values())) == len({s["code"] for s in index["scripts"]}) == len(index["scripts"]) >= 120
    assert all(len(names) >= 15 for names in codes.values())
    assert {s["kind"] for s in index["scripts"]} == set(KINDS)
    characters = [c for s in index["scripts"] for c in s["characters"]]
    assert len(characters) == len(set(characters))
    for split in SPLITS:
        assert set(glyph_images(split)[2].values()) == codes[split]


def test_no_image_is_in_two_splits():
    seen = {}
    for split in SPLITS:
        images, labels, _ = glyph_images(split)
        for image, label in zip(images, labels, strict=True):
            assert seen.setdefault(image.tobytes(), (split, label))[0] == split


def test_the_data_are_small_licensed_and_guarded_by_their_checksum(tmp_path):
    assert (DATA / "glyphs.bin.xz").stat().st_size < 4e6
    assert "SIL OPEN FONT LICENSE" in (DATA / "OFL.txt").read_text()
    shutil.copytree(DATA, tmp_path / "glyphs")
    index = json.loads((tmp_path / "glyphs/index.json").read_text())
    (tmp_path / "glyphs/index.json").write_text(json.dumps(index | {"sha256": "0" * 64}))
    with pytest.raises(ValueError, match="SHA-256"):
        glyph_images("train", folder=tmp_path / "glyphs")
    (tmp_path / "glyphs/glyphs.bin.xz").write_bytes((DATA / "glyphs.bin.xz").read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        glyph_images("validation", folder=tmp_path / "glyphs")


@pytest.mark.parametrize("augment", ["none", "shift", "turn"])
def test_a_task_is_of_one_script_and_comes_in_rounds_of_one_a_class(augment):
    family = glyphs("validation", 5, augment=augment)
    tasks = family.sample(20, 12, generator=seeded(), with_parameters=True)
    assert tasks.x.shape == (20, 12, 1, 28, 28)
    assert 0 <= float(tasks.x.min()) < float(tasks.x.max()) <= 1
    assert (tasks.y[:, :5].sort(1).values == torch.arange(5)).all()
    classes = family.domains.labelled.classes
    for domain, chosen in zip(tasks.parameters["domain"].tolist(), tasks.parameters["classes"].tolist(), strict=True):
        assert {str(classes[c]).split("/")[0] for c in chosen} == {family.domains.names[domain]}
        assert len(set(chosen)) == 5


def test_augmentation_keeps_the_ink(validation):
    plain = validation.pooled().sample(4, 5, generator=seeded())
    for augment in ("shift", "turn"):
        moved = glyphs("validation", augment=augment).sample(4, 5, generator=seeded())
        assert moved.x.shape == plain.x.shape
        assert float(moved.x.flatten(2).sum(-1).min()) > 0
    turned = Glyphs("validation", augment="turn")
    points = turned.sample_parameters(turned.sample_latents(8, generator=seeded()), generator=seeded())
    assert set(points["turns"].unique().tolist()) == {0, 1, 2, 3}


def test_one_script_is_a_domain_that_is_rebuilt_and_trained_on(validation):
    domain = Domain(validation, validation.domain(validation.names[1]))
    again = instantiate(configuration(domain))
    one, two = (f.sample(3, 10, generator=seeded(1), with_parameters=True) for f in (domain, again))
    assert torch.equal(one.x, two.x)
    assert set(one.parameters["domain"].tolist()) == {1}
    source = DomainSource(validation, 1, 2, 2, 10)
    assert instantiate(configuration(source)).domains.names == validation.names
    with pytest.raises(ValueError, match=r"^name: .*'nowhere'"):
        validation.domain("nowhere")


def test_nearest_neighbours_on_pixels_are_far_above_chance_and_far_from_perfect(validation):
    tasks = validation.pooled().sample(200, 10, generator=seeded(2))
    episode = tasks.split(5)
    right = (
        NearestNeighbor(None, 5)(episode.context_x, episode.context_y, episode.query_x).argmax(-1)
    ) == episode.query_y
    assert 0.3 < right.float().mean() < 0.9


def test_kinds_restrict_the_scripts_and_impossible_requests_are_refused():
    index = {s["code"]: s["kind"] for s in glyph_index()["scripts"]}
    assert {index[name] for name in Glyphs("train", kinds=["syllabary", "logograph"]).names} <= {
        "syllabary",
        "logograph",
    }
    for name, arguments in {
        "split": {"split": "all"},
        "n_way": {"n_way": 1000},
        "kinds": {"kinds": ["runes"]},
        "augment": {"augment": "flip"},
    }.items():
        with pytest.raises(ValueError, match=rf"^{name}: "):
            glyphs(**{"split": "validation", **arguments})


def test_a_folder_of_domains_and_a_folder_of_classes_are_families(tmp_path):
    root = write_images(tmp_path)
    family = image_folder(root, n_way=3, size=8)
    assert family.domains.names == ["domain 0", "domain 1"]
    tasks = family.sample(5, 6, generator=seeded(), with_parameters=True)
    assert tasks.x.shape == (5, 6, 1, 8, 8)
    brightness = (tasks.x.mean((-3, -2, -1)) * 255 / 20).floor()
    domain = tasks.parameters["domain"][:, None]
    assert ((brightness - 10 * domain >= 0) & (brightness - 10 * domain < 3)).all()
    assert ImageFolder(root / "domain 1", n_way=2, invert=True).names == ["domain 1"]
    assert instantiate(configuration(family)).domains.names == family.domains.names


def test_folders_that_make_no_tasks_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^path: expected a folder"):
        image_folder(tmp_path / "none")
    with pytest.raises(ValueError, match=r"^path: expected images at"):
        image_folder(tmp_path)
    root = write_images(tmp_path)
    with pytest.raises(ValueError, match=r"^n_way: expected at most 3"):
        image_folder(root, n_way=4)
    with pytest.raises(ValueError, match=r"class 'domain 0/class 0' has 4 images, expected at least fewest = 5"):
        image_folder(root, n_way=2, fewest=5)
    (root / "domain 1" / "class 2" / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"cannot read the image .*broken\.png"):
        image_folder(root, n_way=2)


@pytest.mark.parametrize("encoder", [Conv4(1, 8), ResNet(1, (8, 8))], ids=["conv", "residual"])
@pytest.mark.parametrize("make", [InContextTransformer, ProtoNet, MatchNet, CNP, MAML])
def test_every_learner_takes_the_encoders_and_answers_a_task_alone_as_in_a_batch(make, encoder, validation):
    learner = make((1, 28, 28), 5, encoder=encoder)
    episode = validation.pooled().sample(3, 8, generator=seeded(3)).split(5)
    together = learner(episode.context_x, episode.context_y, episode.query_x)
    alone = learner(episode.context_x[:1], episode.context_y[:1], episode.query_x[:1, :1])
    torch.testing.assert_close(together[:1, :1], alone, atol=1e-5, rtol=1e-4)
    learner.loss(together, episode.query_y).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in learner.parameters())


def test_encoders_are_rebuilt_and_refuse_what_does_not_fit():
    for encoder in (Conv4(1, [4, 8, 8, 12]), ResNet(1, (8, 12))):
        again = instantiate(configuration(encoder))
        assert torch.equal(again(torch.ones(2, 1, 28, 28)), encoder(torch.ones(2, 1, 28, 28)))
    for arguments in ({"channels": 6}, {"channels": []}, {"channels": "many"}):
        with pytest.raises(ValueError, match=r"^(groups|channels): "):
            Conv4(**arguments)


def test_equiangular_labels_stand_at_equal_angles_and_fewer_ways_than_trained_work(validation):
    model = InContextTransformer((1, 28, 28), 7, width=16, depth=1, labels="equiangular")
    angles = model.label_codes @ model.label_codes.T
    torch.testing.assert_close(angles, torch.eye(7) * 7 / 6 - torch.ones(7, 7) / 6, atol=1e-6, rtol=0)
    episode = validation.pooled().sample(3, 8, generator=seeded(3)).split(5)
    assert model(episode.context_x, episode.context_y, episode.query_x).shape == (3, 3, 7)
    both = Mixture([Glyphs("validation", 5).pooled(), Glyphs("validation", 7).pooled()])
    assert both.sample(6, 8, generator=seeded()).n_classes == 7
    with pytest.raises(ValueError, match=r"^labels: "):
        InContextTransformer(2, None, labels="equiangular")
    with pytest.raises(ValueError, match=r"^labels: "):
        InContextTransformer(2, 3, labels="words")


def test_the_images_of_one_domain_are_its_own_and_their_classes_can_be_dealt_apart():
    test = Glyphs("test", 5)
    grek = test.labelled_of("Grek")
    assert all(name.startswith("Grek/") for name in grek.classes)
    here, there = grek.split(0.5, 0.5, generator=seeded())
    assert not set(here.classes) & set(there.classes)
    assert not {image.tobytes() for image in here.x} & {image.tobytes() for image in there.x}
    with pytest.raises(ValueError, match=r"^name: expected one of"):
        test.labelled_of("Latn")
