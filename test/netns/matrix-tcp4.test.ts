import { describeMatrix } from './matrix.js';

describeMatrix('tcp4');
