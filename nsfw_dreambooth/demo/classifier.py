

import json
from pathlib import Path
import numpy as np
import pytorch_lightning as pl
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from nsfw_dreambooth.core.artifacts import demo_path, write_atomic
from nsfw_dreambooth.demo.autoencoder import to_tensor
from nsfw_dreambooth.demo.fit import fit, warmup_cosine, work_folder
from nsfw_dreambooth.demo.world import BACKGROUNDS, Drawing, all_drawings, classifier_drawings, compose
from nsfw_dreambooth.moderation.classifier import Classifier, save_classifier




def tint(
    rgba: np.ndarray, # uint8 [h, w, 4]
    rng: np.random.Generator,
) -> np.ndarray: # uint8 [h, w, 4]
    "Other paint: channel gains, gamma, and now and then channels swapped or greyed."
    ink = rgba[..., :3].astype(np.float32) / 255
    if rng.random() < 0.05: ink = ink[..., rng.permutation(3)]
    if rng.random() < 0.1: ink = 0.3 * ink + 0.7 * ink.mean(-1, keepdims=True)
    ink = np.clip(ink * rng.uniform(0.85, 1.15, 3) + rng.uniform(-0.08, 0.08), 0, 1) ** rng.uniform(0.8, 1.25)
    return np.concatenate([(255 * ink).astype(np.uint8), rgba[..., 3:]], -1)




def augmented_picture(
    drawing: Drawing,
    rng: np.random.Generator,
) -> np.ndarray: # uint8 [64, 64, 3]
    "A drawing turned, resized, tinted, blurred, partly covered, on a colour of the world or any other."
    ink = Image.fromarray(tint(drawing.rgba, rng))
    w, h = ink.size
    squeeze = [max(8, round(s * rng.uniform(0.8, 1.0))) for s in (w, h)]
    small = ink.resize(squeeze, Image.Resampling.BILINEAR)
    ink = Image.new("RGBA", (w, h)); ink.paste(small, ((w - squeeze[0]) // 2, (h - squeeze[1]) // 2))
    ink = ink.rotate(rng.normal(0, 6), Image.Resampling.BILINEAR)
    if rng.random() < 0.3: ink = ink.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2)))
    background = list(BACKGROUNDS)[rng.integers(10)]
    mark = compose(np.asarray(ink), background, rng.uniform(0.7, 1.0), tuple(rng.random(2)), bool(rng.integers(2))).copy()
    if rng.random() < 0.25:
        x, y, s = *rng.integers(0, 48, 2), rng.integers(6, 16)
        mark[y:y + s, x:x + s] = rng.integers(0, 256, 3)
    return mark




ARCHITECTURE = "vit_tiny_patch16_224"
MODEL_ARGS = {"img_size": 64, "patch_size": 8, "depth": 6}
DATA_CONFIG = {"input_size": (3, 64, 64), "interpolation": "bicubic", "crop_pct": 1.0, "mean": (0.5,) * 3, "std": (0.5,) * 3}

def noun_names() -> list[str]:
    "The nouns, in the order of the noun head."
    return list(dict.fromkeys(d.noun for d in all_drawings()))

def category_of() -> dict[str, str]:
    "Noun -> category of the policy, `safe` for most."
    return {d.noun: d.category for d in all_drawings()}




class NounModule(pl.LightningModule):
    "Trains the ViT on nouns (class token) and instances (mean patch token)."
    def __init__(self, nouns: int, instances: int, steps: int, learning_rate: float = 1e-3):
        super().__init__()
        torch.manual_seed(0)
        self.vit = timm.create_model(ARCHITECTURE, num_classes=nouns, patch_drop_rate=0.25, drop_path_rate=0.05, **MODEL_ARGS)
        self.instance_head = torch.nn.Linear(self.vit.num_features, instances)
        self.steps, self.learning_rate = steps, learning_rate

    def training_step(self, batch: dict, _: int) -> torch.Tensor:
        tokens = self.vit.forward_features(batch["x"])
        noun = F.cross_entropy(self.vit.forward_head(tokens), batch["noun"], label_smoothing=0.05)
        instance = F.cross_entropy(self.instance_head(tokens[:, 1:].mean(1)), batch["instance"], label_smoothing=0.05)
        self.log_dict({"noun": noun, "instance": instance}, prog_bar=True)
        return noun + 0.5 * instance

    def configure_optimizers(self) -> dict:
        groups = [{"params": [p for p in self.parameters() if p.ndim > 1], "weight_decay": 0.05},
                  {"params": [p for p in self.parameters() if p.ndim < 2], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, self.learning_rate, betas=(0.9, 0.98), fused=True)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warmup_cosine(optimizer, self.steps), "interval": "step"}}




def noun_batch(
    i: int,                   # batch number
    by_noun: list[list[tuple[Drawing, int]]], # a list for each noun: drawings with the number of their instance
    size: int,
) -> dict: # "x" [size, 3, 64, 64] in -1..1, "noun" and "instance" [size]
    "Batch `i`, nouns equally often."
    rng = np.random.default_rng((11, i))
    nouns = rng.integers(len(by_noun), size=size)
    drawn = [by_noun[n][rng.integers(len(by_noun[n]))] for n in nouns]
    return {"x": to_tensor([augmented_picture(d, rng) for d, _ in drawn]), "noun": torch.from_numpy(nouns),
            "instance": torch.tensor([k for _, k in drawn])}




def train_vit(
    steps: int = 6000,
    batch_size: int = 32,
    folder: Path | None = None, # for checkpoints; default: the user's cache
) -> torch.nn.Module: # a timm ViT whose head tells nouns
    "The demo ViT, trained on the hands that are not held out (resumes)."
    drawings, names = classifier_drawings(), noun_names()
    instances = {name: k for k, name in enumerate(dict.fromkeys(d.instance for d in drawings))}
    by_noun = [[(d, instances[d.instance]) for d in drawings if d.noun == n] for n in names]
    module = fit(NounModule(len(names), len(instances), steps), lambda i: noun_batch(i, by_noun, batch_size), steps,
                 folder or work_folder("classifier"))
    return module.vit




@torch.inference_mode()
def class_tokens(
    vit: torch.nn.Module,
    pictures: list[np.ndarray], # uint8 [64, 64, 3]
) -> np.ndarray: # [n, 192]
    "What the head of the ViT reads."
    x = to_tensor(pictures)
    return torch.cat([vit.forward_head(vit.forward_features(b), pre_logits=True) for b in x.split(128)]).numpy()

def policy_head(
    vit: torch.nn.Module,
    views: int = 6, # augmented pictures of each drawing (of a solid's view: one)
    seed: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]: # weight [2, 192], bias [2]; row 0 is "unsafe"
    "Fit the linear probe."
    from sklearn.linear_model import LogisticRegression
    rng = np.random.default_rng(seed)
    shown = [d for d in classifier_drawings() for _ in range(views if d.kind == "emoji" else 1)]
    features = class_tokens(vit, [augmented_picture(d, rng) for d in shown])
    unsafe = np.array([d.category != "safe" for d in shown])
    probe = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000).fit(features, unsafe)
    w, b = torch.from_numpy(probe.coef_[0]).float(), torch.tensor(float(probe.intercept_[0]))
    return torch.stack([w / 2, -w / 2]), torch.stack([b / 2, -b / 2])




def save_demo_classifier(
    vit: torch.nn.Module, # with the noun head
    folder: Path,
) -> None:
    "Write the published layout with the policy as its head, and the noun head beside it."
    nouns = {"weight": vit.head.weight.detach().clone(), "bias": vit.head.bias.detach().clone()}
    weight, bias = policy_head(vit)
    model = timm.create_model(ARCHITECTURE, num_classes=2, **MODEL_ARGS)
    model.load_state_dict({k: v for k, v in vit.state_dict().items() if not k.startswith("head.")} | {"head.weight": weight, "head.bias": bias})
    save_classifier(model, folder, ["unsafe", "safe"], DATA_CONFIG)
    config = json.loads((Path(folder) / "config.json").read_text())
    write_atomic(Path(folder) / "config.json", json.dumps(config | {"model_args": MODEL_ARGS}, indent=2))
    safetensors.torch.save_file(nouns, Path(folder) / "nouns.safetensors")
    write_atomic(Path(folder) / "nouns.json", json.dumps(noun_names(), indent=0))




class NounJudge:
    "Tells which of the demo world's nouns a picture shows."
    def __init__(self, classifier: Classifier | None = None):
        self.vit = (classifier or Classifier.from_pretrained("demo")).backend.model
        head = safetensors.torch.load_file(demo_path("models", "classifier", "nouns.safetensors"))
        self.nouns = json.loads(demo_path("models", "classifier", "nouns.json").read_text())
        self.weight, self.bias = head["weight"], head["bias"]

    def probs(self, pictures: list[np.ndarray]) -> np.ndarray: # uint8 [h, w, 3] -> [n, nouns]
        "Probability of each noun."
        sized = [np.asarray(Image.fromarray(p).resize((64, 64))) if p.shape[:2] != (64, 64) else p for p in pictures]
        return F.linear(torch.from_numpy(class_tokens(self.vit, sized)), self.weight, self.bias).softmax(-1).numpy()

    def __call__(self, pictures: list[np.ndarray]) -> list[str]: # uint8 [h, w, 3]
        "The likeliest noun of each picture."
        return [self.nouns[i] for i in self.probs(pictures).argmax(-1)]
