import { NftError } from 'nftables-json';

import { settingsInForce } from '../control/settings-in-force.js';
import { statusOfSidecarHere } from '../control/sidecar-here.js';
import { ERROR_CODES, GwmarkError } from '../errors.js';
import type { Check } from './check.js';
import { CHECKS } from './checks.js';
import type { Finding, Judgement } from './finding.js';
import { System, type SystemOptions } from './system.js';

/**
 * Runs every check and returns what they found, in their order. Changes nothing. A check that could not look is a
 * finding too, so this rejects only for faults of gwmark itself.
 */
export async function diagnose(options: SystemOptions): Promise<readonly Finding[]> {
  const { settings } = options;
  const status = await statusOfSidecarHere(settings.controlSocket).catch(() => null);
  await using system = new System({ ...options, inForce: settingsInForce(settings, status) });
  const results = await Promise.all(
    CHECKS.map(async (check) => ({ check, judgements: await lookWith(check, system) })),
  );
  const told = new Set<string>();
  return results.flatMap(({ check: { name }, judgements }) =>
    judgements.flatMap((judgement): Finding[] => {
      // The same failure of several checks is reported once.
      const isRepeated = judgement.expected === TO_LOOK && told.has(judgement.found);
      told.add(judgement.found);
      return isRepeated ? [] : [{ check: name, ...judgement }];
    }),
  );
}

const TO_LOOK = 'to be checked';

async function lookWith(check: Check, system: System): Promise<readonly Judgement[]> {
  const subject = check.name;
  if (check.needsNetAdmin && !system.hasNetAdmin) {
    return [
      {
        severity: 'info',
        subject,
        found: 'not checked: needs CAP_NET_ADMIN',
        expected: `${subject} ${TO_LOOK}`,
        remedy: 'run gwmark doctor as root',
      },
    ];
  }
  try {
    return await check.look(system);
  } catch (error) {
    if (error instanceof GwmarkError)
      return [
        {
          severity: 'error',
          subject,
          found: error.message,
          expected: TO_LOOK,
          remedy: ERROR_CODES[error.code].remedy,
        },
      ];
    if (error instanceof NftError)
      return [
        {
          severity: 'error',
          subject,
          found: error.message,
          expected: TO_LOOK,
          remedy: 'check that "nft list ruleset" works',
        },
      ];
    throw error;
  }
}
