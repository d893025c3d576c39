//! What is said to who writes a plan that is none.

use expect_test::expect;

use crate::fault::plan::Plan;

#[test]
fn mistakes_are_pointed_at() {
    let mut text = String::new();
    for plan in [
        "server: condition delay 40ms loss 101%",
        "server: condition delay 40 loss 1%",
        "server: condition slow",
        "server: condition rate 10mbps",
        "server: condition delay 1ms delay 2ms",
        "server: condition queue-limit 10",
        "server: loss 10%",
        "server: lte",
        "server outgoing: drop",
        "server egress tcp port http: drop",
        "server egress tcp port 80 port 81: drop",
        "server egress from server2: drop",
        "server tcp nth 0: drop",
        "server tcp flags syn,!sin: drop",
        "server tcp kind hello: drop",
        "server: reject politely",
        "server: down at noon",
        "server: down every 1s",
        "server egress: down",
        "server: down at 1s at 2s",
        "server flags syn flags ack: drop",
        "server udp: reset",
        "server: then drop",
        "server drop",
        "server:",
        ":drop",
        "server: drop; client: drip",
        "server: drop\nclient: drop at 1s until 2s\nclient: down",
        "server: partition a | b",
        "*: partition a",
        "*: partition a | | b",
        "*: partition a > b a",
        "*: partition a b | b a",
        "*: drop",
        "ser/ver: drop",
    ] {
        text += &format!("{:?}\n\n", plan.parse::<Plan>().expect_err(plan));
    }
    expect![[r#"
        nstest[plan]: read the plan `server: condition delay 40ms loss 101%`
          cause: `101%` is more than 100%
            server: condition delay 40ms loss 101%
                                              ^^^^
          help: write a number from 0 to 100: `2.5%`

        nstest[plan]: read the plan `server: condition delay 40 loss 1%`
          cause: `40` is no time
            server: condition delay 40 loss 1%
                                    ^^
          help: write a number and a unit: `250us`, `40ms`, `1.5s`, `2m`

        nstest[plan]: read the plan `server: condition slow`
          cause: `slow` is not expected here
            server: condition slow
                              ^^^^
          help: write one of: delay, jitter, loss, burst-loss, duplicate, reorder, corrupt, rate, queue-limit, perfect, lan, wifi, hotel-wifi, dsl, 3g, lte, 5g, satellite-geo, satellite-leo

        nstest[plan]: read the plan `server: condition rate 10mbps`
          cause: `10mbps` is no rate
            server: condition rate 10mbps
                                   ^^^^^^
          help: write a number and a unit: `500bit`, `64kbit`, `1.6mbit`, `10gbit`

        nstest[plan]: read the plan `server: condition delay 1ms delay 2ms`
          cause: this has been said before
            server: condition delay 1ms delay 2ms
                                        ^^^^^
          help: say it once

        nstest[plan]: read the plan `server: condition queue-limit 10`
          cause: without a rate no packet waits, and the queue is always empty
            server: condition queue-limit 10
                                          ^^
          help: add a rate, as in `rate 10mbit queue-limit 100`

        nstest[plan]: read the plan `server: loss 10%`
          cause: `loss` is of a condition
            server: loss 10%
                    ^^^^
          help: write it with its value behind that word: `condition loss …`

        nstest[plan]: read the plan `server: lte`
          cause: `lte` is of a condition
            server: lte
                    ^^^
          help: write it with its value behind that word: `condition lte …`

        nstest[plan]: read the plan `server outgoing: drop`
          cause: `outgoing` is not expected here
            server outgoing: drop
                   ^^^^^^^^
          help: write one of: a colon and what happens, as in `: drop`, `egress` or `ingress`, packets, as in `tcp port 80 data`, `nth 3`

        nstest[plan]: read the plan `server egress tcp port http: drop`
          cause: `http` is no port
            server egress tcp port http: drop
                                   ^^^^
          help: write a number from 0 to 65535

        nstest[plan]: read the plan `server egress tcp port 80 port 81: drop`
          cause: this has been said before
            server egress tcp port 80 port 81: drop
                                           ^^
          help: say it once; write another fault for other packets

        nstest[plan]: read the plan `server egress from server2: drop`
          cause: `server2` is no address
            server egress from server2: drop
                               ^^^^^^^
          help: write an address, a subnet or a MAC: `10.0.2.2`, `10.0.2.0/24`

        nstest[plan]: read the plan `server tcp nth 0: drop`
          cause: packets are counted from 1
            server tcp nth 0: drop
                           ^
          help: write a number from 1: `nth 3`

        nstest[plan]: read the plan `server tcp flags syn,!sin: drop`
          cause: `!sin` is none of fin, syn, rst, psh, ack, urg, ece, cwr
            server tcp flags syn,!sin: drop
                             ^^^^^^^^
          help: write names, as in `flags syn,!ack`

        nstest[plan]: read the plan `server tcp kind hello: drop`
          cause: `hello` is not expected here
            server tcp kind hello: drop
                            ^^^^^
          help: write one of: syn, synack, data, fin, rst, ack, datagram, icmp, fragment, control, other

        nstest[plan]: read the plan `server: reject politely`
          cause: `politely` is not expected here
            server: reject politely
                           ^^^^^^^^
          help: write one of: net-unreachable, host-unreachable, port-unreachable, admin-prohibited

        nstest[plan]: read the plan `server: down at noon`
          cause: `noon` is no time
            server: down at noon
                            ^^^^
          help: write a number and a unit: `250us`, `40ms`, `1.5s`, `2m`

        nstest[plan]: read the plan `server: down every 1s`
          cause: what is there for ever cannot come again
            server: down every 1s
                    ^^^^
          help: say how long it lasts, as in `down lasting 100ms every 1s`

        nstest[plan]: read the plan `server egress: down`
          cause: a cable is pulled for both directions
            server egress: down
                           ^^^^
          help: leave the direction out

        nstest[plan]: read the plan `server: down at 1s at 2s`
          cause: this has been said before
            server: down at 1s at 2s
                               ^^
          help: say it once

        nstest[plan]: read the plan `server flags syn flags ack: drop`
          cause: this has been said before
            server flags syn flags ack: drop
                             ^^^^^
          help: put all of them into one list

        nstest[plan]: read the plan `server udp: reset`
          cause: only TCP can be reset
            server udp: reset
                        ^^^^^
          help: take `tcp` packets, or `reject port-unreachable`

        nstest[plan]: read the plan `server: then drop`
          cause: that is of the packet itself, which cannot have passed
            server: then drop
                    ^^^^
          help: leave `then` out

        nstest[plan]: read the plan `server drop`
          cause: `drop` is not expected here
            server drop
                   ^^^^
          help: write one of: a colon and what happens, as in `: drop`, `egress` or `ingress`, packets, as in `tcp port 80 data`, `nth 3`

        nstest[plan]: read the plan `server:`
          cause: here something is missing
            server:
                   ^
          help: write one of: drop, reject KIND, reset, duplicate, delay, corrupt, mtu OCTETS, blackhole, cut, then reset, then blackhole, then cut, condition …, down, partition A | B

        nstest[plan]: read the plan `:drop`
          cause: `:drop` is no node
            :drop
            ^^^^^
          help: begin with the name of a node, `server` or `server.eth1`, or with `*`

        nstest[plan]: read the plan `server: drop; client: drip`
          cause: `drip` is not expected here
            server: drop; client: drip
                                  ^^^^
          help: write one of: drop, reject KIND, reset, duplicate, delay, corrupt, mtu OCTETS, blackhole, cut, then reset, then blackhole, then cut, condition …, down, partition A | B

        nstest[plan]: read the plan `server: drop
        client: drop at 1s until 2s
        client: down`
          cause: `until` is not expected here
            client: drop at 1s until 2s
                               ^^^^^
          help: write one of: `;` and another fault, `at`, `lasting`, `every`

        nstest[plan]: read the plan `server: partition a | b`
          cause: a partition is not of one link
            server: partition a | b
                    ^^^^^^^^^
          help: begin with `*`, as in `*: partition a | b`

        nstest[plan]: read the plan `*: partition a`
          cause: there is one group, and nothing that it is apart from
            *: partition a
                         ^
          help: name two groups or more: `partition a | b c`

        nstest[plan]: read the plan `*: partition a | | b`
          cause: a group is empty
            *: partition a | | b
                               ^
          help: name two groups or more: `partition a | b c`

        nstest[plan]: read the plan `*: partition a > b a`
          cause: `a` is on both sides
            *: partition a > b a
                               ^
          help: name two groups or more: `partition a | b c`

        nstest[plan]: read the plan `*: partition a b | b a`
          cause: no two nodes are apart: some group has each two of them
            *: partition a b | b a
                                 ^
          help: name two groups or more: `partition a | b c`

        nstest[plan]: read the plan `*: drop`
          cause: it is of one link
            *: drop
               ^^^^
          help: begin with the name of a node

        nstest[plan]: read the plan `ser/ver: drop`
          cause: `ser/ver` is no node
            ser/ver: drop
            ^^^^^^^
          help: begin with the name of a node, `server` or `server.eth1`, or with `*`

    "#]].assert_eq(&text);
}
