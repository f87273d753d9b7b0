/** `gwmark web` in a real Chromium, of a real sidecar with real clients. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Browser, Page } from 'playwright-core';

import { openBrowser } from '../lab/browser.js';
import type { LabProcess } from '../lab/process.js';
import { PROGRAM, runGwmark } from '../lab/sidecar.js';
import { MAC } from '../lab/topology.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

const ORIGIN = 'http://127.0.0.1:8119';
const ELSEWHERE = '02:00:00:00:77:77';
/** Everything that the browser loads for the page, bytes. */
const MAX_WEIGHT = 150_000;

describe('gwmark web', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let pinging: LabProcess;
  let web: LabProcess;
  let browser: Browser;
  let address = '';

  before(async function () {
    this.timeout(patient(120_000));
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1', 'client2');
    await lab.topology.endpoint.sysctl('net.netfilter.nf_conntrack_acct=1');
    pinging = lab.topology.hostA.spawn(['ping', '-q', '-i', '0.1', '-s', '800', TUNNEL.client1.v4], { name: 'ping' });
    web = lab.topology.endpoint.spawn([PROGRAM, 'web', '--control-socket', lab.sidecar.controlSocket], {
      name: 'gwmark web',
    });
    [, address = ''] = await web.waitFor(/^open (\S+)$/);
    browser = await openBrowser(lab.topology.endpoint, lab.pki.directory);
  });
  after(async () => {
    await browser?.close();
    await web?.stop();
    await pinging?.stop();
    await lab?.[Symbol.asyncDispose]();
  });

  /** A new window with the page in it; it closes with the scope. What the page throws fails the test. */
  async function open(
    url = address,
    options: Parameters<Browser['newPage']>[0] = {},
  ): Promise<AsyncDisposable & { readonly page: Page; readonly faults: readonly string[] }> {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, ...options });
    page.setDefaultTimeout(patient(10_000));
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(url);
    return { page, faults, [Symbol.asyncDispose]: () => page.close() };
  }

  /** Sends the replies of r2 elsewhere, or back. */
  async function move(to: string): Promise<void> {
    const args = ['move', 'lan0', MAC.r2, to, '--control-socket', lab.sidecar.controlSocket];
    const { code, stderr } = await runGwmark(lab.topology.endpoint, args);
    assert.equal(code, 0, stderr);
  }

  /** What curl in the endpoint gets: status and body. */
  async function ask(page: string, ...headers: readonly string[]): Promise<{ status: string; body: string }> {
    const script = `const [url, ...headers] = process.argv.slice(1);
      require('node:http').get(url, { headers: Object.fromEntries(headers.map((h) => h.split(/: (.*)/).slice(0, 2))) }, (r) => {
        let body = ''; r.on('data', (c) => { body += c; }); r.on('end', () => console.log(r.statusCode + '\\n' + body)); });`;
    const text = await lab.topology.endpoint.run([process.execPath, '-e', script, `${ORIGIN}${page}`, ...headers]);
    const [status = '', ...body] = text.split('\n');
    return { status, body: body.join('\n') };
  }

  it('shows clients, gateways with the uplink, and the flows between them as lines', async () => {
    await using window = await open();
    const { page } = window;

    for (const title of ['client1', 'client2']) await page.locator(`[data-client="${title}"]`).waitFor();
    for (const mac of [MAC.r1, MAC.r2, MAC.u]) await page.locator(`[data-gateway="${mac}"]`).waitFor();
    await page.locator(`[data-gateway="${MAC.u}"]`, { hasText: 'uplink' }).waitFor();
    await page.locator(`path[data-flows-from="${MAC.r1}"][data-flows-to="client1"]`).waitFor({ state: 'attached' });
    await page.locator('[data-client="client1"]', { hasText: /\d B\/s|kB\/s/ }).waitFor();
    await page.locator('.row', { hasText: TUNNEL.client2.v4 }).waitFor();
    await page.locator('header', { hasText: 'ready' }).waitFor();
    assert.deepEqual(window.faults, []);
  });

  it('takes the token out of the address, and asks nobody but its own server', async () => {
    const asked: string[] = [];
    await using window = await open('about:blank');
    window.page.on('request', (request) => asked.push(request.url()));
    let weight = 0;
    window.page.on('response', (response) => {
      if (response.url().endsWith('/live')) return;
      void response.body().then((body) => (weight += body.length));
    });
    const startedAt = performance.now();
    await window.page.goto(address);
    await window.page.locator('[data-client="client1"]').waitFor();
    const pictureMs = performance.now() - startedAt;

    assert.equal(window.page.url(), `${ORIGIN}/`);
    assert.deepEqual(
      asked.filter((url) => !url.startsWith(`${ORIGIN}/`)),
      [],
    );
    assert.ok(!asked.some((url) => url.includes('token')));
    await eventually(() => weight > 20_000, { what: 'the files of the page' });
    assert.ok(weight < MAX_WEIGHT, `${weight} bytes`);
    console.log(`      ${weight} bytes, first picture after ${Math.round(pictureMs)} ms`);
  });

  it('shows a client when it connects, and what happened', async () => {
    await using window = await open();
    const { page } = window;
    await page.locator('[data-client="client1"]').waitFor();
    assert.equal(await page.locator('[data-client="local"]').count(), 0);

    await lab.connect('local');
    await page.locator('[data-client="local"]').waitFor();
    await lab.client('local').stop();
    await page.locator('[data-client="local"]').waitFor({ state: 'detached', timeout: patient(20_000) });

    await page.getByRole('button', { name: /^events/ }).click();
    await page.getByText(`client local connected: ${TUNNEL.local.v4}`).waitFor();
    await page.getByText('client local left').waitFor();
    assert.deepEqual(window.faults, []);
  });

  it('shows a move: the line goes to the other MAC address, and back', async () => {
    await using window = await open();
    const { page } = window;
    const line = page.locator(`path[data-gateway-line][data-mac="${ELSEWHERE}"]`);
    await page.locator(`path[data-flows-from="${MAC.r2}"], [data-gateway="${MAC.r2}"]`).first().waitFor();

    await move(ELSEWHERE);
    await line.waitFor({ state: 'attached' });
    await page.locator(`[data-gateway="${ELSEWHERE}"].fresh`).waitFor();
    await move(MAC.r2);
    await line.waitFor({ state: 'detached' });

    await page.getByRole('button', { name: /^events/ }).click();
    await page.getByText(`moved: ${MAC.r2} -> ${ELSEWHERE}`).waitFor();
    await page.getByText(`moved: ${ELSEWHERE} -> ${MAC.r2}`).waitFor();
  });

  it('traces a flow that is chosen, and finds flows by a search', async () => {
    await using window = await open();
    const { page } = window;
    await page.getByRole('button', { name: 'flows' }).click();

    await page.getByRole('searchbox').fill(TUNNEL.client1.v4);
    await page.locator('.row.choice', { hasText: 'icmp' }).first().click();

    await page
      .locator('[data-trace]', { hasText: new RegExp(`lan0 to ${MAC.r1}`) })
      .waitFor({ timeout: patient(20_000) });
    await page.getByRole('searchbox').fill('nothing has this');
    await page.getByText('no such flow has a gateway').waitFor();
    assert.deepEqual(window.faults, []);
  });

  it("shows the doctor's findings", async () => {
    await using window = await open();
    await window.page.getByRole('button', { name: 'doctor' }).click();

    await window.page.locator('li', { hasText: /^ok nftables in the kernel:/ }).waitFor({ timeout: patient(30_000) });
  });

  it('fits a phone: nothing is beside the window', async () => {
    await using window = await open(address, { viewport: { width: 375, height: 700 }, isMobile: true });
    await window.page.locator('[data-client="client1"]').waitFor();

    const widths = await window.page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
    assert.deepEqual(widths, [375, 375]);
    await window.page.locator(`[data-gateway="${MAC.r1}"] text`, { hasText: MAC.r1 }).waitFor();
  });

  it('is light or dark, as the browser asks', async () => {
    const backgrounds: unknown[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await using window = await open(address, { colorScheme });
      await window.page.locator('path[data-flows-from]').first().waitFor({ state: 'attached' });
      backgrounds.push(await window.page.evaluate('getComputedStyle(document.body).backgroundColor'));
      const folder = process.env['LAB_SCREENSHOTS'];
      if (folder !== undefined)
        await writeFile(
          path.join(folder, `web-${colorScheme}.png`),
          await window.page.screenshot({ clip: { x: 0, y: 0, width: 1200, height: 480 } }),
        );
    }

    assert.deepEqual(backgrounds, ['rgb(246, 247, 249)', 'rgb(15, 20, 26)']);
  });

  it('asks for the token if it has none or a wrong one, and shows everything once it is right', async () => {
    await using window = await open(`${ORIGIN}/#token=wrong`);
    const { page } = window;
    await page.getByText('The token is missing or wrong').waitFor();
    assert.equal(await page.locator('[data-client]').count(), 0);

    await page.getByLabel('token').fill(address.split('token=')[1] ?? '');
    await page.getByRole('button', { name: 'show' }).click();

    await page.locator('[data-client="client1"]').waitFor();
  });

  it('gives its files to everybody, data to who has the token, and nothing under the name of another site', async () => {
    const right = `authorization: Bearer ${address.split('token=')[1]}`;

    assert.equal((await ask('/')).status, '200');
    for (const page of ['/live', '/flows', '/doctor', '/trace?source=10.8.0.1&destination=10.8.0.2', '/status'])
      assert.equal((await ask(page)).status, '401', page);
    assert.equal((await ask('/flows', right)).status, '200');
    for (const page of ['/', '/flows'])
      assert.equal((await ask(page, right, 'host: evil.example:8119')).status, '421', page);
    assert.equal((await ask('/trace?source=x&destination=10.8.0.2', right)).status, '400');
    for (const page of ['/web/../../package.json', '/sidecar/main.js', '/web/%2e%2e/x.js', '/lib/../x'])
      assert.equal((await ask(page, right)).status, '404', page);
  });

  it('says that the sidecar has ended, keeps what it showed, and continues with the next one', async () => {
    await using window = await open();
    const { page } = window;
    await page.locator('[data-client="client1"]').waitFor();

    await lab.sidecar.stop();
    await page
      .getByRole('alert')
      .filter({ hasText: /Shown is what was/ })
      .waitFor();
    await page.locator('[data-client="client1"]').waitFor();
    await page.locator('header', { hasText: 'no answer' }).waitFor();
    await lab.startSidecar();

    await page.locator('header', { hasText: /^(?!.*not ready).*ready/ }).waitFor();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: /^events/ }).click();
    await page.getByText('the sidecar was restarted').waitFor();
    assert.deepEqual(window.faults, []);
  });

  it('ends by a signal while pages are open, and says where it cannot listen', async () => {
    await using window = await open();
    await window.page.locator('[data-client="client1"]').waitFor();
    const args = ['web', '--control-socket', lab.sidecar.controlSocket];
    const { code, stderr } = await runGwmark(lab.topology.endpoint, args);
    assert.deepEqual([code, stderr.startsWith('gwmark: cannot listen on tcp:127.0.0.1:8119: ')], [1, true], stderr);

    assert.deepEqual(await web.stop(), { code: 0, signal: null });

    await window.page.getByRole('alert').filter({ hasText: 'gwmark web does not answer' }).waitFor();
  });
});
