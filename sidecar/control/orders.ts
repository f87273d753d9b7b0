import { GwmarkError } from '../errors.js';
import { type Answer, plainText } from '../http/listener.js';
import {
  type KickOrder,
  type KickReport,
  parseKickOrder,
  parseReleaseOrder,
  type ReleaseOrder,
} from './kick-order.js';
import { NO_SUCH_PAGE, statusOfError } from './order-errors.js';
import { FORGET_ORDER_EXPECTED, type ForgetOrder, parseForgetOrder } from './forget-order.js';
import { MOVE_ORDER_EXPECTED, type MoveOrder, parseMoveOrder } from './move-order.js';

/** What a daemon does when it is told to. */
export interface CommandOrders {
  /** For `gwmark move`; false if there is no such gateway. */
  readonly move: (order: MoveOrder) => Promise<boolean>;
  /** For `gwmark forget`; false if there is no such gateway. */
  readonly forget: (order: ForgetOrder) => Promise<boolean>;
  /** For `gwmark kick`. Rejects with a GwmarkError that has a status, see `order-errors.ts`. */
  readonly kick: (order: KickOrder) => Promise<KickReport>;
  /** For `gwmark kick --release`. Throws a GwmarkError that has a status, see `order-errors.ts`. */
  readonly release: (order: ReleaseOrder) => void;
}

/**
 * Answers a POST with an order, a JSON body: `/move` (`{"device":"lan0","from":MAC,"to":MAC}`), `/forget` (`{"device":"lan0","mac":MAC}`), `/kick` (a
 * {@link KickOrder}), `/release` (a {@link ReleaseOrder}). 200 with what was done, 400 for a body that is no order, 404
 * where there is no such gateway or client, 409 where several clients are meant, 422 for a hold that is not possible.
 */
export async function obey(page: string, body: string, orders: CommandOrders): Promise<Answer> {
  const raw = parseJson(body);
  try {
    switch (page) {
      case '/move':
        return await move(parseMoveOrder(raw), orders);
      case '/forget':
        return await forget(parseForgetOrder(raw), orders);
      case '/kick': {
        const order = parseKickOrder(raw);
        return order === null ? plainText(400, 'expected an order to kick\n') : json(await orders.kick(order));
      }
      case '/release': {
        const order = parseReleaseOrder(raw);
        if (order === null) return plainText(400, 'expected an order to release\n');
        orders.release(order);
        return json(order);
      }
      default:
        return plainText(404, `${NO_SUCH_PAGE}; expected POST /move, /forget, /kick or /release\n`);
    }
  } catch (error) {
    const status = error instanceof GwmarkError ? statusOfError(error.code) : null;
    if (status === null || !(error instanceof GwmarkError)) throw error;
    return plainText(status, `${error.message}\n`);
  }
}

async function move(order: MoveOrder | null, orders: CommandOrders): Promise<Answer> {
  if (order === null) return plainText(400, `expected ${MOVE_ORDER_EXPECTED}\n`);
  if (await orders.move(order)) return json(order);
  throw unknownGateway(order.device, order.from);
}

async function forget(order: ForgetOrder | null, orders: CommandOrders): Promise<Answer> {
  if (order === null) return plainText(400, `expected ${FORGET_ORDER_EXPECTED}\n`);
  if (await orders.forget(order)) return json(order);
  throw unknownGateway(order.device, order.mac);
}

function unknownGateway(device: string, mac: string): GwmarkError {
  return new GwmarkError(
    'GATEWAY_UNKNOWN',
    `no gateway is learnt from frames of ${mac} on ${device}: see "gwmark gateways"`,
  );
}

function json(value: object): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
