"""A thermometer: a GATT application and an advertisement on the adapter that is named, over the D-Bus API of BlueZ.

    peripheral.py ADAPTER NAME TEMPERATURE [--still] [--advertise-every SECONDS] [--agent]

Environmental Sensing with a temperature that grows by 0.01 degrees ten times a second (not with --still), humidity that
is only read, a battery level, a setting of four bytes that can be read and written, a command that can only be written,
a characteristic that is only told of, and device information. Manufacturer data (0x0499) counts up with every
advertisement. With --agent bonds are agreed to. What is written is printed.
"""

import asyncio
import struct
import sys

from bluez_peripheral.advert import Advertisement
from bluez_peripheral.agent import NoIoAgent
from bluez_peripheral.gatt.characteristic import CharacteristicFlags as F
from bluez_peripheral.gatt.characteristic import characteristic
from bluez_peripheral.gatt.service import Service
from bluez_peripheral.util import Adapter, get_message_bus

OWN = "12345678-1234-5678-1234-56789abcde"


class Environment(Service):
    def __init__(self, hundredths):
        super().__init__("181A", True)
        self.hundredths = hundredths
        self.setting_bytes = bytes([1, 0x0F, 3, 4])

    @characteristic("2A6E", F.READ | F.NOTIFY)
    def temperature(self, options):
        return struct.pack("<h", self.hundredths)

    @characteristic("2A6F", F.READ)
    def humidity(self, options):
        return struct.pack("<H", 4500)

    @characteristic(OWN + "f1", F.READ | F.WRITE | F.WRITE_WITHOUT_RESPONSE)
    def setting(self, options):
        return self.setting_bytes

    @setting.setter
    def setting(self, value, options):
        self.setting_bytes = bytes(value)
        print("setting", self.setting_bytes.hex(), flush=True)

    @characteristic(OWN + "f2", F.WRITE_WITHOUT_RESPONSE)
    def command(self, options):
        return b""

    @command.setter
    def command(self, value, options):
        print("command", bytes(value).hex(), flush=True)

    @characteristic(OWN + "f3", F.NOTIFY)
    def ticks(self, options):
        return b""


class Battery(Service):
    def __init__(self):
        super().__init__("180F", True)

    @characteristic("2A19", F.READ)
    def level(self, options):
        return bytes([87])


class Information(Service):
    def __init__(self):
        super().__init__("180A", True)

    @characteristic("2A29", F.READ)
    def manufacturer(self, options):
        return b"Acme"


async def advertise(bus, adapter, name, number):
    data = {0x0499: bytes([5]) + struct.pack(">hH", 2150, number)}
    advertisement = Advertisement(name, ["181A"], 0x0340, 0, manufacturerData=data)
    path = f"/com/example/advertisement{number}"
    await advertisement.register(bus, adapter, path)
    return path


async def main():
    adapter_name, name, temperature = sys.argv[1:4]
    still = "--still" in sys.argv
    every = float(sys.argv[sys.argv.index("--advertise-every") + 1]) if "--advertise-every" in sys.argv else None
    bus = await get_message_bus()
    if "--agent" in sys.argv:
        await NoIoAgent().register(bus)
    adapters = await Adapter.get_all(bus)
    adapter = next(a for a in adapters if a._proxy.path.endswith("/" + adapter_name))
    environment = Environment(round(float(temperature) * 100))
    for number, service in enumerate((environment, Battery(), Information())):
        await service.register(bus, path=f"/com/example/service{number}", adapter=adapter)
    manager = adapter._proxy.get_interface("org.bluez.LEAdvertisingManager1")
    number, path = 0, await advertise(bus, adapter, name, 0)
    print("up", flush=True)
    passed = 0.0
    while True:
        await asyncio.sleep(0.1)
        passed += 0.1
        if not still:
            environment.hundredths += 1
            environment.temperature.changed(struct.pack("<h", environment.hundredths))
        environment.ticks.changed(struct.pack("<I", int(passed * 10)))
        if every is not None and passed >= every * (number + 1):
            number += 1
            await manager.call_unregister_advertisement(path)
            path = await advertise(bus, adapter, name, number)


asyncio.run(main())
