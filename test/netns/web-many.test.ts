/** The page of `gwmark web` with more clients than fit on it, of a sidecar that the test plays. */
import assert from 'node:assert/strict';

import { ControlServer } from '../../sidecar/control/server.js';
import { LiveFeed } from '../../sidecar/live/live-feed.js';
import { captureLog } from '../../sidecar/log/testing/captured-log.js';
import type { ClientStatus, StatusDocument } from '../../sidecar/status.js';
import { openBrowser } from '../lab/browser.js';
import { Namespace } from '../lab/namespace.js';
import { PROGRAM } from '../lab/sidecar.js';
import { patient } from '../lab/wait.js';
import { READY } from '../protocol/sidecar-control/status-document.js';
import { TemporaryDirectory } from '../protocol/sidecar-control/temporary-directory.js';

const FIRST = READY.clients[0] ?? assert.fail('no client');

/** Ten thousand clients, of which each counts so many bytes by now. */
function clientsAt(look: number): readonly ClientStatus[] {
  return Array.from({ length: 10_000 }, (_, cid) => ({
    ...FIRST,
    cid: String(cid),
    commonName: `client-${cid}`,
    addresses: [`10.${8 + (cid >> 16)}.${(cid >> 8) & 255}.${cid & 255}`],
    traffic: { received: cid * look, sent: 0, at: new Date(look * 1000).toISOString() },
  }));
}

describe('gwmark web with ten thousand clients', function () {
  this.timeout(patient(60_000));

  it('folds them in the picture, draws the rows in view, and finds one by a search', async () => {
    await using directory = await TemporaryDirectory.open();
    await using namespace = await Namespace.create('endpoint');
    let look = 0;
    const status = (): StatusDocument => ({ ...READY, clients: clientsAt((look += 1)) });
    using feed = new LiveFeed({
      status,
      refresh: async () => undefined,
      onLook: () => undefined,
      onFault: (error) => assert.fail(String(error)),
    });
    await using control = await ControlServer.open({
      path: directory.file('s'),
      status,
      readiness: async () => [],
      feed,
      logger: captureLog().logger,
    });
    await using web = namespace.spawn([PROGRAM, 'web', '--control-socket', control.path], { name: 'gwmark web' });
    const [, address = ''] = await web.waitFor(/^open (\S+)$/);
    const browser = await openBrowser(namespace, directory.file('.'));
    try {
      const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
      page.setDefaultTimeout(patient(20_000));
      await page.goto(address);
      await page.locator('[data-client]', { hasText: '9,981 more clients' }).waitFor();
      // The fastest first: it counts the most.
      await page.locator('[data-client="client-9999"]').waitFor();
      await page.locator('.row').nth(1).filter({ hasText: 'client-9999' }).waitFor();
      assert.ok((await page.locator('.row').count()) < 120);

      await page.evaluate("document.querySelector('.table').scrollTo(0, 1e9)");
      await page.locator('.row', { hasText: 'client-0' }).first().waitFor();
      assert.ok((await page.locator('.row').count()) < 120);
      await page.getByRole('searchbox').fill('client-1234');

      await page.locator('.row', { hasText: '10.8.4.210' }).waitFor();
      assert.equal(await page.locator('.row:not(.head)').count(), 1);
    } finally {
      await browser.close();
    }
  });
});
