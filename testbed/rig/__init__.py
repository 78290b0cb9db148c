# SPDX-License-Identifier: Apache-2.0
"""Starts every party of the procedure on one machine, each as its own process, and takes all of it down again."""
from .options import UA, Options, Subscriber, new_device_id
from .processes import Party, RigError
from .rig import Device, DeviceResult, Rig
from .steps import StepEvent, procedure_of

__all__ = ["UA", "Device", "DeviceResult", "Options", "Party", "Rig", "RigError", "StepEvent", "Subscriber",
           "new_device_id", "procedure_of"]
