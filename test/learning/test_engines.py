import torch

from pilotnet_brain.learning.engines import engines_by_speed
from pilotnet_brain.learning.export import trace
from pilotnet_brain.learning.pilotnet import PilotNet, Shape
from pilotnet_brain.learning.quantize import quantize_statically


def test_the_engines_named_run_the_network_and_the_choice_is_left_as_it_was():
    torch.manual_seed(1)
    image = torch.rand(1, 3, 66, 200).contiguous(memory_format=torch.channels_last)
    network = PilotNet(Shape(((4, 5, 2), (4, 5, 2)), (12,))).eval()
    scripted = trace(quantize_statically(network, [image]))
    before, threads = torch.backends.quantized.engine, torch.get_num_threads()
    engines = engines_by_speed(scripted, image)
    assert (torch.backends.quantized.engine, torch.get_num_threads()) == (before, threads)
    assert before in engines
    assert set(engines) <= set(torch.backends.quantized.supported_engines) - {"none"}
    assert len(set(engines)) == len(engines)
