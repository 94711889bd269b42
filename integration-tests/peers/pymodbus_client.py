"""Reads or writes registers as another client than ours.

python pymodbus_client.py PORT UNIT holding|coil START COUNT          prints the values
python pymodbus_client.py PORT UNIT holding|coil START COUNT VALUE... writes them first
"""

import sys

from pymodbus.client import ModbusTcpClient

port, unit, area, start, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
wanted = [int(text) for text in sys.argv[6:]]
client = ModbusTcpClient("127.0.0.1", port=port)
if not client.connect():
    sys.exit("no connection")
answer = None
if wanted and area == "coil":
    answer = client.write_coils(start, [bool(value) for value in wanted], device_id=unit)
elif wanted:
    answer = client.write_registers(start, wanted, device_id=unit)
if answer is not None and answer.isError():
    sys.exit(str(answer))
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
