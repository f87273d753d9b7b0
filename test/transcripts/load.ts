import { readdirSync, readFileSync } from 'node:fs';
import { Transcript } from 'openvpn-management-client/testing';

const directory = new URL('../../../test/transcripts/', import.meta.url);

/** The names of all recorded transcripts. */
export function transcriptNames(): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -'.txt'.length));
}

/** A recorded transcript by its name. */
export function loadTranscript(name: string): Transcript {
  return Transcript.parse(readFileSync(new URL(`${name}.txt`, directory), 'utf8'));
}
