import type { SettingsInForce } from '../../control/settings-in-force.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** The settings that all other checks use. */
export const settings: Check = {
  name: 'settings',
  doc: 'Which settings the other checks use: those of the running sidecar, or those of the command if no sidecar runs in this network namespace. Reports the differences between the two.',
  needsNetAdmin: false,
  look: (system) => Promise.resolve(judgeSettings(system.inForce)),
};

export function judgeSettings({ from, differences }: SettingsInForce): readonly Judgement[] {
  if (from === 'command')
    return [
      fine(
        'settings',
        'those of this command: no sidecar runs here, or it does not report its settings',
        'those of the running sidecar',
      ),
    ];
  if (differences.length === 0) return [fine('settings', 'those of the running sidecar; this command has the same')];
  return differences.map(({ path, running, own }) => ({
    severity: 'info',
    subject: path,
    found: `${running} in the running sidecar (used by the checks); ${own} in this command`,
    expected: 'the same in both',
    remedy:
      'give this command the same configuration (--config); to apply a changed one to the sidecar, send it SIGHUP or restart it',
  }));
}
