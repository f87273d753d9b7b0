#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The conformance suites that `npm test` leaves to `npm run test:vm`: they take long
# under emulation.
exec "$(dirname "${BASH_SOURCE[0]}")/conformance.sh" \
	netns/{clients,untouched,cold-start,path-errors,openvpn-restart,flows,metrics,sidecar-faults,lost-entries}
