export type { FakeClient, FakeClientOptions } from './fake-client.js';
export {
  FakeManagementServer,
  type FakeHandler,
  type FakeManagementServerOptions,
  type FakeReply,
} from './fake-management-server.js';
export { lexLine, type LexedLine } from './lexer.js';
export { ManualClock } from './manual-clock.js';
export { Transcript, TranscriptPlayer, type TranscriptRecord } from './transcript.js';
