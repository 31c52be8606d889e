import { render } from 'preact';
import { apiWith } from './api.ts';
import { App } from './app.tsx';
import { follow, tick } from './stream.ts';
import { startTheme } from './theme.ts';

const KEY = 'token';
// The token comes in the fragment, which no server sees, and does not stay where people copy addresses from.
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given !== null) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname);
}
const api = apiWith(sessionStorage.getItem(KEY) ?? '');
startTheme();
const root = document.getElementById('app');
if (root !== null) render(<App api={api} />, root);
setInterval(tick, 1_000);
void follow(api, new AbortController().signal);
