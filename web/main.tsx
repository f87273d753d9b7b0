/** The page of `gwmark web`: the only file with an effect on import. */
import { render } from 'preact';

import { App } from './app.js';
import { takeToken } from './remote.js';

takeToken();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
