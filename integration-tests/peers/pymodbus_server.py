"""A Modbus device by pymodbus: python pymodbus_server.py PORT, or python pymodbus_server.py rtu DEVICE BAUD

Units 1 and 2, each with four tables of 300 entries: holding register n holds n + 1, input register n holds n,
a coil is on when n is odd, a discrete input when n is divisible by three. Each write is printed: the place, then the values; with
TRACE_READS in the environment each read as well: the place.
"""

import asyncio
import os
import sys

from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 300


def device(unit: int) -> SimDevice:
    coils = [bool(n & 1) for n in range(SIZE)]
    discrete = [n % 3 == 0 for n in range(SIZE)]
    holding = [n + 1 for n in range(SIZE)]
    inputs = list(range(SIZE))
    return SimDevice(
        id=unit,
        simdata=(
            [SimData(0, values=coils, datatype=DataType.BITS)],
            [SimData(0, values=discrete, datatype=DataType.BITS)],
            [SimData(0, values=holding, datatype=DataType.REGISTERS)],
            [SimData(0, values=inputs, datatype=DataType.REGISTERS)],
        ),
    )


TRACE_READS = "TRACE_READS" in os.environ


def show(sending: bool, pdu):
    if TRACE_READS and not sending and pdu.function_code in (1, 2, 3, 4):
        print("read", pdu.address, flush=True)
    if not sending and pdu.function_code in (5, 6, 15, 16):
        values = pdu.registers or [int(bit) for bit in pdu.bits]
        print("write", pdu.address, *values, flush=True)
    return pdu


async def main() -> None:
    if sys.argv[1] == "rtu":
        devices = [device(1), device(2)]
        await StartAsyncSerialServer(context=devices, port=sys.argv[2], baudrate=int(sys.argv[3]))
        return
    port = int(sys.argv[1])
    context = [device(1), device(2)]
    await StartAsyncTcpServer(context=context, address=("127.0.0.1", port), trace_pdu=show)


asyncio.run(main())
