import { describeMatrix } from './matrix.js';

describeMatrix('udp4');
