export type { FakeClient, FakeClientOptions } from './fake-client.js';
export type { FakeHandler, FakeReply } from './fake-daemon.js';
export { FakeManagementServer, type FakeManagementServerOptions } from './fake-management-server.js';
export { lexLine, type LexedLine } from '../lexer.js';
export { ManualClock } from './manual-clock.js';
export { Transcript, TranscriptPlayer, type TranscriptRecord } from './transcript.js';
