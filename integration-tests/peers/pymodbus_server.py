"""A Modbus TCP device by pymodbus: python pymodbus_server.py PORT

Units 1 and 2, each with four tables of 300 entries: holding register n holds n + 1, input register n holds n,
a coil is on when n is odd, a discrete input when n is divisible by three.
"""

import asyncio
import sys

from pymodbus.server import StartAsyncTcpServer
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


async def main() -> None:
    port = int(sys.argv[1])
    await StartAsyncTcpServer(context=[device(1), device(2)], address=("127.0.0.1", port))


asyncio.run(main())
