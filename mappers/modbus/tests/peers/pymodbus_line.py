"""Modbus devices on a serial line by pymodbus: python pymodbus_line.py rtu|ascii DEVICE BAUD PARITY UNIT...

Each unit has four tables of 300 entries: holding register n holds n + 1 + 1000 times its unit (the first unit: n + 1),
input register n holds n, a coil is on when n is odd, a discrete input when n is divisible by three. Units that are not
named are silent, as if they were not there. Each request is printed: its unit, its function.
"""

import asyncio
import sys

from pymodbus import FramerType
from pymodbus.server import StartAsyncSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 300


def device(unit: int) -> SimDevice:
    above = 0 if unit == 1 else 1000 * unit
    return SimDevice(
        id=unit,
        simdata=(
            [SimData(0, values=[bool(n & 1) for n in range(SIZE)], datatype=DataType.BITS)],
            [SimData(0, values=[n % 3 == 0 for n in range(SIZE)], datatype=DataType.BITS)],
            [SimData(0, values=[n + 1 + above for n in range(SIZE)], datatype=DataType.REGISTERS)],
            [SimData(0, values=list(range(SIZE)), datatype=DataType.REGISTERS)],
        ),
    )


def show(sending: bool, pdu):
    if not sending:
        print(pdu.dev_id, pdu.function_code, flush=True)
    return pdu


async def main() -> None:
    framer, port, baud, parity, *units = sys.argv[1:]

    def silence(sending: bool, packet: bytes) -> bytes:
        """pymodbus answers for units that it does not have: nothing of that goes out."""
        if not sending or not packet:
            return packet
        unit = int(packet[1:3], 16) if framer == "ascii" else packet[0]
        return packet if str(unit) in units else b""

    await StartAsyncSerialServer(
        context=[device(int(unit)) for unit in units],
        framer=FramerType(framer),
        port=port,
        baudrate=int(baud),
        parity=parity,
        trace_packet=silence,
        trace_pdu=show,
    )


asyncio.run(main())
