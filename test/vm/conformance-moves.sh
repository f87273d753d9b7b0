#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The conformance suites that change the routers and the module: other MAC addresses, also while no
# sidecar runs, and a module that is unloaded.
exec "$(dirname "${BASH_SOURCE[0]}")/conformance.sh" netns/failover netns/unattended-failover module/module-unloaded
