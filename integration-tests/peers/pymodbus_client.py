"""Reads registers as another client than ours: python pymodbus_client.py PORT UNIT holding|coil START COUNT"""

import sys

from pymodbus.client import ModbusTcpClient

port, unit, area, start, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
client = ModbusTcpClient("127.0.0.1", port=port)
if not client.connect():
    sys.exit("no connection")
if area == "coil":
    answer = client.read_coils(start, count=count, device_id=unit)
    values = [int(bit) for bit in answer.bits[:count]] if not answer.isError() else None
else:
    answer = client.read_holding_registers(start, count=count, device_id=unit)
    values = answer.registers if not answer.isError() else None
client.close()
if values is None:
    sys.exit(str(answer))
print(" ".join(str(value) for value in values))
