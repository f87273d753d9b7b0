import { request } from 'node:http';

import { type Answer, plainText, type StreamPage } from '../http/listener.js';

/** The sidecar looks every second; a busy one later. */
const SILENCE_MS = 10_000;

/**
 * The sidecar's `/live` for a browser, unchanged. A slow browser slows its own connection to the sidecar alone, and gets the
 * whole status when it has read what it was sent.
 */
export function relayLive(controlSocket: string): Promise<Answer | StreamPage> {
  return new Promise((resolve) => {
    const outgoing = request({ socketPath: controlSocket, path: '/live', agent: false, timeout: SILENCE_MS });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`it said nothing for ${SILENCE_MS} ms`)));
    outgoing.on('error', (error) =>
      resolve(plainText(502, `the sidecar at ${controlSocket} does not answer: ${error.message}\n`)),
    );
    outgoing.on('response', (response) => {
      response.on('error', () => undefined);
      if (response.statusCode !== 200) {
        outgoing.destroy();
        resolve(plainText(502, `the sidecar at ${controlSocket} answered with HTTP ${response.statusCode}\n`));
        return;
      }
      response.setEncoding('utf8');
      resolve({
        type: 'text/event-stream; charset=utf-8',
        open: (stream) => {
          response.on('data', (text: string) => {
            if (!stream.write(text)) response.pause();
          });
          stream.onDrained(() => response.resume());
          stream.onClosed(() => outgoing.destroy());
          response.on('close', () => stream.end());
        },
      });
    });
    outgoing.end();
  });
}
