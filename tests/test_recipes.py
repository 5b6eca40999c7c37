import json
import subprocess
import sys

import pydantic
import pytest

from convae_nb import training


@pytest.mark.parametrize("name", training.RECIPES)
def test_the_json_of_a_recipe_gives_it_back(name):
    recipe = training.RECIPES[name]
    assert training.Recipe(**json.loads(recipe.model_dump_json())) == recipe
    assert training.Recipe(**json.loads(json.dumps(recipe.model_dump(mode="json")))) == recipe


def test_recipes_and_their_variants_need_no_tensorflow():
    code = "import sys; from convae_nb import training; training.recipe('range_denoiser', seed=3); print('tensorflow' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400, check=True)
    assert (told.stdout, told.stderr) == ("False\n", "")


def test_a_variant_differs_in_what_is_named_and_nothing_else():
    base = training.RECIPES["range_denoiser"]
    variant = training.recipe("range_denoiser", epochs=3)
    assert variant.model_dump() == base.model_dump() | {"epochs": 3}
    assert training.recipe(variant, epochs=base.epochs) == base


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        ("fast_basik", {}, "there is no recipe 'fast_basik': did you mean 'fast_basic'"),
        ("fast_basic", {"epoch": 3}, "a recipe has no field 'epoch': did you mean 'epochs'"),
        (
            "fast_basic",
            {"epochs": 0},
            r"epochs of a recipe \(passes over the training images, or less than one\): .* greater than or equal to 1, got 0",
        ),
        ("fast_basic", {"epochs": 2.0}, "epochs of a recipe .* got 2.0"),
        ("fast_basic", {"noise_kind": "gausian"}, "noise_kind must be one of gaussian, .* got 'gausian': did you mean 'gaussian'"),
        ("fast_basic", {"noise_level": 2.5}, "noise_level of gaussian must lie in 0 to 2"),
        ("fast_basic", {"noise_level": (0.5, 0.1)}, "a range with its lower end first"),
        ("fast_basic", {"learning_rate": float("nan")}, "learning_rate of a recipe .* got nan"),
    ],
)
def test_a_variant_is_validated_where_it_is_made(base, changes, message):
    with pytest.raises(ValueError, match=message) as refused:
        training.recipe(base, **changes)
    assert "\n" not in str(refused.value)


def test_a_copy_of_pydantics_own_is_validated_too():
    with pytest.raises(pydantic.ValidationError, match="epochs"):
        training.RECIPES["fast_basic"].model_copy(update={"epochs": 0})
