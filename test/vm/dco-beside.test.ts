/** The row of test/beside for the data channel offload that this kernel has. Run by dco.sh. */
import { describeNeighbours } from '../beside/describe.js';
import { DCO_NEIGHBOURS } from '../beside/neighbours/dco.js';

describeNeighbours([DCO_NEIGHBOURS[process.env['LAB_DCO_MODULE'] === 'ovpn' ? 'ovpn' : 'ovpn-dco-v2']]);
