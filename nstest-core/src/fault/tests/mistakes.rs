//! The errors for texts that are not plans.

use expect_test::expect;

use crate::fault::plan::Plan;

#[test]
fn errors_point_at_the_mistake() {
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
        "server: condition lte lose 5%",
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
          cause: `40` is not a duration
            server: condition delay 40 loss 1%
                                    ^^
          help: write a number and a unit: `250us`, `40ms`, `1.5s`, `1m30s`

        nstest[plan]: read the plan `server: condition slow`
          cause: `slow` is not expected here
            server: condition slow
                              ^^^^
          help: write one of: delay, jitter, loss, burst-loss, duplicate, reorder, corrupt, rate, queue-limit, perfect, lan, wifi, hotel-wifi, dsl, 3g, lte, 5g, satellite-geo, satellite-leo

        nstest[plan]: read the plan `server: condition rate 10mbps`
          cause: `10mbps` is not a rate
            server: condition rate 10mbps
                                   ^^^^^^
          help: write a number and a unit: `500bit`, `64kbit`, `1.6mbit`, `10gbit`

        nstest[plan]: read the plan `server: condition delay 1ms delay 2ms`
          cause: this is given twice
            server: condition delay 1ms delay 2ms
                                        ^^^^^
          help: write it once

        nstest[plan]: read the plan `server: condition queue-limit 10`
          cause: without a rate no packet waits in the queue
            server: condition queue-limit 10
                                          ^^
          help: add a rate, as in `rate 10mbit queue-limit 100`

        nstest[plan]: read the plan `server: loss 10%`
          cause: `loss` is part of a condition
            server: loss 10%
                    ^^^^
          help: write `condition` before it: `condition loss …`

        nstest[plan]: read the plan `server: lte`
          cause: `lte` is part of a condition
            server: lte
                    ^^^
          help: write `condition` before it: `condition lte …`

        nstest[plan]: read the plan `server outgoing: drop`
          cause: `outgoing` is not expected here
            server outgoing: drop
                   ^^^^^^^^
          help: write one of: a colon and an effect, as in `: drop`; `egress` or `ingress`; packets, as in `tcp port 80 data`; `nth 3`

        nstest[plan]: read the plan `server egress tcp port http: drop`
          cause: `http` is not a port
            server egress tcp port http: drop
                                   ^^^^
          help: write a number from 0 to 65535

        nstest[plan]: read the plan `server egress tcp port 80 port 81: drop`
          cause: this is given twice
            server egress tcp port 80 port 81: drop
                                           ^^
          help: write it once, and another fault for other packets

        nstest[plan]: read the plan `server egress from server2: drop`
          cause: `server2` is not an address
            server egress from server2: drop
                               ^^^^^^^
          help: write an address, a subnet or a MAC: `10.0.2.2`, `10.0.2.0/24`

        nstest[plan]: read the plan `server tcp nth 0: drop`
          cause: packets are counted from 1
            server tcp nth 0: drop
                           ^
          help: write a number from 1: `nth 3`

        nstest[plan]: read the plan `server tcp flags syn,!sin: drop`
          cause: `!sin` is not one of fin, syn, rst, psh, ack, urg, ece, cwr
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
          cause: `noon` is not a duration
            server: down at noon
                            ^^^^
          help: write a number and a unit: `250us`, `40ms`, `1.5s`, `1m30s`

        nstest[plan]: read the plan `server: down every 1s`
          cause: a fault without an end cannot repeat
            server: down every 1s
                    ^^^^
          help: add how long it lasts, as in `down lasting 100ms every 1s`

        nstest[plan]: read the plan `server egress: down`
          cause: a link is down in both directions
            server egress: down
                           ^^^^
          help: remove the direction

        nstest[plan]: read the plan `server: down at 1s at 2s`
          cause: this is given twice
            server: down at 1s at 2s
                               ^^
          help: write it once

        nstest[plan]: read the plan `server flags syn flags ack: drop`
          cause: this is given twice
            server flags syn flags ack: drop
                             ^^^^^
          help: write all flags in one list

        nstest[plan]: read the plan `server udp: reset`
          cause: only TCP can be reset
            server udp: reset
                        ^^^^^
          help: match `tcp` packets, or use `reject port-unreachable`

        nstest[plan]: read the plan `server: then drop`
          cause: the action is on the packet itself, so it cannot follow it
            server: then drop
                    ^^^^
          help: remove `then`

        nstest[plan]: read the plan `server drop`
          cause: `drop` is not expected here
            server drop
                   ^^^^
          help: write one of: a colon and an effect, as in `: drop`; `egress` or `ingress`; packets, as in `tcp port 80 data`; `nth 3`

        nstest[plan]: read the plan `server:`
          cause: something is missing here
            server:
                   ^
          help: write one of: drop, reject REASON, reset, duplicate, delay, corrupt, mtu BYTES, blackhole, cut, then reset, then blackhole, then cut, condition …, down, partition A | B

        nstest[plan]: read the plan `:drop`
          cause: `:drop` is not a node
            :drop
            ^^^^^
          help: start with the name of a node, `server` or `server.eth1`, or with `*`

        nstest[plan]: read the plan `server: drop; client: drip`
          cause: `drip` is not expected here
            server: drop; client: drip
                                  ^^^^
          help: write one of: drop, reject REASON, reset, duplicate, delay, corrupt, mtu BYTES, blackhole, cut, then reset, then blackhole, then cut, condition …, down, partition A | B

        nstest[plan]: read the plan `server: drop
        client: drop at 1s until 2s
        client: down`
          cause: `until` is not expected here
            client: drop at 1s until 2s
                               ^^^^^
          help: write one of: `;` and another fault, at, lasting, every, optional

        nstest[plan]: read the plan `server: condition lte lose 5%`
          cause: `lose` is not expected here
            server: condition lte lose 5%
                                  ^^^^
          help: write one of: `;` and another fault, at, lasting, every, optional, delay, jitter, loss, burst-loss, duplicate, reorder, corrupt, rate, queue-limit, perfect

        nstest[plan]: read the plan `server: partition a | b`
          cause: a partition has no link
            server: partition a | b
                    ^^^^^^^^^
          help: start with `*`, as in `*: partition a | b`

        nstest[plan]: read the plan `*: partition a`
          cause: there is only one group
            *: partition a
                         ^
          help: name two or more groups: `partition a | b c`

        nstest[plan]: read the plan `*: partition a | | b`
          cause: a group is empty
            *: partition a | | b
                               ^
          help: name two or more groups: `partition a | b c`

        nstest[plan]: read the plan `*: partition a > b a`
          cause: `a` is in both groups
            *: partition a > b a
                               ^
          help: name two or more groups: `partition a | b c`

        nstest[plan]: read the plan `*: partition a b | b a`
          cause: it separates no two nodes: each pair is in one group
            *: partition a b | b a
                                 ^
          help: name two or more groups: `partition a | b c`

        nstest[plan]: read the plan `*: drop`
          cause: only a partition has the target `*`
            *: drop
               ^^^^
          help: start with the name of a node

        nstest[plan]: read the plan `ser/ver: drop`
          cause: `ser/ver` is not a node
            ser/ver: drop
            ^^^^^^^
          help: start with the name of a node, `server` or `server.eth1`, or with `*`

    "#]].assert_eq(&text);
}
