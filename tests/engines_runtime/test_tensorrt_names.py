"""Every name of TensorRT and CUDA that the code uses exists in the real bindings; no GPU is needed for that.

The bindings ask the loader for three libraries of TensorRT. Empty stand-ins, compiled here, satisfy it: enough to
import the classes and look at them. Needs gcc, and a package index or a folder of wheels that pip knows.
"""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wheels import fetched

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "engines/runtime/tensorrt_build.py", ROOT / "engines/runtime/tensorrt_backend.py"]
SHARING = ("engines/runtime/resident.py", "installation/display/cuda_gl.py", "installation/screen_bench.py")
CUDA_FILES = [*FILES, *(ROOT / path for path in SHARING)]
RELEASES = ("10.13.3.9.post1", "11.4.0.106")

CLASSES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "tensor": "ITensor",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "_context": "IExecutionContext",
    "monitor": "IProgressMonitor",
    "Monitor": "IProgressMonitor",
    "get_timing_cache": "ITimingCache",
}
"""Variable, attribute, class or method in our code -> the class of TensorRT that it holds or gives."""

LIBRARIES = {
    "nvinfer": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "nvonnxparser": ("createNvOnnxParserRefitter_INTERNAL", "createNvOnnxParser_INTERNAL", "getNvOnnxParserVersion"),
    "nvinfer_plugin": ("initLibNvInferPlugins",),
}
"""What the bindings ask of TensorRT's libraries."""

LOOK = """
import ctypes, functools, json, sys
names, module, libraries, folder = json.loads(sys.argv[1])
sys.path.insert(0, folder)
for library in libraries:
    ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
import importlib
found = importlib.import_module(module)
missing = []
for name in names:
    try:
        functools.reduce(getattr, name.split("."), found)
    except AttributeError:
        missing.append(name)
print(json.dumps([getattr(found, "__version__", ""), missing]))
"""


def chain_of(node):
    """`a.b.c` as ["a", "b", "c"]; a call in the middle counts as what it gives; [] if it is something else."""
    names = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Name):
            return [node.id, *reversed(names)]
        else:
            return []


def tensorrt_names():
    """Dotted names below the module `tensorrt` that the code uses."""
    names = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                chain = chain_of(node)
                if "trt" in chain[:-1]:
                    names.add(".".join(chain[chain.index("trt") + 1 :]))
                for at, name in enumerate(chain[:-1]):
                    if name in CLASSES and (chain[0] != "self" or name == "_context"):
                        names.add(f"{CLASSES[name]}.{chain[at + 1]}")
            elif isinstance(node, ast.ClassDef) and node.name in CLASSES:
                methods = (item.name for item in node.body if isinstance(item, ast.FunctionDef))
                names |= {f"{CLASSES[node.name]}.{method}" for method in methods}
    names.discard("_trt")
    return names


def cuda_names():
    """Functions and constants of the CUDA runtime that the code uses."""
    return {
        node.value if isinstance(node, ast.Constant) else node.attr
        for path in CUDA_FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("cuda"))
        or (isinstance(node, ast.Attribute) and node.attr.startswith("cuda") and node.attr != "cudart")
    } - {"cuda.bindings.runtime", "cuda"}


def missing_names(names, module, libraries, folder):
    arguments = json.dumps([sorted(names), module, [str(path) for path in libraries], str(folder)])
    done = subprocess.run([sys.executable, "-c", LOOK, arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def stand_ins(folder, major):
    made = []
    for library, functions in LIBRARIES.items():
        source = folder / f"{library}.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in functions))
        made.append(folder / f"lib{library}.so.{major}")
        options = ["-shared", "-fPIC", f"-Wl,-soname,{made[-1].name}"]
        subprocess.run(["gcc", *options, "-o", str(made[-1]), str(source)], check=True)
    return made


@pytest.mark.skipif(not sys.platform.startswith("linux") or shutil.which("gcc") is None, reason="needs gcc on Linux")
@pytest.mark.parametrize("release", RELEASES)
def test_every_name_of_tensorrt_exists_in_the_real_bindings(tmp_path, release):
    unpacked = fetched(tmp_path, f"tensorrt-cu13-bindings=={release}")
    libraries = stand_ins(tmp_path, release.split(".")[0])
    names = tensorrt_names()
    version, missing = missing_names(names | {"BuilderFlag.NOT_A_FLAG"}, "tensorrt_bindings", libraries, unpacked)
    assert version == release
    assert missing == ["BuilderFlag.NOT_A_FLAG"], "and the check itself can tell"


MEMBERS = {
    "cudaMemcpyKind": ("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost", "cudaMemcpyDeviceToDevice"),
    "cudaStreamCaptureMode": ("cudaStreamCaptureModeThreadLocal",),
    "cudaGraphicsRegisterFlags": ("cudaGraphicsRegisterFlagsWriteDiscard",),
    "cudaGLDeviceList": ("cudaGLDeviceListAll",),
}
"""Enumerations of the CUDA runtime, and which of their members the code uses."""


def test_every_name_of_the_cuda_runtime_exists_in_the_real_bindings(tmp_path):
    unpacked = fetched(tmp_path, "cuda-bindings", "cuda-pathfinder")
    _, missing = missing_names(cuda_names() | {"cudaNotThere"}, "cuda.bindings.runtime", [], unpacked)
    members = {name for names in MEMBERS.values() for name in names}
    assert set(missing) == {"cudaNotThere", *members}, "members of enumerations are looked up below"
    dotted = {f"{enumeration}.{name}" for enumeration, names in MEMBERS.items() for name in names}
    assert missing_names(dotted, "cuda.bindings.runtime", [], unpacked)[1] == []


def test_the_check_sees_what_the_code_uses():
    names = tensorrt_names()
    for known in (
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
        "MemoryPoolType.WORKSPACE",
        "BuilderFlag.TF32",
        "IBuilderConfig.set_memory_pool_limit",
        "IBuilderConfig.progress_monitor",
        "IExecutionContext.execute_async_v3",
        "IExecutionContext.set_tensor_address",
        "ICudaEngine.get_tensor_mode",
        "ITimingCache.serialize",
        "IProgressMonitor.step_complete",
        "Runtime.deserialize_cuda_engine",
    ):
        assert known in names
    assert {"cudaGraphLaunch", "cudaMallocHost", "cudaStreamEndCapture"} <= cuda_names()
    removed = ("FP16", "INT8", "EXPLICIT_BATCH", "OBEY_PRECISION_CONSTRAINTS", "max_workspace_size")
    assert not [name for name in names if name.rpartition(".")[2] in removed]
