"""The D-Bus API of BlueZ with virtual adapters: bluezoo 1.0.2, started as a process of its own for tests only.

Three of its faults are worked around: what a connection exported is taken away again when it ends (else no device can be
connected to twice); notifications, unlike indications, are not confirmed; manufacturer data is told with the company
identifier as a number, as BlueZ does, and not as a text.
"""

import sys

from bluezoo import bluezoo, device
from bluezoo.gatt import characteristic
from bluezoo.interfaces.Device import DeviceInterface

ended = device.Device.disconnect


async def disconnect(self, uuid=None):
    for side in (self, self.peer):
        if side is None:
            continue
        for exported in reversed(list(side.services.values())):
            subscription = getattr(exported, "client_props_changed_subscription", None)
            if subscription is not None:
                try:
                    subscription.unsubscribe()
                except Exception:
                    pass
            self.peer_adapter.mock.remove_object(exported)
        side.services.clear()
        side.services_resolved = False
    await ended(self, uuid)
    await self.ServicesResolved.set_async(False)


async def confirm(self):
    return None


device.Device.disconnect = disconnect
characteristic.GattCharacteristicClient.Confirm = confirm

for owner in (DeviceInterface, device.Device):
    owner.__dict__["ManufacturerData"].property_signature = "a{qv}"

sys.argv[0] = "bluezoo"
bluezoo.main()
