"""Every call that the code makes to the stand-in of CUDA is made to the real bindings, which look at its arguments.

Without a driver they answer each with the same error and nothing can happen: types, numbers of arguments and of values
are checked all the same. Needs a package index or a folder of wheels that pip knows.
"""

import json
import subprocess
import sys
import types

import numpy as np
import pytest
from fake_cuda import FakeCuda, Handle, Named, give_gpu_to_opengl
from fake_tensorrt import TensorRt
from wheels import fetched

from engines.runtime.nvidia import why_no_nvidia
from engines.runtime.resident import ResidentPictures
from engines.runtime.tensorrt_backend import TensorRtEngine
from installation.display.cuda_gl import CudaGl

REPLAY = """
import json, sys
sys.path.insert(0, sys.argv[1])
from cuda.bindings import runtime

NO_DRIVER = 35

def real(argument):
    return argument if isinstance(argument, int) else getattr(runtime, argument[0])(argument[1])

wrong = []
for name, arguments, answered in json.load(sys.stdin):
    try:
        status, *values = getattr(runtime, name)(*map(real, arguments))
    except TypeError as error:
        wrong.append(f"{name}: {error}")
        continue
    if int(status) != NO_DRIVER:
        wrong.append(f"{name} answers {status}")
    if len(values) != answered - 1:
        wrong.append(f"{name} gives {len(values)} values, {answered - 1} were expected")
print(json.dumps(wrong))
"""


def plain(argument):
    """An argument as JSON: a number, or the name of its type in the bindings and a number."""
    if isinstance(argument, Handle):
        return [argument.kind, 1]
    if isinstance(argument, Named):
        return [argument.enumeration, int(argument)]
    return int(argument)


def replay(calls, folder):
    """Make calls that the stand-in noted to the real bindings; returns what is wrong with them."""
    given = json.dumps([[name, [plain(one) for one in arguments], answered] for name, arguments, answered in calls])
    command = [sys.executable, "-c", REPLAY, str(folder)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def calls(ctx, monkeypatch):
    """What an engine of TensorRT, its pictures on the GPU and a context of OpenGL ask of CUDA, to the end."""
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    give_gpu_to_opengl(cuda, monkeypatch)
    plan = json.dumps({"part": "generator", "batch": 1}).encode()
    engine = TensorRtEngine(TensorRt(cuda), cuda, plan, "fp32")
    guarded = types.SimpleNamespace(launch=engine.launch, outputs=engine.outputs, resident=True)
    w_plus = np.zeros(engine.inputs["w_plus"].shape, np.float32)
    pictures = ResidentPictures(2)
    drawn = pictures.draw(guarded, w_plus, 1)
    engine.run({"w_plus": w_plus}, {"image": np.zeros(drawn.shape, np.float32)})
    pictures.wipe(resting=True)
    engine.forget()
    pictures.close()
    engine.close()
    CudaGl(ctx).close()
    return cuda.calls


@pytest.mark.skipif(why_no_nvidia() is None, reason="there is a driver here, which would act on made-up addresses")
def test_the_real_bindings_take_every_call(calls, tmp_path):
    asked = {name for name, _, _ in calls}
    assert {
        "cudaGraphicsMapResources",
        "cudaMemcpy2DAsync",
        "cudaGraphLaunch",
        "cudaMemsetAsync",
        "cudaGLGetDevices",
    } <= asked
    unpacked = fetched(tmp_path, "cuda-bindings", "cuda-pathfinder")
    assert replay(calls, unpacked) == []
    stream = Handle(1, "cudaStream_t")
    assert "not instance of type" in replay([("cudaGraphicsMapResources", (1, stream, stream), 1)], unpacked)[0]
    assert "gives 0 values" in replay([("cudaStreamSynchronize", (stream,), 2)], unpacked)[0]
