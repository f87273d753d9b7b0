#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `npm test` runs of conformance.sh and conformance-moves.sh, which take an emulated machine ten minutes: of the
# matrix every pair of protocol, family, host and direction once, and a router that gets another MAC address.
export LAB_SAMPLE=true
exec "$(dirname "${BASH_SOURCE[0]}")/conformance.sh" netns/{matrix-udp4,failover}
