/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: workload_loopback
 *
 * Sends a word to itself over each kind of network that a guest has which is alone, and prints what came.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void check(int result, const char *name, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s: ", name);
    perror(what);
    exit(1);
}

static void send_to_itself(const char *name, const struct sockaddr *address, socklen_t length)
{
    int listening = socket(address->sa_family, SOCK_STREAM, 0), sending = socket(address->sa_family, SOCK_STREAM, 0);
    struct sockaddr_storage bound;
    socklen_t bound_length = sizeof bound;
    int receiving;
    char text[6] = "";

    check(listening, name, "socket");
    check(bind(listening, address, length), name, "bind");
    check(listen(listening, 1), name, "listen");
    check(getsockname(listening, (struct sockaddr *)&bound, &bound_length), name, "getsockname");
    check(connect(sending, (struct sockaddr *)&bound, bound_length), name, "connect");
    receiving = accept(listening, NULL, NULL);
    check(receiving, name, "accept");
    check((int)send(sending, "hello", 5, 0), name, "send");
    check((int)recv(receiving, text, 5, MSG_WAITALL), name, "recv");
    printf("%s: %s\n", name, text);
    close(sending);
    close(receiving);
    close(listening);
}

int main(void)
{
    const struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    const struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/tmp/workload_loopback" };
    int packets;

    send_to_itself("IPv4", (const struct sockaddr *)&ipv4, sizeof ipv4);
    send_to_itself("IPv6", (const struct sockaddr *)&ipv6, sizeof ipv6);
    send_to_itself("UNIX", (const struct sockaddr *)&local, sizeof local);
    packets = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    check(packets, "packet", "socket");
    puts("packet: a socket");
    return 0;
}
