import type { SettingsInForce } from '../../control/settings-in-force.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Which settings everything else is judged by. */
export const settings: Check = {
  name: 'settings',
  doc: 'The other checks judge by the settings of the running sidecar, where they matter, and by those of the command where no sidecar runs in this network namespace. What differs between the two is named.',
  needsNetAdmin: false,
  look: (system) => Promise.resolve(judgeSettings(system.inForce)),
};

export function judgeSettings({ from, differences }: SettingsInForce): readonly Judgement[] {
  if (from === 'command')
    return [
      fine(
        'settings',
        'those of this command: no sidecar runs here, or it does not say what it works with',
        'those of the running sidecar',
      ),
    ];
  if (differences.length === 0)
    return [fine('settings', 'those of the running sidecar, and this command has the same')];
  return differences.map(({ path, running, own }) => ({
    severity: 'info',
    subject: path,
    found: `${running} in the running sidecar, which is what counts; ${own} in this command`,
    expected: 'the same in both',
    remedy:
      'give this command the same configuration (--config); if the sidecar is to take over a changed one, send it SIGHUP or restart it',
  }));
}
