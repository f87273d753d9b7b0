export { capabilitiesOf, parseVersion, type Capabilities, type DaemonVersion } from './capabilities.js';
export type { Backoff } from './backoff.js';
export type { ManagementClientOptions } from './client-options.js';
export { listenAt, ListenError } from './server-socket.js';
export type { ListenFileOptions } from './openvpn-listener.js';
export { canonicalAddress, parseClientAddress, type ClientAddress } from './client-address.js';
export {
  ManagementClient,
  type ClientPhase,
  type ConnectedHook,
  type Disconnect,
  type MessageListener,
} from './client.js';
export { systemClock, type Clock, type Timer } from './clock.js';
export { serializeCommand, type Command } from './command.js';
export { CommandQueue, type CommandQueueOptions, type ExecuteOptions, type Precondition } from './command-queue.js';
export { CommandSet } from './command-set.js';
export * as commands from './commands.js';
export type { DaemonSignal, History, LoadStats } from './commands.js';
export { Connection, type ConnectionOptions } from './connection.js';
export { Decoder, type DecoderOptions } from './decoder.js';
export {
  type Endpoint,
  ENDPOINT_EXPECTED,
  formatEndpoint,
  MAX_SOCKET_PATH_BYTES,
  parseEndpoint,
  parsePlace,
  type Place,
  PLACE_EXPECTED,
} from './endpoint.js';
export { Environment } from './environment.js';
export {
  isManagementError,
  MANAGEMENT_ERROR_CODES,
  ManagementError,
  type ErrorContext,
  type ManagementErrorCode,
} from './errors.js';
export { parseCid, parseKid, type Cid, type ClientKey, type Kid } from './ids.js';
export { lexLine, type LexedLine } from './lexer.js';
export { MessageStream, type Delivery, type MessageStreamOptions, type Origin } from './message-stream.js';
export * from './messages.js';
export {
  MAX_PUSHED_ROUTES,
  parseLinkRemote,
  parseRemoteEntry,
  PushReplyReader,
  type LinkRemote,
  type PushedNetworks,
} from './push-reply.js';
export { parseRealAddress, type RealAddress } from './real-address.js';
export { relayed, type Relay } from './relay.js';
export type { Reply, ReplyGrammar, RowReader, StreamPosition } from './reply.js';
export { Secret } from './secret.js';
export { Session } from './session.js';
export type { PositionedStatus, StatusClient, StatusRoute, StatusSnapshot } from './status.js';
export { parseStatus1, parseStatus3 } from './status-parser.js';
export { decodeText, encodeText } from './text.js';
