#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What does lbctl do with this reply? A scripted lbd: canned replies in the shapes of docs/protocol.md.

fake_lbd.py FOLDER listens on one socket a behaviour in FOLDER, writes each request as a line into FOLDER/requests,
and makes FOLDER/ready once it can be asked. It ends when its standard input does.
"""

import json
import os
import socket
import sys
import threading
import time


def backend(address, weight, slots, packets, size, state="active", flows=0, leaving=0, next_hop=None, health=None):
    next_hop = next_hop or {"state": "resolved", "interface": "eth1", "gateway": "10.0.0.1"}
    return {"address": address, "weight": weight, "state": state, "recorded_flows": flows,
            "leaving_slots": leaving, "share": {"expected": 33.33, "slots": slots},
            "packets": packets, "bytes": size, "next_hop": next_hop, **({"health": health} if health else {})}


def health(state, since, error=None, error_at=None):
    return {"state": state, "since": "2026-01-31T%sZ" % since, "duration_us": 300,
            **({"error": error, "error_at": "2026-01-31T%sZ" % error_at} if error else {})}


WEB = {"name": "web", "address": "192.0.2.10:443/tcp", "table": "rendezvous", "table_size": 65537,
       "transition_s": 900, "flow_idle_s": 5400, "encap": "ipip", "hash": "5-tuple", "fragments": "track",
       "slots": {"settled": 64882, "moving": 512, "tracked": 143},
       "backends": [backend("10.0.0.2", 10, 33.34, 1234567, 1288490188),
                    backend("10.0.0.3", 10, 33.33, 9, 980, flows=12),
                    backend("10.0.0.4", 10, 0.0, 5000, 64000, "draining", 1234, 512),
                    backend("10.0.0.5", 10, 0.0, 5000, 64000, "drained"),
                    backend("10.0.9.2", 10, 0.0, 0, 0, next_hop={
                        "state": "resolved", "interface": "eth1", "gateway": "10.0.0.1", "ways_left_out": 2, "ways": [
                            {"state": "resolved", "interface": "eth1", "gateway": "10.0.0.1", "paths": 8},
                            {"state": "unresolved", "reason": "link is down", "interface": "eth2",
                             "gateway": "10.0.1.1", "paths": 0}]}),
                    backend("2001:db8:1::4", 0, 0.0, 0, 0, next_hop={
                        "state": "unresolved", "reason": "neighbour does not answer", "interface": "eth1",
                        "gateway": "fe80::1"})],
       "digest": "0123456789abcdef", "packets": 1234576, "bytes": 1288491168}
CHECKED = dict(WEB, name="shop", address="192.0.2.11:80/tcp", slots={"settled": 65537, "moving": 0, "tracked": 0},
               health={"type": "http", "source": "tunnel", "interval_ms": 2000, "timeout_ms": 500, "rise": 2, "fall": 3,
                       "jitter_percent": 10, "method": "GET", "path": "/up", "status": "200-399", "port": 8080},
               on_unhealthy="keep", when_all_unhealthy="use_all", backends=[
                   backend("10.0.0.2", 1, 50.0, 1, 60, health=health("healthy", "12:00:00.123")),
                   backend("10.0.0.3", 1, 0.0, 1, 60, flows=7, health=health(
                       "unhealthy", "12:00:01.000", "connection refused", "12:00:09.000")),
                   backend("10.0.0.4", 1, 50.0, 1, 60, health=health(
                       "healthy", "12:00:02.000", "no answer within 500 ms", "12:00:03.000")),
                   backend("10.0.0.5", 1, 50.0, 1, 60, health=health(
                       "healthy", "12:00:02.000", "an old story", "12:00:01.999")),
                   backend("10.0.0.6", 1, 0.0, 0, 0, health=health(
                       "unknown", "12:00:09.000", "too many open files", "12:00:09.001")),
                   dict(backend("10.0.0.9", 1, 0.0, 0, 0, "waiting", next_hop={
                       "state": "unresolved", "reason": "neighbour does not answer", "interface": "eth1",
                       "gateway": "10.0.0.9"}), waiting_until="its next hop is resolved (neighbour does not answer)")])
SPILLED = dict(WEB, name="shop", spill={"percent": 50, "hold_s": 30, "priority": 1, "in_service_percent": 75, "reserve": 1}, backends=[
    dict(WEB["backends"][0], weight=30, second_chance={"lost": 0, "since": "2026-01-31T12:00:00.123Z"}),
    dict(WEB["backends"][1], priority=1, second_chance={"lost": 12, "since": "2026-01-31T12:00:01.000Z", "silent": True}),
    dict(WEB["backends"][1], address="10.0.0.4", priority=2, state="reserve", recorded_flows=0,
         share={"expected": 0, "slots": 0},
         reserve_until="less than 50 % of the weight up to priority 1 is in service (75 % now)")])
DNS = {"name": "[2001:db8::10]:53/udp", "address": "[2001:db8::10]:53/udp", "table": "maglev",
       "table_size": 1021, "transition_s": 61, "flow_idle_s": 7200,
       "encap": "gue", "hash": "source", "fragments": "3-tuple",
       "slots": {"settled": 1021, "moving": 0, "tracked": 0}, "backends": [], "digest": "fedcba9876543210", "packets": 1, "bytes": 64}

STATUS = {
    "version": "0.2.0", "abi": 1, "kernel": "6.1.0", "pid": 4321, "uptime_s": 273906,
    "interfaces": [
        {"name": "eth0", "ifindex": 2, "xdp_mode": "native"},
        {"name": "wlan0", "ifindex": 3, "xdp_mode": "generic", "reason": "the driver has no XDP"}],
    "limits": {"vips": {"used": 2, "max": 1024}, "members": {"used": 3, "max": 4096},
               "slots": {"used": 66558, "max": 2097152}, "flows": {"max": 1048576}},
    "flow_table": {"recorded": 1234, "room": 1048576, "bytes_per_flow": 8, "counts": [
        {"name": "hits", "count": 123456789, "meaning": "packets that followed their record"},
        {"name": "evicted", "count": 3, "meaning": "flows recorded in the place of an idle one"},
        {"name": "refused", "count": 0, "meaning": "flows not recorded"}]},
    "memory_bytes": 17825792,
    "next_hops": [
        {"interface": "eth1", "gateway": "10.0.0.1", "source_mac": "02:00:00:00:00:01",
         "destination_mac": "02:00:00:00:00:02", "mtu": 1500, "state": "resolved", "backends": 2}],
    "unroutable": [], "hash_seed": {"configured": True, "digest": "00112233445566aa"}, "document_digest": "0123456789abcdef",
    "longest_turn": {"cpu_us": 5123, "what": "backend.list", "ago_s": 3700}, "warnings": []}

INTERFACES = {"interfaces": [
    {"name": "eth0", "ifindex": 2, "xdp_mode": "native", "ingress": True, "link": "up", "mtu": 1500, "driver": "ixgbe",
     "next_hops": 2},
    {"name": "bond0", "ifindex": 11, "xdp_mode": "generic", "reason": "the driver has no XDP", "ingress": True,
     "link": "up", "mtu": 9000, "next_hops": 0},
    {"name": "eth3", "ifindex": 5, "xdp_mode": "none", "ingress": False, "link": "up", "mtu": 1500,
     "driver": "veth", "master": "br0", "next_hops": 1}]}

NODE = {"table": 76, "protocol": 76, "drained": False, "announced": 2, "withdrawn": 1, "routes": [
    {"route": "192.0.2.10/32", "state": "announced"}, {"route": "2001:db8::/48", "state": "announced"},
    {"route": "192.0.2.11/32", "state": "withdrawn", "reason": "0 of 3 backends healthy, 1 needed"}],
    "forwarded": 1000, "at_ms": 5000}
DRAINED_NODE = dict(NODE, drained=True, drained_since="2026-01-31T12:00:00.000Z", obstacle="the node is drained",
                    announced=0, withdrawn=2, routes=[
                        {"route": "192.0.2.10/32", "state": "withdrawn", "reason": "the node is drained"},
                        {"route": "2001:db8::/48", "state": "withdrawn", "reason": "the node is drained"}])
ILL = dict(STATUS, node={"table": 76, "protocol": 76, "drained": False, "announced": 1, "withdrawn": 0, "ruled": True,
    "others": {"count": 2, "route": "192.0.2.11/32", "protocol": 4}}, next_hops=STATUS["next_hops"] + [
    {"interface": "eth1", "gateway": "fe80::1", "source_mac": "02:00:00:00:00:01",
     "destination_mac": "00:00:00:00:00:00", "mtu": 9000, "egress": "eth9", "vlan": 100, "state": "unresolved",
     "reason": "neighbour does not answer", "backends": 1}],
    unroutable=[{"address": "10.9.9.9", "reason": "network is unreachable"}],
    health={"healthy": 1234, "unhealthy": 0, "unknown": 1},
    hash_seed={"configured": False, "digest": "00112233445566aa"}, unconfirmed={"reverts_in_s": 75},
    otlp={"url": "https://collector:4318/v1/metrics", "state": "failing", "error": "status 503: busy", "taken": 17,
          "refused": 0, "dropped": 0, "failures": 3, "rejected_points": 0, "waiting": 2, "waiting_bytes": 9000,
          "taken_ago_s": 130, "again_in_s": 7},
    flow_table={"recorded": 0, "room": 1, "bytes_per_flow": 8, "counts": [
        {"name": "refused", "count": 70000, "meaning": "flows not recorded"},
        {"name": "over_budget", "count": 1, "meaning": "packets not recorded"}]},
    warnings=["the BPF JIT is off: sysctl -w net.core.bpf_jit_enable=1"])

UNHEALTHY = dict(STATUS, health={"healthy": 2, "unhealthy": 1, "unknown": 0})

PROTOCOLS = [
    {"name": "tcp", "packets": 1234576, "bytes": 987654321}, {"name": "udp", "packets": 1, "bytes": 64},
    {"name": "sctp", "packets": 0, "bytes": 0}, {"name": "icmp", "packets": 3}, {"name": "other", "packets": 15}]

VERDICTS = [
    {"name": "pass_not_vip", "action": "pass", "packets": 17, "meaning": "for no VIP"},
    {"name": "tx", "action": "forward", "packets": 1234577,
     "meaning": "to a backend, out of the interface it came in by"},
    {"name": "drop_ttl", "action": "drop", "packets": 0, "meaning": "to a VIP: TTL or hop limit is 0"},
    {"name": "drop_fragment", "action": "drop", "packets": 1, "meaning": "to a VIP: IP fragment"}]


EXPLANATION = {
    "interface": "eth0",
    "packet": {"source": "2001:db8::7", "destination": "2001:db8::10", "length": 1480, "protocol": "tcp",
               "source_port": 40001, "destination_port": 443, "fragment": "first", "opens": True},
    "vip": {"name": "web", "address": "[2001:db8::10]:443/tcp"},
    "slot": {"hash": "0123456789abcdef", "number": 290, "of": 65537, "state": "moving", "owner": "10.0.0.3",
             "previous": "10.0.0.2"},
    "record": {"before": {"backend": "10.0.0.2", "grade": "closed", "age_s": 64},
               "after": {"backend": "10.0.0.3", "grade": "new", "age_s": 0}, "did": ["replaced"]},
    "backend": {"address": "10.0.0.3", "takes_new_flows": True, "keeps_old_flows": False},
    "next_hop": {"state": "resolved", "interface": "eth1", "source_mac": "02:00:00:00:00:01",
                 "destination_mac": "02:00:00:00:00:02", "mtu": 1500, "vlan": 7},
    "mtu": {"outer_bytes": 28, "wrapped_length": 1508, "mtu": 1500, "fits": False},
    "outer": {"encap": "gue", "source": "10.0.0.1", "destination": "10.0.0.3"},
    "verdict": {"name": "tx_too_big", "action": "answer", "meaning": "larger than the MTU towards the backend"}}


def counters(vip):
    fields = ("address", "packets", "bytes")
    return dict({f: vip[f] for f in ("name",) + fields},
                backends=[{f: b[f] for f in fields} for b in vip["backends"]])


def change(what, slots=0, percent=0.0, ideal=0.0, name="web", at_risk=(), **more):
    return dict({"name": name, "address": "192.0.2.10:443/tcp", "what": what, "moved": {
        "slots": slots, "of": 65537, "percent": percent, "ideal_slots": slots, "ideal_percent": ideal},
        "at_risk": list(at_risk)}, **more)


def changes(*vips):
    needs_force = {"needs_force": True} if any(vip["at_risk"] for vip in vips) else {}
    return {"changed": bool(vips), **needs_force, "vips": list(vips)}


AT_RISK = [
    {"backend": "10.0.0.2", "recorded_flows": 1234, "slots": 656, "reason": "it is removed while it takes new flows"},
    {"backend": "2001:db8:1::4", "recorded_flows": 1, "slots": 0, "reason": "it is removed"}]
DATAGRAMS = {"seconds": 30, "backends": ["10.0.0.2"]}
NOT_FOUND = {"code": 1, "message": "no VIP \"wbe\"", "data": {"path": "vip", "hint": "did you mean \"web\"?"}}
DOCUMENT = {"vips": [{"name": "web", "address": "192.0.2.10:443/tcp", "table": "rendezvous",
                      "table_size": 65537, "transition_s": 900, "flow_idle_s": 5400, "backends": [{"address": "10.0.0.2", "weight": 10}]}]}

POOL = {"name": "web", "table": "rendezvous", "table_size": 16381, "transition_s": 900, "flow_idle_s": 900,
        "datagram_transition_s": 60, "datagram_flow_idle_s": 120, "encap": "ipip", "backends": [
            {"address": "10.0.0.2", "weight": 10, "drain": False}, {"address": "10.0.0.3", "weight": 5, "drain": True}]}
SHARED = {f: v for f, v in change("changed", 656, 1.0, 1.0).items() if f != "address"}
PROBE = {
    "vip": "192.0.2.10:443/tcp", "address": "10.0.0.9", "in_pool": False, "configured": True, "healthy": False,
    "check": CHECKED["health"], "next_hop": {"state": "resolved", "interface": "eth1", "gateway": "10.0.0.1"},
    "attempts": [
        {"source": "tunnel", "full_mtu": False, "outcome": "failure", "error": "no answer within 500 ms",
         "duration_us": 500100, "icmp": [{"from": "10.0.0.1", "type": 3, "code": 4},
                                         {"from": "2001:db8::1", "type": 9, "code": 1}]},
        {"source": "tunnel", "full_mtu": True, "outcome": "failure", "error": "no answer within 500 ms",
         "duration_us": 500100},
        {"source": "direct", "full_mtu": False, "outcome": "failure", "error": "status 503 is not 200-399",
         "duration_us": 1250, "connect_us": 340, "status": 503, "answer": "HTTP/1.1 503 Busy??Server: x????"},
        {"source": "tunnel", "full_mtu": False, "own_address": True, "outcome": "success", "duration_us": 800,
         "connect_us": 300, "answer": "??binary"}]}


def probed(**fields):
    return dict(PROBE, **fields)


# What is found by other probes, by the backend's address.
PROBES = {
    "10.0.0.1": probed(address="10.0.0.1", in_pool=True, healthy=True, attempts=[
        {"source": "tunnel", "full_mtu": False, "outcome": "success", "duration_us": 900, "connect_us": 400}]),
    "10.0.0.2": probed(address="10.0.0.2", attempts=PROBE["attempts"][:3]),
    "10.0.0.3": probed(address="10.0.0.3", attempts=PROBE["attempts"][:1]),
    "10.0.0.4": probed(address="10.0.0.4", attempts=PROBE["attempts"][:1],
                       refused="the backend does not take off the outer header"),
    "10.0.0.5": probed(address="10.0.0.5", attempts=PROBE["attempts"][:1], next_hop={
        "state": "unresolved", "reason": "neighbour does not answer", "interface": "eth1", "gateway": "10.0.0.5"}),
    "10.0.0.6": probed(address="10.0.0.6", attempts=[
        {"source": "tunnel", "full_mtu": False, "outcome": "success"}, PROBE["attempts"][1]]),
}

LISTS = [
    {"name": "drop", "kind": "block", "monitor": False, "prefixes": 1503, "hits": {"packets": 90210, "bytes": 5412600}},
    {"name": "new", "kind": "block", "monitor": True, "vips": ["web", "192.0.2.9:53/udp"], "prefixes": 2, "hits": {"packets": 0, "bytes": 0}},
    {"name": "friends", "kind": "allow", "monitor": False, "prefixes": 1, "hits": {"packets": 7, "bytes": 420}}]

def guarded(name, syn_guard, **syn):
    return {"name": name, "address": "192.0.2.10:443/tcp", "syn_guard": syn_guard,
            "syn": {"answers": True, "since": "2026-01-31T12:00:00.250Z", "mss": 1440, "syns": 1200345, "answered": 1200001, **syn}}


GUARD = {
    "vips": [
        guarded("web", "always"),
        dict(guarded("api", "auto:500", answers=False, answered=0, syns_per_s=7), lists=["new"],
             rates=[{"rate": "source=1000pps", "exceeded": 1234567}, {"rate": "vip=10kpps,monitor", "exceeded": 1}])],
    "lists": LISTS, "fault": "no memory", "secret": {"keys": 2}, "verdicts": [
        {"name": "drop_blocked", "action": "drop", "meaning": "to a VIP: its source is on a list that blocks", "packets": 90210},
        {"name": "tx_syn", "action": "answer", "meaning": "SYN to a VIP with the SYN guard: answered with a cookie", "packets": 1}]}

REPLIES = {
    "guard.show": GUARD,
    "list.add": dict(LISTS[2], changed=True),
    "list.del": dict(LISTS[1], changed=True),
    "list.load": dict(LISTS[0], changed=True, added=20, removed=3),
    "list.set": dict(LISTS[0], changed=True),
    "list.show": {"lists": LISTS},
    "list.explain": {"verdict": "allowed", "matches": [
        {"list": "friends", "prefix": "198.51.100.7/32", "kind": "allow", "monitor": False},
        {"list": "drop", "prefix": "198.51.100.0/24", "kind": "block", "monitor": False},
        {"list": "new", "prefix": "198.51.100.0/24", "kind": "block", "monitor": True, "vips": ["web"]}]},
    "pool.add": {"changed": True, "pools": [{"name": "web", "what": "added"}], "vips": []},
    "pool.set": {"changed": True, "pools": [SHARED], "vips": []},
    "pool.del": {"changed": True, "pools": [{"name": "web", "what": "removed"}], "vips": []},
    "pool.list": {"pools": [dict(POOL, vip_count=2), dict(POOL, name="spare", vip_count=0, encap="gue", backends=[])]},
    "pool.show": dict(POOL, vip_count=2, vips=["a", "[2001:db8::10]:53/udp"]),
    "version": {"version": "0.2.0", "abi": 1, "kernel": "6.1.0"},
    "status": STATUS,
    "iface.list": INTERFACES,
    "node.show": NODE,
    "node.drain": DRAINED_NODE,
    "node.undrain": NODE,
    "vip.add": changes(change("added")),
    "vip.set": changes(change("changed", name="shop")),
    "vip.del": changes(change("removed")),
    "vip.list": {"vips": [WEB, DNS]},
    "vip.show": WEB,
    "backend.add": changes(change("changed", 656, 1.0, 1.0, waiting=[
        {"backend": "10.0.0.9", "until": "its next hop is resolved (neighbour does not answer)"}])),
    "backend.set": changes(change("changed", 2, 0.003, 0.05)),
    "backend.del": changes(change("changed", 656, 1.0, 1.0, at_risk=AT_RISK)),
    "backend.drain": changes(change("changed", 656, 1.0, 1.0)),
    "backend.undrain": changes(),
    "backend.list": {"pools": [], "vips": [{f: v[f] for f in ("name", "address", "backends")} for v in (WEB, DNS)]},
    "backend.probe": PROBE,
    "simulate.fail": {"address": "10.0.0.2", "fails": True, "simulated": True},
    "simulate.recover": {"address": "10.0.0.2", "fails": False, "simulated": True},
    "explain": EXPLANATION,
    "stats": {"vips": [counters(WEB), counters(DNS)], "protocols": PROTOCOLS, "verdicts": VERDICTS},
    "config.check": changes(change("changed", 656, 1.0, 1.0, datagrams=DATAGRAMS), change("added", name="dns",
                            serving={"backends": 3, "first": "10.0.0.2", "before": "its first health check succeeds"}),
                            change("changed", name="same"),
                            change("removed", 65537, 100.0, 100.0, name="old", at_risk=AT_RISK[:1]),
                            change("added", 656, 1.0, name="dns80", at_risk=[dict(AT_RISK[0], vip="all")])),
    "config.apply": changes(change("changed", 656, 1.0, 1.0, at_risk=AT_RISK), change("added", name="dns"),
                            change("removed", name="old"), change("changed", name="same")),
    "config.export": {"document": {"digest": "0123456789abcdef", **DOCUMENT}, "document_digest": "0123456789abcdef"},
    "config.diff": {"differs": True, "vips": [
        {"name": "web", "address": "192.0.2.10:443/tcp", "what": "changed", "differences": [
            {"field": "name", "from": "shop", "to": "web"},
            {"field": "backends[10.0.0.2].weight", "from": 10, "to": 5},
            {"field": "backends[10.0.0.3]", "from": {"address": "10.0.0.3", "weight": 1, "drain": False}},
            {"field": "backends[10.0.0.9]", "to": {"address": "10.0.0.9", "weight": 7, "drain": True}}]},
        {"name": "[2001:db8::10]:53/udp", "address": "[2001:db8::10]:53/udp", "what": "added", "differences": [
            {"field": "table", "to": "maglev"},
            {"field": "backends[10.0.0.2]", "to": {"address": "10.0.0.2", "weight": 1, "drain": False}}]},
        {"name": "old", "address": "192.0.2.11:80/tcp", "what": "removed", "differences": []}]},
    "config.confirm": {"confirmed": True},
    "config.revert": changes(change("changed", 656, 1.0, 1.0)),
    "watch": {"watching": True},
    "trace": {"tracing": True, "seconds": 60},
    "replay": {"frames": [
        {"verdict": {"name": "redirect", "action": "forward", "meaning": "to a backend"}, "vip": "web", "backend": "10.0.0.2",
         "packet": {"source": "198.51.100.7", "source_port": 40001, "destination": "192.0.2.10", "destination_port": 443,
                    "protocol": "tcp"}, "before": {"vip": "web", "backend": "10.0.0.2"},
         "after": {"vip": "web", "backend": "10.0.0.3"}},
        {"verdict": {"name": "drop_no_backend", "action": "drop", "meaning": "nobody"}, "vip": "dns",
         "packet": {"source": "198.51.100.7", "source_port": 40001, "destination": "192.0.2.10", "destination_port": 53,
                    "protocol": "udp"}, "before": {"vip": "dns", "backend": None},
         "after": {"vip": None, "backend": None}},
        {"verdict": {"name": "redirect", "action": "forward", "meaning": "to a backend"}, "vip": "web", "backend": "10.0.0.2",
         "packet": {"source": "198.51.100.7", "source_port": 40001, "destination": "192.0.2.10", "destination_port": 443,
                    "protocol": "tcp"}, "before": {"vip": "web", "backend": "10.0.0.2"},
         "after": {"vip": "web", "backend": "10.0.0.2"}}]},
}

SYN = {"source": "198.51.100.7", "destination": "192.0.2.10", "length": 60, "protocol": "tcp", "source_port": 40001,
       "destination_port": 443, "opens": True}
TRACED = [
    {"time": "2026-01-31T12:00:00.123456789Z", "interface": "eth0", "verdict": "redirect", "action": "forward",
     "vip": "web", "backend": "10.0.0.2", "packet": SYN, "frame": {"length": 74, "bytes": "0200" * 8},
     "out": {"interface": "eth1", "length": 94, "bytes": "0201" * 9}},
    {"time": "2026-01-31T12:00:01.000000000Z", "interface": "eth0", "verdict": "drop_no_backend", "action": "drop",
     "vip": "dns", "packet": dict(SYN, protocol="udp", destination_port=53, opens=False),
     "frame": {"length": 74, "bytes": "02"}},
    {"time": "2026-01-31T12:00:02.500000000Z", "interface": "eth0", "verdict": "pass_not_ip", "action": "pass",
     "frame": {"length": 42, "bytes": ""}},
    {"time": "2026-01-31T12:00:03.000000000Z", "interface": "eth0", "verdict": "redirect", "action": "forward",
     "vip": "web", "backend": "10.0.0.2", "hops": 2, "packet": dict(SYN, opens=False),
     "frame": {"length": 74, "bytes": "0200"}, "out": {"interface": "eth1", "length": 118, "bytes": "0201"}},
    {"ended": "time", "packets": 4, "unread": 1234, "lost": 5, "limited_ms": 1500},
]

EVENTS = [
    {"event": "change", "method": "config.apply", "change": REPLIES["config.apply"]},
    {"event": "revert", "reason": "not confirmed in time", "change": REPLIES["config.revert"]},
    {"event": "change", "method": "backend.set", "backend": "10.0.0.2", "set": {"weight": 5},
     "change": REPLIES["config.revert"], "uid": 1000, "pid": 77, "user": "alice"},
    {"event": "confirm", "uid": 1000},
    {"event": "drain", "vip": "web", "backend": "10.0.0.2", "state": "drained"},
    {"event": "fault", "what": "save", "reason": "cannot write /var/lib/lbd/service.json: No space left on device"},
    {"event": "serve", "vip": "web", "backend": "10.0.0.9", "state": "serving"},
    {"event": "next_hop", "interface": "eth1", "gateway": "fe80::1", "state": "unresolved",
     "reason": "neighbour does not answer"},
    {"event": "next_hop", "interface": "eth1", "gateway": "fe80::1", "state": "resolved"},
    {"event": "health", "vip": "web", "backend": "10.0.0.2", "state": "unhealthy", "since": "2026-01-31T12:00:00.000Z",
     "error": "connection refused"},
    {"event": "health", "vip": "web", "backend": "10.0.0.2", "state": "healthy", "since": "2026-01-31T12:00:01.000Z"},
    {"event": "vip_health", "vip": "web", "state": "all_unhealthy", "backends": 3, "new_flows": "use_all"},
    {"event": "vip_health", "vip": "web", "state": "recovered"},
    {"event": "spill", "pool": "web", "state": "spilled", "priority": 1, "in_service_percent": 33},
    {"event": "spill", "pool": "web", "state": "returned", "priority": 0, "in_service_percent": 67},
    {"event": "receipt", "vip": "web", "seconds": 906, "predicted": {"backends": 0, "recorded_flows": 0},
     "measured": {"packets": 0, "backends": 3, "silent": 0}},
    {"event": "receipt", "pool": "web", "seconds": 66, "predicted": {"backends": 1, "recorded_flows": 7},
     "measured": {"packets": 12, "backends": 2, "silent": 1}},
    {"event": "move", "vip": "web", "state": "began", "pool": "b", "from": "a"},
    {"event": "move", "vip": "web", "state": "settled", "pool": "b"},
    {"event": "route", "backend": "10.0.0.2", "state": "unroutable", "reason": "network is unreachable"},
    {"event": "interface", "interface": "eth1", "state": "attached", "xdp_mode": "generic", "reason": "no native XDP"},
    {"event": "interface", "interface": "eth1", "state": "link_down"},
    {"event": "announce", "state": "withdrawn", "route": "192.0.2.10/32", "count": 2, "reason": "the node is drained"},
    {"event": "node", "state": "drained", "uid": 0, "user": "root"},
    {"event": "list", "list": "drop", "state": "loaded", "prefixes": 1503},
    {"event": "eclipse", "of": "the moon"}]

EMPTY = {"list.del": {"name": "new", "changed": False}, "list.add": dict(LISTS[2], changed=False),
         "list.load": {"name": "drop", "prefixes": 1503, "added": 20, "removed": 3},
         "list.explain": {"verdict": "not_listed", "matches": []},
         "list.show": dict(LISTS[1], entries=[{"prefix": "192.0.2.0/24"}, {"prefix": "2001:db8::/48", "until": 1769860800}]),
         "guard.show": {"vips": [{"name": "web", "address": "192.0.2.10:443/tcp"}], "lists": [],
                        "secret": {"keys": 0, "fault": "cannot read /x: No such file or directory"}},
         "vip.list": {"vips": []}, "backend.list": {"vips": []}, "vip.show": DNS,
         "stats": {"vips": [], "verdicts": []}, "status": ILL, "config.check": changes(),
         "config.export": {"document": {"vips": []}}, "config.diff": {"differs": False, "vips": []},
         "watch": {"watching": True}}

GROUPS = {"vip.show": SPILLED, "pool.show": dict(POOL, vip_count=1, vips=["shop"], **{f: SPILLED[f] for f in ("spill", "backends")}),
          "backend.list": {"pools": [{f: SPILLED[f] for f in ("name", "backends")}, {f: POOL[f] for f in ("name", "backends")}],
                           "vips": [{f: DNS[f] for f in ("name", "address", "backends")}]},
          "explain": dict(EXPLANATION, backend=dict(EXPLANATION["backend"], takes_new_flows=False, reserve=True))}

FORWARDED = {**EXPLANATION, "packet": dict(EXPLANATION["packet"], opens=False), "verdict": {
    "name": "redirect", "action": "forward", "meaning": "to a backend"}}
del FORWARDED["packet"]["fragment"]
BLOCKED = {**{field: FORWARDED[field] for field in ("interface", "packet", "vip") if field in FORWARDED},
           "blocked_by": [{"list": "drop", "prefix": "2001:db8::/48"}, {"list": "own", "prefix": "2001:db8::/48"}],
           "verdict": {"name": "drop_blocked", "action": "drop", "meaning": "to a VIP: its source is on a list that blocks"}}
RATES = ["source=1000pps", "vip=10kpps,monitor"]
RATED = {"explain": {**BLOCKED, "exceeds": RATES, "verdict": {
             "name": "drop_rate", "action": "drop", "meaning": "to a VIP: more than a rate of the VIP allows"}},
         "vip.show": dict(DNS, rate=" ".join(RATES), rates=[{"rate": rate, "exceeded": exceeded} for rate, exceeded in zip(RATES, (1234567, 1))])}
del RATED["explain"]["blocked_by"]
LISTED = {**FORWARDED, "second_chance": {"backends": ["10.0.0.2", "10.0.0.4"], "left_out": 1},
          "mtu": {"outer_bytes": 52, "wrapped_length": 1532, "mtu": 1540, "fits": True}}
NO_ROOM = {**FORWARDED, "second_chance": {"backends": [], "left_out": 2},
           "mtu": {"outer_bytes": 28, "wrapped_length": 1508, "mtu": 1510, "fits": True}}

QUIC = {"name": "web-quic", "address": "192.0.2.10:443/udp", "table": "rendezvous", "table_size": 65537,
        "transition_s": 60, "flow_idle_s": 60, "encap": "ipip", "hash": "5-tuple", "fragments": "track",
        "quic": [{"cr": 0, "sid_length": 8}, {"cr": 2, "sid_length": 8, "key": "2026"}],
        "slots": {"settled": 65537, "moving": 0, "tracked": 0}, "digest": "0123456789abcdef", "packets": 9, "bytes": 900,
        "backends": [dict(backend("10.0.0.2", 10, 50.0, 5, 500), quic={
                        "server_id": "1122334455667788", "packets": 4, "connections": True}),
                     dict(backend("10.0.0.3", 10, 0.0, 4, 400, "draining"), quic={
                         "server_id": "1122334455667789", "packets": 1, "connections": True}),
                     backend("10.0.0.4", 10, 50.0, 0, 0)]}
QUICK = {"vip.show": QUIC, "backend.list": {"vips": [{f: QUIC[f] for f in ("name", "address", "backends")}]},
         "status": dict(STATUS, quic={"vips": 1, "counts": [
             {"name": "routed", "count": 5, "meaning": "packets that went to their server"},
             {"name": "unroutable", "count": 12345, "meaning": "packets without an id"}]}),
         "explain": dict({f: v for f, v in EXPLANATION.items() if f not in ("slot", "record")}, quic={
             "id": "routed", "meaning": "packets that went to their server", "cr": 2, "encrypted": True,
             "server_id": "1122334455667788"})}

CHECKS = {"vip.show": CHECKED, "vip.list": {"vips": [WEB, CHECKED]}, "status": UNHEALTHY,
          "backend.list": {"vips": [{f: CHECKED[f] for f in ("name", "address", "backends")}]}}


def answer(request):
    """The reply's one field besides jsonrpc and id."""
    params = request.get("params", {})
    if params.get("vip") == "wbe":
        return {"error": NOT_FOUND}
    if request["method"] == "stats" and "vip" in params:
        return {"result": {"vips": [counters(WEB)]}}
    if request["method"] == "backend.probe":
        return {"result": PROBES.get(params["address"], PROBE)}
    if request["method"] == "backend.list" and "vip" in params:
        return {"result": {"vips": REPLIES["backend.list"]["vips"][:1]}}
    if "confirm_s" in params:
        return {"result": dict(REPLIES["config.apply"], unconfirmed={"reverts_in_s": params["confirm_s"]})}
    return {"result": REPLIES[request["method"]]}


# What backend.list says of 10.0.0.2 while it drains, by the behaviour of the server: one after the other, the last for
# ever. Each is {state, flows, leaving}; None: it is not there any more.
DRAINS = {
    "drains": [("draining", 1234, 512), ("draining", 1234, 512), ("draining", 1, 0), ("drained", 0, 0)],
    "stuck": [("draining", 0, 512)],
    "removed": [None],
    "undrained": [("active", 0, 0)],
}


def draining(behaviour):
    steps = list(DRAINS[behaviour])

    def make(request):
        if request["method"] != "backend.list":
            return answer(request)
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        shown = [backend("10.0.0.2", 10, 0.0, 5000, 64000, *step)] if step else []
        return {"result": {"vips": [{"name": "web", "address": WEB["address"], "backends": shown}]}}
    return make


def draining_node(by, drained=DRAINED_NODE):
    """A second passes, and `by` packets are forwarded, from each look to the next."""
    asked = [0]

    def make(request):
        asked[0] += 1
        node = DRAINED_NODE if request["method"] == "node.drain" else drained
        return {"result": dict(node, forwarded=1000 + by * asked[0], at_ms=5000 + 1000 * asked[0])}
    return make


def growing():
    """Counters go on by 10 and 1,000 a second each time that they are asked for, but of what is idle."""
    asked = [0]

    def grow(entry, by):
        entry = dict(entry)
        for field, value in entry.items():
            if field.endswith("packets") and value:
                entry[field] += 10 * by
            elif field.endswith("bytes") and value:
                entry[field] += 125000 * by
        if "backends" in entry:
            entry["backends"] = [grow(b, by if b["address"] == "10.0.0.3" else 0) for b in entry["backends"]]
        return entry

    def make(request):
        by = asked[0]
        asked[0] += 1
        vips = [dict(counters(WEB)), counters(DNS)][:1 if "vip" in request.get("params", {}) else 2]
        result = {"at_ms": 5000 + 2000 * by, "vips": [grow(v, (2 + 3 * i) * by) for i, v in enumerate(vips)]}
        if "vip" not in request.get("params", {}):
            result["verdicts"] = [grow(v, by) for v in VERDICTS]
            result["interfaces"] = [grow({"name": "eth0", "rx_packets": 1, "rx_bytes": 64, "tx_packets": 0,
                                          "tx_bytes": 0}, by)]
        return {"result": result}
    return make


TUNNEL = dict(CHECKED, health=dict(CHECKED["health"], source="tunnel"), backends=[
    backend("10.0.0.2", 1, 50.0, 1, 60, health=health("unhealthy", "12:00:00", "no SYN-ACK within 500 ms", "12:00:01"))])
AILING = {"status": ILL, "backend.probe": PROBES["10.0.0.2"], "vip.list": {"vips": [WEB, CHECKED, TUNNEL]}, "iface.list": {"interfaces": [
    dict(INTERFACES["interfaces"][1]), {"name": "eth7", "ifindex": 0, "xdp_mode": "detached", "ingress": True, "link": "missing"},
    dict(INTERFACES["interfaces"][0], xdp_mode="detached", link="down", reason="another program has detached it")]}}
SOUND = {"status": STATUS, "vip.list": {"vips": [WEB]}, "iface.list": {"interfaces": INTERFACES["interfaces"][:1]}}


def examined(replies, verdicts):
    count = growing()
    asked = [0]

    def make(request):
        if request["method"] == "status" and verdicts == ["drop_no_headroom"]:  # the flow table refuses more and more
            asked[0] += 1
            table = dict(ILL["flow_table"], counts=[{"name": "refused", "count": 70000 + 5 * asked[0]}])
            return {"result": dict(ILL, flow_table=table)}
        if request["method"] != "stats":
            return {"result": replies[request["method"]]}
        result = count(request)["result"]
        return {"result": dict(result, verdicts=[v for v in result["verdicts"] if v["name"] != "drop_fragment"] + [
            {"name": name, "action": "drop", "packets": result["at_ms"], "meaning": "…"} for name in verdicts])}
    return make


def bad_document(_request):
    return {"error": {"code": -32602, "message": "weight must be 0 to 10000", "data": {
        "path": "document.vips[0].backends[2].weight", "hint": "0 takes no new flows"}}}


def moved_on(request):
    """Somebody has added a backend since the document was exported."""
    if request["method"] == "config.diff":
        return {"result": {"differs": True, "vips": [{
            "name": "web", "address": "192.0.2.10:443/tcp", "what": "changed", "differences": [
                {"field": "backends[10.0.0.3]", "from": {"address": "10.0.0.3", "weight": 1, "drain": False}}]}]}}
    if "if_digest" not in request["params"] and "digest" not in request["params"].get("document", {}):
        return answer(request)
    return {"error": {"code": 8, "data": {"path": "document.digest", "hint": "it was exported before that"},
                      "message": "the document has changed: its digest is 0123456789abcdef now, not fedcba9876543210"}}


def big(_request):
    return {"result": {"vips": [dict(DNS, name="vip%d" % i) for i in range(30000)]}}


def line(request, make):
    return (json.dumps({"jsonrpc": "2.0", "id": request["id"], **make(request)}) + "\n").encode()


def in_pieces(connection, reply):
    for byte in range(0, len(reply), 7):
        connection.sendall(reply[byte:byte + 7])
        if byte % 70 == 0:
            time.sleep(0.001)


def endless(connection, _reply):
    while True:
        connection.sendall(b"x" * 1048576)


def stream(connection, reply):
    """The reply and all events, in pieces that have nothing to do with lines."""
    for number, event in enumerate(EVENTS):
        params = {"time": "2026-01-31T12:00:00.%03dZ" % number, **event}
        reply += (json.dumps({"jsonrpc": "2.0", "method": "event", "params": params}) + "\n").encode()
    for byte in range(0, len(reply), 100):
        connection.sendall(reply[byte:byte + 100])


def traced(connection, reply):
    for params in TRACED:
        reply += (json.dumps({"jsonrpc": "2.0", "method": "trace", "params": params}) + "\n").encode()
    in_pieces(connection, reply)


# How a connection is answered, given the proper reply. It is closed afterwards.
SEND = {
    "lbd": lambda c, reply: c.sendall(reply),
    "pieces": in_pieces,
    "cut": lambda c, reply: c.sendall(reply[:len(reply) // 2]),
    "garbage": lambda c, _: c.sendall(b"\x00\xffHTTP/1.1 400 Bad Request\r\n\r\n"),
    "notreply": lambda c, _: c.sendall(b"[1, 2]\n"),
    "noresult": lambda c, _: c.sendall(b'{"jsonrpc":"2.0","id":1}\n'),
    "otherid": lambda c, reply: c.sendall(reply.replace(b'"id": 1', b'"id": 7')),
    "odd": lambda c, _: c.sendall(b'{"jsonrpc":"2.0","id":1,"result":{"vips":[{"name":5},"x",null]}}\n'),
    "hangup": lambda c, _: None,
    "silent": lambda c, _: c.recv(1),
    "endless": endless,
    "stream": stream,
    "traced": traced,
    "half": lambda c, reply: c.sendall(reply + b'{"jsonrpc":"2.0","method":"ev'),
    "empty": lambda c, reply: c.sendall(reply),
    "checked": lambda c, reply: c.sendall(reply),
    "grouped": lambda c, reply: c.sendall(reply),
    "chance": lambda c, reply: c.sendall(reply),
    "blocked": lambda c, reply: c.sendall(reply),
    "rated": lambda c, reply: c.sendall(reply),
    "chance_cut": lambda c, reply: c.sendall(reply),
    "quic": lambda c, reply: c.sendall(reply),
    "document": lambda c, reply: c.sendall(reply),
    "big": lambda c, reply: c.sendall(reply),
    "moved_on": lambda c, reply: c.sendall(reply),
    "grows": lambda c, reply: c.sendall(reply),
    "ailing": lambda c, reply: c.sendall(reply),
    "sound": lambda c, reply: c.sendall(reply),
    "quiet_node": lambda c, reply: c.sendall(reply),
    "busy_node": lambda c, reply: c.sendall(reply),
    "undrained_node": lambda c, reply: c.sendall(reply),
    "plain_node": lambda c, reply: c.sendall(reply),
    **{behaviour: lambda c, reply: c.sendall(reply) for behaviour in DRAINS},
}
MAKE = {**{behaviour: draining(behaviour) for behaviour in DRAINS}, "empty": lambda request: {"result": EMPTY[request["method"]]}, "document": bad_document, "big": big,
        "moved_on": moved_on, "grows": growing(), "ailing": examined(AILING, ["drop_no_headroom"]),
        "quiet_node": draining_node(0), "busy_node": draining_node(70), "undrained_node": draining_node(0, NODE),
        "plain_node": lambda request: {"result": {"routes": [], "forwarded": 5, "at_ms": 1}},
        "sound": examined(SOUND, ["drop_bad_header"]),
        "checked": lambda request: {"result": CHECKS[request["method"]]},
        "quic": lambda request: {"result": QUICK[request["method"]]} if request["method"] in QUICK else answer(request),
        "blocked": lambda request: {"result": BLOCKED}, "rated": lambda request: {"result": RATED[request["method"]]},
        "chance": lambda request: {"result": LISTED}, "chance_cut": lambda request: {"result": NO_ROOM},
        "grouped": lambda request: {"result": GROUPS[request["method"]]} if request["method"] in GROUPS
        else answer(request)}


def serve(connection, behaviour, log):
    with connection:
        request = json.loads(connection.makefile("rb").readline())
        log.write(json.dumps({"method": request["method"], **(
            {"params": request["params"]} if "params" in request else {})}) + "\n")
        log.flush()
        try:
            SEND[behaviour](connection, line(request, MAKE.get(behaviour, answer)))
        except (BrokenPipeError, ConnectionResetError):
            pass


def listen(folder, behaviour, log):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(folder, behaviour + ".sock"))
    server.listen()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, behaviour, log), daemon=True).start()


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "requests"), "a") as log:
        for behaviour in SEND:
            threading.Thread(target=listen, args=(folder, behaviour, log), daemon=True).start()
        while not all(os.path.exists(os.path.join(folder, b + ".sock")) for b in SEND):
            time.sleep(0.01)
        open(os.path.join(folder, "ready"), "w").close()
        sys.stdin.read()


if __name__ == "__main__":
    main()
