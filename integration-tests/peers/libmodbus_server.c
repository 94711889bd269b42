/* A Modbus device by libmodbus:
 *     libmodbus_server tcp PORT
 *     libmodbus_server rtu DEVICE BAUD UNIT
 * Four tables of 300 entries: holding register n holds n + 1, input register n holds n, a coil is on when n is odd, a
 * discrete input when n is divisible by three. With DELAY_MS in the environment the answer to every read of holding
 * register 99 comes that much later. */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 300, SLOW_REGISTER = 99 };

static modbus_mapping_t *tables(void)
{
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    if (map == NULL) {
        exit(1);
    }
    for (int n = 0; n < SIZE; n++) {
        map->tab_bits[n] = n & 1;
        map->tab_input_bits[n] = n % 3 == 0;
        map->tab_registers[n] = n + 1;
        map->tab_input_registers[n] = n;
    }
    return map;
}

static void answer(modbus_t *bus, const unsigned char *query, int length, modbus_mapping_t *map)
{
    const char *delay = getenv("DELAY_MS");
    int header = modbus_get_header_length(bus);
    int start = query[header + 1] << 8 | query[header + 2];
    if (delay != NULL && query[header] == MODBUS_FC_READ_HOLDING_REGISTERS && start == SLOW_REGISTER) {
        usleep(1000u * (unsigned) atoi(delay));
    }
    modbus_reply(bus, query, length, map);
}

int main(int argc, char **argv)
{
    unsigned char query[MODBUS_TCP_MAX_ADU_LENGTH];
    int is_tcp = argc == 3 && strcmp(argv[1], "tcp") == 0;
    int listener = -1;
    modbus_t *bus = NULL;

    if (is_tcp) {
        bus = modbus_new_tcp("127.0.0.1", atoi(argv[2]));
    } else if (argc == 5 && strcmp(argv[1], "rtu") == 0) {
        bus = modbus_new_rtu(argv[2], atoi(argv[3]), 'N', 8, 1);
    }
    if (bus == NULL) {
        fprintf(stderr, "usage: %s tcp PORT | rtu DEVICE BAUD UNIT\n", argv[0]);
        return 64;
    }
    modbus_mapping_t *map = tables();
    if (is_tcp) {
        listener = modbus_tcp_listen(bus, 4);
    } else if (modbus_set_slave(bus, atoi(argv[4])) == 0) {
        listener = modbus_connect(bus);
    }
    if (listener == -1) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    for (;;) {
        if (is_tcp && modbus_tcp_accept(bus, &listener) == -1) {
            return 1;
        }
        for (;;) {
            int length = modbus_receive(bus, query);
            if (length > 0) {
                answer(bus, query, length, map);
            } else if (length == -1 && is_tcp) {
                break;
            } else if (length == -1 && (errno == EIO || errno == EBADF)) {
                return 1;
            }
        }
        modbus_close(bus);
    }
}
