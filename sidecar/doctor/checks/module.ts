import { MODULE_ABI } from '../../datapath/module/proc.js';
import type { Settings } from '../../config/settings.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { ModuleReading } from '../../datapath/module/module-reading.js';

interface Facts {
  readonly reading: ModuleReading;
  readonly wanted: Settings['datapath'];
  /** The datapath of the running sidecar, null if none runs. */
  readonly running: 'nexthop' | 'module' | null;
}

/** The kernel module is what the settings need. */
export const kernelModule: Check = {
  name: 'module',
  doc: 'The kernel module gwmark is loaded if the settings force it, has the ABI of this sidecar, and is enabled only while a sidecar uses it.',
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return [
      judgeModule({
        reading: await system.module(),
        wanted: system.settings.datapath,
        running: status?.datapath ?? null,
      }),
    ];
  },
};

export function judgeModule({ reading, wanted, running }: Facts): Judgement {
  const subject = 'module gwmark';
  const isNeeded = wanted === 'module' || running === 'module';
  const expected = isNeeded ? `loaded, with ABI ${MODULE_ABI}` : `absent, or with ABI ${MODULE_ABI}`;
  switch (reading.state) {
    case 'absent':
      if (!isNeeded) return fine(subject, 'not loaded: the datapath is nexthop', expected);
      return {
        severity: 'error',
        subject,
        found: 'not loaded',
        expected,
        remedy: 'modprobe gwmark (package gwmark-dkms, or make in module/), or set datapath: auto',
      };
    case 'foreign':
      if (wanted === 'nexthop')
        return fine(subject, `another version ("${reading.firstLine}"), but not used`, expected);
      return {
        severity: 'error',
        subject,
        found: `another version ("${reading.firstLine}")`,
        expected,
        remedy: 'upgrade the older of module and sidecar and reload the module, or set datapath: nexthop',
      };
    default:
      if (running === 'module' && !reading.isEnabled) {
        return {
          severity: 'error',
          subject,
          found: 'loaded, but not enabled in this network namespace',
          expected: 'enabled by the running sidecar',
          remedy: 'see "gwmark status"; the sidecar enables it within a second, or says why it cannot',
        };
      }
      if (running === 'nexthop' && reading.isEnabled) {
        return {
          severity: 'warn',
          subject,
          found:
            'enabled here, while the sidecar uses the datapath nexthop: it may mistake marks of gateways for its own',
          expected: 'not enabled, or used',
          remedy: 'echo disable > /proc/net/gwmark/control, or restart the sidecar with datapath: auto',
        };
      }
      return fine(subject, `loaded, ABI ${MODULE_ABI}${reading.isEnabled ? ', enabled' : ''}`, expected);
  }
}
